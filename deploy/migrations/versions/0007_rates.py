"""The rates: a row for each obligation and incident as it is appraised, and in the states since when.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from pydantic import TypeAdapter

from schemas.topics import JOURNAL
from services.domain.fold import evolve
from services.domain.incident import Incident
from services.domain.rates import appraised

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

AT_ONCE = 1_000
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "appraisal",
        sa.Column("incident", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("section", sa.Boolean(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reported_at", INSTANT, nullable=False),
        sa.Column("began_at", INSTANT, nullable=True),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("responded", sa.Boolean(), nullable=False),
        sa.Column("slow", sa.Boolean(), nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("reopened", sa.Boolean(), nullable=False),
        sa.Column("solved", sa.Boolean(), nullable=True),
        sa.Column("satisfied", sa.Boolean(), nullable=True),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.Column("whistled", sa.Boolean(), nullable=False),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("incident", "department"),
        schema="ledger",
    )
    _fill()


def _fill() -> None:
    """Fold every history again: the states hold new instants, from which the new rows follow."""
    connection = op.get_bind()
    found = sa.text("SELECT id FROM ledger.incident WHERE id > :last ORDER BY id LIMIT :many")
    save = sa.text("UPDATE ledger.incident SET state = :state WHERE id = :id")
    codec = TypeAdapter(Incident)
    last = "00000000-0000-0000-0000-000000000000"
    while ids := connection.execute(found, {"last": last, "many": AT_ONCE}).scalars().all():
        states = _folded(ids)
        written = {each.id: codec.dump_json(each, exclude_defaults=True).decode() for each in states}
        connection.execute(save, [{"id": key, "state": state} for key, state in written.items()])
        _insert(states)
        last = ids[-1]


def _folded(ids: list[object]) -> list[Incident]:
    """Fold as far as each history is whole."""
    facts = {fact.type: fact for fact in JOURNAL.facts}
    entries = sa.text(
        "SELECT incident, at, type, data FROM ledger.entry WHERE incident = ANY(CAST(:ids AS uuid[])) "
        "ORDER BY incident, version"
    )
    states = {key: Incident(key) for key in ids}
    for row in op.get_bind().execute(entries, {"ids": ids}):
        entry = facts[row.type].model_validate_json(row.data)
        state = states[row.incident]
        if entry.version == state.version + 1:
            states[row.incident] = evolve(state, row.incident, entry, row.at)
    return [*states.values()]


def _insert(states: list[Incident]) -> None:
    table = sa.table("appraisal", *map(sa.column, ["incident", *_COLUMNS]), schema="ledger")
    rows = [
        {"incident": state.id, **{name: getattr(item, name) for name in _COLUMNS}}
        for state in states
        for item in appraised(state)
    ]
    if rows:
        op.bulk_insert(table, rows)


_COLUMNS = (
    "department",
    "section",
    "street",
    "community",
    "category",
    "reported_at",
    "began_at",
    "asked",
    "responded",
    "slow",
    "resolved_at",
    "late",
    "answered",
    "reopened",
    "solved",
    "satisfied",
    "decided",
    "whistled",
    "answered_at",
)


def downgrade() -> None:
    """Go back."""
    op.drop_table("appraisal", schema="ledger")
