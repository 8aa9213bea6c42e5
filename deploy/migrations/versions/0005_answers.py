"""The room of the receipts, and what became of what rounds of inspection found.

What earlier rounds found is only in the history: `whistle ledger rebuild` writes it down.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.execute("CREATE SCHEMA receipts")
    op.create_table(
        "journal",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregatetype", sa.Text(), nullable=False),
        sa.Column("aggregateid", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq"),
        schema="receipts",
    )
    op.create_index(
        "journal_cause",
        "journal",
        ["cause"],
        unique=True,
        schema="receipts",
        postgresql_where=sa.text("ordinal = 0"),
    )
    op.create_table(
        "shard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="receipts",
    )
    op.create_table(
        "told",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reply_by", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="receipts",
    )
    op.create_index("told_report", "told", ["report", "community"], schema="receipts")
    op.create_table(
        "finding",
        sa.Column("inspection", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("inspection", "report"),
        schema="ledger",
    )
    op.create_table(
        "recheck",
        sa.Column("inspection", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("inspection", "report"),
        schema="ledger",
    )
    op.create_index("recheck_report", "recheck", ["report"], schema="ledger")


def downgrade() -> None:
    """Go back."""
    op.drop_table("recheck", schema="ledger")
    op.drop_table("finding", schema="ledger")
    op.drop_table("told", schema="receipts")
    op.drop_table("shard", schema="receipts")
    op.drop_table("journal", schema="receipts")
    op.execute("DROP SCHEMA receipts")
