"""The router's desk: load, decide, save, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.announce import messages
from services.domain.clocks import UNTAKEN, Due, dues, identity
from services.domain.configuration import Configuration
from services.domain.decide import Decision, Said, decide_due, decide_said
from services.domain.incident import Incident
from services.domain.provisional import recount_due
from services.router.store import due_states, make_states, uncertain_states
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.sweep import AT_ONCE

RECOUNT_EVERY_S = 60.0
"""Calendars become others seldom, and a shard may come from an owner who has not seen it."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """One firing of one clock of an incident, as a happening of its own."""

    id: UUID
    key: UUID
    shard: int
    at: datetime
    due: Due


class RouterDesk:
    """Decides about incidents."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.early: set[int] = set()
        """Shards in which something was said to be due that isn't yet: it was reckoned by another configuration."""
        self._recounted_shards: set[int] = set()
        self._recount_at = 0.0
        # What is due is loaded once more in the transaction that fires it, most often as it was.
        self.states = make_states(MetaData(schema="router"), configuration, remembered=AT_ONCE)

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Incident]:
        """Return the incidents that exist."""
        return await self.states.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Incident]]) -> None:
        """Write incidents, each with the instant at which something is due next."""
        await self.states.save(connection, states)

    def keep(self, state: Incident) -> Incident:
        """Keep all of it."""
        return state

    def decide(
        self, state: Incident | None, happening: Cause | DeadlinePassed
    ) -> tuple[Incident | None, Sequence[Message]]:
        """Decide about something said, or about a deadline that passed."""
        decided = self._decided(state, happening)
        told = [
            Message(topic, happening.key, fact)
            for entry in decided.entries
            for topic, fact in messages(decided.state, entry)
        ]
        return decided.state, told

    def _decided(self, state: Incident | None, happening: Cause | DeadlinePassed) -> Decision:
        if isinstance(happening, Cause):
            said = Said(happening.id, happening.party, happening.code, happening.at, happening.event.data)
            return decide_said(state, happening.key, said, self.configuration)
        if state is None:
            return Decision(None, [])
        return decide_due(state, happening.due, happening.at, happening.id, self.configuration)

    async def due(
        self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int
    ) -> list[DeadlinePassed]:
        """Return every firing that is due up to its shard's horizon, the earliest first across all incidents.

        What nobody owns or acknowledged comes before everything else that is due at once.
        """
        found, early = await self._fireable(connection, horizons, limit)
        # What is early is reckoned anew elsewhere: until then it must not hold up the other shards.
        while early and not found and (horizons := {each: at for each, at in horizons.items() if each not in early}):
            found, early = await self._fireable(connection, horizons, limit)
        return found or await self._recounted(connection, horizons, limit)

    async def _fireable(
        self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int
    ) -> tuple[list[DeadlinePassed], set[int]]:
        """Return the firings of one page in their order, and the shards in which something was said to be due early."""
        rows = await due_states(connection, self.states, horizons, limit)
        # Behind a full page others may be due that are not on it: nothing later than its end is fired before them.
        latest = rows[-1][1] if len(rows) == limit else None
        found: list[DeadlinePassed] = []
        early: set[int] = set()
        for shard, _, state in rows:
            due = [each for each in dues(state, self.configuration, horizons[shard]) if each.at <= horizons[shard]]
            if not due:
                early.add(shard)
            found += [
                DeadlinePassed(identity(state.id, each), state.id, shard, horizons[shard], each)
                for each in due
                if latest is None or each.at <= latest
            ]
        self.early |= early
        found.sort(key=lambda each: (each.due.name not in UNTAKEN, each.due.at, each.key, each.due.name))
        return found, early

    async def _recounted(
        self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int
    ) -> list[DeadlinePassed]:
        """Return what has to be counted again by the calendars as they are now; looked for once a minute in a shard."""
        if monotonic() >= self._recount_at:
            self._recounted_shards, self._recount_at = set(), monotonic() + RECOUNT_EVERY_S
        shards = horizons.keys() - self._recounted_shards
        if not shards:
            return []
        configuration = self.configuration
        rows = await uncertain_states(connection, self.states, shards, configuration.counted_by, limit)
        if not rows:
            self._recounted_shards |= shards
        found = [(shard, state.id, recount_due(state, configuration, horizons[shard])) for shard, state in rows]
        return [DeadlinePassed(identity(key, due), key, shard, horizons[shard], due) for shard, key, due in found]
