"""The street's desk: load, decide, save, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.incident import BreachesListed, Entry, Inspected
from schemas.topics import dead_letters
from services.domain.configuration import Configuration
from services.domain.fold import about_inspection, evolve
from services.domain.incident import Incident
from services.domain.street import hear_community, hear_history, hear_notice
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.log import get
from services.street.store import Noticed, make_states, save_notices

log = get(__name__)


Known = Incident | Noticed


class StreetDesk:
    """Decides about reports, and follows the history; what supervision gave the street itself, it keeps."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._states = make_states(MetaData(schema="street"))

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Known]:
        """Return the incidents that exist."""
        return {**await self._states.load(connection, keys)}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Known]]) -> None:
        """Write incidents, each with what the street owes next, and notices."""
        incidents = {key: (shard, state) for key, (shard, state) in states.items() if isinstance(state, Incident)}
        if incidents:
            await self._states.save(connection, incidents)
        await save_notices(connection, [state for _, state in states.values() if isinstance(state, Noticed)])

    def keep(self, state: Known) -> Known | None:
        """Keep all of an incident; a notice is told once."""
        return state if isinstance(state, Incident) else None

    def admit(self, cause: Cause) -> str | None:
        """Say why a community's word can't be heard: there is no such community, of any street."""
        if cause.party != "community":
            return None
        unit = self._configuration.directory.units.get(cause.code or "")
        is_one = unit is not None and unit.level == "community"
        return None if is_one else f"the community {cause.code} is not in the directory"

    def decide(self, state: Known | None, happening: Cause) -> tuple[Known | None, Sequence[Message]]:
        """Decide about something a community said, or fold an entry of the history."""
        fact = happening.event.data
        if isinstance(fact, BreachesListed):
            return self._noticed(state, happening, fact)
        if isinstance(state, Noticed):
            # An incident of the same id is none of the notice's.
            state = None
        if isinstance(fact, Entry):
            return self._fold(state, happening, fact)
        said = hear_community(state, happening.key, happening.code or "", fact, happening.at, self._configuration)
        return state, [Message(*each) for each in said]

    def _noticed(
        self, state: Known | None, happening: Cause, entry: BreachesListed
    ) -> tuple[Known | None, Sequence[Message]]:
        """Keep a notice that was given to a street, and pass on one that was given to a community."""
        said = [Message(*each) for each in hear_notice(happening.key, entry, self._configuration)]
        unit = self._configuration.directory.units.get(entry.notice.unit)
        if state is None and unit and unit.level == "street":
            at = entry.happened_at or happening.event.time
            return Noticed(happening.key, unit.code, at, entry.by, entry.notice), said
        return state, said

    def _fold(
        self, state: Incident | None, happening: Cause, entry: Entry
    ) -> tuple[Incident | None, Sequence[Message]]:
        known = state.version if state else 0
        if isinstance(entry, Inspected) or about_inspection(entry) or entry.version <= known:
            return state, []
        try:
            after = evolve(state, happening.key, entry, happening.event.time)
        except ValueError as error:
            # The router alone writes there, and never this: better one history that stands still than all of them.
            log.exception("an entry does not fit its history", incident=str(happening.key), reason=str(error))
            return state, [Message(dead_letters("street"), happening.key, entry)]
        return after, [Message(*each) for each in hear_history(after, entry)]
