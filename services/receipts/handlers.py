"""The desk: keeps what reporters are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.answer import Asked, Given, Recomputed
from services.receipts import store
from services.receipts.store import Told
from services.runtime.batch import Message
from services.runtime.inlet import Cause

Page = tuple[Told, ...]


class ReceiptsDesk:
    """Writes down each answer and each question, as it was said; `zone` is for the page beside it."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone

    async def load(self, _connection: AsyncConnection, _keys: Sequence[UUID]) -> dict[UUID, Page]:
        """Return nothing: what is told needs nothing that was told before."""
        return {}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Page]]) -> None:
        """Write what was told."""
        await store.save(connection, [each for _, page in states.values() for each in page])

    def keep(self, _state: Page) -> None:
        """Keep nothing, as nothing is loaded."""

    def decide(self, state: Page | None, happening: Cause) -> tuple[Page | None, Sequence[Message]]:
        """Return what is to be written; the community is the topic's, whatever the record says."""
        event, community = happening.event, happening.code or ""
        match event.data:
            case Given(outcome=outcome, answer=text):
                told = Told(event.id, community, happening.key, event.time, outcome, text, None)
            case Asked(question=text, reply_by=reply_by, provisional=provisional):
                told = Told(event.id, community, happening.key, event.time, "asked", text, reply_by, provisional)
            case Recomputed(deadline="reply", due_at=reply_by):
                told = Told(event.id, community, happening.key, event.time, "recomputed", "", reply_by)
            case _:
                # Whatever else a community is told is for its officers, and a reporter never reads it.
                return state, []
        return (*(state or ()), told), []
