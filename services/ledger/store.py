"""What the ledger remembers: tables that are all derived from the history of every incident.

A rebuild fills the same tables in another schema first, so everything here is made for a schema (`Store`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
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

from schemas.incident import Entry, Inspected
from schemas.topics import JOURNAL
from services.domain.clocks import BY_ITSELF, OF_THE_STREET
from services.domain.incident import Incident, Obligation, evolve
from services.runtime.bulk import Insertion
from services.runtime.journal import Journal
from services.runtime.states import Derived, States

SCHEMA = "ledger"
FACTS = {fact.type: fact for fact in JOURNAL.facts}
_TIME = DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of a history, and the instant (UTC) it is about."""

    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Walked:
    """A round of inspection; `told` says who recorded it and when."""

    at: datetime
    entry: Inspected


@dataclass(frozen=True, slots=True)
class Book:
    """What is known under one id: the folded state, and the entries that came before an earlier one did (`ahead`).

    `fresh` and `walked` are what has yet to be written.
    """

    state: Incident
    ahead: Mapping[int, Told] = field(default_factory=dict)
    fresh: tuple[Told, ...] = ()
    walked: Walked | None = None


def record(book: Book, told: Told) -> Book:
    """Return the book with one more entry; the very same book if that version is there already."""
    version = told.entry.version
    if version <= book.state.version or version in book.ahead:
        return book
    ahead = {**book.ahead, version: told}
    state = book.state
    while (following := ahead.pop(state.version + 1, None)) is not None:
        state = evolve(state, state.id, following.entry, following.at)
    return replace(book, state=state, ahead=ahead, fresh=(*book.fresh, told))


# --- what is derived from a state ------------------------------------------------------------------------------------


APPROVER = ""
"""Who owes an approval depends on the configuration, which the history doesn't hold."""


def _clocks(state: Incident) -> list[tuple[str, str, str, datetime]]:
    """Return (department, name, who owes, due_at) of each clock that somebody breaks by letting it pass."""
    own = [("", name, state.street, clock.due_at) for name, clock in state.clocks.items() if name not in BY_ITSELF]
    owed = [
        (each.department, name, _debtor(state, each, name), clock.due_at)
        for each in state.obligations.values()
        for name, clock in each.clocks.items()
        if name not in BY_ITSELF
    ]
    return [*own, *owed]


def _debtor(state: Incident, owed: Obligation, name: str) -> str:
    if name == "approve":
        return APPROVER
    if name == "confirm" and owed.section:
        return state.community
    return state.street if name in OF_THE_STREET else owed.department


def _due_at(state: Incident) -> datetime | None:
    return min((due_at for *_, due_at in _clocks(state)), default=None)


def _late(state: Incident) -> bool:
    return bool(state.late) or any(each.late for each in state.obligations.values())


def _lead(state: Incident) -> Obligation | None:
    """Return who leads, or led: an obligation that is done has an owner still."""
    kept = [each for each in state.obligations.values() if each.status != "withdrawn"]
    return next((each for each in kept if each.role == "lead"), kept[0] if kept else None)


def _owners(state: Incident) -> str | None:
    lead = _lead(state)
    return f"{lead.owner.leader} · {lead.owner.section} · {lead.owner.officer}" if lead else None


def _place(state: Incident) -> str | None:
    place = state.report.place if state.report else None
    return (place.estate or place.address) if place else None


class Child:
    """A table of what an incident holds many of, written anew with its incident."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._insert = Insertion(table)

    async def write(self, connection: AsyncConnection, ids: Sequence[UUID], rows: Sequence[tuple[Any, ...]]) -> None:
        """Replace the rows of these incidents."""
        schema, name = self.table.schema, self.table.name
        await connection.execute(
            text(f"DELETE FROM {schema}.{name} WHERE incident = ANY(CAST(:ids AS uuid[]))"),  # noqa: S608 - our own names
            {"ids": list(ids)},
        )
        await self._insert.write(connection, rows)


class Store:
    """The ledger's tables in one schema."""

    def __init__(self, metadata: MetaData) -> None:
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
            Derived("place", Text(), _place, nullable=True),
            Derived("community", Text(), lambda state: state.community),
            Derived("street", Text(), lambda state: state.street),
            Derived("owned", Boolean(), lambda state: state.owned),
            Derived("lead", Text(), lambda state: lead.department if (lead := _lead(state)) else None, nullable=True),
            Derived("owners", Text(), _owners, nullable=True),
            Derived("reported_at", _TIME, lambda state: state.reported_at, nullable=True),
            Derived("due_at", _TIME, _due_at, nullable=True),
            Derived("late", Boolean(), _late),
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
            )
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
            )
        )
        self.repeats = Child(
            Table(
                "repeat",
                metadata,
                Column("incident", Uuid, primary_key=True),
                Column("report", Uuid, primary_key=True),
                Column("community", Text, nullable=False),
            )
        )
        self._insert_entries = Insertion(self.entries)
        self._insert_inspections = Insertion(self.inspections, "ON CONFLICT (id) DO NOTHING")
        Index("incident_kind", self.incidents.table.c.kind, self.incidents.table.c.reported_at)
        Index("clock_due", self.clocks.table.c.due_at)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table that a rebuild makes again."""
        return (
            self.incidents.table,
            self.entries,
            self.inspections,
            self.obligations.table,
            self.clocks.table,
            self.repeats.table,
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
        return {key: Book(states.get(key) or Incident(key), ahead.get(key, {})) for key in states.keys() | ahead.keys()}

    async def save(self, connection: AsyncConnection, books: Mapping[UUID, tuple[int, Book]]) -> None:
        """Write what is new in bulk, each book with its shard."""
        await self._write_walked(connection, [book for _, book in books.values() if book.walked])
        await self._write_entries(connection, [book for _, book in books.values() if book.fresh])
        # Nothing is folded while the very first entry is missing.
        folded = {key: (shard, book.state) for key, (shard, book) in books.items() if book.fresh and book.state.version}
        if folded:
            await self._write_folded(connection, folded)

    async def _write_folded(self, connection: AsyncConnection, folded: Mapping[UUID, tuple[int, Incident]]) -> None:
        await self.incidents.save(connection, folded)
        states = [state for _, state in folded.values()]
        owed = [
            (state.id, each.department, each.role, each.status, each.round, each.open, bool(each.late))
            for state in states
            for each in state.obligations.values()
        ]
        ids = list(folded)
        await self.obligations.write(connection, ids, owed)
        await self.clocks.write(connection, ids, [(state.id, *clock) for state in states for clock in _clocks(state)])
        attached = [(state.id, each.report, each.community) for state in states for each in state.repeats]
        await self.repeats.write(connection, ids, attached)

    async def _write_entries(self, connection: AsyncConnection, books: Sequence[Book]) -> None:
        rows = [
            (
                book.state.id,
                told.entry.version,
                told.at,
                told.entry.type,
                told.entry.who,
                told.entry.by,
                told.entry.model_dump_json(exclude_none=True),
            )
            for book in books
            for told in book.fresh
        ]
        await self._insert_entries.write(connection, rows)

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
            if (walked := book.walked)
        ]
        await self._insert_inspections.write(connection, rows)

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
