"""The router's desk: load, decide, save, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.announce import messages
from services.domain.clocks import UNTAKEN, Due, dues, identity
from services.domain.configuration import Configuration
from services.domain.decide import Decision, Said, decide_due, decide_said
from services.domain.incident import Incident
from services.router.store import due_states, make_states
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.sweep import AT_ONCE


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
        self._configuration = configuration
        # What is due is loaded once more in the transaction that fires it, most often as it was.
        self._states = make_states(MetaData(schema="router"), configuration, remembered=AT_ONCE)

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Incident]:
        """Return the incidents that exist."""
        return await self._states.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Incident]]) -> None:
        """Write incidents, each with the instant at which something is due next."""
        await self._states.save(connection, states)

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
            return decide_said(state, happening.key, said, self._configuration)
        if state is None:
            return Decision(None, [])
        return decide_due(state, happening.due, happening.at, happening.id, self._configuration)

    async def due(
        self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int
    ) -> list[DeadlinePassed]:
        """Return every firing that is due up to its shard's horizon, the earliest first across all incidents.

        What nobody owns or acknowledges comes before everything else that is due at once.
        """
        rows = await due_states(connection, self._states, horizons, limit)
        # Behind a full page others may be due that are not on it: nothing later than its end is fired before them.
        latest = rows[-1][1] if len(rows) == limit else None
        found = [
            DeadlinePassed(identity(state.id, due), state.id, shard, horizons[shard], due)
            for shard, _, state in rows
            for due in dues(state, self._configuration, horizons[shard])
            if due.at <= horizons[shard] and (latest is None or due.at <= latest)
        ]
        return sorted(found, key=lambda each: (each.due.name not in UNTAKEN, each.due.at, each.key, each.due.name))
