"""What the ledger remembers: tables that are all derived from the history of every incident.

A rebuild fills the same tables in another schema first, so everything here is made for a schema (`Store`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.incident import BreachesListed, Entry, Inspected
from schemas.topics import JOURNAL
from services.domain.fold import evolve
from services.domain.incident import Incident
from services.ledger.appraisals import Appraisals
from services.ledger.audit import make_readings
from services.ledger.derived import (
    broken_of,
    cases_of,
    due_at_of,
    late_of,
    lead_of,
    obligations_of,
    owners_of,
    place_of,
    promises_of,
    repeats_of,
)
from services.ledger.fates import Fates
from services.ledger.rounds import Rounds
from services.ledger.wordings import Wordings
from services.runtime.bulk import Insertion
from services.runtime.journal import Journal
from services.runtime.states import Derived, States

SCHEMA = "ledger"
FACTS = {fact.type: fact for fact in JOURNAL.facts}
_TIME = DateTime(timezone=True)


class Told(NamedTuple):
    """One entry of a history, the instant (UTC) it is about, and its JSON where that need not be written again."""

    at: datetime
    entry: Entry
    written: str | None = None


class Walked(NamedTuple):
    """A round of inspection; `told` says who recorded it and when."""

    at: datetime
    entry: Inspected


class Noticed(NamedTuple):
    """A notice of breaches; `told` says who issued it and when."""

    at: datetime
    entry: BreachesListed


class Book(NamedTuple):
    """What is known under one id: the folded state, and the entries that came before an earlier one did (`ahead`).

    `fresh` and `walked` are what has yet to be written; `known` is the state that was written last.
    """

    state: Incident
    ahead: Mapping[int, Told] = MappingProxyType({})
    fresh: tuple[Told, ...] = ()
    walked: Walked | Noticed | None = None
    known: Incident | None = None


def record(book: Book, told: Told) -> Book:
    """Return the book with one more entry; the very same book if that version is there already."""
    version = told.entry.version
    if version <= book.state.version or version in book.ahead:
        return book
    ahead: Mapping[int, Told] = book.ahead
    state = book.state
    if not ahead and version == state.version + 1:
        # Nearly always, and there is no other place as busy.
        state = evolve(state, state.id, told.entry, told.at)
    else:
        waiting = {**ahead, version: told}
        while (following := waiting.pop(state.version + 1, None)) is not None:
            state = evolve(state, state.id, following.entry, following.at)
        ahead = waiting
    return Book(state, ahead, (*book.fresh, told), book.walked, book.known)


Changes = Mapping[UUID, tuple[Incident | None, Incident]]
"""Incidents as they were last written, None where they were not, and as they are."""


class Child:
    """A table of what an incident holds many of; `of` returns its rows, without the incident's id, in their order."""

    def __init__(
        self, table: Table, of: Callable[[Incident], Sequence[tuple[Any, ...]]], inserting: type[Insertion]
    ) -> None:
        self.table = table
        self._of = of
        self._insert = inserting(table)
        self._delete = text(f"DELETE FROM {table.fullname} WHERE incident = ANY(CAST(:ids AS uuid[]))")  # noqa: S608 - our own names

    async def write(self, connection: AsyncConnection, changes: Changes) -> None:
        """Replace the rows of those incidents whose rows have changed."""
        stale: list[UUID] = []
        rows: list[tuple[Any, ...]] = []
        for key, (before, after) in changes.items():
            old, new = self._of(before) if before else [], self._of(after)
            if old != new:
                stale += [key] if old else []
                rows += [(key, *each) for each in new]
        if stale:
            await connection.execute(self._delete, {"ids": stale})
        await self._insert.write(connection, rows)


