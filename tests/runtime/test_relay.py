"""What follows is said in the order of each shard's journal, from memory where that is all there is to say."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import dispatch, response
from schemas.event import Event, parse
from schemas.topics import DISPATCHES
from services.runtime.batch import Bench, Written
from services.runtime.inlet import Cause
from services.runtime.journal import Journal, Row
from services.runtime.kafka import partition_of, producer, shard_of
from services.runtime.relay import Relay
from tests.journey.counting import CountingDesk, journal
from tests.journey.house import heard
from tests.runtime.conftest import World

AT = datetime(2021, 1, 4, tzinfo=UTC)
SHARDS = 4
FACTS = {fact.type: fact for fact in DISPATCHES.facts}


class Watched(Journal):
    """The journal, counting how often it is read back."""

    reads = 0

    async def unpublished(self, connection: AsyncConnection, shards: object, limit: int) -> list[Row]:
        """Read, and count."""
        self.reads += 1
        return await journal.unpublished(connection, shards, limit)  # type: ignore[arg-type]


class Cut(Relay):
    """A relay that is cut off from its broker in the middle of a batch."""

    async def _send(self, rows: Sequence[Row]) -> int:
        await super()._send(rows[: len(rows) // 2])
        raise KafkaError("cut off")


def watched() -> Watched:
    """Return the room's journal with a counter of its own."""
    found = Watched.__new__(Watched)
    found.__dict__.update(journal.__dict__)
    return found


async def handled(world: World, subjects: list[uuid.UUID]) -> Written:
    """Handle one more fact about each subject, in one transaction, and say nothing."""
    causes = [
        Cause(
            uuid.uuid4(),
            subject,
            shard_of(str(subject).encode(), SHARDS),
            AT,
            "a.topic",
            "department",
            "test",
            Event(uuid.uuid4(), "/department/test", subject, AT, response.Progressed(note="更换水泵")),
        )
        for subject in subjects
    ]
    return await Bench(world.engine, journal, "/test").handle(CountingDesk(DISPATCHES.named(world.name)), causes)


async def said(world: World) -> dict[uuid.UUID, list[int]]:
    """Return the numbers that were said of each subject, in order; what was said again, with the same id, once."""
    numbers: dict[uuid.UUID, list[int]] = {}
    known = set()
    for record in await heard(world.servers, [DISPATCHES.named(world.name)]):
        event = parse(record.value, FACTS)
        assert isinstance(event.data, dispatch.Reminded)
        assert record.partition == partition_of(record.key, world.settings.kafka.partitions)
        if event.id not in known:
            known.add(event.id)
            numbers.setdefault(event.subject, []).append(event.data.round)
    return numbers


@pytest.fixture
async def subjects(world: World) -> list[uuid.UUID]:
    """Some subjects, in several shards, which are made."""
    async with world.engine.begin() as connection:
        await journal.prepare(connection, SHARDS)
    return [uuid.uuid4() for _ in range(12)]


async def unpublished(world: World) -> int:
    """Return how many shards have something unpublished."""
    return await world.scalar("SELECT count(*) FROM counting.shard WHERE published <> seq")


async def test_what_was_just_written_is_said_without_reading_it_back(world: World, subjects: list[uuid.UUID]) -> None:
    """Batch after batch, in order, and the marks follow."""
    book = watched()
    relay = Relay(world.engine, book, world.producer)
    for _ in range(3):
        await relay.publish_written(await handled(world, subjects))
    assert await said(world) == {each: [1, 2, 3] for each in subjects}
    # The marks are moved once for all of them.
    assert await unpublished(world) > 0
    await relay.mark()
    assert (await unpublished(world), book.reads) == (0, 0)


async def test_what_another_left_unsaid_is_said_first(world: World, subjects: list[uuid.UUID]) -> None:
    """A former owner has committed and not spoken: whoever comes next says its rows before its own."""
    await handled(world, subjects[:8])
    relay = Relay(world.engine, journal, world.producer)
    await relay.publish_written(await handled(world, subjects))
    assert await said(world) == {each: [1, 2] if each in subjects[:8] else [1] for each in subjects}
    assert await unpublished(world) == 0


async def test_what_another_left_unsaid_later_is_not_passed_over(world: World, subjects: list[uuid.UUID]) -> None:
    """An owner that has said everything so far still looks whether somebody has written since."""
    relay = Relay(world.engine, journal, world.producer)
    await relay.publish_written(await handled(world, subjects))
    await handled(world, subjects)
    await relay.publish_written(await handled(world, subjects))
    assert await said(world) == {each: [1, 2, 3] for each in subjects}


async def test_a_failed_send_leaves_the_marks(world: World, subjects: list[uuid.UUID]) -> None:
    """What was not acknowledged is not marked, so the next process says it."""
    written = await handled(world, subjects)
    with pytest.raises(KafkaError):
        await Cut(world.engine, journal, world.producer).publish_written(written)
    assert await unpublished(world) == len({row.shard for row in written.rows})
    await Relay(world.engine, journal, world.producer).publish(range(SHARDS))
    assert await said(world) == {each: [1] for each in subjects}


async def test_more_than_a_batch_holds_stays_in_order(world: World, subjects: list[uuid.UUID]) -> None:
    """Several batches for one partition follow each other."""
    async with producer(world.settings.kafka, "small", max_batch_size=600) as small:
        await Relay(world.engine, journal, small).publish_written(await handled(world, subjects * 10))
    assert await said(world) == {each: list(range(1, 11)) for each in subjects}
