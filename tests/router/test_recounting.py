"""When a calendar is confirmed for longer, the router counts again what reached beyond it: once, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import decision
from schemas.event import Event
from services.configured import load
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.router.handlers import DeadlinePassed, RouterDesk
from services.router.store import journal
from services.runtime.batch import Bench
from services.runtime.database import connect, transaction
from services.runtime.inlet import Cause
from services.runtime.kafka import shard_of
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings
from tests.domain.scene import report

SHARDS = 64
CONFIG = Path(__file__).parents[2] / "deploy" / "config"
# Monday, 2021-12-20, 10:00 in Shanghai: ten working days end on 4 January, or a day earlier or later.
CALLED_AT = datetime(2021, 12, 20, 2, tzinfo=UTC)
INCIDENTS = [UUID(int=0x7000_8000_0000_0000_0000 + number) for number in range(30)]


def confirmed(until: date, *holidays: date) -> Configuration:
    """What is shipped, with a calendar that is confirmed until a day."""
    known = load(CONFIG)
    calendar = replace(known.calendar, confirmed_until=until, holidays=frozenset(holidays))
    return replace(known, calendar=calendar, calendars={"china": calendar})


BEFORE = confirmed(date(2021, 12, 31))
AFTER = confirmed(date(2022, 12, 31), date(2022, 1, 3))


class Router:
    """What one router process does to the database."""

    def __init__(self, engine: AsyncEngine, configuration: Configuration) -> None:
        self.engine = engine
        self.desk = RouterDesk(configuration)
        self.bench = Bench(engine, journal, source="/router")

    async def hear(
        self, fact: decision.Decision, incidents: Sequence[UUID] = INCIDENTS, at: datetime = CALLED_AT
    ) -> None:
        """The street says something about each of some incidents."""
        await self.bench.handle(self.desk, [_cause(fact, each, at) for each in incidents])

    async def due(self, at: datetime, limit: int = 1_000) -> list[DeadlinePassed]:
        """What the sweeper finds."""
        async with self.engine.connect() as connection:
            return await self.desk.due(connection, dict.fromkeys(range(SHARDS), at), limit)

    async def sweep(self, at: datetime, limit: int = 1_000) -> int:
        """Fire all that the sweeper finds, page by page, and return how many pages there were."""
        pages = 0
        while due := await self.due(at, limit):
            pages += 1
            await self.bench.handle(self.desk, due)
        return pages

    async def states(self) -> list[Incident]:
        """All incidents."""
        async with transaction(self.engine) as connection:
            found = await self.desk.load(connection, INCIDENTS)
        return [found[each] for each in INCIDENTS]

    async def count(self, query: str) -> int:
        """How many rows there are."""
        async with self.engine.connect() as connection:
            return int(await connection.scalar(text(f"SELECT count(*) FROM {query}")) or 0)  # noqa: S608 - our own text


def _cause(fact: decision.Decision, incident: UUID, at: datetime) -> Cause:
    event = Event(uuid5(incident, f"{fact.type} {at}"), "/street/dongsheng", incident, at, fact)
    topic = "street.dongsheng.decisions"
    return Cause(event.id, incident, shard_of(str(incident).encode(), SHARDS), at, topic, "street", "dongsheng", event)


@pytest.fixture
async def router(database_url: str) -> AsyncIterator[Router]:
    """A router whose calendar ends with 2021, and which has called the water bureau for thirty incidents."""
    engine = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await journal.prepare(connection, SHARDS)
    made = Router(engine, BEFORE)
    opened = decision.Opened(by="officer", community="guangdu", report=report("river"), reported_at=CALLED_AT)
    await made.hear(opened)
    await made.hear(decision.Called(by="officer", departments=("water",)))
    yield made
    await engine.dispose()


RECOMPUTED = "router.journal WHERE type = 'whistle.incident.recomputed.v1'"


async def test_what_is_provisional_is_counted_again_once(router: Router) -> None:
    """Each incident's deadlines move to where the holidays put them, in one fact, however many pages it takes."""
    at = CALLED_AT + timedelta(hours=1)
    assert await router.sweep(at) == 0
    later = Router(router.engine, AFTER)
    assert await later.sweep(at, limit=7) >= 30 // 7
    for state in await later.states():
        clock = state.obligations["water"].clocks["resolve"]
        # Ten working days from Monday, 20 December: 3 January is a holiday now.
        assert clock.due_at == datetime(2022, 1, 4, 2, tzinfo=UTC)
        assert clock.provisional is None
    # One of the department's deadline and one of the overall one.
    assert await router.count(RECOMPUTED) == 2 * len(INCIDENTS)
    assert await Router(router.engine, AFTER).sweep(at) == 0
    assert await router.count("router.incident WHERE counted_by IS NOT NULL") == 0


