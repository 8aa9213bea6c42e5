"""Makes the ledger again from the first entry ever told, while the running ledger goes on and then waits a moment.

The bulk is read and folded into temporary tables without any lock, since a long transaction over the shards would keep
the room (and with TRUNCATE every reader) waiting for as long as the whole history takes. Then one short transaction
takes all shards' locks, reads what was told meanwhile, and puts the new rows in place of the old. The inbox stays as it
is: it says what the room has heard, and everything it has heard lies before the end that is read under the locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.topics import JOURNAL
from services.ledger.handlers import LedgerDesk
from services.ledger.reading import partitions_of, reader, to_the_end
from services.ledger.store import Book, Store, journal, store
from services.runtime.clock import WallClock
from services.runtime.inlet import Cause, Inlet
from services.runtime.settings import KafkaSettings

FEW = 2_000
"""Once no more than this came while the last pass was read, the rest is read under the locks."""
MOST_PASSES = 20


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
        self._new = Store(MetaData(schema="pg_temp"))
        self._desk = LedgerDesk(self._new)
        self._inlet = Inlet((JOURNAL,), WallClock(), kafka.shards)
        self._unreadable = 0

    async def run(self) -> Rebuilt:
        """Do it."""
        partitions = await partitions_of(self._kafka, [JOURNAL.name])
        async with self._connection.begin():
            await journal.prepare(self._connection, self._kafka.shards)
            for table in self._new.tables:
                await self._connection.run_sync(table.create)
        async with reader(self._kafka, dict.fromkeys(partitions)) as consumer:
            for _ in range(MOST_PASSES):
                if await self._pass(consumer) <= FEW:
                    break
            async with self._connection.begin():
                await journal.lock(self._connection, range(self._kafka.shards))
                # The database ends transactions that fall silent, and the broker may need a moment.
                async for records in to_the_end(consumer, alive=self._alive):
                    await self._take(records)
                await self._replace()
                sizes = await store.sizes(self._connection)
        return Rebuilt(sizes["entry"], sizes["incident"], sizes["inspection"], self._unreadable)

    async def _pass(self, consumer: AIOKafkaConsumer) -> int:
        """Read to the end as it is now, each poll in a transaction of its own."""
        many = 0
        async for records in to_the_end(consumer):
            many += len(records)
            async with self._connection.begin():
                await self._take(records)
        return many

    async def _alive(self) -> None:
        await self._connection.execute(text("SELECT 1"))

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        """Do to the new tables what the room does to its own."""
        read = [self._inlet.read(record) for record in records]
        causes = [each for each in read if isinstance(each, Cause)]
        # They lie in the room's dead letters since they were first read.
        self._unreadable += len(read) - len(causes)
        await self._desk.save(self._connection, await self._decided(causes))

    async def _decided(self, causes: Iterable[Cause]) -> Mapping[UUID, tuple[int, Book]]:
        told = list(causes)
        books = await self._desk.load(self._connection, list({each.key for each in told}))
        changed: dict[UUID, tuple[int, Book]] = {}
        for each in told:
            after, _ = self._desk.decide(books.get(each.key), each)
            if after is not None:
                books[each.key] = after
                changed[each.key] = (each.shard, after)
        return changed

    async def _replace(self) -> None:
        """Put the new rows in place of the old; who reads meanwhile sees the old ones until the very end."""
        for old, new in zip(store.tables, self._new.tables, strict=True):
            await self._connection.execute(old.delete())
            columns = [column.name for column in old.columns]
            await self._connection.execute(old.insert().from_select(columns, new.select()))


async def rebuild(engine: AsyncEngine, kafka: KafkaSettings) -> Rebuilt:
    """Make the ledger again from the first offset of `incident.journal`, in place of what it has.

    Raises:
        Unreadable: the broker is away; the ledger is as it was.

    """
    async with engine.connect() as connection:
        try:
            return await Rebuild(connection, kafka).run()
        finally:
            # The connection goes back to a pool, and its temporary tables must not.
            await connection.invalidate()
