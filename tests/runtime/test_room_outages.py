"""Servers that go away and come back: a room waits, visibly, and loses nothing."""

import uuid

import psutil
from sqlalchemy import text

from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres
from tests.journey.house import until
from tests.runtime.conftest import World, progressed

SUBJECTS = [uuid.uuid4() for _ in range(30)]
END_ALL_OTHERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_connections_that_are_cut_lose_nothing(world: World) -> None:
    """While the database ends every connection again and again, facts are handled all the same, once each."""
    async with world.process() as room:
        cut = 0
        for _ in range(20):
            await world.say([progressed(each) for each in SUBJECTS * 5])
            async with world.engine.connect() as connection:
                cut += (await connection.execute(END_ALL_OTHERS)).scalar_one()
        await until(lambda: "the room is open" in room.told(), why=room.told)
        for _ in range(20):
            await world.say([progressed(each) for each in SUBJECTS])
            async with world.engine.connect() as connection:
                cut += (await connection.execute(END_ALL_OTHERS)).scalar_one()
        await world.drained()
        await world.judge()
        assert cut > 0
        assert room.status is None, room.told()


async def test_a_database_that_is_away_is_waited_for(world: World, postgres: EmbeddedPostgres) -> None:
    """A room started before its database, and one whose database crashes, go on when it is back; the log says so."""
    await world.engine.dispose()
    await postgres.kill()
    async with world.process() as room:
        await world.say([progressed(each) for each in SUBJECTS])
        await until(lambda: "retry" in room.told(), why=room.told)
        await postgres.start()
        await world.drained()
        await postgres.kill()
        await world.say([progressed(each) for each in SUBJECTS * 10])
        await world.engine.dispose()
        await postgres.start()
        await world.drained()
        await world.judge()
        assert room.status is None, room.told()


async def test_what_waits_for_a_database_does_not_fill_the_memory(world: World, postgres: EmbeddedPostgres) -> None:
    """With the database away, a backlog of 80 MB stays with the broker; a room holds a bounded part of it."""
    async with world.process() as room:
        await world.say([progressed(each) for each in SUBJECTS])
        await world.drained()
        before = psutil.Process(room.pid).memory_info().rss
        await world.engine.dispose()
        await postgres.kill()
        for _ in range(20):
            await world.say([progressed(SUBJECTS[each % 30], note="x" * 3_900) for each in range(1_000)])
        # It has had time to take all it would take: a fetch needs a fraction of the pauses between these tries.
        await until(lambda: room.told().count("retry") >= 8, why=room.told)
        assert psutil.Process(room.pid).memory_info().rss - before < 40 * 2**20
        await postgres.start()
        await world.drained()
        await world.judge()


async def test_a_broker_that_restarts_is_waited_for(world: World, kafka: EmbeddedKafka) -> None:
    """A room started before its broker, and one whose broker crashes under load, go on when it is back."""
    await world.say([progressed(each) for each in SUBJECTS * 10])
    await kafka.kill()
    async with world.process() as room:
        await until(lambda: "retry" in room.told(), why=room.told)
        await kafka.start()
        await world.drained()
        await world.say([progressed(each) for each in SUBJECTS * 10])
        await kafka.kill()
        await kafka.start()
        await world.say([progressed(each) for each in SUBJECTS * 10])
        await world.drained()
        await kafka.restart()
        await world.say([progressed(each) for each in SUBJECTS * 10])
        await world.drained()
        await world.judge()
        assert room.status is None, room.told()
