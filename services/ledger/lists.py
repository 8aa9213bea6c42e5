"""The lists, a page at a time: each by one index, and searched by the rarer of two ways.

What few reports say is looked up by its grams, and then put in order. What many say would have to be read as a whole
before the first line is known; so the list is read in its order instead, and no further than `WALKED` lines. Such a
page may hold fewer lines than were asked for, or none, and still have a next one: only `next` tells where a list ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.figures import ANSWERED
from services.domain.wording import grams_of, marks
from services.ledger.asking import KIND_OF, Asked, Place
from services.ledger.queries import between

FEW = 3_000
"""What no more reports say is looked up."""
WALKED = 6_000
"""How many lines are compared with what is searched for, at most, for one page."""


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
class Page:
    """Some lines of a list, the longest waiting first, and after which place the next ones come (None: no more)."""

    items: Sequence[Item]
    overdue: Sequence[Overdue]
    next: Place | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a list's lines are found: `order` names the columns of a place, which no two lines share."""

    columns: str
    tables: str
    order: tuple[str, ...]


_REPORTS = _Source(
    "fate.reported_at, fate.id, fate.home, fate.status, fate.owned", "ledger.fate", ("fate.reported_at", "fate.id")
)
_PROMISES = _Source(
    "clock.due_at, clock.incident AS id, clock.department, clock.name, clock.unit",
    "ledger.clock JOIN ledger.fate ON fate.id = clock.incident",
    ("clock.due_at", "clock.incident", "clock.department", "clock.name"),
)
_COLUMNS: Mapping[str, str] = {
    "community": "fate.community",
    "category": "fate.category",
    "status": "fate.status",
    "department": "fate.lead",
}


async def page(connection: AsyncConnection, asked: Asked, now: datetime) -> Page:
    """Return a part of a list, as it is at an instant (UTC)."""
    query = _Query(asked, now)
    if asked.searches:
        found, following = await query.search(connection)
    else:
        found, following = await query.read(connection)
    if asked.name == "overdue":
        return Page([], await _overdue(connection, found), following)
    return Page(await _items(connection, found), [], following)


async def every(connection: AsyncConnection, asked: Asked, now: datetime) -> Sequence[Item] | Sequence[Overdue]:
    """Return all lines of a list from a place on, read page by page."""
    items: list[Item] = []
    broken: list[Overdue] = []
    following: Asked | None = asked
    while following:
        found = await page(connection, following, now)
        items += found.items
        broken += found.overdue
        following = replace(following, after=found.next) if found.next else None
    return broken if asked.name == "overdue" else items


