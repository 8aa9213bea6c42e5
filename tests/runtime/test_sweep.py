"""When deadlines fire: once, and never over something that was said in time."""

import signal
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from schemas.event import dump
from tests.journey.house import heard, until
from tests.runtime.conftest import World, insisted, progressed


async def is_missed(world: World, *subjects: uuid.UUID) -> bool:
    """Tell whether the deadlines of these subjects have been said to be missed."""
    return set(subjects) <= set(await world.missed())


async def test_a_deadline_fires_once_when_nobody_speaks(world: World) -> None:
    """It fires when its instant has passed, in the shards of either owner, and never a second time."""
    silent = [uuid.uuid4() for _ in range(20)]
    async with world.process(instance="1"), world.process(instance="2"):
        await world.say([insisted(each) for each in silent])
        await until(lambda: is_missed(world, *silent))
        assert max((await world.missed()).values()) < datetime.now(UTC)
        # The next pass finds nothing left: had it fired again, `missed` would fail.
        last = uuid.uuid4()
        await world.say([insisted(last)])
        await until(lambda: is_missed(world, last))
        assert set(await world.missed()) == {*silent, last}
        assert await world.scalar("SELECT count(*) FROM counting.count WHERE due_at IS NOT NULL") == 0


async def test_a_deadline_that_fired_is_said_although_its_process_died_first(world: World) -> None:
    """Nobody says anything again that would lead to it: whoever gets the shard says what was left unsaid."""
    silent = uuid.uuid4()
    async with world.process("committed") as room:
        await world.say([insisted(silent)])
        assert await room.ended() == -signal.SIGKILL, room.told()
        assert await world.missed() == {}
    async with world.process():
        await until(lambda: is_missed(world, silent))


async def test_what_reached_the_broker_in_time_is_not_late_because_it_was_read_late(world: World) -> None:
    """Behind a backlog that is read only after the deadline, a fact given in time counts, and silence does not."""
    prompt, silent = [uuid.uuid4() for _ in range(20)], [uuid.uuid4() for _ in range(20)]
    async with world.process() as room:
        await world.say([insisted(each) for each in [*prompt, *silent]])
        await world.drained()
        await room.stop()
    first_due_ms = await world.scalar("SELECT extract(epoch FROM min(due_at)) * 1000 FROM counting.count")
    last_due_ms = await world.scalar("SELECT extract(epoch FROM max(due_at)) * 1000 FROM counting.count")
    await world.say([progressed(uuid.uuid4()) for _ in range(3000)])
    await world.say([progressed(each) for each in prompt])
    reached_ms = max(record.timestamp for record in await heard(world.servers, world.inputs))
    assert reached_ms < first_due_ms, "this machine is too slow to be prompt"
    await until(lambda: datetime.now(UTC).timestamp() * 1000 > last_due_ms + 2000)
    async with world.process():
        await until(lambda: is_missed(world, *silent))
        await world.drained()
        assert set(await world.missed()) == set(silent)


async def test_a_strangers_transaction_holds_no_deadline_up(world: World) -> None:
    """The mark that a transaction leaves at the end of a partition is no record that still has to be read."""
    silent = uuid.uuid4()
    async with world.process():
        await world.say([insisted(silent)])
        await world.drained()
        producer = AIOKafkaProducer(bootstrap_servers=world.servers, transactional_id=world.name)
        async with producer, producer.transaction():
            for partition in range(world.settings.kafka.partitions):
                await producer.send(world.inputs[1], dump(progressed(uuid.uuid4())), partition=partition)
        await until(lambda: is_missed(world, silent), limit_s=30)
