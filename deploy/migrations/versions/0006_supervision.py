"""Supervision: copies of reminders, every broken promise, and who has read what.

Revision ID: 0006
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("telling", sa.Column("note", sa.Text(), nullable=True), schema="supervision")


def downgrade() -> None:
    """Go back."""
    op.drop_column("telling", "note", schema="supervision")
