"""A ledger in an empty database, and what writes into it as the room does."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.handlers import LedgerDesk
from services.ledger.store import Book, journal, metadata, store
from services.runtime import clock
from services.runtime.batch import Bench
from services.runtime.database import connect, transaction
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings
from tests.ledger.scenes import SHARDS, History, causes


@dataclass
class Books:
    """The ledger's tables, and the desk that fills them."""

    engine: AsyncEngine
    url: str

    async def hear(self, happenings: Sequence[Cause]) -> None:
        """Handle one batch."""
        await Bench(self.engine, journal, "/ledger").handle(LedgerDesk(), happenings)

    async def write(self, *histories: History) -> None:
        """Handle whole histories as one batch."""
        await self.hear(causes(*histories))

    async def book(self, history: History) -> Book | None:
        """What is known of an incident."""
        async with transaction(self.engine) as connection:
            return (await store.load(connection, [history.id])).get(history.id)

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table a rebuild makes again, in order."""
        found = {}
        async with self.engine.connect() as connection:
            for table in store.tables:
                rows = await connection.execute(table.select().order_by(*table.primary_key.columns))
                found[table.name] = [tuple(row) for row in rows]
        return found


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Books]:
    """An empty ledger."""
    engine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    async with engine.begin() as connection:
        for schema in ("ledger", "runtime"):
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(metadata.create_all)
        await connection.run_sync(clock.metadata.create_all)
        await journal.prepare(connection, SHARDS)
    yield Books(engine, database_url)
    await engine.dispose()
