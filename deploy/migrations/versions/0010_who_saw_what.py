"""Which incidents a list showed, who read which receipt, what nobody had taken on first, and the streets' notices.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# As for the ledger's readings: who may write them could otherwise also unwrite them.
STAYS = """
CREATE FUNCTION receipts.reading_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'who has read what is never changed or deleted';
END
$$
"""


def upgrade() -> None:
    """Go forward."""
    op.add_column("reading", sa.Column("shown", postgresql.ARRAY(sa.Uuid()), nullable=True), schema="ledger")
    op.create_index("reading_shown", "reading", ["shown"], schema="ledger", postgresql_using="gin")
    op.create_table(
        "reading",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="receipts",
    )
    op.create_index("reading_report", "reading", ["report", "community", "at"], schema="receipts")
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER reading_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts.reading "
        "FOR EACH STATEMENT EXECUTE FUNCTION receipts.reading_stays()"
    )
    op.add_column("telling", sa.Column("untaken", sa.Boolean(), nullable=True), schema="supervision")
    op.execute("UPDATE supervision.telling SET untaken = deadline IN ('acknowledge', 'decide', 'lead')")
    op.alter_column("telling", "untaken", nullable=False, schema="supervision")
    op.drop_index("telling_at", table_name="telling", schema="supervision")
    order = ["untaken", "told_at", "incident", "step", "id"]
    op.create_index("telling_order", "telling", order, schema="supervision")
    op.create_index("telling_incident", "telling", ["incident"], schema="supervision")
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="street",
    )
    op.create_index("notice_street", "notice", ["street", "at"], schema="street")


def downgrade() -> None:
    """Go back."""
    op.drop_table("notice", schema="street")
    op.drop_index("telling_incident", table_name="telling", schema="supervision")
    op.drop_index("telling_order", table_name="telling", schema="supervision")
    op.create_index("telling_at", "telling", ["told_at"], schema="supervision")
    op.drop_column("telling", "untaken", schema="supervision")
    op.drop_table("reading", schema="receipts")
    op.execute("DROP FUNCTION receipts.reading_stays()")
    op.drop_index("reading_shown", table_name="reading", schema="ledger")
    op.drop_column("reading", "shown", schema="ledger")
