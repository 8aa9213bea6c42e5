"""What a room owes whoever speaks to it: every valid fact has its effect once, whatever dies, stops or comes twice."""

import random
import signal
import uuid

from tests.journey.counting import STEPS
from tests.journey.house import Process, until
from tests.runtime.conftest import World, progressed, refused


def many(count: int, subjects: int = 40) -> list[uuid.UUID]:
    """Return subjects, each as often as it comes, in no order."""
    known = [uuid.uuid4() for _ in range(subjects)]
    return [random.choice(known) for _ in range(count)]


async def test_a_fact_counts_once_however_often_and_in_whatever_order_it_is_said(world: World) -> None:
    """Duplicates in a batch, replays of everything and facts out of order change nothing more."""
    first = [progressed(each) if index % 2 else refused(each) for index, each in enumerate(many(400))]
    async with world.process() as room:
        await world.say([*first, *first[:100]])
        await world.say(random.sample(first, len(first)))
        await world.drained()
        await world.judge()
        await world.say(first)
        await world.drained()
        await world.judge()
        assert await room.stop() == 0


async def test_two_parties_may_use_one_id(world: World) -> None:
    """Nobody suppresses another's fact by reusing its id: on another topic it is another fact."""
    subject, shared = uuid.uuid4(), uuid.uuid4()
    async with world.process():
        await world.say([progressed(subject, shared), refused(subject, shared)])
        await world.drained()
        assert await world.scalar("SELECT count(*) FROM counting.journal") == 2


async def test_a_room_killed_at_any_step_of_a_batch_does_it_again_to_the_same_effect(world: World) -> None:
    """After kill -9 behind each step of a batch the next process goes on, and nothing is lost or doubled."""
    subjects = many(60, subjects=20)
    for step in STEPS:
        async with world.process(step) as process:

            async def died(process: Process = process) -> bool:
                # Said while it runs, so that there is a second batch to die in.
                await world.say([progressed(each) for each in random.sample(subjects, 20)])
                return process.status is not None

            await until(died, why=process.told)
            assert process.status == -signal.SIGKILL, (step, process.told())
    async with world.process():
        await world.drained()
        await world.judge()


async def test_two_rooms_share_the_work_and_take_over_from_each_other(world: World) -> None:
    """A second process joining and leaving in mid-load, and a first one that ends, lose and double nothing."""
    subjects = many(40)
    first, second = world.process(instance="1"), world.process(instance="2")
    async with first:
        await world.say([progressed(each) for each in subjects * 10])
        async with second:
            await world.say([refused(each) for each in subjects * 10])
            await until(lambda: "the room is open" in second.told())
            await world.say([progressed(each) for each in subjects * 10])
            await first.stop()
            await world.drained()
            await world.judge()


async def test_a_stopped_owner_that_wakes_up_doubles_nothing(world: World) -> None:
    """An owner stopped for longer than its session, whose work another has taken over, does no harm when it goes on."""
    subjects = many(40)
    zombie, heir = world.process(instance="1"), world.process(instance="2")
    async with zombie:
        await world.say([progressed(each) for each in subjects])
        await world.drained()
        # Stopped while it works, in the middle of whatever it is doing.
        await world.say([refused(each) for each in subjects * 20])
        zombie.send(signal.SIGSTOP)
        async with heir:
            await world.say([progressed(each) for each in subjects * 5])
            await world.drained()
            await world.judge()
            zombie.send(signal.SIGCONT)
            await world.say([progressed(each) for each in subjects * 5])
            await world.drained()
            await world.judge()
            # It is a member again, or has ended to be started again: in either case it has not gone wrong in silence.
            assert zombie.status in {None, 1}