class _Query:
    """The statements of one question."""

    def __init__(self, asked: Asked, now: datetime) -> None:
        self._asked = asked
        self._source = _PROMISES if asked.name == "overdue" else _REPORTS
        self._values: dict[str, Any] = {"many": asked.limit + 1, **asked.filters}
        self._conditions = [f"{_COLUMNS[name]} = :{name}" for name in asked.filters]
        if asked.name == "overdue":
            self._conditions.append("clock.due_at <= :now")
            self._values["now"] = now
        elif asked.name == "unowned":
            self._conditions.append("NOT fate.owned AND fate.status <> 'refused'")
        else:
            self._conditions.append("fate.kind = :kind")
            self._values["kind"] = KIND_OF[asked.name]
        if asked.after:
            names = [f"after_{number}" for number in range(len(asked.after))]
            self._conditions.append(f"({', '.join(self._source.order)}) > ({', '.join(f':{each}' for each in names)})")
            self._values |= dict(zip(names, asked.after, strict=True))

    async def read(self, connection: AsyncConnection, *more: str) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return the lines and what follows them, by the lists' own indexes, with more conditions if there are any."""
        return self._cut((await connection.execute(text(self._select("LIMIT :many", *more)), self._values)).all())

    async def search(self, connection: AsyncConnection) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return the same of what is searched for."""
        few = await self._few(connection)
        if few is not None:
            self._values["ids"] = few
            return await self.read(connection, "fate.id = ANY(CAST(:ids AS uuid[]))")
        return await self._walk(connection)

    async def _few(self, connection: AsyncConnection) -> list[UUID] | None:
        """Return the reports that may be meant; None where there are many."""
        asked, values = self._asked, self._values
        fixed = [(name, asked.filters[name]) for name in ("category", "community") if name in asked.filters]
        if asked.name in KIND_OF:
            fixed.append(("kind", KIND_OF[asked.name]))
        values |= {"grams": [*marks(*fixed), *grams_of(asked.words)], "few": FEW + 1}
        said = f"SELECT id FROM ledger.wording WHERE grams @> CAST(:grams AS int[]) AND {self._said()} LIMIT :few"  # noqa: S608 - our own names
        ways = [f"({said})"]
        if self._named():
            ways.append("(SELECT id FROM ledger.fate WHERE id BETWEEN :first AND :last LIMIT :few)")
        found = (await connection.execute(text(" UNION ".join(ways)), values)).scalars().all()
        return list(found) if len(found) <= FEW else None

    async def _walk(self, connection: AsyncConnection) -> tuple[Sequence[Row[Any]], Place | None]:
        """Compare the next lines of the list with what is searched for."""
        self._values["walked"] = WALKED
        # Asked for each line by itself: joined, the database might read all that anybody ever said.
        statement = (
            f"SELECT walked.* FROM ({self._select('LIMIT :walked')}) AS walked "  # noqa: S608 - our own names
            f"CROSS JOIN LATERAL (SELECT FROM ledger.wording WHERE wording.id = walked.id AND {self._meant()} LIMIT 1) "
            f"AS meant ORDER BY {', '.join(self._places())} LIMIT :many"
        )
        found, following = self._cut((await connection.execute(text(statement), self._values)).all())
        if following is None:
            last = f"{self._select('LIMIT 1 OFFSET :walked - 1')}"
            reached = (await connection.execute(text(last), self._values)).first()
            following = self._place(reached) if reached else None
        return found, following

    def _select(self, limit: str, *more: str) -> str:
        source = self._source
        return (
            f"SELECT {source.columns} FROM {source.tables} WHERE {' AND '.join([*self._conditions, *more])} "  # noqa: S608 - our own names
            f"ORDER BY {', '.join(source.order)} {limit}"
        )

    def _said(self) -> str:
        words = self._asked.words
        self._values |= {f"word_{number}": word for number, word in enumerate(words)}
        return " AND ".join(f"strpos(wording.text, :word_{number}) > 0" for number in range(len(words)))

    def _named(self) -> bool:
        ends = between(self._asked.prefix) if self._asked.prefix else None
        if ends:
            self._values |= dict(zip(("first", "last"), ends, strict=True))
        return bool(ends)

    def _meant(self) -> str:
        return f"(wording.id BETWEEN :first AND :last OR {self._said()})" if self._named() else self._said()

    def _cut(self, rows: Sequence[Row[Any]]) -> tuple[Sequence[Row[Any]], Place | None]:
        limit = self._asked.limit
        return rows[:limit], self._place(rows[limit - 1]) if len(rows) > limit else None

    def _places(self) -> list[str]:
        """Return the columns of a place by the names they are selected by."""
        names = [each.partition(".")[2] for each in self._source.order]
        return ["id" if each == "incident" else each for each in names]

    def _place(self, row: Row[Any]) -> Place:
        at, incident, *rest = (getattr(row, name) for name in self._places())
        return (at, incident, *rest)


_ABOUT = (
    "SELECT id, kind, category, community, place, description, reported_at, status, lead, owners, due_at, late, "
    "escalations, reopened FROM ledger.incident WHERE id = ANY(CAST(:ids AS uuid[]))"
)


async def _about(connection: AsyncConnection, ids: set[UUID]) -> dict[UUID, Row[Any]]:
    return {each.id: each for each in await connection.execute(text(_ABOUT), {"ids": list(ids)})}


async def _items(connection: AsyncConnection, found: Sequence[Row[Any]]) -> list[Item]:
    by_id = await _about(connection, {each for row in found for each in (row.id, row.home) if each})
    return [_item(row, by_id[row.id], by_id[row.home or row.id]) for row in found]


def _item(fate: Row[Any], own: Row[Any], home: Row[Any]) -> Item:
    return Item(
        id=own.id,
        incident=fate.home,
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
        answered=fate.status in ANSWERED,
    )


async def _overdue(connection: AsyncConnection, found: Sequence[Row[Any]]) -> list[Overdue]:
    by_id = await _about(connection, {row.id for row in found})
    return [_promise(row, by_id[row.id]) for row in found]


def _promise(clock: Row[Any], own: Row[Any]) -> Overdue:
    return Overdue(
        id=own.id,
        unit=clock.unit,
        deadline=clock.name,
        due_at=clock.due_at,
        department=clock.department,
        kind=own.kind,
        category=own.category,
        community=own.community,
        place=own.place,
        description=own.description,
        status=own.status,
        escalations=own.escalations,
    )
