"""Supervision's desk: keeps who was told, and by which post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.escalation import Asked, Copied, Raised
from schemas.event import isoformat
from services.domain.words import REQUESTS, both
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.log import get
from services.supervision import store
from services.supervision.store import ASKED, Telling

BY_HAND = "by-hand"
log = get(__name__)
Tellings = tuple[Telling, ...]


class SupervisionDesk:
    """Tells people, which for now means: records and logs it."""

    async def load(self, _connection: AsyncConnection, _keys: Sequence[UUID]) -> dict[UUID, Tellings]:
        """Return nothing: a telling needs no earlier one."""
        return {}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Tellings]]) -> None:
        """Write who was told."""
        tellings = [each for _, told in states.values() for each in told]
        await store.save(connection, tellings)
        for each in tellings:
            log.warning(
                _said(each),
                incident=str(each.incident),
                deadline=each.deadline,
                due_at=each.due_at.isoformat(),
                owes=each.unit,
                told=each.holder or f"nobody holds the post {each.post}",
                post=each.post,
                vacant=each.vacant,
            )

    def keep(self, _state: Tellings) -> None:
        """Keep nothing: a telling needs no earlier one."""

    def decide(self, state: Tellings | None, happening: Cause) -> tuple[Tellings | None, Sequence[Message]]:
        """Take down who was told, as the history says it."""
        fact = happening.event.data
        if isinstance(fact, Copied):
            return (*(state or ()), _copied(happening, fact)), []
        if not isinstance(fact, Raised | Asked):
            raise TypeError(f"{fact.type} does not belong on this topic")
        told = Telling(
            id=happening.event.id,
            incident=happening.key,
            told_at=happening.event.time,
            street=fact.street,
            unit=fact.unit,
            department=fact.department,
            deadline=fact.deadline,
            due_at=fact.due_at,
            step=fact.step if isinstance(fact, Raised) else ASKED,
            post=fact.post,
            holder_unit=fact.holder_unit,
            holder=fact.holder,
            summary=fact.summary,
            vacant=list(fact.vacant) if isinstance(fact, Raised) and fact.vacant else None,
            note=_question(fact) if isinstance(fact, Asked) else None,
            provisional=fact.provisional if isinstance(fact, Asked) else None,
        )
        return (*(state or ()), told), []


def _question(fact: Asked) -> str:
    """Return what is asked for, until when, and why."""
    asked = both(REQUESTS, fact.request) + (f" → {isoformat(fact.until)}" if fact.until else "")
    return " · ".join(filter(None, (asked, fact.reason)))


def _said(telling: Telling) -> str:
    if telling.deadline == BY_HAND:
        return "a reminder is copied"
    if telling.step == ASKED:
        return "a decision is asked for"
    return "a promise is broken" if telling.due_at <= telling.told_at else "a promise is due soon"


def _copied(happening: Cause, fact: Copied) -> Telling:
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
        holder_unit=fact.copy_to.holder_unit,
        holder=fact.copy_to.holder,
        summary=fact.summary,
        note=fact.note,
    )
