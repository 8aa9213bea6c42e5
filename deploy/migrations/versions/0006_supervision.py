"""Supervision: copies of reminders, every broken promise, notices of them, and who has read what.

Promises that were broken before it are listed once `whistle ledger rebuild` has run.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ORDER = ["open", "due_at", "incident", "since", "name"]
# Whoever may write readings could otherwise also unwrite them; the tables' owner alone can take this away again.
STAYS = """
CREATE FUNCTION ledger.reading_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'who has read what is never changed or deleted';
END
$$
"""


def upgrade() -> None:
    """Go forward."""
    op.add_column("telling", sa.Column("note", sa.Text(), nullable=True), schema="supervision")
    op.create_table(
        "broken",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("since", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("supervised", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("incident", "since", "name"),
        schema="ledger",
    )
    op.create_index("broken_order", "broken", ORDER, schema="ledger")
    for column in ("unit", "side", "name"):
        op.create_index(
            f"broken_{column}", "broken", [column, *(each for each in ORDER if each != column)], schema="ledger"
        )
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("begins", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("still_open", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.create_index("notice_unit", "notice", ["unit", "at"], schema="ledger")
    op.create_table(
        "reading",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("incident", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.create_index("reading_incident", "reading", ["incident", "at"], schema="ledger")
    op.create_index("reading_who", "reading", ["who", "at"], schema="ledger")
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER reading_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.reading "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.reading_stays()"
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("reading", schema="ledger")
    op.execute("DROP FUNCTION ledger.reading_stays()")
    op.drop_table("notice", schema="ledger")
    op.drop_table("broken", schema="ledger")
    op.drop_column("telling", "note", schema="supervision")
