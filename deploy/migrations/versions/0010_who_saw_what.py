"""Which incidents a list showed, who read which receipt, and what supervision was told of, untaken first.

Revision ID: 0010
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("reading", sa.Column("shown", postgresql.ARRAY(sa.Uuid()), nullable=True), schema="ledger")
    op.create_index("reading_shown", "reading", ["shown"], schema="ledger", postgresql_using="gin")


def downgrade() -> None:
    """Go back."""
    op.drop_index("reading_shown", table_name="reading", schema="ledger")
    op.drop_column("reading", "shown", schema="ledger")
