"""What is asked of the ledger's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.figures import Fate, Row, fates

List = Literal["demands", "suggestions", "hazards", "disputes", "instabilities", "unowned", "overdue"]
LISTS: tuple[List, ...] = get_args(List)
KIND_OF: dict[List, str] = {
    "demands": "demand",
    "suggestions": "suggestion",
    "hazards": "hazard",
    "disputes": "dispute",
    "instabilities": "instability",
}
MOST_MATCHES = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list: a report with its incident; all instants are UTC.

    `status`, `owned` and the owners are those of the incident it lives in, which `incident` names.
    """

    id: UUID
    incident: UUID | None
    kind: str
    category: str
    community: str
    place: str | None
    description: str
    reported_at: datetime
    status: str
    owned: bool
    lead: str | None
    owners: str | None
    due_at: datetime | None
    late: bool
    escalations: int
    reopened: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Overdue:
    """One promise that is broken now: whose (`unit`, empty for whoever approves), which, and since when (UTC).

    `department` names the obligation it belongs to; empty where it is the incident's own.
    """

    id: UUID
    unit: str
    deadline: str
    due_at: datetime
    department: str
    kind: str
    category: str
    community: str
    place: str | None
    description: str
    status: str
    escalations: int


@dataclass(frozen=True, slots=True)
class Burden:
    """What one department owes and has done, in incidents; `late` never gets less."""

    department: str
    owed: int
    overdue: int
    late: int
    done: int


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a history: when (UTC), who, by which post or rule, and what was said."""

    version: int
    at: datetime
    type: str
    who: str
    by: str
    data: str


async def rows(connection: AsyncConnection) -> list[Row]:
    """Return one row for each report that has an incident, the oldest first."""
    repeats: dict[UUID, list[UUID]] = defaultdict(list)
    for found in await connection.execute(text("SELECT incident, report FROM ledger.repeat ORDER BY report")):
        repeats[found.incident].append(found.report)
    result = await connection.execute(
        text(
            "SELECT id, kind, community, status, owned, escalations, attached_to FROM ledger.incident "
            "WHERE kind IS NOT NULL ORDER BY reported_at, id"
        )
    )
    return [
        Row(
            each.id,
            each.kind,
            each.community,
            each.status,
            owned=each.owned,
            escalations=each.escalations,
            attached_to=each.attached_to,
            repeats=tuple(repeats.get(each.id, ())),
        )
        for each in result
    ]


async def inspections(connection: AsyncConnection) -> int:
    """Return how many rounds of inspection were recorded."""
    return int(await connection.scalar(text("SELECT count(*) FROM ledger.inspection")) or 0)


_ITEM = (
    "SELECT id, kind, category, community, place, description, reported_at, status, owned, lead, owners, due_at, late, "
    "escalations, reopened, answered FROM ledger.incident WHERE id = ANY(CAST(:ids AS uuid[]))"
)


async def items(connection: AsyncConnection, wanted: Sequence[Fate]) -> list[Item]:
    """Return the lines of these reports, in the order given."""
    ids = {row.id for fate in wanted for row in (fate.row, fate.home) if row}
    by_id = {each.id: each for each in await connection.execute(text(_ITEM), {"ids": list(ids)})}
    return [_item(fate, by_id) for fate in wanted]


def _item(fate: Fate, by_id: dict[UUID, Any]) -> Item:
    own = by_id[fate.row.id]
    home = by_id[fate.home.id] if fate.home else own
    return Item(
        id=own.id,
        incident=fate.home.id if fate.home else None,
        kind=own.kind,
        category=own.category,
        community=own.community,
        place=own.place,
        description=own.description,
        reported_at=own.reported_at,
        status=fate.status,
        owned=fate.owned,
        lead=home.lead,
        owners=home.owners,
        due_at=home.due_at,
        late=home.late,
        escalations=home.escalations,
        reopened=home.reopened,
        answered=fate.answered,
    )


def chosen(name: List, all_rows: Sequence[Row]) -> list[Fate]:
    """Return what belongs in a list, the oldest first; what is overdue is asked for by its own name."""
    if name == "unowned":
        return [fate for fate in fates(all_rows) if fate.unowned]
    return [fate for fate in fates(all_rows) if fate.row.kind == KIND_OF[name]]


_OVERDUE = (
    "FROM ledger.clock JOIN ledger.incident ON incident.id = clock.incident "
    "WHERE clock.due_at <= :now AND incident.kind IS NOT NULL"
)


async def overdue(connection: AsyncConnection, now: datetime, limit: int | None = None) -> list[Overdue]:
    """Return the promises that are broken at an instant, the longest overdue first."""
    result = await connection.execute(
        text(
            "SELECT incident.id, clock.unit, clock.name, clock.due_at, clock.department, kind, category, "
            f"community, place, description, status, escalations {_OVERDUE} "
            "ORDER BY clock.due_at, incident.id, clock.department, clock.name LIMIT :limit"
        ),
        {"now": now, "limit": limit},
    )
    return [Overdue(*each) for each in result]


async def count_overdue(connection: AsyncConnection, now: datetime) -> int:
    """Return how many promises are broken at an instant."""
    statement = text(f"SELECT count(*) {_OVERDUE}")
    return int(await connection.scalar(statement, {"now": now}) or 0)


async def burdens(connection: AsyncConnection, now: datetime) -> list[Burden]:
    """Return what each department owes and has done, whoever has most overdue first."""
    result = await connection.execute(
        text(
            "SELECT department, count(*) FILTER (WHERE owed), "
            "count(*) FILTER (WHERE EXISTS (SELECT 1 FROM ledger.clock WHERE clock.incident = obligation.incident "
            "AND clock.department = obligation.department AND clock.unit = obligation.department "
            "AND clock.due_at <= :now)) AS overdue, "
            "count(*) FILTER (WHERE late), count(*) FILTER (WHERE status = 'confirmed') "
            "FROM ledger.obligation GROUP BY department ORDER BY overdue DESC, 2 DESC, department"
        ),
        {"now": now},
    )
    return [Burden(*each) for each in result]


async def history(connection: AsyncConnection, incident: UUID) -> list[Line]:
    """Return the whole history of an incident in order, with what still waits for an earlier entry."""
    result = await connection.execute(
        text("SELECT version, at, type, who, by, data FROM ledger.entry WHERE incident = :id ORDER BY version"),
        {"id": incident},
    )
    return [Line(*each) for each in result]


async def matching(connection: AsyncConnection, prefix: str) -> list[UUID]:
    """Return the incidents whose id begins like this (hexadecimal digits and hyphens), a few at most."""
    result = await connection.execute(
        text(
            "SELECT DISTINCT incident FROM ledger.entry WHERE CAST(incident AS text) LIKE :prefix || '%' "
            "ORDER BY incident LIMIT :limit"
        ),
        {"prefix": prefix.lower(), "limit": MOST_MATCHES},
    )
    return list(result.scalars())


async def known(connection: AsyncConnection, reports: Sequence[UUID]) -> set[UUID]:
    """Return those of the reports that have an incident, their own or another's."""
    result = await connection.execute(
        text(
            "SELECT id FROM ledger.incident WHERE id = ANY(CAST(:ids AS uuid[])) AND kind IS NOT NULL "
            "UNION SELECT report FROM ledger.repeat WHERE report = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": list(reports)},
    )
    return set(result.scalars())


async def stamp(connection: AsyncConnection) -> int:
    """Return a number that grows with every record the ledger has handled."""
    return int(await connection.scalar(text("SELECT sum(seq) FROM ledger.shard")) or 0)
