"""One hop with nothing in it: what comes on one topic goes out on another, acknowledged, before the next is taken.

As a process of its own: `python -m tests.bench.hop FROM TO GROUP`.
"""

from __future__ import annotations

import sys

import uvloop
from aiokafka import AIOKafkaConsumer

from services.runtime.kafka import consumer_options, producer
from services.runtime.settings import Settings


async def run(heard: str, said: str, group: str) -> None:
    """Go on until killed."""
    kafka = Settings.load().kafka
    # As the rooms' own consumer: what waits for a fetch under way waits no longer here than there.
    consumer = AIOKafkaConsumer(heard, bootstrap_servers=kafka.bootstrap_servers, **consumer_options(group, "hop"))
    async with consumer, producer(kafka, group, linger_ms=0) as made:
        async for record in consumer:
            await made.send_and_wait(said, record.value, key=record.key)


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:4]))
