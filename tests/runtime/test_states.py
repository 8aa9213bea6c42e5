"""What a table of states promises: the same suite for the fake and for PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import DateTime, MetaData, Text, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database import connect, is_transient, transaction
from services.runtime.settings import DatabaseSettings
from services.runtime.states import Derived, States
from tests.fakes import FakeStates


@dataclass(frozen=True, slots=True)
class Matter:
    """A small state, with what states are made of."""

    id: UUID
    title: str
    due_at: datetime | None = None
    steps: Mapping[str, int] | None = None


CODEC = TypeAdapter(Matter)
DUE = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


class Store:
    """States in memory, as in a table."""

    def __init__(self) -> None:
        self._states = FakeStates[Matter](
            lambda each: CODEC.dump_json(each).decode(),
            CODEC.validate_json,
            title=lambda each: each.title,
            due_at=lambda each: each.due_at,
        )

    async def load(self, *keys: UUID) -> dict[UUID, Matter]:
        """Return the states that exist."""
        return await self._states.load(None, keys)

    async def save(self, states: Mapping[UUID, tuple[int, Matter]]) -> None:
        """Write states."""
        await self._states.save(None, states)

    async def rows(self) -> dict[UUID, tuple[Any, ...]]:
        """Return (shard, title, due_at) by key."""
        return {key: (row["shard"], row["title"], row["due_at"]) for key, row in self._states.rows.items()}


class RealStore(Store):
    """States in PostgreSQL."""

    def __init__(self, engine: AsyncEngine, remembered: int = 0) -> None:
        self.engine = engine
        self.metadata = MetaData(schema="kept")
        self.states = States(
            self.metadata,
            "matter",
            CODEC,
            Derived("title", Text(), lambda each: each.title),
            Derived("due_at", DateTime(timezone=True), lambda each: each.due_at, nullable=True),
            remembered=remembered,
        )

    async def load(self, *keys: UUID) -> dict[UUID, Matter]:
        """Return the states that exist."""
        async with transaction(self.engine) as connection:
            return await self.states.load(connection, keys)

    async def save(self, states: Mapping[UUID, tuple[int, Matter]]) -> None:
        """Write states in a transaction of their own."""
        async with transaction(self.engine) as connection:
            await self.states.save(connection, states)

    async def rows(self) -> dict[UUID, tuple[Any, ...]]:
        """Return (shard, title, due_at) by key."""
        async with self.engine.connect() as connection:
            found = await connection.execute(self.states.table.select())
            return {each.id: (each.shard, each.title, each.due_at) for each in found}


@pytest.fixture
def remembered() -> int:
    """How many states are not read twice."""
    return 0


@pytest.fixture
async def real(database_url: str, remembered: int) -> AsyncIterator[RealStore]:
    """States in an empty table."""
    engine = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    store = RealStore(engine, remembered)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA kept"))
        await connection.run_sync(store.metadata.create_all)
    yield store
    await engine.dispose()


@pytest.fixture(params=["fake", "PostgreSQL"])
def store(request: pytest.FixtureRequest) -> Store:
    """The fake, then the real one."""
    if request.param == "fake":
        return Store()
    real: RealStore = request.getfixturevalue("real")
    return real


def matter(**changes: Any) -> Matter:
    """Return a matter of its own."""
    made = Matter(uuid.uuid4(), "王府花园的“水”: 'a', {b}, \\c", DUE, {"第一步": 1})
    return replace(made, **changes)


async def test_what_was_saved_is_loaded_as_it_was(store: Store) -> None:
    """Every field comes back, and only what exists does."""
    first, second = matter(), matter(due_at=None, steps=None)
    await store.save({first.id: (3, first), second.id: (4, second)})
    assert await store.load(first.id, second.id, uuid.uuid4()) == {first.id: first, second.id: second}
    assert await store.load() == {}


async def test_saving_again_replaces_the_whole_row(store: Store) -> None:
    """The state, its shard and every derived column are the new ones."""
    old = matter()
    new = replace(old, title="办结", due_at=None)
    await store.save({old.id: (3, old)})
    await store.save({new.id: (5, new)})
    assert await store.load(old.id) == {old.id: new}
    assert await store.rows() == {old.id: (5, "办结", None)}


async def test_new_and_changed_states_are_saved_together(store: Store) -> None:
    """One call may write both, in any number."""
    there = [matter() for _ in range(500)]
    await store.save({each.id: (1, each) for each in there})
    mixed = [replace(each, title="新") for each in there] + [matter(title="新") for _ in range(500)]
    await store.save({each.id: (2, each) for each in mixed})
    assert set((await store.rows()).values()) == {(2, "新", DUE)}
    assert len(await store.load(*(each.id for each in mixed))) == 1000


async def test_a_state_that_cannot_be_read_is_our_bug(real: RealStore) -> None:
    """A row that this code can't read is an error that is not waited out, so that the process stops and says so."""
    broken = uuid.uuid4()
    async with real.engine.begin() as connection:
        await connection.execute(text("INSERT INTO kept.matter VALUES (:id, 1, 'x', NULL, '{}')"), {"id": broken})
    with pytest.raises(ValidationError) as raised:
        await real.load(broken)
    assert not is_transient(raised.value)


async def test_text_that_cannot_be_stored_is_our_bug(real: RealStore) -> None:
    """A NUL that got this far would never be stored, so it is not waited out either."""
    broken = matter(title="a\x00b")
    with pytest.raises(asyncpg.DataError) as raised:
        await real.save({broken.id: (1, broken)})
    assert not is_transient(raised.value)


@pytest.mark.parametrize("remembered", [2])
async def test_a_state_that_was_just_read_is_not_read_again(real: RealStore) -> None:
    """As long as its text is the same it is the same object, among the last few; a changed one is read."""
    first, second, third = matter(), matter(), matter()
    await real.save({each.id: (3, each) for each in (first, second, third)})
    known = await real.load(first.id, second.id)
    assert await real.load(first.id) == {first.id: first}
    assert (await real.load(first.id))[first.id] is known[first.id]
    changed = replace(second, title="办结")
    await real.save({second.id: (3, changed)})
    assert await real.load(second.id) == {second.id: changed}
    await real.load(third.id)
    assert (await real.load(first.id))[first.id] is not known[first.id]
