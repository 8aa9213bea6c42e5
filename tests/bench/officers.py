"""Everybody who acts while lives are measured: departments that take on and resolve, a street that answers.

As a process of its own: `python -m tests.bench.officers`. It hears the departments' streams and the journal from where
they end, says on its log when it does, and reads no more of a record than its key and its type.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from schemas import decision, response
from schemas.event import Event, Fact, dump
from schemas.topics import DECISIONS, DISPATCHES, JOURNAL, RESPONSES
from services.runtime.kafka import partition_of, producer
from services.runtime.settings import Settings
from tests.bench.calls import DEPARTMENTS, STREET

READY = "the officers are at their desks"
ISSUED = b'"type":"whistle.dispatch.issued.v1"'
RESOLVED = b'"type":"whistle.incident.resolved.v1"'
Said = tuple[str, bytes, bytes]
"""What is said: (topic, key, value)."""
_NOBODY = UUID(int=0)


class Template:
    """A fact as it is said of one incident after another, each time with an id of its own."""

    def __init__(self, topic: str, source: str, fact: Fact) -> None:
        self._topic = topic
        said = dump(Event(_NOBODY, source, _NOBODY, datetime.now(UTC), fact))
        self._head, self._middle, self._tail = said.split(str(_NOBODY).encode())

    def about(self, incident: bytes) -> Said:
        """Return the fact about an incident."""
        event = str(UUID(bytes=os.urandom(16), version=4)).encode()
        return self._topic, incident, b"".join((self._head, event, self._middle, incident, self._tail))


def _of(department: str) -> list[Template]:
    topic, source = RESPONSES.named(department), f"/department/{department}"
    resolved = response.Resolved(note="已更换灯具。", answer="路灯已修复。")
    return [Template(topic, source, fact) for fact in (response.Acknowledged(), resolved)]


class Officers:
    """Says what follows from what they hear."""

    def __init__(self) -> None:
        self._departments = {DISPATCHES.named(each): _of(each) for each in DEPARTMENTS}
        topic, source = DECISIONS.named(STREET), f"/street/{STREET}"
        facts = (decision.Confirmed(), decision.Answered(answer="路灯已修复。"))
        self._street = [Template(topic, source, fact) for fact in facts]
        self._resolved: Counter[bytes] = Counter()

    def hear(self, record: ConsumerRecord) -> Iterator[Said]:
        """Yield what is said about one record."""
        key = record.key or b""
        if record.topic in self._departments:
            if ISSUED in record.value[:300]:
                yield from (each.about(key) for each in self._departments[record.topic])
        elif RESOLVED in record.value[:300]:
            self._resolved[key] += 1
            if self._resolved[key] == len(DEPARTMENTS):
                del self._resolved[key]
                yield from (each.about(key) for each in self._street)


async def say(made: AIOKafkaProducer, partitions: int, said: Iterable[Said]) -> None:
    """Say it all, in order within each partition, in batches as large as they get."""
    places: dict[tuple[str, int], list[tuple[bytes, bytes]]] = {}
    for topic, key, value in said:
        places.setdefault((topic, partition_of(key, partitions)), []).append((key, value))
    for (topic, partition), messages in places.items():
        batch = made.create_batch()
        for key, value in messages:
            if batch.append(timestamp=None, key=key, value=value) is None:
                await made.send_batch(batch, topic, partition=partition)
                batch = made.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        batch.close()
        await made.send_batch(batch, topic, partition=partition)


async def run() -> None:
    """Go on until killed."""
    settings = Settings.load()
    officers = Officers()
    topics = [*(DISPATCHES.named(each) for each in DEPARTMENTS), JOURNAL.name]
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=settings.kafka.bootstrap_servers, auto_offset_reset="latest", fetch_max_wait_ms=50
    )
    async with producer(settings.kafka, "officers") as made, consumer:
        await consumer.seek_to_end()
        for each in consumer.assignment():
            await consumer.position(each)
        sys.stderr.write(f"{READY}\n")
        sys.stderr.flush()
        while True:
            polled = await consumer.getmany(timeout_ms=50, max_records=2_000)
            said = [each for records in polled.values() for record in records for each in officers.hear(record)]
            await say(made, settings.kafka.partitions, said)


if __name__ == "__main__":
    uvloop.run(run())
