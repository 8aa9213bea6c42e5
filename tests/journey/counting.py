"""A room that only counts what is said of each subject, for tests of the mechanism under every room.

As a process of its own: `python -m tests.journey.counting NAME [STEP]`, which the second time it comes to the given
step kills itself as `kill -9` would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from aiokafka import TopicPartition
from pydantic import TypeAdapter
from sqlalchemy import DateTime, MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import decision, dispatch
from schemas.topics import DECISIONS, DISPATCHES, RESPONSES, Topic
from services.runtime import log
from services.runtime.batch import Bench, Desk, Happening, Message, Written
from services.runtime.inlet import Cause
from services.runtime.journal import Journal, Row, Shard
from services.runtime.relay import Relay
from services.runtime.room import Plumbing, Room
from services.runtime.settings import Settings
from services.runtime.states import Derived, States
from services.runtime.sweep import sweep

STEPS = (
    "locked",
    "written",
    "committed",
    "half said",
    "said",
    "marked",
    "offsets held back",
    "offsets told",
)
"""Where a batch can be cut short: after each of its steps, in their order."""


DUE_AFTER = timedelta(seconds=6)


@dataclass(frozen=True, slots=True)
class Count:
    """How many facts a subject has had, when the last reached the broker, and by when another is owed."""

    total: int
    at: datetime
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """A deadline that has passed."""

    id: UUID
    key: UUID
    shard: int
    at: datetime
    due_at: datetime


metadata = MetaData(schema="counting")
counts: States[Count] = States(
    metadata,
    "count",
    TypeAdapter(Count),
    Derived("due_at", DateTime(timezone=True), lambda count: count.due_at, nullable=True),
)


class CountingDesk:
    """Numbers the facts about each subject, and says each number; `Insisted` begins a deadline that any other ends."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Count]:
        """Return the counts there are."""
        return await counts.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Count]]) -> None:
        """Write counts."""
        await counts.save(connection, states)

    def keep(self, state: Count) -> Count:
        """Keep all of it."""
        return state

    def decide(self, state: Count | None, happening: Cause | Missed) -> tuple[Count | None, Sequence[Message]]:
        """Count one more, and say so; or say that a deadline was missed."""
        if isinstance(happening, Missed):
            if state is None or state.due_at != happening.due_at:
                return state, []
            missed = dispatch.Reminded(round=state.total, deadline="missed", due_at=happening.due_at)
            return replace(state, due_at=None), [Message(self._topic, happening.key, missed)]
        due_at = happening.at + DUE_AFTER if isinstance(happening.event.data, decision.Insisted) else None
        after = Count((state.total if state else 0) + 1, happening.at, due_at)
        fact = dispatch.Reminded(round=after.total, deadline="count", due_at=after.at, note=str(happening.event.id))
        return after, [Message(self._topic, happening.key, fact)]

    async def due(self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int) -> list[Missed]:
        """Return the deadlines that have passed, up to each shard's horizon."""
        table = counts.table
        rows = await connection.execute(table.select().where(table.c.due_at.is_not(None)).order_by(table.c.due_at))
        return [
            Missed(uuid5(row.id, row.due_at.isoformat()), row.id, row.shard, horizons[row.shard], row.due_at)
            for row in rows
            if row.shard in horizons and row.due_at <= horizons[row.shard]
        ][:limit]


class Only(Topic):
    """A family of topics of which only one party's is heard, since tests share a broker."""

    def of(self, code: str) -> Only:
        """Choose the party."""
        object.__setattr__(self, "about", code)
        return self

    @property
    def pattern(self) -> str:
        """A regular expression that the one topic matches."""
        return "^" + self.named(self.about).replace(".", r"\.") + "$"


def only(topic: Topic, code: str) -> Only:
    """Return a family cut down to one party."""
    return Only(topic.name, topic.key, topic.facts, topic.writers, topic.readers).of(code)


Reach = Callable[[str], None]
"""Told whenever a step of a batch has been reached."""


class MortalJournal(Journal):
    """A journal whose process may die after each of its steps."""

    reach: Reach

    async def lock(self, connection: AsyncConnection, shards: Iterable[int]) -> dict[int, Shard]:
        """Take the shards, and perhaps die."""
        found = await super().lock(connection, shards)
        self.reach("locked")
        return found

    async def append(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Write the rows, and perhaps die before they are committed."""
        await super().append(connection, rows)
        self.reach("written")

    async def mark(self, connection: AsyncConnection, published: Mapping[int, int]) -> None:
        """Move the marks, and perhaps die before or after."""
        self.reach("said")
        await super().mark(connection, published)
        self.reach("marked")


class MortalBench(Bench):
    """A bench whose process may die when a batch has been committed."""

    reach: Reach

    async def handle(self, desk: Desk[Any, Any], happenings: Sequence[Happening]) -> Written:
        """Handle a batch, and perhaps die before any of it is said."""
        written = await super().handle(desk, happenings)
        self.reach("committed")
        return written


class MortalRelay(Relay):
    """A relay whose process may die when half of a chunk has been said."""

    reach: Reach

    async def _send(self, rows: Sequence[Row]) -> int:
        half = len(rows) // 2
        said = await super()._send(rows[:half])
        self.reach("half said")
        return said + await super()._send(rows[half:])


class CountingRoom(Room):
    """The counting room; with a step, it dies the second time it comes there."""

    step: str | None = None
    _passed = 0

    def pass_by(self, step: str) -> None:
        """Note that a step has been reached, and die at the second time if it is the one."""
        if step == self.step:
            self._passed += 1
            if self._passed == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    async def _open(self) -> Plumbing:
        plumbing = await super()._open()
        if self.step:
            bench = MortalBench(plumbing.engine, plumbing.journal, source=f"/{self.name}")
            relay = MortalRelay(plumbing.engine, plumbing.journal, plumbing.producer)
            bench.reach = relay.reach = self.pass_by
            plumbing.bench, plumbing.relay = bench, relay
        return plumbing

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if offsets:
            self.pass_by("offsets held back")
        await super()._commit(offsets)
        if offsets:
            self.pass_by("offsets told")


journal = MortalJournal(metadata)
journal.reach = lambda _step: None


def make(settings: Settings, name: str, step: str | None = None) -> CountingRoom:
    """Return the room, not yet running, that hears and says what its name's topics carry."""
    room = CountingRoom(
        name=name,
        topics=(only(DECISIONS, name), only(RESPONSES, name)),
        anchor=DECISIONS.named(name),
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: CountingDesk(DISPATCHES.named(name)),
        background=(sweep,),
    )
    room.step = step
    journal.reach = room.pass_by
    return room


if __name__ == "__main__":
    log.configure("counting")
    name, *step = sys.argv[1:]
    sys.exit(asyncio.run(make(Settings.load(), name, *step).run()))
