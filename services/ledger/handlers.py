"""The ledger's desk: load, record, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.event import Fact
from schemas.incident import BreachesListed, Entry, Inspected
from schemas.topics import dead_letters
from services.domain.configuration import Configuration
from services.domain.fold import about_inspection
from services.domain.incident import Incident
from services.ledger.names import Names, named
from services.ledger.store import Book, Noticed, Store, Told, Walked, record, store
from services.runtime.batch import Message
from services.runtime.inlet import Cause
from services.runtime.log import get

log = get(__name__)
NAMELESS = Names()


class LedgerDesk:
    """Writes down what the router tells; the configuration and its `names` are for the page beside it."""

    def __init__(self, tables: Store = store, configuration: Configuration | None = None) -> None:
        self._store = tables
        self.configuration = configuration
        self.names = named(configuration) if configuration else NAMELESS

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, Book]:
        """Return the books that exist."""
        return await self._store.load(connection, keys)

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, Book]]) -> None:
        """Write what is new."""
        await self._store.save(connection, states)

    def keep(self, state: Book) -> Book | None:
        """Keep a book with nothing left to write; a round of inspection, or a notice, is told once."""
        return None if state.walked else state._replace(fresh=(), known=state.state if state.state.version else None)

    def decide(self, state: Book | None, happening: Cause) -> tuple[Book | None, Sequence[Message]]:
        """Return the book with one more entry, by the version the router gave it, whenever it arrives."""
        return self.hear(state, happening.key, happening.event.time, happening.event.data)

    def hear(
        self, state: Book | None, key: UUID, time: datetime, entry: Fact, written: str | None = None
    ) -> tuple[Book | None, Sequence[Message]]:
        """Do the same with an entry that was said about `key`, at `time` by the router's clock (UTC).

        `written` is the entry as JSON, where it need not be written again.
        """
        if not isinstance(entry, Entry):
            raise TypeError(f"{entry.type} is no entry of a history")
        # The router's own instant, whenever its record reached the broker: its state and ours must be the same.
        at = entry.happened_at or time
        book = state or Book(Incident(key))
        if isinstance(entry, Inspected):
            return book._replace(walked=book.walked or Walked(at, entry)), ()
        if isinstance(entry, BreachesListed):
            return book._replace(walked=book.walked or Noticed(at, entry)), ()
        if about_inspection(entry):
            return state, ()
        try:
            return record(book, Told(at, entry, written)), ()
        except ValueError as error:
            # The router alone writes there, and never this: better one history that stands still than all of them.
            log.exception("an entry does not fit its history", incident=str(key), reason=str(error))
            return state, [Message(dead_letters("ledger"), key, entry)]
