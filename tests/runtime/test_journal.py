"""What the journal promises: the same suite for the fake and for PostgreSQL, then what only PostgreSQL can show."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database import IDLE_IN_TRANSACTION_MS, begun, connect, is_transient, transaction, unbegun
from services.runtime.journal import Journal, Row, Shard
from services.runtime.settings import DatabaseSettings
from tests.fakes import FakeJournal
from tests.journey.house import until

SHARDS = 8
SOCKET = ".s.PGSQL.5432"
AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Store:
    """A journal and how to begin a transaction on it."""

    journal: Any
    engine: AsyncEngine | None

    def begin(self) -> AbstractAsyncContextManager[Any]:
        """Begin a transaction, which the end of the block commits."""
        return transaction(self.engine) if self.engine else nullcontext()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A connected engine on an empty database."""
    made = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    yield made
    await made.dispose()


async def real_journal(engine: AsyncEngine) -> Journal:
    """Return a journal whose tables are there, and empty."""
    metadata = MetaData(schema="kept")
    journal = Journal(metadata)
    async with transaction(engine) as connection:
        await connection.execute(text("CREATE SCHEMA kept"))
        await connection.run_sync(metadata.create_all)
        await journal.prepare(connection, SHARDS)
    return journal


@pytest.fixture
async def real(engine: AsyncEngine) -> Store:
    """The real one, empty."""
    return Store(await real_journal(engine), engine)


@pytest.fixture(params=["fake", "PostgreSQL"])
def store(request: pytest.FixtureRequest) -> Store:
    """The fake, then the real one."""
    if request.param == "fake":
        return Store(FakeJournal(SHARDS), None)
    real: Store = request.getfixturevalue("real")
    return real


def row(shard: int, seq: int, **changes: Any) -> Row:
    """Return a row with a cause of its own."""
    cause = uuid.uuid4()
    made = Row(shard, seq, cause, 0, uuid.uuid4(), "street", uuid.uuid4(), "said", '{"a":"吹哨"}', "a.topic", AT)
    return made._replace(**changes)


async def append(store: Store, *rows: Row) -> None:
    """Write rows in a transaction of their own."""
    async with store.begin() as connection:
        await store.journal.append(connection, rows)


async def beyond(store: Store, shards: Sequence[int] = range(SHARDS), limit: int = 100) -> list[Row]:
    """Return what is not published."""
    async with store.begin() as connection:
        found: list[Row] = await store.journal.unpublished(connection, list(shards), limit)
        return found


async def locked(store: Store, *shards: int) -> dict[int, Shard]:
    """Return shards as they stand."""
    async with store.begin() as connection:
        found: dict[int, Shard] = await store.journal.lock(connection, shards)
        return found


# --- the same for both -----------------------------------------------------------------------------------------------


async def test_shards_begin_empty(store: Store) -> None:
    """A new shard has written and published nothing; locks come in the order of the shards, each once."""
    found = await locked(store, 3, 1, 3)
    assert list(found.items()) == [(1, Shard(1, 0, 0)), (3, Shard(3, 0, 0))]


@pytest.mark.parametrize("count", [SHARDS * 2, SHARDS - 1])
async def test_the_number_of_shards_is_fixed_at_installation(store: Store, count: int) -> None:
    """The same number again changes nothing; a larger or a smaller one is refused."""
    await append(store, row(2, 1))
    async with store.begin() as connection:
        await store.journal.prepare(connection, SHARDS)
    with pytest.raises(ValueError, match=f"installed with {SHARDS} shards"):
        async with store.begin() as connection:
            await store.journal.prepare(connection, count)
    assert len(await locked(store, *range(SHARDS * 2))) == SHARDS
    assert (await locked(store, 2))[2] == Shard(2, 1, 0)


async def test_what_is_written_is_known_and_comes_back_as_it_was(store: Store) -> None:
    """A row keeps every field, absent topic and fraction of a second included, and moves its shard's `seq`."""
    silent = row(4, 2, topic=None, aggregatetype="nothing", payload="")
    second = row(4, 1)
    await append(store, second, silent)
    assert await beyond(store) == [second, silent]
    assert (await locked(store, 4))[4] == Shard(4, 2, 0)
    stranger = uuid.uuid4()
    async with store.begin() as connection:
        assert await store.journal.known(connection, [silent.cause, stranger]) == {silent.cause}
        assert await store.journal.known(connection, []) == set()


async def test_nothing_can_be_written(store: Store) -> None:
    """No rows are no work."""
    await append(store)
    assert await beyond(store) == []


async def test_a_cause_has_ordinal_0_once(store: Store) -> None:
    """Further ordinals of a cause are welcome, and the same cause a second time is refused, whatever its shard."""
    first = row(1, 1)
    await append(store, first, first._replace(seq=2, ordinal=1, id=uuid.uuid4()))
    with pytest.raises((ValueError, asyncpg.UniqueViolationError)):
        await append(store, row(5, 1, cause=first.cause))
    assert len(await beyond(store)) == 2


async def test_a_place_in_a_shard_is_taken_once(store: Store) -> None:
    """Two rows never have one number: whoever wrote without the lock is refused."""
    await append(store, row(1, 1))
    with pytest.raises((ValueError, asyncpg.UniqueViolationError)):
        await append(store, row(1, 1))


async def test_what_is_unpublished_is_in_order_and_cut_at_the_end(store: Store) -> None:
    """It is contiguous from each shard's mark, of the shards asked for, and a limit cuts only the last of them."""
    rows = [row(shard, seq) for seq in (1, 2, 3) for shard in (6, 2, 5)]
    await append(store, *rows)
    wanted = [(2, 1), (2, 2), (2, 3), (6, 1), (6, 2), (6, 3)]
    assert [(each.shard, each.seq) for each in await beyond(store, [6, 2])] == wanted
    assert [(each.shard, each.seq) for each in await beyond(store, [6, 2], limit=4)] == wanted[:4]


