"""The street's desk: load, decide, save, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.incident import BreachesListed, Entry, Inspected
from schemas.topics import dead_letters
from services.domain.configuration import Configuration
from services.domain.incident import Incident, about_inspection, evolve
from services.domain.street import hear_community, hear_history
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.log import get
from services.street.store import make_states

log = get(__name__)


class StreetDesk:
    """Decides about reports, and follows the history."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._states = make_states(MetaData(schema="street"))

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Incident]:
        """Return the incidents that exist."""
        return await self._states.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Incident]]) -> None:
        """Write incidents, each with what the street owes next."""
        await self._states.save(connection, states)

    def keep(self, state: Incident) -> Incident:
        """Keep all of it."""
        return state

    def admit(self, cause: Cause) -> str | None:
        """Say why a community's word can't be heard: there is no such community, of any street."""
        if cause.party != "community":
            return None
        unit = self._configuration.directory.units.get(cause.code or "")
        is_one = unit is not None and unit.level == "community"
        return None if is_one else f"the community {cause.code} is not in the directory"

    def decide(self, state: Incident | None, happening: Cause) -> tuple[Incident | None, Sequence[Message]]:
        """Decide about something a community said, or fold an entry of the history."""
        fact = happening.event.data
        if isinstance(fact, Entry):
            return self._fold(state, happening, fact)
        said = hear_community(state, happening.key, happening.code or "", fact, happening.at, self._configuration)
        return state, [Message(*each) for each in said]

    def _fold(
        self, state: Incident | None, happening: Cause, entry: Entry
    ) -> tuple[Incident | None, Sequence[Message]]:
        known = state.version if state else 0
        if isinstance(entry, Inspected | BreachesListed) or about_inspection(entry) or entry.version <= known:
            return state, []
        try:
            after = evolve(state, happening.key, entry, happening.event.time)
        except ValueError as error:
            # The router alone writes there, and never this: better one history that stands still than all of them.
            log.exception("an entry does not fit its history", incident=str(happening.key), reason=str(error))
            return state, [Message(dead_letters("street"), happening.key, entry)]
        return after, [Message(*each) for each in hear_history(after, entry)]
