"""The router's work, as it is measured: incidents opened and called for, two departments each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from schemas import decision
from schemas.event import Event, dump
from schemas.report import Place, Raised
from schemas.topics import DECISIONS
from services.runtime.kafka import producer
from services.runtime.settings import KafkaSettings

STREET, COMMUNITY = "dongsheng", "guangdu"
TOPIC = DECISIONS.named(STREET)
DEPARTMENTS = ("urban-management", "parks")
RECORDS_A_CALL = 2
"""What a street says of a report that a rule sends on: opened, and called."""
ACK_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record to write."""

    key: bytes
    value: bytes


def raised(at: datetime) -> Raised:
    """Return what is reported in everything that is measured, as of an instant."""
    return Raised(
        kind="demand",
        category="lighting",
        channel="hotline",
        description="北门路灯不亮，晚上看不清路，请尽快处理。",
        place=Place(estate="弘民新城"),
        happened_at=at,
    )


def calls(count: int) -> Iterator[Record]:
    """Yield the records of so many calls."""
    for _ in range(count):
        incident = uuid7()
        at = datetime.now(UTC)
        report = raised(at)
        opened = decision.Opened(by="rule:reports", community=COMMUNITY, report=report, reported_at=at)
        called = decision.Called(by="rule:lighting", kind="general", departments=DEPARTMENTS)
        for fact in (opened, called):
            event = Event(uuid.uuid5(incident, fact.type), f"/street/{STREET}", incident, at, fact)
            yield Record(str(incident).encode(), dump(event))


async def write(kafka: KafkaSettings, count: int) -> None:
    """Write the records of so many calls."""
    async with producer(kafka, "bench-calls") as made:
        sent = []
        for each in calls(count):
            sent.append(await made.send(TOPIC, each.value, key=each.key))
            if len(sent) >= ACK_EVERY:
                await sent.pop(0)
        await made.flush()
