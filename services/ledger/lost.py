"""Whether a report was lost: accepted on its community's topic, and without an incident in the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.report import Raised
from schemas.topics import REPORTS
from services.ledger import queries
from services.ledger.reading import partitions_of, reader, to_the_end
from services.runtime.clock import WallClock
from services.runtime.inlet import Cause, Inlet
from services.runtime.settings import KafkaSettings

AT_ONCE = 2_000
FETCH_BYTES = 64 * 1024
"""A district has hundreds of communities' partitions, and this of each lies in the memory of the room at once."""


class Arrivals:
    """What arrived on the communities' topics; each look reads on from where the last one ended."""

    def __init__(self, kafka: KafkaSettings, communities: Iterable[str]) -> None:
        self._kafka = kafka
        self.expect(communities)
        self._inlet = Inlet((REPORTS,), WallClock(), kafka.shards)
        self._places: dict[TopicPartition, int | None] = {}
        self._arrived: set[UUID] = set()
        """Those that were not looked for in the ledger yet."""
        self._missing: set[UUID] = set()

    def expect(self, communities: Iterable[str]) -> None:
        """Look at these communities' topics from now on."""
        self._topics = [REPORTS.named(code) for code in communities]

    async def lost(self, engine: AsyncEngine) -> int:
        """Return how many reports have no incident (yet).

        Raises:
            Unreadable: it can't be known, which is not the same as none.

        """
        for partition in await partitions_of(self._kafka, self._topics):
            self._places.setdefault(partition, None)
        if self._places:
            await self._read_on(engine)
        self._missing -= await _with_incident(engine, self._missing)
        return len(self._missing)

    async def _read_on(self, engine: AsyncEngine) -> None:
        async with reader(self._kafka, self._places, fetch_bytes=FETCH_BYTES) as consumer:
            async for records in to_the_end(consumer, most=AT_ONCE):
                self._arrived.update(report for record in records if (report := self._report(record)))
                # The first look reads all there ever was, and nearly all of it has its incident.
                if len(self._arrived) >= AT_ONCE:
                    self._arrived -= await _with_incident(engine, self._arrived)
                    self._put_down()
            for partition in self._places:
                self._places[partition] = await consumer.position(partition)
        self._put_down()

    def _put_down(self) -> None:
        self._missing |= self._arrived
        self._arrived.clear()

    def _report(self, record: ConsumerRecord) -> UUID | None:
        """Return the report's id; None for what is no valid report, which the street's dead letters keep."""
        read = self._inlet.read(record)
        return read.key if isinstance(read, Cause) and isinstance(read.event.data, Raised) else None


async def _with_incident(engine: AsyncEngine, reports: Iterable[UUID]) -> set[UUID]:
    waiting, found = iter(list(reports)), set()
    async with engine.connect() as connection:
        while some := list(islice(waiting, AT_ONCE)):
            found |= await queries.known(connection, some)
    return found


async def lost(engine: AsyncEngine, kafka: KafkaSettings, communities: Iterable[str]) -> int:
    """Return how many reports that were accepted have no incident.

    Raises:
        Unreadable: it can't be known, which is not the same as none.

    """
    return await Arrivals(kafka, communities).lost(engine)
