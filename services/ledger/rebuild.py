"""Makes the ledger again from the first entry ever told, while the running ledger goes on and then waits a moment.

The bulk is read and folded into temporary tables without any lock, since a long transaction over the shards would keep
the room (and with TRUNCATE every reader) waiting for as long as the whole history takes. Then one short transaction
takes all shards' locks, reads what was told meanwhile, and puts right what differs. The inbox stays as it is: it says
what the room has heard, and everything it has heard lies before the end that is read under the locks.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from sqlalchemy import MetaData, and_, exists, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateTable

from schemas.event import follow
from schemas.topics import JOURNAL
from services.ledger.reading import partitions_of, reader, to_the_end
from services.ledger.shelf import BREATH, Copying, Shelf
from services.ledger.store import Store, journal, store
from services.ledger.telling import Listener
from services.runtime.database import begun, unbegun
from services.runtime.journal import NOTHING, Row, Shard
from services.runtime.settings import KafkaSettings

FEW = 2_000
"""Once no more than this came while the last pass was read, the rest is read under the locks."""
MOST_PASSES = 20
AT_ONCE = 5_000
TEMPORARY = "pg_temp"
WORK_MEMORY = "64MB"
"""Old and new rows are compared in memory, not by a look into an index for each."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was made: entries, incidents (folded as far as the history is whole) and inspections; records unreadable."""

    entries: int
    incidents: int
    inspections: int
    unreadable: int


class Rebuild:
    """One rebuild, on one connection, whose temporary tables go with it."""

    def __init__(self, connection: AsyncConnection, kafka: KafkaSettings) -> None:
        self._connection = connection
        self._kafka = kafka
        # A temporary schema is a schema like any other, and the room's own code fills it.
        self._new = Store(MetaData(schema=TEMPORARY), Copying)
        self._shelf = Shelf(connection, self._new, kafka.shards)
        self._listener = Listener(kafka.shards)
        self._unreadable = 0

    async def run(self) -> Rebuilt:
        """Do it."""
        partitions = await partitions_of(self._kafka, [JOURNAL.name])
        async with begun(self._connection):
            await journal.prepare(self._connection, self._kafka.shards)
            for table in self._new.tables:
                await self._connection.execute(CreateTable(table))
        try:
            async with reader(self._kafka, dict.fromkeys(partitions)) as consumer:
                await self._read(consumer)
                return await self._finish(consumer)
        finally:
            await self._shelf.drop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        """Fill the new tables without any lock, until little is left to read."""
        for _ in range(MOST_PASSES):
            if await self._pass(consumer) <= FEW:
                break
        await self._shelf.put_away()
        async with begun(self._connection):
            for table in self._new.tables:
                await self._connection.execute(text(f"ANALYZE {table.fullname}"))

    async def _finish(self, consumer: AIOKafkaConsumer) -> Rebuilt:
        """Read what is left, and replace the old rows, under the locks of all shards."""
        async with begun(self._connection):
            shards = await journal.lock(self._connection, range(self._kafka.shards))
            # Nothing is copied under locks (see services/runtime/bulk.py).
            self._shelf.tables = Store(MetaData(schema=TEMPORARY))
            # The database ends transactions that fall silent, and the broker may need a moment.
            async for records in to_the_end(consumer, alive=self._alive):
                await self._take(records)
            await self._shelf.put_away()
            await self._replace()
            # Whoever keeps states in memory sees by it that somebody else has written into the shard.
            await journal.append(self._connection, [_done(shard) for shard in shards.values()])
            # Those rows are said to nobody. What else is unpublished is left to whoever publishes.
            silent = {each.id: each.seq + 1 for each in shards.values() if each.published == each.seq}
            await journal.mark(self._connection, silent)
            sizes = await store.sizes(self._connection)
        return Rebuilt(sizes["entry"], sizes["incident"], sizes["inspection"], self._unreadable)

    async def _pass(self, consumer: AIOKafkaConsumer) -> int:
        """Read to the end as it is now, each poll in a transaction of its own."""
        many = 0
        async for records in to_the_end(consumer, most=AT_ONCE):
            many += len(records)
            await self._take(records)
        await self._shelf.written()
        return many

    async def _alive(self) -> None:
        await self._shelf.written()
        await self._connection.execute(text("SELECT 1"))

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        """Do to the new tables what the room does to its own."""
        told = []
        for number, record in enumerate(records):
            telling = self._listener.read(record)
            if telling is not None:
                told.append(telling)
            if not number % BREATH:
                await asyncio.sleep(0)
        # They lie in the room's dead letters since they were first read.
        self._unreadable += len(records) - len(told)
        await self._shelf.take(told)

    async def _replace(self) -> None:
        """Put what is right in place of what is not; who reads meanwhile sees the old rows until the very end.

        A row that is as it should be stays, so that a ledger with little wrong is locked for little time.
        """
        await self._connection.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
        # Entries are never changed by anybody else (see the migrations), and this is for the tables' owner alone.
        await self._connection.execute(text(f"ALTER TABLE {store.entries.fullname} DISABLE TRIGGER USER"))
        for old, new in zip(store.tables, self._new.tables, strict=True):
            names = [column.name for column in old.columns]
            same = and_(*(old.c[key.name] == new.c[key.name] for key in old.primary_key))
            right = and_(same, *(old.c[name].is_not_distinct_from(new.c[name]) for name in names))
            await self._connection.execute(old.delete().where(~exists().where(right)))
            missing = new.select().where(~exists().where(same))
            await self._connection.execute(old.insert().from_select(names, missing))
        await self._connection.execute(text(f"ALTER TABLE {store.entries.fullname} ENABLE TRIGGER USER"))


def _done(shard: Shard) -> Row:
    """Return the row by which a shard's journal tells that its states were made again."""
    cause = uuid4()
    now = datetime.now(UTC)
    return Row(shard.id, shard.seq + 1, cause, 0, follow(cause, 0), NOTHING, cause, "rebuilt", "", None, now)


async def rebuild(engine: AsyncEngine, kafka: KafkaSettings) -> Rebuilt:
    """Make the ledger again from the first offset of `incident.journal`, in place of what it has.

    Raises:
        Unreadable: the broker is away; the ledger is as it was.

    """
    async with unbegun(engine) as connection:
        try:
            with _uncollected():
                return await Rebuild(connection, kafka).run()
        finally:
            # The connection goes back to a pool, and its temporary tables must not.
            await connection.invalidate()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles meanwhile: there are none in what is read, and looking costs as much as reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
