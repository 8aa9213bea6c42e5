"""What is due is found by the index: the cost of a sweep follows what is due, not what is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.configured import load
from services.domain.clocks import UNTAKEN
from services.router.handlers import RouterDesk
from services.router.store import due_states, make_states
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, Settings
from tests.bench.million import fill

OPEN, SHARDS = 1_000, 64
CONFIG = Path(__file__).parents[2] / "deploy" / "config"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with a thousand open incidents, of which nothing is due."""
    settings = Settings(database=DatabaseSettings.model_validate({"url": database_url}), config=CONFIG)
    made = connect(settings.database, "test")
    await upgrade(made)
    await fill(made, settings, OPEN)
    yield made
    await made.dispose()


async def make_due(engine: AsyncEngine, count: int) -> dict[UUID, datetime]:
    """Let so many incidents have something due, one each second before now; return when."""
    async with engine.begin() as connection:
        found = await connection.execute(
            text("SELECT id FROM router.incident ORDER BY random() LIMIT :count"), {"count": count}
        )
        due = {key: NOW - timedelta(seconds=place) for place, key in enumerate(found.scalars())}
        for key, at in due.items():
            statement = text("UPDATE router.incident SET next_due_at = :at WHERE id = :id")
            await connection.execute(statement, {"id": key, "at": at})
    return due


async def rows_read(connection: AsyncConnection) -> int:
    """Return how many rows of the table this session has read and not yet reported."""
    statement = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'incident'"
    return int(await connection.scalar(text(f"{statement} AND schemaname = 'router'")) or 0)


@pytest.mark.parametrize("count", [0, 20])
async def test_a_sweep_reads_what_is_due_and_nothing_else(engine: AsyncEngine, count: int) -> None:
    """Among a thousand open, no row is read but those that are due."""
    states = make_states(MetaData(schema="router"))
    due = await make_due(engine, count)
    async with engine.connect() as connection:
        before = await rows_read(connection)
        found = await due_states(connection, states, dict.fromkeys(range(SHARDS), NOW), OPEN)
        after = await rows_read(connection)
    assert [(at, state.id) for _, at, state in found] == sorted((at, key) for key, at in due.items())
    assert after - before == count


async def test_the_earliest_come_first_whatever_their_shard(engine: AsyncEngine) -> None:
    """A page holds the earliest of all, and a shard's own horizon keeps back what is later than it."""
    states = make_states(MetaData(schema="router"))
    due = await make_due(engine, 50)
    earliest = sorted((at, key) for key, at in due.items())
    async with engine.connect() as connection:
        page = await due_states(connection, states, dict.fromkeys(range(SHARDS), NOW), 10)
        early = NOW - timedelta(seconds=30)
        held = await due_states(
            connection, states, {shard: early if shard % 2 else NOW for shard in range(SHARDS)}, OPEN
        )
        alone = await due_states(connection, states, {7: NOW}, OPEN)
    assert [(at, state.id) for _, at, state in page] == earliest[:10]
    assert {state.id for _, _, state in held} >= {key for at, key in earliest if at <= early}
    assert all(at <= early for shard, at, _ in held if shard % 2)
    assert {shard for shard, _, _ in alone} <= {7}


async def test_what_nobody_has_taken_on_fires_first(engine: AsyncEngine) -> None:
    """Of all that is due in one page, the undecided and unacknowledged comes first, the earliest of it before others.

    Behind a full page others may be due: nothing that is later than its end is on it, whoever has it.
    """
    desk = RouterDesk(load(CONFIG))
    far = dict.fromkeys(range(SHARDS), NOW + timedelta(days=365))
    async with engine.connect() as connection:
        every = await desk.due(connection, far, OPEN + 1)
        page = await desk.due(connection, far, OPEN // 2)
        rows = await due_states(connection, make_states(MetaData(schema="router")), far, OPEN // 2)
    for found in (every, page):
        order = [(each.due.name not in UNTAKEN, each.due.at) for each in found]
        assert order == sorted(order)
        assert {taken for taken, _ in order} == {False, True}
    latest = rows[-1][1]
    assert {each.id for each in page} == {each.id for each in every if each.due.at <= latest} & {
        each.id for each in every if each.key in {state.id for _, _, state in rows}
    }
    # Some that somebody has taken on was due before some that nobody has.
    assert min(each.due.at for each in page if each.due.name not in UNTAKEN) < max(
        each.due.at for each in page if each.due.name in UNTAKEN
    )
