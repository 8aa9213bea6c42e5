"""The real router on a real Kafka and PostgreSQL: whatever happens to its processes, every call has its effect once."""

import asyncio
import random
import signal

from tests.journey.conftest import Town, matters
from tests.journey.house import until

KILLS = 12
AT_ONCE = 150
NOT_LONGER_THAN_S = 0.25


async def kill_in_mid_batch(town: Town, instance: str) -> None:
    """Run a router until it has done something, and kill it at some moment soon after."""
    async with town.router(instance) as router:
        before = await town.handled()

        async def moving() -> bool:
            return await town.handled() > before or router.status is not None

        await until(moving, why=router.told)
        # Any moment will do, and no two of them the same.
        await asyncio.sleep(random.uniform(0, NOT_LONGER_THAN_S))
        assert router.status is None, router.told()
        router.send(signal.SIGKILL)


async def test_a_router_killed_again_and_again_loses_and_doubles_nothing(town: Town) -> None:
    """Thousands of decisions and responses, and kill -9 at many moments: one version, one dispatch, one of each."""
    for _ in range(KILLS):
        await town.say_matters(matters(AT_ONCE))
        await kill_in_mid_batch(town, "1")
    async with town.router():
        await town.drained()
    await town.judge()


async def test_a_second_router_joins_and_leaves_in_mid_load(town: Town) -> None:
    """While a second process takes half of the partitions and gives them back, nothing is lost or doubled."""
    async with town.router("1") as first:
        await town.say_matters(matters(AT_ONCE))
        async with town.router("2") as second:
            await town.say_matters(matters(AT_ONCE))
            await until(lambda: "the room is open" in second.told(), why=second.told)
            await town.say_matters(matters(AT_ONCE))
            assert await second.stop() == 0, second.told()
        await town.say_matters(matters(AT_ONCE))
        await town.drained()
        assert first.status is None, first.told()
    await town.judge()


async def test_a_replay_of_everything_has_no_effect(town: Town) -> None:
    """All that was ever said, said again with the same ids and in another order, makes no new event and no new row."""
    if not town.matters:
        await town.say_matters(matters(AT_ONCE))
    async with town.router():
        await town.drained()
        before, rows = await town.judge(), await town.handled()
        again = [said for each in town.matters for said in each.said()]
        await town.say(random.sample(again, len(again)))
        await town.drained()
        assert await town.judge() == before
        assert await town.handled() == rows
