"""The ledger's desk: load, record, save; it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import decision
from schemas.incident import ActRefused, Entry, Inspected
from services.domain.incident import Incident
from services.ledger.store import Book, Store, Told, Walked, record, store
from services.runtime.batch import Message
from services.runtime.inlet import Cause


class LedgerDesk:
    """Writes down what the router tells."""

    def __init__(self, tables: Store = store) -> None:
        self._store = tables

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Book]:
        """Return the books that exist."""
        return await self._store.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Book]]) -> None:
        """Write what is new."""
        await self._store.save(connection, states)

    def decide(self, state: Book | None, happening: Cause) -> tuple[Book | None, Sequence[Message]]:
        """Return the book with one more entry, by the version the router gave it, whenever it arrives."""
        entry = happening.event.data
        if not isinstance(entry, Entry):
            raise TypeError(f"{entry.type} is no entry of a history")
        # The router's own instant, whenever its record reached the broker: its state and ours must be the same.
        at = entry.happened_at or happening.event.time
        book = state or Book(Incident(happening.key))
        if isinstance(entry, Inspected):
            return replace(book, walked=book.walked or Walked(at, entry)), ()
        if isinstance(entry, ActRefused) and entry.act == decision.Inspected.type:
            # About a round of inspection, which is no incident: its number is none of the versions of a history.
            return state, ()
        return record(book, Told(at, entry)), ()
