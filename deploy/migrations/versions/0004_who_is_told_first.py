"""What nobody has taken on is listed first; who was told, and which posts nobody held.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FILTERS = ["community", "category", "status", "lead"]


def upgrade() -> None:
    """Go forward."""
    op.add_column("telling", sa.Column("vacant", postgresql.ARRAY(sa.Text()), nullable=True), schema="supervision")
    op.add_column("clock", sa.Column("taken", sa.Boolean(), nullable=True), schema="ledger")
    op.execute("UPDATE ledger.clock SET taken = name NOT IN ('acknowledge', 'decide', 'lead')")
    op.alter_column("clock", "taken", nullable=False, schema="ledger")
    _index(["taken", "due_at"])


def downgrade() -> None:
    """Go back."""
    _index(["due_at"])
    op.drop_column("clock", "taken", schema="ledger")
    op.drop_column("telling", "vacant", schema="supervision")


def _index(order: list[str]) -> None:
    op.drop_index("clock_due", table_name="clock", schema="ledger")
    op.create_index("clock_due", "clock", [*order, "incident", "department", "name"], schema="ledger")
    for column in FILTERS:
        shown = [*(each for each in FILTERS if each != column), "department", "name", "unit"]
        op.drop_index(f"clock_{column}", table_name="clock", schema="ledger")
        op.create_index(
            f"clock_{column}", "clock", [column, *order, "incident"], schema="ledger", postgresql_include=shown
        )
