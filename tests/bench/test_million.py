"""What is measured on stands for what the house would have: the copies are what rooms write, and can be worked with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.configured import load
from services.department.store import load as load_items
from services.domain.clocks import next_due_at
from services.domain.incident import Incident
from services.ledger.store import Book, Told, read_entry, record, store
from services.router.handlers import RouterDesk
from services.runtime.database import connect, transaction
from services.runtime.kafka import shard_of
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, Settings
from services.street.handlers import StreetDesk
from tests.bench.million import fill

COUNT = 100
CONFIG = Path(__file__).parents[2] / "deploy" / "config"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with a hundred incidents."""
    settings = Settings(database=DatabaseSettings.model_validate({"url": database_url}), config=CONFIG)
    made = connect(settings.database, "test")
    await upgrade(made)
    await fill(made, settings, COUNT)
    yield made
    await made.dispose()


async def test_the_copies_are_what_the_rooms_would_have_written(engine: AsyncEngine) -> None:
    """Every room has the same state, the ledger's entries lead to it, and columns say what states do."""
    configuration = load(CONFIG)
    now = datetime.now(UTC)
    async with transaction(engine) as connection:
        found = {row.id: row for row in await connection.execute(text("SELECT * FROM router.incident"))}
        ids = list(found)
        states = await RouterDesk(configuration).load(connection, ids)
        followed = await StreetDesk(configuration).load(connection, ids)
        books = await store.load(connection, ids)
        owed = await load_items(connection, ids)
        entries = list(await connection.execute(text("SELECT * FROM ledger.entry ORDER BY incident, version")))
    assert len(states) == COUNT
    assert followed == states
    assert {key: book.state for key, book in books.items()} == states
    folded: dict[UUID, Book] = {}
    for row in entries:
        book = folded.get(row.incident) or Book(Incident(row.incident))
        folded[row.incident] = record(book, Told(row.at, read_entry(row.type, row.data)))
    assert {key: book.state for key, book in folded.items()} == states
    for key, state in states.items():
        assert {each: item.status for each, item in owed[key].of.items()} == {
            each: owes.status for each, owes in state.obligations.items()
        }
        assert found[key].shard == shard_of(str(key).encode(), 64)
        due_at = next_due_at(state, configuration)
        assert due_at is not None
        assert found[key].next_due_at == due_at > now + timedelta(days=1)
        assert state.reported_at is not None
        assert now - timedelta(days=181) < state.reported_at < now
    assert len({each.next_due_at for each in found.values()}) > COUNT / 2
    in_order = sorted(states.values(), key=lambda each: each.id)
    reported = [each.reported_at for each in in_order if each.reported_at]
    assert reported == sorted(reported)


@pytest.mark.parametrize("schema", ["street", "router", "department", "ledger"])
async def test_a_rooms_journal_is_whole(engine: AsyncEngine, schema: str) -> None:
    """It is numbered without gaps, all of it published, each cause once, and the tables are indexed again."""
    async with engine.connect() as connection:
        shards = await connection.execute(
            text(
                f"SELECT s.seq, s.published, count(j.seq), coalesce(max(j.seq), 0), coalesce(min(j.seq), 1) "  # noqa: S608 - our own names
                f"FROM {schema}.shard s LEFT JOIN {schema}.journal j ON j.shard = s.id GROUP BY s.id"
            )
        )
        causes = await connection.execute(
            text(f"SELECT DISTINCT aggregateid, cause FROM {schema}.journal WHERE ordinal = 0")  # noqa: S608 - as above
        )
        indexed = await connection.scalar(
            text("SELECT count(*) FROM pg_index WHERE indisvalid AND indrelid = CAST(:name AS regclass)"),
            {"name": f"{schema}.journal"},
        )
        assert all(seq == said == rows == last and first == 1 for seq, said, rows, last, first in shards)
        assert all(cause.bytes[:6] == incident.bytes[:6] for incident, cause in causes)
        assert indexed == 2
