"""The ledger at a million incidents: narrow rows to list and count, and an index to search.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.domain.wording import folded, grams, marks

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AT_ONCE = 5_000
FILTERS = ["community", "category", "status", "lead"]


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "fate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=True),
        sa.Column("home", sa.Uuid(), nullable=True),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.create_table(
        "wording",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("grams", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="ledger",
    )
    op.add_column("obligation", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True), schema="ledger")
    op.add_column("clock", sa.Column("category", sa.Text(), nullable=True), schema="ledger")
    op.add_column("clock", sa.Column("community", sa.Text(), nullable=True), schema="ledger")
    op.add_column("clock", sa.Column("status", sa.Text(), nullable=True), schema="ledger")
    op.add_column("clock", sa.Column("lead", sa.Text(), nullable=True), schema="ledger")
    _fill()
    op.alter_column("clock", "community", nullable=False, schema="ledger")
    order = ["kind", "reported_at", "id"]
    op.create_index("fate_kind", "fate", order, schema="ledger", postgresql_include=FILTERS)
    for column in FILTERS:
        others = [each for each in FILTERS if each != column]
        op.create_index(f"fate_{column}", "fate", [column, *order], schema="ledger", postgresql_include=others)
    op.create_index(
        "fate_unowned",
        "fate",
        ["reported_at", "id"],
        schema="ledger",
        postgresql_where=sa.text("NOT owned AND status <> 'refused'"),
        postgresql_include=FILTERS,
    )
    op.create_index(
        "fate_attached", "fate", ["id"], schema="ledger", postgresql_where=sa.text("home IS DISTINCT FROM id")
    )
    op.create_index(
        "wording_grams",
        "wording",
        ["grams"],
        schema="ledger",
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": "512"},
    )
    op.drop_index("incident_kind", table_name="incident", schema="ledger")
    op.drop_index("clock_due", table_name="clock", schema="ledger")
    op.create_index("clock_due", "clock", ["due_at", "incident", "department", "name"], schema="ledger")
    for column in FILTERS:
        shown = [*(each for each in FILTERS if each != column), "department", "name", "unit"]
        op.create_index(
            f"clock_{column}", "clock", [column, "due_at", "incident"], schema="ledger", postgresql_include=shown
        )


def _fill() -> None:
    """Derive the new rows of what is there already; a repeat's fate is that of the incident it lives in."""
    op.execute(
        "UPDATE ledger.obligation SET due_at = (SELECT min(clock.due_at) FROM ledger.clock "
        "WHERE clock.incident = obligation.incident AND clock.department = obligation.department "
        "AND clock.unit = obligation.department)"
    )
    op.execute(
        "UPDATE ledger.clock SET category = incident.category, community = incident.community, "
        "status = incident.status, lead = incident.lead FROM ledger.incident WHERE incident.id = clock.incident"
    )
    op.execute(
        "INSERT INTO ledger.fate SELECT id, kind, category, community, status, owned AND status <> 'attached', lead, "
        "CASE WHEN status <> 'attached' THEN id END, escalations > 0, reported_at "
        "FROM ledger.incident WHERE kind IS NOT NULL"
    )
    # One repeat after another, from where they end: each round settles those attached to what is settled.
    settle = sa.text(
        "UPDATE ledger.fate SET home = home.home, status = home.status, owned = home.owned, lead = home.lead "
        "FROM ledger.incident, ledger.fate AS home, ledger.repeat "
        "WHERE incident.id = fate.id AND fate.home IS NULL AND home.id = incident.attached_to "
        "AND home.home IS NOT NULL AND repeat.incident = home.id AND repeat.report = fate.id"
    )
    while op.get_bind().execute(settle).rowcount:
        pass
    _fill_wordings()


def _fill_wordings() -> None:
    found = sa.text(
        "SELECT id, kind, category, community, description, place FROM ledger.incident "
        "WHERE kind IS NOT NULL AND id > :last ORDER BY id LIMIT :many"
    )
    wording = sa.table("wording", sa.column("id"), sa.column("text"), sa.column("grams"), schema="ledger")
    last = "00000000-0000-0000-0000-000000000000"
    while rows := op.get_bind().execute(found, {"last": last, "many": AT_ONCE}).all():
        op.bulk_insert(wording, [_wording(row) for row in rows])
        last = rows[-1].id


def _wording(row: sa.Row) -> dict[str, object]:
    text = folded(row.description, row.place)
    known = marks(("kind", row.kind), ("category", row.category), ("community", row.community))
    return {"id": row.id, "text": text, "grams": [*known, *grams(text)]}


def downgrade() -> None:
    """Go back."""
    op.drop_index("clock_due", table_name="clock", schema="ledger")
    op.create_index("clock_due", "clock", ["due_at"], schema="ledger")
    for column in FILTERS:
        op.drop_column("clock", column, schema="ledger")
    op.create_index("incident_kind", "incident", ["kind", "reported_at"], schema="ledger")
    op.drop_column("obligation", "due_at", schema="ledger")
    op.drop_table("wording", schema="ledger")
    op.drop_table("fate", schema="ledger")
