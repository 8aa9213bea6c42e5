"""When incidents are due next, once another configuration is in use: as if it had always been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.configured import load
from services.domain.clocks import next_due_at
from services.domain.configuration import Configuration
from services.router import reckoning, store
from services.router.handlers import RouterDesk
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.room import Room
from services.runtime.settings import DatabaseSettings, Settings
from tests.bench.million import fill

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
OPEN, SHARDS = 1_000, 64
NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=1)


@dataclass
class FakeRoom:
    """A room that owns some shards and has a desk and a database; what happens in between is noted."""

    engine: AsyncEngine
    desk: RouterDesk
    owned: set[int] = field(default_factory=lambda: set(range(SHARDS)))
    ending: bool = False
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def plumbing(self) -> SimpleNamespace:
        """All that is needed of it."""
        return SimpleNamespace(engine=self.engine)

    def shards(self) -> set[int]:
        """The shards it owns."""
        return self.owned

    async def reckon(self) -> None:
        """Look once."""
        await reckoning.reckon_all(cast("Room", self))

    async def due(self) -> int:
        """How many firings its desk finds."""
        async with self.engine.connect() as connection:
            return len(await self.desk.due(connection, dict.fromkeys(self.owned, NOW), OPEN))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with a thousand open incidents, of which nothing is due."""
    settings = Settings(database=DatabaseSettings.model_validate({"url": database_url}), config=CONFIG)
    made = connect(settings.database, "test")
    await upgrade(made)
    await fill(made, settings, OPEN)
    yield made
    await made.dispose()


def changed() -> Configuration:
    """The shipped configuration with holidays from now on, as another version."""
    shipped = load(CONFIG)
    days = {NOW.date() + timedelta(days=each) for each in range(90)}
    return replace(shipped, version="changed", calendar=replace(shipped.calendar, holidays=frozenset(days)))


async def wrong(engine: AsyncEngine, configuration: Configuration, shards: set[int] | None = None) -> set[UUID]:
    """Whose instant is not what a configuration says, in some shards or all."""
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT id, shard, next_due_at, state FROM router.incident"))).all()
    assert len(rows) == OPEN
    return {
        row.id
        for row in rows
        if (shards is None or row.shard in shards)
        and row.next_due_at != next_due_at(store.incidents.read(row.state), configuration)
    }


async def versions(engine: AsyncEngine) -> dict[int, str]:
    """By which version each shard was reckoned."""
    async with engine.connect() as connection:
        return {row.shard: row.version for row in await connection.execute(text("SELECT * FROM router.reckoned"))}


async def put(engine: AsyncEngine, statement: str) -> None:
    """Change the table as somebody else would have left it."""
    async with engine.begin() as connection:
        await connection.execute(text(statement), {"at": LONG_AGO})


async def test_what_another_version_reckoned_is_reckoned_anew(engine: AsyncEngine) -> None:
    """In the shards that a process owns, and once: later looks find the version noted and read nothing."""
    configuration = changed()
    await put(engine, "UPDATE router.incident SET next_due_at = :at")
    room = FakeRoom(engine, RouterDesk(configuration), owned=set(range(0, SHARDS, 2)))
    await room.reckon()
    assert await wrong(engine, configuration, room.owned) == set()
    assert await wrong(engine, configuration)
    noted = await versions(engine)
    assert {shard for shard, version in noted.items() if version == "changed"} == room.owned
    await put(engine, "UPDATE router.incident SET next_due_at = :at")
    await room.reckon()
    assert len(await wrong(engine, configuration)) == OPEN


async def test_nothing_is_reckoned_where_the_version_is_the_same(engine: AsyncEngine) -> None:
    """A restart under the same configuration costs one question."""
    await put(engine, "UPDATE router.incident SET next_due_at = :at")
    await FakeRoom(engine, RouterDesk(load(CONFIG))).reckon()
    assert len(await wrong(engine, load(CONFIG))) == OPEN


async def test_what_is_found_too_early_is_reckoned_again(engine: AsyncEngine) -> None:
    """A row that a replica wrote by the old version fires nothing, is put right, and stands in nobody's way."""
    configuration = load(CONFIG)
    room = FakeRoom(engine, RouterDesk(configuration))
    await put(engine, "UPDATE router.incident SET next_due_at = :at")
    assert await room.due() == 0
    assert room.desk.early == set(range(SHARDS))
    await room.reckon()
    assert room.desk.early == set()
    assert await wrong(engine, configuration) == set()


async def test_a_third_configuration_begins_again(engine: AsyncEngine) -> None:
    """A shard is noted only if all of it was reckoned by one version."""
    room = FakeRoom(engine, RouterDesk(changed()))
    before = await versions(engine)
    old, room.desk = room.desk, RouterDesk(replace(changed(), version="third"))
    await reckoning._reckon(cast("Room", room), old, 0)
    assert await versions(engine) == before
    await room.reckon()
    assert set((await versions(engine)).values()) == {"third"}


async def test_an_incident_of_which_nothing_is_due_any_more_stays_so(engine: AsyncEngine) -> None:
    """What has ended is not reckoned: nobody waits for it."""
    await put(
        engine,
        "UPDATE router.incident SET next_due_at = NULL WHERE id = (SELECT min(id::text)::uuid FROM router.incident)",
    )
    await FakeRoom(engine, RouterDesk(changed())).reckon()
    async with engine.connect() as connection:
        statement = "SELECT count(*) FROM router.incident WHERE next_due_at IS NULL"
        assert await connection.scalar(text(statement)) == 1
