"""Transactions of the driver's own: whole or not at all, and nothing half done goes back into the pool."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime.database import Statement, connect, driver, transaction, unbegun, until_back
from services.runtime.settings import DatabaseSettings

INSERT = Statement("INSERT INTO noted VALUES ($1)")
SLEEP_S = 60
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = $1"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine with one connection, so that what comes next meets what was left."""
    made = connect(DatabaseSettings.model_validate({"url": database_url}), "test", pool_size=1)
    async with made.begin() as connection:
        await connection.execute(text("CREATE TABLE noted (number int)"))
    yield made
    await made.dispose()


@pytest.fixture
async def other(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the engine's."""
    made = await asyncpg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    yield made
    await made.close()


async def noted(other: asyncpg.Connection) -> set[int]:
    """Return what has been committed."""
    return {row["number"] for row in await other.fetch("SELECT number FROM noted")}


async def end_sessions(other: asyncpg.Connection, engine: AsyncEngine) -> None:
    """Let the server end all sessions but this."""
    await other.fetch(END, engine.url.database)


async def test_a_statement_stands_in_a_transaction(engine: AsyncEngine) -> None:
    """Outside of one, what it locks would be free again at once."""
    async with unbegun(engine) as connection:
        with pytest.raises(RuntimeError, match="outside of"):
            await INSERT.run(connection, 1)


async def fail(engine: AsyncEngine, statement: str) -> None:
    """Write something, run a statement, and fail at the latest then."""
    async with transaction(engine) as connection:
        await INSERT.run(connection, 1)
        await Statement(statement).run(connection)
        raise ZeroDivisionError


async def test_an_error_undoes_everything(engine: AsyncEngine, other: asyncpg.Connection) -> None:
    """Whether it is the database's or ours; and the connection can be used again."""
    for error, statement in ((asyncpg.DataError, "SELECT 1/0"), (ZeroDivisionError, "SELECT 1")):
        with pytest.raises(error):
            await fail(engine, statement)
    async with transaction(engine) as connection:
        await INSERT.run(connection, 2)
    assert await noted(other) == {2}


@pytest.mark.parametrize("around", ["begin", "commit"])
async def test_who_is_cancelled_leaves_nothing_half_done(
    engine: AsyncEngine, other: asyncpg.Connection, around: str
) -> None:
    """Cancelled at any moment of BEGIN or COMMIT: the next transaction is one of its own, and is committed."""
    loop = asyncio.get_running_loop()

    async def work(number: int, task: list[asyncio.Task[None]]) -> None:
        if around == "begin":
            loop.call_later(number * 2e-5, task[0].cancel)
        async with transaction(engine) as connection:
            await INSERT.run(connection, -1)
            if around == "commit":
                loop.call_later(number * 1e-5, task[0].cancel)

    for number in range(60):
        task: list[asyncio.Task[None]] = []
        task.append(asyncio.create_task(work(number, task)))
        await asyncio.wait(task)
        async with unbegun(engine) as connection:
            assert not driver(connection).is_in_transaction()
        async with transaction(engine) as connection:
            await INSERT.run(connection, number)
        assert number in await noted(other)


async def sleep_raw(connection: AsyncConnection) -> None:
    """Wait in the driver."""
    await Statement(f"SELECT pg_sleep({SLEEP_S})").run(connection)


async def sleep_in_sqlalchemy(connection: AsyncConnection) -> None:
    """Wait in SQLAlchemy."""
    await connection.execute(text(f"SELECT pg_sleep({SLEEP_S})"))


@pytest.mark.parametrize("sleep", [sleep_raw, sleep_in_sqlalchemy])
@pytest.mark.parametrize("hangs", [False, True])
async def test_who_is_cancelled_ends(
    engine: AsyncEngine, sleep: Callable[[AsyncConnection], Awaitable[None]], *, hangs: bool
) -> None:
    """Also where the server hangs, and never answers a ROLLBACK; and it isn't tried again."""
    pids: list[int] = []

    async def work() -> None:
        async for attempt in until_back():
            with attempt:
                async with transaction(engine) as connection:
                    pids.append(driver(connection).get_server_pid())
                    await sleep(connection)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.5)
    if hangs:
        os.kill(pids[0], signal.SIGSTOP)
    try:
        task.cancel()
        await asyncio.wait([task], timeout=SLEEP_S / 4)
        assert task.cancelled()
    finally:
        if hangs:
            os.kill(pids[0], signal.SIGCONT)
    assert len(pids) == 1


@pytest.mark.parametrize("then", ["statement", "commit"])
async def test_a_server_that_ends_sessions_is_waited_for(
    engine: AsyncEngine, other: asyncpg.Connection, then: str
) -> None:
    """In the middle of transactions, again and again: each is done once all the same."""
    for number in range(40):
        tries = 0
        async for attempt in until_back():
            with attempt:
                tries += 1
                async with transaction(engine) as connection:
                    await INSERT.run(connection, number)
                    if tries == 1:
                        await end_sessions(other, engine)
                        if then == "statement":
                            await INSERT.run(connection, number)
        assert tries > 1
    assert await other.fetchval("SELECT count(*) FROM noted") == 40


async def test_after_a_restart_no_lost_connection_is_tried(database_url: str) -> None:
    """Where one was lost all were, and the first attempt meets none of them."""
    engine = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    connections = [await unbegun(engine) for _ in range(5)]
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    for connection in connections:
        await connection.close()
    other = await asyncpg.connect(url)
    await end_sessions(other, engine)
    await other.close()
    await asyncio.sleep(0.2)
    async with transaction(engine) as connection:
        assert (await Statement("SELECT 1 AS one").run(connection))[0]["one"] == 1
    await engine.dispose()
