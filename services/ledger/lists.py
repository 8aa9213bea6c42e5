"""The lists, a page at a time: each by one index, and searched by whichever of two ways costs less.

What few reports say is looked up by its grams, and then put in order. What many say would have to be read as a whole
before the first line is known; so the list is read in its order instead, and no further than `WALKED` lines. Such a
page may hold fewer lines than were asked for, or none, and still have a next one: only `next` tells where a list ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.clocks import UNTAKEN
from services.domain.figures import ANSWERED
from services.domain.wording import grams_of, marks
from services.ledger.asking import KIND_OF, Asked, Place
from services.ledger.queries import MOST_MATCHES, between

FEW = 1_500
"""What no more reports say is looked up."""
GLIMPSED = 600
"""How many lines are compared first: what everybody says is soon found, and some lists are not longer."""
WALKED = 3_000
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
    """Some lines of a list, the longest waiting first, and after which place the next ones come (None: no more).

    Of what is overdue, all that nobody has taken on comes before everything else. `named` are the reports whose id
    begins with what is searched for, whichever list they are on, as far as the list's own lines don't show them.
    """

    items: Sequence[Item]
    overdue: Sequence[Overdue]
    next: Place | None
    named: Sequence[Item] = ()

    @property
    def shown(self) -> Iterator[UUID]:
        """The incidents it shows, in its order: each report's own, and the one it lives in."""
        return shown((*self.items, *self.overdue, *self.named))


