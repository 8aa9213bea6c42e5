"""The relay: publishes what the journal holds beyond the mark, in order, whoever wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.batch import Written
from services.runtime.database import transaction
from services.runtime.journal import Journal, Row
from services.runtime.kafka import partition_of

CHUNK = 5_000
PUBLISH_LIMIT_S = 60
"""Idempotent batches never expire by themselves: a broker away for longer ends the process, and the next repeats."""
CONTENT_TYPE_HEADER = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


class NotPublishedError(Exception):
    """The broker did not acknowledge in time; the process must end, so that nothing later overtakes what was sent."""


class Relay:
    """Publishes the journal of one room; its owner calls it for one thing at a time."""

    def __init__(self, engine: AsyncEngine, journal: Journal, producer: AIOKafkaProducer) -> None:
        self._engine = engine
        self._journal = journal
        self._producer = producer
        # Up to where this process knows each shard to be acknowledged; the mark in the table may be further on, or
        # behind by what has not been marked yet.
        self._acknowledged: dict[int, int] = {}
        self._unmarked: dict[int, int] = {}

    async def publish(self, shards: Iterable[int]) -> int:
        """Publish everything unpublished of these shards, and return how many messages that were.

        Two processes may do so at once: they repeat the same ids, which every consumer knows.

        Raises:
            KafkaError, NotPublishedError: something was not acknowledged; the mark stands before it, and the process
                must end, so that nothing later overtakes it.

        """
        wanted = sorted(shards)
        said = 0
        while True:
            await self.mark()
            async with self._engine.connect() as connection:
                rows = await self._journal.unpublished(connection, wanted, CHUNK)
            if not rows:
                return said
            said += await self._say(rows)

    async def publish_written(self, written: Written) -> None:
        """Publish what a transaction has written, as it is in memory, where nothing before it is unpublished.

        A shard of which something before it is unpublished, by this process or another, is read from the journal.
        Raises as `publish` does.
        """
        behind = {
            shard.id
            for shard in written.before.values()
            if max(shard.published, self._acknowledged.get(shard.id, 0)) < shard.seq
        }
        rows = [row for row in written.rows if row.shard not in behind]
        if rows:
            await self._say(rows)
        if behind:
            await self.publish(behind)

    async def mark(self) -> None:
        """Move the marks in the table to where this process knows its shards to be acknowledged.

        It may come long after: what stands beyond a mark is published again, if at all, with the same ids.
        """
        marks = dict(self._unmarked)
        if not marks:
            return
        async with transaction(self._engine) as connection:
            # What is lost with a crash of the database is only published again.
            await connection.execute(text("SET LOCAL synchronous_commit = off"))
            await self._journal.mark(connection, marks)
        self._unmarked = {shard: seq for shard, seq in self._unmarked.items() if seq != marks.get(shard)}

    async def _say(self, rows: Sequence[Row]) -> int:
        """Send rows, in order within each shard and beginning behind what is acknowledged."""
        said = await self._send(rows)
        marks = {row.shard: row.seq for row in rows}
        self._acknowledged |= marks
        self._unmarked |= marks
        return said

    async def _send(self, rows: Sequence[Row]) -> int:
        messages = [row for row in rows if row.topic is not None]
        try:
            async with asyncio.timeout(PUBLISH_LIMIT_S):
                await asyncio.gather(*[await self._sent(*each) for each in await self._batches(messages)])
        except TimeoutError as error:
            # An error of its own: a bare time-out would be taken for a database that is away, and tried again.
            raise NotPublishedError(f"{len(rows)} rows were not acknowledged within {PUBLISH_LIMIT_S} s") from error
        return len(messages)

    async def _batches(self, messages: Sequence[Row]) -> list[tuple[str, int, BatchBuilder]]:
        """Pack messages into batches, in order within each partition.

        Handing the producer one message at a time would cost a future and a hash of the key for each.
        """
        full: list[tuple[str, int, BatchBuilder]] = []
        filling: dict[tuple[str, int], BatchBuilder] = {}
        counts: dict[str, int] = {}
        for row in messages:
            topic, key = str(row.topic), str(row.aggregateid).encode()
            if topic not in counts:
                counts[topic] = len(await self._producer.partitions_for(topic))
            place = topic, partition_of(key, counts[topic])
            batch = filling.get(place)
            if batch is None or not _append(batch, key, row):
                if batch is not None:
                    full.append((*place, batch))
                batch = filling[place] = self._producer.create_batch()
                _append(batch, key, row)
        return full + [(*place, batch) for place, batch in filling.items()]

    async def _sent(self, topic: str, partition: int, batch: BatchBuilder) -> Awaitable[object]:
        # Closed, it does not linger for more.
        batch.close()
        acknowledged: Awaitable[object] = await self._producer.send_batch(batch, topic, partition=partition)
        return acknowledged


def _append(batch: BatchBuilder, key: bytes, row: Row) -> bool:
    """Add a message, unless the batch is full; an empty one takes any."""
    added = batch.append(timestamp=None, key=key, value=row.payload.encode(), headers=CONTENT_TYPE_HEADER)
    return added is not None
