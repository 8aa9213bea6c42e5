"""By which configuration the router has reckoned when its incidents are due next.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "reckoned",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard"),
        schema="router",
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("reckoned", schema="router")