def shown(lines: Iterable[Item | Overdue]) -> Iterator[UUID]:
    """Yield the incidents that lines show, some of them more than once."""
    for each in lines:
        yield each.id
        if isinstance(each, Item) and each.incident:
            yield each.incident


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a list's lines are found: `place` names the columns no two lines share, in order, `id` the incident's."""

    table: str
    id: str
    place: tuple[str, ...]
    more: tuple[str, ...]


# The columns of a place lie in every index, so that no row is looked at which is not shown.
_REPORTS = _Source("fate", "id", ("reported_at", "id"), ())
_PROMISES = _Source("clock", "incident", ("due_at", "incident", "department", "name"), ("unit",))
_COLUMN_OF: Mapping[str, str] = {"department": "lead"}


async def page(connection: AsyncConnection, asked: Asked, now: datetime) -> Page:
    """Return a part of a list, as it is at an instant (UTC); its first page has what is searched for by id."""
    if asked.name == "overdue":
        broken, following = await _broken(connection, asked, now)
        found = Page([], await _overdue(connection, broken), following)
    else:
        rows, following = await _Query(asked, now).lines(connection)
        found = Page(await _items(connection, rows), [], following)
    ends = between(asked.prefix) if asked.prefix and not asked.after else None
    if ends is None:
        return found
    shown = {each.id for each in found.items} | {each.id for each in found.overdue}
    named = (await connection.execute(_NAMED, dict(zip(("first", "last"), ends, strict=True)))).all()
    return replace(found, named=await _items(connection, [each for each in named if each.id not in shown]))


async def _broken(connection: AsyncConnection, asked: Asked, now: datetime) -> tuple[list[Row[Any]], Place | None]:
    """Return promises that are broken, and what follows them: the list of what nobody has taken on, then the other."""
    rows: list[Row[Any]] = []
    for taken in (False, True):
        if asked.after and taken < _taken(asked.after):
            continue
        # One line more than are asked for is enough to tell that there are more.
        part = replace(asked, limit=max(asked.limit - len(rows), 1))
        if asked.after and taken > _taken(asked.after):
            part = replace(part, after=None)
        query = _Query(part, now, taken=taken)
        found, following = await query.lines(connection)
        if len(rows) == asked.limit:
            return rows, query.place(rows[-1]) if found or following else None
        rows += found
        if following:
            return rows, following
    return rows, None


def _taken(place: Place) -> bool:
    """Tell in which of the two lists a promise's place is."""
    return place[-1] not in UNTAKEN


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

    def __init__(self, asked: Asked, now: datetime, *, taken: bool = True) -> None:
        self._asked = asked
        self._source = _PROMISES if asked.name == "overdue" else _REPORTS
        self._values: dict[str, Any] = {"many": asked.limit + 1, **asked.filters}
        self._conditions = [f"{_COLUMN_OF.get(name, name)} = :{name}" for name in asked.filters]
        if asked.name == "overdue":
            self._conditions += ["due_at <= :now", "taken" if taken else "NOT taken"]
            self._values["now"] = now
        elif asked.name == "unowned":
            self._conditions.append("NOT owned AND status <> 'refused'")
        else:
            self._conditions.append("kind = :kind")
            self._values["kind"] = KIND_OF[asked.name]
        if asked.after:
            names = [f"after_{number}" for number in range(len(asked.after))]
            self._conditions.append(f"({', '.join(self._source.place)}) > ({', '.join(f':{each}' for each in names)})")
            self._values |= dict(zip(names, asked.after, strict=True))

    async def lines(self, connection: AsyncConnection) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return the lines that are asked for, and what follows them."""
        return await (self.search(connection) if self._asked.searches else self.read(connection))

    async def read(self, connection: AsyncConnection, *more: str) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return the lines and what follows them, by the lists' own indexes, with more conditions if there are any."""
        return self._cut((await connection.execute(text(self._select("LIMIT :many", *more)), self._values)).all())

    async def search(self, connection: AsyncConnection) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return the same of what is searched for."""
        limit = self._asked.limit
        found, reached = await self._walk(connection, GLIMPSED)
        if len(found) > limit or reached is None:
            return self._cut(found)
        if len(found) * WALKED < limit * GLIMPSED:
            few = await self._few(connection)
            if few is not None:
                self._values["ids"] = few
                return await self.read(connection, f"{self._source.id} = ANY(CAST(:ids AS uuid[]))")
        found, reached = await self._walk(connection, WALKED)
        lines, following = self._cut(found)
        return lines, following or reached

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

    async def _walk(self, connection: AsyncConnection, most: int) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return those of the next lines of the list that have what is searched for, and how far that is.

        None where it is to the end; where more are found than are shown nobody needs to know.
        """
        self._values["walked"] = most
        # Asked for each line by itself: joined, the database might read all that anybody ever said.
        statement = (
            f"SELECT walked.* FROM ({self._select('LIMIT :walked')}) AS walked "  # noqa: S608 - our own names
            f"CROSS JOIN LATERAL (SELECT FROM ledger.wording WHERE wording.id = walked.{self._source.id} "
            f"AND {self._meant()} LIMIT 1) AS meant ORDER BY {', '.join(self._source.place)} LIMIT :many"
        )
        found = (await connection.execute(text(statement), self._values)).all()
        if len(found) > self._asked.limit:
            return found, None
        last = (await connection.execute(text(self._select("LIMIT 1 OFFSET :walked - 1")), self._values)).first()
        return found, self.place(last) if last else None

    def _select(self, limit: str, *more: str) -> str:
        source = self._source
        return (
            f"SELECT {', '.join([*source.place, *source.more])} FROM ledger.{source.table} "  # noqa: S608 - our own names
            f"WHERE {' AND '.join([*self._conditions, *more])} ORDER BY {', '.join(source.place)} {limit}"
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
        return rows[:limit], self.place(rows[limit - 1]) if len(rows) > limit else None

    def place(self, row: Row[Any]) -> Place:
        """Return where a line stands."""
        at, incident, *rest = (getattr(row, name) for name in self._source.place)
        return (at, incident, *rest)


_NAMED = text(
    f"SELECT id FROM ledger.fate WHERE id BETWEEN :first AND :last ORDER BY id LIMIT {MOST_MATCHES}"  # noqa: S608 - our own
)
_ITEMS = text(
    "SELECT own.id, fate.home, own.kind, own.category, own.community, own.place, own.description, own.reported_at, "
    "fate.status, fate.owned, home.lead, home.owners, home.due_at, home.late, home.escalations, home.reopened, "
    "fate.status = ANY(CAST(:answers AS text[])) "
    "FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS wanted (id, number) JOIN ledger.fate USING (id) "
    "JOIN ledger.incident AS own USING (id) JOIN ledger.incident AS home ON home.id = coalesce(fate.home, fate.id) "
    "ORDER BY wanted.number"
)


async def _items(connection: AsyncConnection, found: Sequence[Row[Any]]) -> list[Item]:
    rows = await connection.execute(_ITEMS, {"ids": [each.id for each in found], "answers": sorted(ANSWERED)})
    return [Item(*row) for row in rows]


_ABOUT = text(
    "SELECT id, kind, category, community, place, description, status, escalations "
    "FROM ledger.incident WHERE id = ANY(CAST(:ids AS uuid[]))"
)


async def _overdue(connection: AsyncConnection, found: Sequence[Row[Any]]) -> list[Overdue]:
    rows = await connection.execute(_ABOUT, {"ids": list({row.incident for row in found})})
    about = {row.id: row[1:] for row in rows}
    return [
        Overdue(each.incident, each.unit, each.name, each.due_at, each.department, *about[each.incident])
        for each in found
    ]
