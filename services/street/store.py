"""What the street remembers."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import DateTime, Index, MetaData, Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.incident import Incident
from services.domain.street import owes
from services.runtime.journal import Journal
from services.runtime.states import Derived, States

metadata = MetaData(schema="street")
journal = Journal(metadata)


def make_states(metadata: MetaData) -> States[Incident]:
    """Return the table of incidents."""

    def what(state: Incident) -> str | None:
        found = owes(state)
        return found[0] if found else None

    def by(state: Incident) -> datetime | None:
        found = owes(state)
        return found[1] if found else None

    return States(
        metadata,
        "incident",
        TypeAdapter(Incident),
        Derived("street", Text(), lambda state: state.street),
        Derived("status", Text(), lambda state: state.status, nullable=True),
        Derived("owes", Text(), what, nullable=True),
        Derived("owes_by", DateTime(timezone=True), by, nullable=True),
    )


incidents = make_states(metadata)
Index("incident_inbox", incidents.table.c.street, incidents.table.c.owes_by)


async def inbox(connection: AsyncConnection, street: str) -> list[tuple[str, datetime, Incident]]:
    """Return (what is owed, by when, the incident) for everything the street owes, the most urgent first."""
    table = incidents.table
    rows = await connection.execute(
        select(table.c.owes, table.c.owes_by, table.c.state)
        .where(table.c.street == street, table.c.owes_by.is_not(None))
        .order_by(table.c.owes_by, table.c.id)
    )
    return [(row.owes, row.owes_by, incidents.read(row.state)) for row in rows]


async def find(connection: AsyncConnection, prefix: str) -> list[Incident]:
    """Return the incidents whose id begins like this, at most two: one is an answer, two are an ambiguity."""
    table = incidents.table
    rows = await connection.execute(
        select(table.c.state).where(cast(table.c.id, Text).startswith(prefix.lower(), autoescape=True)).limit(2)
    )
    return [incidents.read(state) for state in rows.scalars()]
