"""What a rebuild has in hand: the books it is told of, and what of them is written already.

What was told is written at once, and what follows from it when a book is put away, since there are more incidents than
memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.handlers import LedgerDesk
from services.ledger.store import Book, Store
from services.ledger.telling import Telling
from services.runtime.bulk import Insertion
from services.runtime.database import begun, driver
from services.runtime.kafka import shard_of

BREATH = 200
"""After so many records what is to be written goes on its way, a few milliseconds' work."""
MOST_IN_HAND = 25_000
"""How many incidents are kept in memory, about 20 KiB each; one put away and told of again is read from the tables."""
AWAY_AT_ONCE = 2_000
PUT_AWAY_BITS = 2**25
"""One of them for each incident that was put away: at a million, one in 30 is looked up in vain."""


class Copying(Insertion):
    """Inserts rows by COPY, at half the cost; only where no lock is held (see services/runtime/bulk.py)."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._table = table

    async def write(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each in the order of the table's columns."""
        if rows:
            await driver(connection).copy_records_to_table(
                self._table.name, schema_name=self._table.schema, records=rows
            )


class PutAway:
    """Which incidents were put away; it may know too many, and never too few."""

    def __init__(self) -> None:
        self._bits = bytearray(PUT_AWAY_BITS // 8)

    def add(self, keys: Iterable[UUID]) -> None:
        """Remember incidents."""
        for key in keys:
            # The last bits of their ids are random.
            byte, bit = divmod(key.int % PUT_AWAY_BITS, 8)
            self._bits[byte] |= 1 << bit

    def of(self, keys: Iterable[UUID]) -> list[UUID]:
        """Return those that may have been put away."""
        places = ((key, *divmod(key.int % PUT_AWAY_BITS, 8)) for key in keys)
        return [key for key, byte, bit in places if self._bits[byte] & 1 << bit]


class Shelf:
    """The books in hand: what was told is written at once, and what follows from it when a book is put away.

    A history is told entry by entry, and the state after each would otherwise be read and written as often. While the
    database writes, the next is read already: whoever uses the connection waits for `written` first.
    """

    def __init__(self, connection: AsyncConnection, tables: Store, shards: int) -> None:
        self.tables = tables
        self._connection = connection
        self._shards = shards
        self._desk = LedgerDesk()
        self._books: dict[UUID, Book] = {}
        self._put_away = PutAway()
        self._writing: asyncio.Future[None] | None = None

    async def take(self, tellings: Sequence[Telling]) -> None:
        """Do with what was told what the room does."""
        keys = dict.fromkeys(each.key for each in tellings)
        await self._fetch(self._put_away.of(keys.keys() - self._books.keys()))
        for number, (key, time, fact, written) in enumerate(tellings):
            after, _ = self._desk.hear(self._books.get(key), key, time, fact, written)
            if after is not None:
                self._books[key] = after
            if not number % BREATH:
                await asyncio.sleep(0)
        # The last to be put away are those that were told of last.
        told = {key: self._books.pop(key) for key in keys if key in self._books}
        self._books |= {key: _noted(book) for key, book in told.items()}
        over = len(self._books) - MOST_IN_HAND
        await self._write(list(told.values()), over + AWAY_AT_ONCE if over > 0 else 0)

    async def put_away(self) -> None:
        """Write what follows from all books."""
        await self._write([], len(self._books))
        await self.written()

    async def _write(self, told: Sequence[Book], away: int) -> None:
        """Begin to write what was told, and put so many books away, those that nobody told of for longest."""
        await self.written()
        books = {key: self._books.pop(key) for key in list(islice(self._books, away))}
        self._put_away.add(books)
        self._writing = asyncio.ensure_future(self._written(told, books))

    async def _written(self, told: Sequence[Book], away: Mapping[UUID, Book]) -> None:
        async with begun(self._connection):
            await self.tables.note(self._connection, told)
            await self.tables.fold(self._connection, {key: (self._shard_of(key), book) for key, book in away.items()})

    async def _fetch(self, keys: Sequence[UUID]) -> None:
        if keys:
            await self.written()
            async with begun(self._connection):
                found = await self.tables.load(self._connection, keys)
            self._books |= found

    async def written(self) -> None:
        """Wait until everything is written that was begun."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def drop(self) -> None:
        """Leave what is being written, after a failure."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])

    def _shard_of(self, key: UUID) -> int:
        return shard_of(str(key).encode(), self._shards)


def _noted(book: Book) -> Book:
    return Book(book.state, book.ahead, known=book.known)
