"""A record that the client library can't unpack: found by reading alone what a whole poll failed on.

The library raises for the poll, whatever else was in it, where the name of one header is not UTF-8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.runtime.inlet import DeadLetter
from services.runtime.settings import KafkaSettings

MOST_BEFORE = 2_000
"""How many records are read in search of it at a time; what is further on is found after the next start."""
READ_LIMIT_S = 10.0


@dataclass(slots=True)
class Stretch:
    """What stands in one partition from where it has been handled: records, then perhaps one that can't be read."""

    before: list[ConsumerRecord] = field(default_factory=list)
    letter: DeadLetter | None = None


async def find_unreadable(settings: KafkaSettings, starts: Mapping[TopicPartition, int]) -> Stretch:
    """Read each partition from an offset, one record at a time, to the first that can't be read; empty if none."""
    for partition, start in starts.items():
        found = await _search(settings, partition, start)
        if found.letter or len(found.before) >= MOST_BEFORE:
            return found
    return Stretch()


async def _search(settings: KafkaSettings, partition: TopicPartition, start: int) -> Stretch:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        consumer.seek(partition, start)
        end = (await consumer.end_offsets([partition]))[partition]
        found = Stretch()
        at = start
        while at < end and len(found.before) < MOST_BEFORE:
            try:
                async with asyncio.timeout(READ_LIMIT_S):
                    record = await consumer.getone(partition)
            except UnicodeDecodeError as error:
                found.letter = _letter(partition, at, error)
                return found
            except TimeoutError:
                # Only markers of transactions are left.
                return Stretch()
            found.before.append(record)
            at = record.offset + 1
        return found
    finally:
        await consumer.stop()


def _letter(partition: TopicPartition, offset: int, error: Exception) -> DeadLetter:
    empty = ConsumerRecord(partition.topic, partition.partition, offset, 0, 0, None, None, None, -1, -1, ())
    return DeadLetter(empty, f"the client library can't read it ({error}); all of it is still where it came from")
