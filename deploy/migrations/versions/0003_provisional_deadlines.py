"""By which calendars an incident is counted that reaches beyond what they are confirmed for.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what is there was counted by no calendar that could run out."""
    op.add_column("incident", sa.Column("counted_by", sa.Text(), nullable=True), schema="router")
    _to_the_end("state")
    op.create_index(
        "incident_counted_by",
        "incident",
        ["shard", "counted_by"],
        schema="router",
        postgresql_where=sa.text("counted_by IS NOT NULL"),
    )


def _to_the_end(column: str) -> None:
    """Put a column behind all others: rows are written as arrays of the table's own type, in the order of the code."""
    op.add_column("incident", sa.Column("moved", sa.Text(), nullable=True), schema="router")
    op.execute(f"UPDATE router.incident SET moved = {column}")  # noqa: S608 - our own name
    op.drop_column("incident", column, schema="router")
    op.alter_column("incident", "moved", new_column_name=column, nullable=False, schema="router")


def downgrade() -> None:
    """Go back."""
    op.drop_index("incident_counted_by", table_name="incident", schema="router")
    op.drop_column("incident", "counted_by", schema="router")
