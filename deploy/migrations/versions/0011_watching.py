"""What watching needs: re-inspections, supervision cases, the departments' notices, and entries that stay as they are.

Cases that were opened before it are listed, and in the rates who was late on the spot or with an interim step before it
is late, once `whistle ledger rebuild` has run.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The half of the trail that says who acted; a rebuild, which only the owner can run, takes it away meanwhile.
STAYS = """
CREATE FUNCTION ledger.entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'who has done what is never changed or deleted, but by a rebuild of the ledger';
END
$$
"""
TAKEN = """
INSERT INTO ledger.reinspection (incident, inspection, report, holds)
SELECT DISTINCT ON (incident, inspection, report) incident, inspection, report, holds
FROM (
    SELECT incident, version, CAST(said ->> 'inspection' AS uuid) AS inspection,
        CAST(said ->> 'report' AS uuid) AS report, CAST(said ->> 'holds' AS boolean) AS holds
    FROM (
        SELECT incident, version, CAST(data AS jsonb) AS said
        FROM ledger.entry WHERE type = 'whistle.incident.reinspected.v1'
    ) AS entry
) AS look
ORDER BY incident, inspection, report, version
"""


def upgrade() -> None:
    """Go forward."""
    op.drop_index("recheck_report", table_name="recheck", schema="ledger")
    op.create_table(
        "reinspection",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("inspection", sa.Uuid(), nullable=False),
        sa.Column("report", sa.Uuid(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "inspection", "report"),
        schema="ledger",
    )
    op.create_table(
        "supervised",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident", "unit"),
        schema="ledger",
    )
    op.create_index("supervised_order", "supervised", ["status", "due_at"], schema="ledger")
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "department"),
        schema="department",
    )
    op.create_index("notice_at", "notice", ["department", "at"], schema="department")
    op.execute(STAYS)
    op.execute(
        "CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.entry_stays()"
    )
    _fill()


def _fill() -> None:
    op.execute(TAKEN)


def downgrade() -> None:
    """Go back."""
    op.execute("DROP TRIGGER entry_stays ON ledger.entry")
    op.execute("DROP FUNCTION ledger.entry_stays()")
    op.drop_table("notice", schema="department")
    op.drop_table("supervised", schema="ledger")
    op.drop_table("reinspection", schema="ledger")
    op.create_index("recheck_report", "recheck", ["report"], schema="ledger")
