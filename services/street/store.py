"""What the street remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, Uuid, cast, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.notice import Notice
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


notices = Table(
    "notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("street", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    # As it was given, as JSON.
    Column("notice", Text, nullable=False),
)
Index("notice_street", notices.c.street, notices.c.at)


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice of breaches (通报) that a street was given, when (UTC) and by whom."""

    id: UUID
    street: str
    at: datetime
    by: str
    notice: Notice


async def save_notices(connection: AsyncConnection, given: Sequence[Noticed]) -> None:
    """Write notices; one that is there already stays as it is."""
    if given:
        # Not by `asdict`, which would take the notice apart.
        rows = [
            {"id": each.id, "street": each.street, "at": each.at, "by": each.by, "notice": _written(each.notice)}
            for each in given
        ]
        await connection.execute(insert(notices).on_conflict_do_nothing(), rows)


async def notices_of(connection: AsyncConnection, street: str, limit: int) -> list[Noticed]:
    """Return the notices that a street was given, the newest first, at most `limit`."""
    rows = await connection.execute(
        select(notices)
        .where(notices.c.street == street)
        .order_by(notices.c.at.desc(), notices.c.id.desc())
        .limit(limit)
    )
    return [Noticed(row.id, row.street, row.at, row.by, Notice.model_validate_json(row.notice)) for row in rows]


def _written(notice: Notice) -> str:
    return notice.model_dump_json(exclude_none=True)


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