async def test_marks_never_go_back(store: Store) -> None:
    """What is marked is not unpublished any more; an older mark, as of a zombie, changes nothing."""
    await append(store, *(row(1, seq) for seq in range(1, 6)), row(2, 1))
    for mark in (3, 2):
        async with store.begin() as connection:
            await store.journal.mark(connection, {1: mark})
        assert [(each.shard, each.seq) for each in await beyond(store)] == [(1, 4), (1, 5), (2, 1)]
    assert (await locked(store, 1))[1] == Shard(1, 5, 3)


# --- only PostgreSQL -------------------------------------------------------------------------------------------------


async def test_ten_thousand_rows_are_written_at_once(real: Store) -> None:
    """A batch is one statement, however many rows it has."""
    await append(real, *(row(1, seq, payload="吹" * 300) for seq in range(1, 10_001)))
    assert (await locked(real, 1))[1] == Shard(1, 10_000, 0)


async def test_two_owners_of_a_shard_exclude_each_other(engine: AsyncEngine) -> None:
    """The second sees what the first has committed, so that it numbers on and knows its causes."""
    journal = await real_journal(engine)
    written = row(3, 1)

    async def second() -> tuple[Shard, set[uuid.UUID]]:
        async with transaction(engine) as connection:
            found = await journal.lock(connection, [3])
            return found[3], await journal.known(connection, [written.cause])

    async def is_blocked() -> bool:
        async with engine.connect() as connection:
            waits = await connection.execute(
                text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            )
            return bool(waits.scalar_one()) or waiting.done()

    async with transaction(engine) as connection:
        await journal.lock(connection, [3])
        waiting = asyncio.create_task(second())
        await until(is_blocked)
        assert not waiting.done()
        await journal.append(connection, [written])
    assert await waiting == (Shard(3, 1, 0), {written.cause})


async def test_owners_of_many_shards_never_deadlock(engine: AsyncEngine) -> None:
    """Whatever order the shards are named in, locks are taken in one order, marks included."""
    journal = await real_journal(engine)

    async def work(shards: Sequence[int]) -> None:
        for _ in range(30):
            async with transaction(engine) as connection:
                await journal.lock(connection, shards)
            async with transaction(engine) as connection:
                await journal.mark(connection, dict.fromkeys(shards, 0))

    await asyncio.gather(work([0, 5, 3, 7]), work([7, 3, 5, 0]), work([5, 7]), work([3, 0]))


@pytest.mark.parametrize("writing", [False, True])
async def test_a_stopped_owner_does_not_hold_its_shards(engine: AsyncEngine, *, writing: bool) -> None:
    """Whoever stops in the middle of a batch, even after it has written, loses the locks within a few seconds."""
    journal = await real_journal(engine)
    stopped = await unbegun(engine)
    held = begun(stopped)
    await held.__aenter__()
    await journal.lock(stopped, [1])
    if writing:
        await journal.append(stopped, [row(1, 1)])
    async with asyncio.timeout(IDLE_IN_TRANSACTION_MS / 1000 + 5), transaction(engine) as connection:
        assert (await journal.lock(connection, [1]))[1] == Shard(1, 0, 0)
    with pytest.raises(DBAPIError) as raised:
        await stopped.execute(text("SELECT 1"))
    assert is_transient(raised.value)
    await stopped.invalidate()
    await stopped.close()


class Narrow:
    """A way to the database that lets only so many more bytes through, as a client that is stopped while it sends."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self.left = float("inf")
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client to the server."""
        from_server, to_server = await asyncio.open_unix_connection(str(self._server / SOCKET))
        self._tasks |= {
            asyncio.create_task(self._let_through(reader, to_server)),
            asyncio.create_task(self._bring_back(from_server, writer)),
        }

    async def _let_through(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with closing(sink):
            while data := await source.read(10_000):
                sink.write(data[: int(min(self.left, len(data)))])
                self.left = max(self.left - len(data), 0)
                await sink.drain()

    async def _bring_back(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with closing(sink):
            while data := await source.read(10_000):
                sink.write(data)

    async def close(self) -> None:
        """Cut everybody off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_an_owner_stopped_while_it_writes_does_not_hold_its_shards(
    engine: AsyncEngine,
) -> None:
    """Even in the middle of sending its rows, where a COPY would hold its locks for as long as it is stopped."""
    journal = await real_journal(engine)
    url = make_url(engine.url.render_as_string(hide_password=False))
    with tempfile.TemporaryDirectory() as folder:
        way = Narrow(Path(str(url.query["host"])))
        server = await asyncio.start_unix_server(way.meet, Path(folder) / SOCKET)
        narrow = connect(
            DatabaseSettings(url=SecretStr(url.update_query_dict({"host": folder}).render_as_string())), "narrow"
        )
        stopped = await unbegun(narrow)
        held = begun(stopped)
        await held.__aenter__()
        await journal.lock(stopped, [1])
        way.left = 100_000
        writing = asyncio.create_task(journal.append(stopped, [row(1, seq) for seq in range(1, 5_000)]))
        await until(lambda: way.left == 0)
        async with asyncio.timeout(IDLE_IN_TRANSACTION_MS / 1000 + 5), transaction(engine) as connection:
            assert (await journal.lock(connection, [1]))[1] == Shard(1, 0, 0)
        await way.close()
        with pytest.raises(asyncpg.PostgresConnectionError):
            await writing
        await stopped.invalidate()
        await stopped.close()
        await narrow.dispose()
        server.close()
        await server.wait_closed()
