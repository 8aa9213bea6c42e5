"""Supervision's desk: looks up who holds the post, and keeps who was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.escalation import Copied, Raised
from services.domain.configuration import Configuration
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.log import get
from services.supervision import store
from services.supervision.store import Telling

BY_HAND = "by-hand"
log = get(__name__)
Tellings = tuple[Telling, ...]


class SupervisionDesk:
    """Tells people, which for now means: records and logs it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def load(self, _connection: AsyncConnection, _keys: Sequence[UUID]) -> dict[UUID, Tellings]:
        """Return nothing: a telling needs no earlier one."""
        return {}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Tellings]]) -> None:
        """Write who was told."""
        tellings = [each for _, told in states.values() for each in told]
        await store.save(connection, tellings)
        for each in tellings:
            log.warning(
                "a reminder is copied" if each.deadline == BY_HAND else "a promise is broken",
                incident=str(each.incident),
                deadline=each.deadline,
                due_at=each.due_at.isoformat(),
                owes=each.unit,
                told=each.holder or f"nobody holds the post {each.post}",
                post=each.post,
            )

    def keep(self, _state: Tellings) -> None:
        """Keep nothing: a telling needs no earlier one."""

    def decide(self, state: Tellings | None, happening: Cause) -> tuple[Tellings | None, Sequence[Message]]:
        """Look up who holds the post now."""
        fact = happening.event.data
        if isinstance(fact, Copied):
            return (*(state or ()), self._copied(happening, fact)), []
        if not isinstance(fact, Raised):
            raise TypeError(f"{fact.type} does not belong on this topic")
        holder = self._configuration.directory.holder(fact.unit, fact.post)
        told = Telling(
            id=happening.event.id,
            incident=happening.key,
            told_at=happening.event.time,
            street=fact.street,
            unit=fact.unit,
            department=fact.department,
            deadline=fact.deadline,
            due_at=fact.due_at,
            step=fact.step,
            post=fact.post,
            holder_unit=holder.unit if holder else None,
            holder=holder.name if holder else None,
            summary=fact.summary,
        )
        return (*(state or ()), told), []

    def _copied(self, happening: Cause, fact: Copied) -> Telling:
        holder = self._configuration.directory.holder(fact.copy_to.unit, fact.copy_to.post)
        return Telling(
            id=happening.event.id,
            incident=happening.key,
            told_at=happening.event.time,
            street=fact.street,
            unit=fact.unit,
            department=fact.department,
            deadline=BY_HAND,
            due_at=fact.due_at,
            step=0,
            post=fact.copy_to.post,
            holder_unit=holder.unit if holder else None,
            holder=holder.name if holder else None,
            summary=fact.summary,
            note=fact.note,
        )
