"""What a department remembers: its obligations, as its stream tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.dispatch import Issued, Status, Supervised
from services.domain.clocks import OF_THE_STREET
from services.runtime.bulk import replacing
from services.runtime.database import Statement
from services.runtime.journal import Journal

metadata = MetaData(schema="department")
journal = Journal(metadata)
obligation = Table(
    "obligation",
    metadata,
    Column("incident", Uuid, primary_key=True),
    Column("department", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("shard", Integer, nullable=False),
    Column("state", Text, nullable=False),
)
Index("obligation_inbox", obligation.c.department, obligation.c.due_at)

CLOSED: frozenset[Status] = frozenset({"confirmed", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Item:
    """One obligation of one department, as last told; `refused` is the last word that was not accepted, if any.

    `provisional` names the deadlines that may still move, since their calendar is not confirmed that far. `done` names
    those of this round that have no more to wait for, as far as they have an act of their own: on the spot, and steps.
    `case` is how the supervision case against the department stands, if there ever was one.
    """

    incident: UUID
    department: str
    status: Status
    round: int
    deadlines: Mapping[str, datetime]
    issued: Issued
    issued_at: datetime
    reminders: int = 0
    refused: str = ""
    provisional: tuple[str, ...] = ()
    case: Supervised | None = None
    done: tuple[str, ...] = ()

    @property
    def own(self) -> Mapping[str, datetime]:
        """The deadlines that are the department's own to keep, by name (UTC); none while it is others' turn."""
        asked = self.case.deadlines if self.case else {}
        return {name: at for name, at in self.deadlines.items() if name not in OF_THE_STREET} | asked

    @property
    def due_at(self) -> datetime | None:
        """The next deadline that is the department's own to keep (UTC); None while it is others' turn."""
        return min(self.own.values(), default=None)

    @property
    def provisional_ats(self) -> frozenset[datetime]:
        """The instants that may still move (UTC), of the obligation and of what its case asks."""
        of_case = [self.case.deadlines[name] for name in self.case.provisional or ()] if self.case else []
        return frozenset([*of_case, *(self.deadlines[name] for name in self.provisional)])


@dataclass(frozen=True, slots=True)
class Items:
    """Everything that the departments of this installation owe about one incident; `fresh` have yet to be written."""

    incident: UUID
    of: Mapping[str, Item] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()


_CODEC = TypeAdapter(Item)
_UPSERT = replacing(obligation)
_OF_INCIDENTS = Statement("SELECT state FROM department.obligation WHERE incident = ANY($1::uuid[])")


async def load(connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Items]:
    """Return what is owed, by incident."""
    found: dict[UUID, dict[str, Item]] = {}
    for (state,) in await _OF_INCIDENTS.run(connection, keys):
        item = _CODEC.validate_json(state)
        found.setdefault(item.incident, {})[item.department] = item
    return {incident: Items(incident, items) for incident, items in found.items()}


async def save(connection: AsyncConnection, states: Mapping[UUID, tuple[int, Items]]) -> None:
    """Write obligations in bulk, those that have changed."""
    rows = [
        (
            item.incident,
            item.department,
            item.status,
            item.due_at,
            shard,
            _CODEC.dump_json(item, exclude_defaults=True).decode(),
        )
        for shard, items in states.values()
        for item in [items.of[each] for each in items.fresh]
    ]
    await _UPSERT.write(connection, rows)


async def inbox(connection: AsyncConnection, department: str, *, everything: bool = False) -> list[Item]:
    """Return a department's obligations, the most urgent first; those that are done only on request."""
    statement = select(obligation.c.state).where(obligation.c.department == department)
    if not everything:
        # What is done is owed again where an explanation is asked for.
        statement = statement.where(or_(obligation.c.status.not_in(CLOSED), obligation.c.due_at.is_not(None)))
    rows = await connection.execute(statement.order_by(obligation.c.due_at.nulls_last(), obligation.c.incident))
    return [_CODEC.validate_json(state) for state in rows.scalars()]


async def find(connection: AsyncConnection, department: str, prefix: str) -> list[Item]:
    """Return the obligations about incidents whose id begins like this, at most two."""
    rows = await connection.execute(
        select(obligation.c.state)
        .where(
            obligation.c.department == department,
            cast(obligation.c.incident, Text).startswith(prefix.lower(), autoescape=True),
        )
        .limit(2)
    )
    return [_CODEC.validate_json(state) for state in rows.scalars()]