class Store:
    """The ledger's tables in one schema; `inserting` is how new rows are written."""

    def __init__(self, metadata: MetaData, inserting: type[Insertion] = Insertion) -> None:
        self.schema = metadata.schema or "public"
        self.incidents = States(
            metadata,
            "incident",
            TypeAdapter(Incident),
            Derived("version", Integer(), lambda state: state.version),
            Derived("status", Text(), lambda state: state.status, nullable=True),
            Derived("kind", Text(), lambda state: state.report and state.report.kind, nullable=True),
            Derived("category", Text(), lambda state: state.report and state.report.category, nullable=True),
            Derived("description", Text(), lambda state: state.report and state.report.description, nullable=True),
            Derived("place", Text(), place_of, nullable=True),
            Derived("community", Text(), lambda state: state.community),
            Derived("street", Text(), lambda state: state.street),
            Derived("owned", Boolean(), lambda state: state.owned),
            Derived("lead", Text(), lambda state: lead.department if (lead := lead_of(state)) else None, nullable=True),
            Derived("owners", Text(), owners_of, nullable=True),
            Derived("reported_at", _TIME, lambda state: state.reported_at, nullable=True),
            Derived("due_at", _TIME, due_at_of, nullable=True),
            Derived("late", Boolean(), late_of),
            Derived("escalations", Integer(), lambda state: state.escalations),
            Derived("reopened", Integer(), lambda state: state.reopened),
            Derived("attached_to", Uuid(), lambda state: state.attached_to, nullable=True),
            Derived("answered", Boolean(), lambda state: state.answered_at is not None),
        )
        self.entries = Table(
            "entry",
            metadata,
            Column("incident", Uuid, primary_key=True),
            Column("version", Integer, primary_key=True, autoincrement=False),
            Column("at", _TIME, nullable=False),
            Column("type", Text, nullable=False),
            Column("who", Text, nullable=False),
            Column("by", Text, nullable=False),
            Column("data", Text, nullable=False),
        )
        self.inspections = Table(
            "inspection",
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("community", Text, nullable=False),
            Column("street", Text, nullable=False),
            Column("purpose", Text, nullable=False),
            Column("grid_level", Integer, nullable=False),
            Column("inspected_at", _TIME, nullable=False),
            Column("found", Integer, nullable=False),
            Column("at", _TIME, nullable=False),
            Column("who", Text, nullable=False),
            Column("by", Text, nullable=False),
        )
        self.notices = Table(
            "notice",
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("unit", Text, nullable=False),
            Column("begins", _TIME, nullable=False),
            Column("ends", _TIME, nullable=False),
            Column("total", Integer, nullable=False),
            Column("still_open", Integer, nullable=False),
            Column("note", Text, nullable=False),
            Column("at", _TIME, nullable=False),
            Column("by", Text, nullable=False),
            # The breaches it lists, as JSON.
            Column("data", Text, nullable=False),
        )
        self.obligations = Child(
            Table(
                "obligation",
                metadata,
                Column("incident", Uuid, primary_key=True),
                Column("department", Text, primary_key=True),
                Column("role", Text, nullable=False),
                Column("status", Text, nullable=False),
                Column("round", Integer, nullable=False),
                Column("owed", Boolean, nullable=False),
                Column("late", Boolean, nullable=False),
                Column("due_at", _TIME),
            ),
            obligations_of,
            inserting,
        )
        self.clocks = Child(
            Table(
                "clock",
                metadata,
                Column("incident", Uuid, primary_key=True),
                # Empty where it is the incident's own, which the street owes.
                Column("department", Text, primary_key=True),
                Column("name", Text, primary_key=True),
                Column("unit", Text, nullable=False),
                Column("due_at", _TIME, nullable=False),
                # Of its incident.
                Column("category", Text),
                Column("community", Text, nullable=False),
                Column("status", Text),
                Column("lead", Text),
                # What nobody has is listed before everything else.
                Column("taken", Boolean, nullable=False),
            ),
            promises_of,
            inserting,
        )
        self.repeats = Child(
            Table(
                "repeat",
                metadata,
                Column("incident", Uuid, primary_key=True),
                Column("report", Uuid, primary_key=True),
                Column("community", Text, nullable=False),
            ),
            repeats_of,
            inserting,
        )
        self.appraisals = Appraisals(metadata)
        self.broken = Child(
            Table(
                "broken",
                metadata,
                Column("incident", Uuid, primary_key=True),
                # The version that set the deadline.
                Column("since", Integer, primary_key=True, autoincrement=False),
                Column("name", Text, primary_key=True),
                Column("unit", Text, nullable=False),
                Column("side", Text, nullable=False),
                # Empty where it is the incident's own; in a supervision case, the unit it is addressed to.
                Column("department", Text, nullable=False),
                Column("round", Integer, nullable=False),
                Column("due_at", _TIME, nullable=False),
                Column("step", Integer, nullable=False),
                Column("post", Text, nullable=False),
                Column("open", Boolean, nullable=False),
                Column("ended_at", _TIME),
                Column("ended_by", Text, nullable=False),
                # How a supervision case against the unit stands.
                Column("supervised", Text),
            ),
            broken_of,
            inserting,
        )
        self.cases = Child(
            Table(
                "supervised",
                metadata,
                Column("incident", Uuid, primary_key=True),
                Column("unit", Text, primary_key=True),
                Column("side", Text, nullable=False),
                Column("status", Text, nullable=False),
                Column("turn", Integer, nullable=False),
                Column("opened_at", _TIME, nullable=False),
                Column("due_at", _TIME),
                Column("late", Boolean, nullable=False),
            ),
            cases_of,
            inserting,
        )
        self.rounds = Rounds(metadata)
        self.fates = Fates(metadata)
        self.wordings = Wordings(metadata, inserting)
        self._insert_entries = inserting(self.entries)
        self._insert_inspections = Insertion(self.inspections, "ON CONFLICT (id) DO NOTHING")
        self._insert_notices = Insertion(self.notices, "ON CONFLICT (id) DO NOTHING")
        clock = self.clocks.table.c
        Index("clock_due", clock.taken, clock.due_at, clock.incident, clock.department, clock.name)
        # What broke at one instant in one incident is little enough to be put in order afterwards.
        filters = ("community", "category", "status", "lead")
        for name in filters:
            others = [each for each in filters if each != name]
            shown = [*others, "department", "name", "unit"]
            Index(f"clock_{name}", clock[name], clock.taken, clock.due_at, clock.incident, postgresql_include=shown)
        broken = self.broken.table.c
        Index("supervised_order", self.cases.table.c.status, self.cases.table.c.due_at)
        Index("notice_unit", self.notices.c.unit, self.notices.c.at)
        order = (broken.open, broken.due_at, broken.incident, broken.since, broken.name)
        Index("broken_order", *order)
        for name in ("unit", "side", "name"):
            Index(f"broken_{name}", broken[name], *(each for each in order if each.name != name))

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table that a rebuild makes again."""
        return (
            self.incidents.table,
            self.entries,
            self.inspections,
            self.notices,
            self.obligations.table,
            self.clocks.table,
            self.repeats.table,
            self.appraisals.table,
            self.broken.table,
            self.cases.table,
            self.rounds.findings,
            self.rounds.rechecks,
            self.rounds.reinspections,
            self.fates.table,
            self.wordings.table,
        )

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Book]:
        """Return the books that exist, each with the entries that wait for an earlier one."""
        states = await self.incidents.load(connection, keys)
        rows = await connection.execute(
            text(
                "SELECT entry.incident, entry.at, entry.type, entry.data "  # noqa: S608 - our own names
                f"FROM {self.schema}.entry LEFT JOIN {self.schema}.incident ON incident.id = entry.incident "
                "WHERE entry.incident = ANY(CAST(:keys AS uuid[])) AND entry.version > coalesce(incident.version, 0)"
            ),
            {"keys": list(keys)},
        )
        ahead: dict[UUID, dict[int, Told]] = {}
        for row in rows:
            told = Told(row.at, read_entry(row.type, row.data))
            ahead.setdefault(row.incident, {})[told.entry.version] = told
        return {
            key: Book(states.get(key) or Incident(key), ahead.get(key, {}), known=states.get(key))
            for key in states.keys() | ahead.keys()
        }

    async def save(self, connection: AsyncConnection, books: Mapping[UUID, tuple[int, Book]]) -> None:
        """Write what is new in bulk, each book with its shard."""
        await self.note(connection, [book for _, book in books.values()])
        await self.fold(connection, books)

    async def note(self, connection: AsyncConnection, books: Iterable[Book]) -> None:
        """Write down what was told, and not yet what follows from it."""
        told = [book for book in books if book.fresh or book.walked]
        await self._write_walked(connection, [book for book in told if isinstance(book.walked, Walked)])
        await self._write_noticed(connection, [book for book in told if isinstance(book.walked, Noticed)])
        await self._write_entries(connection, [book for book in told if book.fresh])

    async def fold(self, connection: AsyncConnection, books: Mapping[UUID, tuple[int, Book]]) -> None:
        """Write what follows from what was told."""
        # Nothing is folded while the very first entry is missing.
        folded = {
            key: (shard, book)
            for key, (shard, book) in books.items()
            if book.state.version and book.state is not book.known
        }
        if not folded:
            return
        await self.incidents.save(connection, {key: (shard, book.state) for key, (shard, book) in folded.items()})
        changes = {key: (book.known, book.state) for key, (_, book) in folded.items()}
        for child in (self.obligations, self.clocks, self.repeats, self.broken, self.cases):
            await child.write(connection, changes)
        await self.appraisals.write(connection, changes)
        opened = [after for before, after in changes.values() if before is None or before.report is None]
        await self.wordings.write(connection, opened)
        await self.rounds.write_linked(connection, opened)
        # Last, since repeats are settled from all the others, and wait for others who do the same.
        await self.fates.write(connection, changes)

    async def _write_entries(self, connection: AsyncConnection, books: Sequence[Book]) -> None:
        rows = [
            (
                book.state.id,
                told.entry.version,
                told.at,
                told.entry.type,
                told.entry.who,
                told.entry.by,
                told.written or told.entry.model_dump_json(exclude_none=True),
            )
            for book in books
            for told in book.fresh
        ]
        await self._insert_entries.write(connection, rows)
        taken = ((book.state.id, told.entry) for book in books for told in book.fresh)
        await self.rounds.write_taken(connection, taken)

    async def _write_walked(self, connection: AsyncConnection, books: Sequence[Book]) -> None:
        rows = [
            (
                book.state.id,
                walked.entry.community,
                walked.entry.street,
                walked.entry.round.purpose,
                walked.entry.round.grid_level,
                walked.entry.round.inspected_at,
                len(walked.entry.round.found),
                walked.at,
                walked.entry.who,
                walked.entry.by,
            )
            for book in books
            if isinstance(walked := book.walked, Walked)
        ]
        await self._insert_inspections.write(connection, rows)
        await self.rounds.write(
            connection, [(book.state.id, walked.entry) for book in books if isinstance(walked := book.walked, Walked)]
        )

    async def _write_noticed(self, connection: AsyncConnection, books: Sequence[Book]) -> None:
        rows = [
            (
                book.state.id,
                notice.unit,
                notice.begins,
                notice.ends,
                notice.total,
                notice.still_open,
                notice.note,
                noticed.at,
                noticed.entry.by,
                json.dumps([each.model_dump(mode="json", exclude_none=True) for each in notice.breaches]),
            )
            for book in books
            if isinstance(noticed := book.walked, Noticed)
            for notice in [noticed.entry.notice]
        ]
        await self._insert_notices.write(connection, rows)

    async def sizes(self, connection: AsyncConnection) -> dict[str, int]:
        """Return how many rows each table has."""
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0 for table in self.tables
        }


def read_entry(kind: str, data: str) -> Entry:
    """Return an entry from its row."""
    fact = FACTS[kind].model_validate_json(data)
    if not isinstance(fact, Entry):
        raise TypeError(f"{kind} is no entry of a history")
    return fact


metadata = MetaData(schema=SCHEMA)
journal = Journal(metadata)
store = Store(metadata)
readings = make_readings(metadata)
