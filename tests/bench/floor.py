"""The floor: a bare loop that writes the rows and says the messages that the router would, and thinks nothing.

As a process of its own: `python -m tests.bench.floor FILE GROUP`, where FILE holds what was computed before.
"""

from __future__ import annotations

import asyncio
import gc
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.kafka import producer
from services.runtime.room import BATCH_RECORDS
from services.runtime.settings import Settings
from tests.bench.calls import TOPIC


@dataclass(frozen=True, slots=True)
class Precomputed:
    """What follows from each record, by partition and offset: journal rows, perhaps a state's row, and messages.

    A message is (topic, key, value).
    """

    journal: dict[tuple[int, int], list[tuple[Any, ...]]]
    states: dict[tuple[int, int], tuple[Any, ...]]
    messages: dict[tuple[int, int], list[tuple[str, bytes, bytes]]]


async def run(file: Path, group: str) -> None:
    """Go on until killed."""
    with file.open("rb") as opened:
        known: Precomputed = pickle.load(opened)  # noqa: S301 - our own file
    gc.freeze()
    settings = Settings.load()
    url = settings.database.url.get_secret_value().replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with producer(settings.kafka, "floor") as made, consumer:
        while True:
            polled = await consumer.getmany(timeout_ms=100, max_records=BATCH_RECORDS)
            places = [(each.partition, each.offset) for records in polled.values() for each in records]
            if not places:
                continue
            async with connection.transaction():
                rows = [row for place in places for row in known.journal[place]]
                await connection.copy_records_to_table("journal", schema_name="router", records=rows)
                states = [known.states[place] for place in places if place in known.states]
                await connection.copy_records_to_table("incident", schema_name="router", records=states)
            sent = [
                await made.send(topic, value, key=key)
                for place in places
                for topic, key, value in known.messages[place]
            ]
            await asyncio.gather(*sent)
            ends: dict[TopicPartition, int] = {}
            for partition, offset in places:
                ends[TopicPartition(TOPIC, partition)] = offset + 1
            await consumer.commit(ends)


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), sys.argv[2]))
