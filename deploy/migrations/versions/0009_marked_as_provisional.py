"""What is asked of a reporter, and of the district, by an instant that may still move.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what was told until now was not marked, whatever calendar it was counted by."""
    op.add_column("told", sa.Column("provisional", sa.Boolean(), nullable=True), schema="receipts")
    op.add_column("telling", sa.Column("provisional", sa.Boolean(), nullable=True), schema="supervision")


def downgrade() -> None:
    """Go back."""
    op.drop_column("telling", "provisional", schema="supervision")
    op.drop_column("told", "provisional", schema="receipts")
