"""The department's desk: keeps the inbox as the stream tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import dispatch
from schemas.event import Fact
from services.department import store
from services.department.store import Item, Items
from services.runtime.batch import Message
from services.runtime.inlet import Cause


class DepartmentDesk:
    """Keeps the inbox of every department that this process serves."""

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Items]:
        """Return what is owed, by incident."""
        return await store.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Items]]) -> None:
        """Write what is owed."""
        await store.save(connection, states)

    def keep(self, state: Items) -> Items:
        """Keep all of it, with nothing left to write."""
        return Items(state.incident, state.of)

    def decide(self, state: Items | None, happening: Cause) -> tuple[Items | None, Sequence[Message]]:
        """Fold one message of a department's stream into its inbox."""
        items = state or Items(happening.key)
        department = happening.code or ""
        before = items.of.get(department)
        after = _fold(before, happening, department, happening.event.data)
        if after is None or after is before:
            return state, []
        return Items(items.incident, {**items.of, department: after}, items.fresh | {department}), []


def _fold(before: Item | None, happening: Cause, department: str, fact: Fact) -> Item | None:
    if isinstance(fact, dispatch.Issued):
        at, provisional = happening.event.time, fact.provisional or ()
        case = before.case if before else None
        return Item(
            happening.key,
            department,
            "dispatched",
            fact.round,
            fact.deadlines,
            fact,
            at,
            provisional=provisional,
            case=case,
        )
    if before is None:
        # A refusal of something said about an incident this department was never called for.
        return None
    changes = _changes(before, department, fact)
    return replace(before, **changes) if changes else before


def _changes(before: Item, department: str, fact: Fact) -> dict[str, Any]:
    match fact:
        case dispatch.Changed():
            return {
                "status": fact.status,
                "round": fact.round,
                "deadlines": fact.deadlines,
                "provisional": fact.provisional or (),
                "refused": "",
                "done": _done(before, fact),
            }
        case dispatch.LeadNamed():
            role = "lead" if fact.lead == department else "support"
            return {"issued": before.issued.model_copy(update={"role": role, "lead": fact.lead})}
        case dispatch.Reminded():
            return {"reminders": before.reminders + 1}
        case dispatch.Refused():
            return {"refused": f"{fact.act}: {fact.reason}"}
        case dispatch.Supervised():
            return {"case": fact}
    return {}


def _done(before: Item, fact: dispatch.Changed) -> tuple[str, ...]:
    known = before.done if fact.round == before.round else ()
    return (*known, fact.done) if fact.done and fact.done not in known else known
