"""The one batch mechanism of every consuming room: load, decide, save, say, in one transaction.

The order of the steps is the guarantee: shards are locked before anything is read; what follows from a cause is
journaled with the state it changed; publishing starts from the mark, not from one's own rows; offsets come last.
Whoever dies anywhere in between leaves work that the next owner does again to the same effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.event import Event, Fact, dump, follow
from services.runtime.database import transaction
from services.runtime.journal import NOTHING, Journal, Row, Shard
from services.runtime.kafka import MAX_RECORD_BYTES
from services.runtime.kept import Kept

S = TypeVar("S")


class Happening(Protocol):
    """What a desk decides about: a fact that was said, or a deadline that passed."""

    @property
    def id(self) -> UUID:
        """Its id for ever."""
        ...

    @property
    def key(self) -> UUID:
        """What it is about: the key of the state it needs."""
        ...

    @property
    def shard(self) -> int:
        """Where that state lives."""
        ...

    @property
    def at(self) -> datetime:
        """When it happened, in UTC."""
        ...


H_contra = TypeVar("H_contra", bound=Happening, contravariant=True)
H = TypeVar("H", bound=Happening)


@dataclass(frozen=True, slots=True)
class Message:
    """A fact to say on a topic, about a subject, which is its key."""

    topic: str
    subject: UUID
    fact: Fact


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction has added to its shards' journals, and how these stood before, by shard."""

    before: Mapping[int, Shard]
    rows: Sequence[Row]


class Desk(Protocol[S, H_contra]):
    """What a room brings to the mechanism: how to load and save its states, and how to decide."""

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, S]:
        """Return the states that exist, by key, in one query."""
        ...

    def decide(self, state: S | None, happening: H_contra) -> tuple[S | None, Sequence[Message]]:
        """Return the new state (the same object if nothing changed) and what follows; it never fails."""
        ...

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, S]]) -> None:
        """Write changed states in bulk, each with its shard."""
        ...

    def keep(self, state: S) -> S | None:
        """Return what `load` would return of a state that has been written; None where that is not to be kept."""
        ...


class Bench:
    """Handles batches of happenings for one room, each batch in one transaction."""

    def __init__(self, engine: AsyncEngine, journal: Journal, source: str) -> None:
        self._engine = engine
        self._journal = journal
        self._source = source
        self._kept: Kept[Any] = Kept()

    async def handle(self, desk: Desk[S, H], happenings: Sequence[H]) -> Written:
        """Handle a batch in order, and return what it has written.

        What the journal already holds is skipped, and so is a repeat within the batch.
        """
        shards = {each.shard for each in happenings}
        async with transaction(self._engine) as connection:
            locked = await self._journal.lock(connection, shards)
            known = await self._journal.known(connection, [each.id for each in happenings])
            fresh = _first_of_each(happenings, known)
            changed, rows = await self._work(connection, desk, fresh, locked) if fresh else ({}, [])
        self._kept.put(locked, rows, {key: (shard, desk.keep(state)) for key, (shard, state) in changed.items()})
        return Written(locked, rows)

    async def _work(
        self, connection: AsyncConnection, desk: Desk[S, H], fresh: Sequence[H], locked: Mapping[int, Shard]
    ) -> tuple[dict[UUID, tuple[int, S]], list[Row]]:
        states: dict[UUID, S] = self._kept.get(locked, {each.key for each in fresh})
        missing = [key for key in dict.fromkeys(each.key for each in fresh) if key not in states]
        if missing:
            states |= await desk.load(connection, missing)
        changed: dict[UUID, tuple[int, S]] = {}
        ledger = _Numbering(locked, self._source)
        for each in fresh:
            before = states.get(each.key)
            after, messages = desk.decide(before, each)
            if after is not None and after is not before:
                states[each.key] = after
                changed[each.key] = (each.shard, after)
            ledger.write(each, messages)
        if changed:
            await desk.save(connection, changed)
        await self._journal.append(connection, ledger.rows)
        return changed, ledger.rows


def _first_of_each(happenings: Iterable[H], known: set[UUID]) -> list[H]:
    seen = set(known)
    fresh = []
    for each in happenings:
        if each.id not in seen:
            seen.add(each.id)
            fresh.append(each)
    return fresh


class _Numbering:
    """Numbers journal rows within their shards."""

    def __init__(self, locked: Mapping[int, Shard], source: str) -> None:
        self._next = {shard.id: shard.seq + 1 for shard in locked.values()}
        self._source = source
        self.rows: list[Row] = []

    def write(self, cause: Happening, messages: Sequence[Message]) -> None:
        """Write what follows from a cause; ordinal 0 is there even when nothing does."""
        if not messages:
            self._append(cause, 0, follow(cause.id, 0), cause.key, NOTHING, "", None)
        for ordinal, message in enumerate(messages):
            fact, subject, topic = message.fact, message.subject, message.topic
            event = Event(follow(cause.id, ordinal), self._source, subject, cause.at, fact)
            payload = dump(event)
            if len(payload) > MAX_RECORD_BYTES:
                raise ValueError(f"{fact.type} about {subject} has grown beyond {MAX_RECORD_BYTES} bytes")
            self._append(cause, ordinal, event.id, subject, fact.type, payload.decode(), topic)

    def _append(
        self, cause: Happening, ordinal: int, row_id: UUID, subject: UUID, kind: str, payload: str, topic: str | None
    ) -> None:
        shard = cause.shard
        seq = self._next[shard]
        self._next[shard] = seq + 1
        aggregate = topic.split(".", 1)[0] if topic else NOTHING
        self.rows.append(Row(shard, seq, cause.id, ordinal, row_id, aggregate, subject, kind, payload, topic, cause.at))
