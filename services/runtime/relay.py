"""The relay: publishes what the journal holds beyond the mark, in order, whoever wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.journal import Journal, Row

CHUNK = 5_000
PUBLISH_LIMIT_S = 60
"""Idempotent batches never expire by themselves: a broker away for longer ends the process, and the next repeats."""
CONTENT_TYPE_HEADER = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


class NotPublishedError(Exception):
    """The broker did not acknowledge in time; the process must end, so that nothing later overtakes what was sent."""


class Relay:
    """Publishes the journal of one room."""

    def __init__(self, engine: AsyncEngine, journal: Journal, producer: AIOKafkaProducer) -> None:
        self._engine = engine
        self._journal = journal
        self._producer = producer

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
            async with self._engine.connect() as connection:
                rows = await self._journal.unpublished(connection, wanted, CHUNK)
            if not rows:
                return said
            said += await self._send(rows)
            async with self._engine.begin() as connection:
                await self._journal.mark(connection, {row.shard: row.seq for row in rows})

    async def _send(self, rows: list[Row]) -> int:
        try:
            async with asyncio.timeout(PUBLISH_LIMIT_S):
                sent = [
                    await self._producer.send(
                        row.topic, row.payload.encode(), key=str(row.aggregateid).encode(), headers=CONTENT_TYPE_HEADER
                    )
                    for row in rows
                    if row.topic is not None
                ]
                await asyncio.gather(*sent)
        except TimeoutError as error:
            # An error of its own: a bare time-out would be taken for a database that is away, and tried again.
            raise NotPublishedError(f"{len(rows)} rows were not acknowledged within {PUBLISH_LIMIT_S} s") from error
        return len(sent)