async def test_who_died_in_between_and_who_takes_over_count_once(router: Router) -> None:
    """What two routers found at the same time is decided by the first of them; the second adds nothing."""
    at = CALLED_AT + timedelta(hours=1)
    one, other = Router(router.engine, AFTER), Router(router.engine, AFTER)
    found, same = await one.due(at), await other.due(at + timedelta(minutes=5))
    assert {each.id for each in found} == {each.id for each in same}
    await one.bench.handle(one.desk, found)
    await other.bench.handle(other.desk, same)
    assert await router.count(RECOMPUTED) == 2 * len(INCIDENTS)


async def test_a_configuration_that_is_taken_back_holds_nothing_up(router: Router) -> None:
    """Back and forth between two tables that confirm nothing more, each row is looked at once each time."""
    at = CALLED_AT + timedelta(hours=1)
    other = confirmed(date(2021, 12, 31), date(2021, 12, 24))
    for turn, configuration in enumerate((other, BEFORE, other, BEFORE)):
        again = Router(router.engine, configuration)
        assert await again.sweep(at + timedelta(minutes=turn)) == 1
        assert await again.sweep(at + timedelta(minutes=turn)) == 0
    assert await router.count(RECOMPUTED) == 0


async def test_a_shard_that_comes_later_is_looked_at_at_once(router: Router) -> None:
    """Having found nothing in the shards that it had, or in none, the router doesn't wait with those it gets."""
    at = CALLED_AT + timedelta(hours=1)
    desk = Router(router.engine, AFTER).desk
    theirs = {shard_of(str(each).encode(), SHARDS) for each in INCIDENTS}
    others = set(range(SHARDS)) - theirs
    async with router.engine.connect() as connection:
        assert await desk.due(connection, {}, 1_000) == []
        assert await desk.due(connection, dict.fromkeys(others, at), 1_000) == []
        assert len(await desk.due(connection, dict.fromkeys(others | theirs, at), 1_000)) == len(INCIDENTS)


async def test_only_what_is_uncertain_is_read(router: Router) -> None:
    """Whoever is answered or certain costs nothing: the index holds only those with something provisional."""
    certain = Router(router.engine, AFTER)
    few = INCIDENTS[:5]
    await certain.hear(decision.Called(by="officer", departments=("power",)), few, CALLED_AT + timedelta(minutes=5))
    assert await router.count("router.incident WHERE counted_by IS NOT NULL") == len(INCIDENTS) - len(few)
    assert await router.count(RECOMPUTED) == 2 * len(few)
    at = CALLED_AT + timedelta(hours=1)
    await certain.sweep(at)
    async with router.engine.connect() as connection:
        before = await _read(connection)
        assert await certain.desk._recounted(connection, dict.fromkeys(range(SHARDS), at), 1_000) == []
        assert await _read(connection) == before


async def _read(connection: object) -> int:
    statement = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'incident'"
    return int(await connection.scalar(text(f"{statement} AND schemaname = 'router'")) or 0)  # type: ignore[attr-defined]


async def test_what_is_early_in_some_shards_holds_up_no_other(database_url: str) -> None:
    """Where a page is full of what another configuration thought to be due, what is due behind it fires as well."""
    engine = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await journal.prepare(connection, SHARDS)
    router = Router(engine, BEFORE)
    shards = {each: shard_of(str(each).encode(), SHARDS) for each in INCIDENTS}
    crowded = {shards[each] for each in INCIDENTS[:15]}
    first = [each for each in INCIDENTS if shards[each] not in crowded]
    later = [each for each in INCIDENTS if shards[each] in crowded]
    assert first
    for incidents, at in ((first, CALLED_AT), (later, CALLED_AT + timedelta(days=3))):
        opened = decision.Opened(by="officer", community="guangdu", report=report("river"), reported_at=at)
        await router.hear(opened, incidents, at)
    async with engine.begin() as connection:
        statement = "UPDATE router.incident SET next_due_at = :at WHERE id = ANY(CAST(:ids AS uuid[]))"
        await connection.execute(text(statement), {"at": CALLED_AT, "ids": later})
    at = CALLED_AT + timedelta(days=2)
    found = await router.due(at, limit=5)
    assert {each.key for each in found} <= set(first)
    assert found
    assert router.desk.early <= crowded
    assert router.desk.early
    await router.sweep(at, limit=5)
    fired = "SELECT DISTINCT aggregateid FROM router.journal WHERE type ~ '(reminded|escalated).v1'"
    assert await router.count(f"({fired}) AS fired") == len(first)
    await engine.dispose()
