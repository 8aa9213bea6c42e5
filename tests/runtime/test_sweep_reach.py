"""Up to which instant deadlines fire: never past what may have been said in time and can't be seen yet."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition

from services.runtime.room import Progress, Room
from services.runtime.settings import KafkaSettings
from services.runtime.sweep import AT_ONCE, fire_all

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=5)
SHARDS = 4
PARTITIONS = [
    TopicPartition(topic, number) for topic in ("street.a.decisions", "supervision.actions") for number in (0, 1)
]


@dataclass(frozen=True)
class Deadline:
    """A deadline of a shard."""

    shard: int
    at: datetime
    id: UUID = field(default_factory=uuid4)


class FakeRoom:
    """A room whose partitions end at 10, and what it has fired; `handled` says how far it has read each."""

    def __init__(self, *deadlines: Deadline, replicas: int = 1, sample: bool = False) -> None:
        self.left = {each.id: each for each in deadlines}
        self.fired: list[Deadline] = []
        self.asked = 0
        self.batches: list[int] = []
        self.in_hand = False
        self.ending = False
        self.busy = asyncio.Lock()
        self.progress = dict.fromkeys(PARTITIONS, Progress(10, EARLIER))
        kafka = KafkaSettings(partitions=2, shards=SHARDS, replication_factor=replicas)
        self.settings = SimpleNamespace(kafka=kafka)
        self.desk = self
        self.consumer = self
        self.plumbing = SimpleNamespace(clock=self, engine=self)
        self.sample = sample

    def now(self) -> datetime:
        """It is always now."""
        return NOW

    async def refresh(self) -> None:
        """Look at the time."""

    @asynccontextmanager
    async def connect(self) -> Any:
        """Connect to nothing."""
        yield None

    def shards(self) -> set[int]:
        """Own everything."""
        return set(range(SHARDS))

    def assignment(self) -> set[TopicPartition]:
        """Own everything."""
        return set(PARTITIONS)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where partitions end."""
        self.asked += 1
        return dict.fromkeys(partitions, 10)

    async def position(self, _partition: TopicPartition) -> int:
        """Return where the consumer is: nowhere further than what has been handled."""
        return 0

    async def due(self, _connection: object, horizons: Mapping[int, datetime], limit: int) -> Sequence[Deadline]:
        """Return what is due up to its shard's horizon."""
        found = [each for each in self.left.values() if each.shard in horizons and each.at <= horizons[each.shard]]
        return sorted(found, key=lambda each: each.at)[:limit]

    async def work(self, happenings: Sequence[Deadline]) -> None:
        """Fire deadlines."""
        self.batches.append(len(happenings))
        for each in happenings:
            self.fired.append(self.left.pop(each.id))


async def fired(room: FakeRoom) -> list[Deadline]:
    """Sweep once, and return what fired."""
    await fire_all(cast("Room", room), room.end_offsets)
    return room.fired


@pytest.mark.parametrize(("replicas", "unseen_s"), [(1, 0.1), (2, 1), (3, 1)])
async def test_the_end_of_a_topic_is_believed_only_after_a_while(replicas: int, unseen_s: float) -> None:
    """A record may have its instant and not be seen yet: for longer where replicas must have it first."""
    old = Deadline(0, NOW - timedelta(seconds=unseen_s))
    young = Deadline(0, NOW - timedelta(seconds=unseen_s) + timedelta(milliseconds=1))
    assert await fired(FakeRoom(old, young, replicas=replicas)) == [old]


async def test_behind_a_backlog_only_what_was_due_before_the_last_record_fires() -> None:
    """A partition that has not been read to its end holds back its own shards, and no others."""
    here, there = Deadline(1, NOW - timedelta(minutes=1)), Deadline(2, NOW - timedelta(minutes=1))
    older = Deadline(3, EARLIER)
    room = FakeRoom(here, there, older)
    room.progress[PARTITIONS[1]] = Progress(9, EARLIER)
    assert await fired(room) == [older, there]
    room.progress[PARTITIONS[1]] = Progress(10, NOW)
    assert await fired(room) == [older, there, here]


async def test_in_sample_time_a_deadline_fires_at_its_instant_and_never_before_all_is_read() -> None:
    """Records tell their own instants there, and no clock of a broker runs beside them."""
    room = FakeRoom(Deadline(1, NOW), sample=True)
    room.progress[PARTITIONS[1]] = Progress(9, NOW)
    assert await fired(room) == []
    room.progress[PARTITIONS[1]] = Progress(10, NOW)
    assert len(await fired(room)) == 1


async def test_the_broker_is_asked_once_for_all_that_is_due_and_not_at_all_for_nothing() -> None:
    """However many are due at one instant."""
    room = FakeRoom(*(Deadline(number % SHARDS, EARLIER) for number in range(2 * AT_ONCE + 1)))
    assert len(await fired(room)) == 2 * AT_ONCE + 1
    assert room.batches == [AT_ONCE, AT_ONCE, 1]
    assert room.asked == 1
    await fired(room)
    assert room.asked == 1


async def test_a_room_that_ends_fires_nothing() -> None:
    """What it polled last is not handled any more, and an acknowledgement given in time may be among it."""
    due = Deadline(0, NOW - timedelta(seconds=5))
    room = FakeRoom(due)
    room.ending = True
    assert await fired(room) == []
    room.ending = False
    assert await fired(room) == [due]
