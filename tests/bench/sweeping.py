"""Deadlines: how soon many fire that are due at once, how late each of many a second, and what a sweep costs.

What is due is made so: obligations of incidents that were seeded get a clock of which the next rung tells a post.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.incident import Ladder, Rung
from schemas.topics import ESCALATIONS
from services.configured import load
from services.domain.incident import Clock, Incident
from services.router.handlers import RouterDesk
from services.router.store import journal
from services.runtime.batch import Bench
from services.runtime.database import connect, transaction
from services.runtime.settings import DatabaseSettings, Settings
from tests.bench.figures import Unmeasured, Values
from tests.bench.stage import Stage

RUNS = 3
AT_ONCE = 6_000
A_SECOND, SECONDS = 1_000, 60
SWEPT, TURNS = 1_000, 7
MADE_DUE_A_SECOND = 1_000
"""How fast deadlines are set, at the least: so long before the first of them it is begun."""
BEFORE_S = 5
LIMIT_S = 60.0
LOOK_EVERY_S = 0.03
# The second rung is the one that fires, and the third is none of this day's business.
FIRST_RUNG = timedelta(minutes=10)
LADDER = Ladder(
    name="bench",
    rungs=(Rung(after="0m"), Rung(after="10m", post="section-head"), Rung(after="30d", post="responsible-leader")),
    repeat="30d",
)


async def measure_sweeping(stand: Stage, small_url: str) -> Values:
    """Return all three figures; the stage's database is the one with the million, and the other the one without."""
    big = _Deadlines(stand.engine, stand.settings)
    async with _elsewhere(stand.settings, small_url) as small:
        return {
            "sweep_growth": [await _growth(small, big) for _ in range(RUNS)],
            "escalations_6000_s": [await _at_once(stand, big) for _ in range(RUNS)],
            "lateness_p99_s": [await _lateness(stand, big) for _ in range(RUNS)],
        }


# --- what is due -----------------------------------------------------------------------------------------------------


class _Deadlines:
    """Sets deadlines in one database, each time those of other incidents.

    They are spread all over it, which is the worst case: those due at one time were mostly reported at one time.
    """

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self.engine = engine
        self.desk = RouterDesk(load(settings.config))
        self.shards = settings.kafka.shards
        self._turns = count()

    async def set(self, instants: Sequence[datetime]) -> dict[UUID, datetime]:
        """Let one incident's next rung fire at each instant, and return which at which."""
        chosen = await self._choose(len(instants))
        due = dict(zip(chosen, instants, strict=True))
        for start in range(0, len(due), 1_000):
            ids = list(due)[start : start + 1_000]
            async with transaction(self.engine) as connection:
                states = await self.desk.load(connection, ids)
                changed = {key: (chosen[key], _due(state, due[key])) for key, state in states.items()}
                await self.desk.save(connection, changed)
        return due

    async def _choose(self, wanted: int) -> dict[UUID, int]:
        """Return so many incidents, each with its shard."""
        async with self.engine.connect() as connection:
            total = await connection.scalar(text("SELECT count(*) FROM router.incident")) or 0
            stride = total // wanted
            found = await connection.execute(
                text(
                    "SELECT id, shard FROM (SELECT id, shard, row_number() OVER (ORDER BY id) AS place "
                    "FROM router.incident) AS numbered WHERE place % :stride = :turn LIMIT :wanted"
                ),
                {"stride": stride, "turn": next(self._turns) % stride, "wanted": wanted},
            )
            return {row.id: row.shard for row in found}

    async def are_left(self, until: datetime) -> bool:
        """Tell whether any has not fired up to an instant."""
        due = "SELECT FROM router.incident WHERE shard = ANY(:shards) AND next_due_at <= :until"
        async with self.engine.connect() as connection:
            values = {"shards": list(range(self.shards)), "until": until}
            return bool(await connection.scalar(text(f"SELECT EXISTS ({due})"), values))


def _due(state: Incident, at: datetime) -> Incident:
    """Return an incident of which one department is told of at an instant, after it was reminded."""
    owed = next(iter(state.obligations.values()))
    # Set by the latest version, it is another clock than the one that this may have fired before.
    clocks = {**owed.clocks, "resolve": Clock(at - FIRST_RUNG, since=state.version, fired=1)}
    policy = owed.policy.model_copy(update={"ladder": LADDER})
    owed = replace(owed, policy=policy, clocks=clocks, late=("resolve",))
    return replace(state, obligations={**state.obligations, owed.department: owed})


@asynccontextmanager
async def _elsewhere(settings: Settings, url: str) -> AsyncIterator[_Deadlines]:
    """Set deadlines in another database."""
    engine = connect(DatabaseSettings.model_validate({"url": url}), "bench")
    try:
        yield _Deadlines(engine, settings)
    finally:
        await engine.dispose()


# --- what a sweep costs ----------------------------------------------------------------------------------------------


async def _growth(small: _Deadlines, big: _Deadlines) -> float:
    """Return what a sweep costs in the one database by what it costs in the other, in turns: the medians' ratio."""
    costs = [(await _swept(small), await _swept(big)) for _ in range(TURNS)]
    return statistics.median(each[1] for each in costs) / statistics.median(each[0] for each in costs)


async def _swept(deadlines: _Deadlines) -> float:
    """Return how many seconds it takes to find what is due and to handle it."""
    now = datetime.now(UTC)
    await deadlines.set([now] * SWEPT)
    bench = Bench(deadlines.engine, journal, "/router")
    # A room looks through its memory so rarely that it would only be noise here.
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    async with deadlines.engine.connect() as connection:
        due = await deadlines.desk.due(connection, dict.fromkeys(range(deadlines.shards), now), SWEPT)
    written = await bench.handle(deadlines.desk, due)
    seconds = time.perf_counter() - began
    gc.enable()
    async with deadlines.engine.begin() as connection:
        # No room that runs later says it to those who listen for something else.
        await connection.execute(text("UPDATE router.shard SET published = seq"))
    said = sum(row.topic == ESCALATIONS.name for row in written.rows)
    if said != SWEPT:
        raise Unmeasured(f"{said} of {SWEPT} deadlines fired")
    return seconds


# --- how soon they fire ----------------------------------------------------------------------------------------------


async def _at_once(stand: Stage, deadlines: _Deadlines) -> float:
    """Return seconds from the instant at which many are due until all of them are in the tables and on the topic."""
    async with _router(stand, deadlines) as heard:
        at = datetime.now(UTC) + timedelta(seconds=BEFORE_S + AT_ONCE / MADE_DUE_A_SECOND)
        due = await deadlines.set([at] * AT_ONCE)
        await _not_too_late(at)
        await asyncio.gather(_stored(deadlines, at), heard.all_of(due))
        return time.time() - at.timestamp()


async def _stored(deadlines: _Deadlines, at: datetime) -> None:
    left = True
    while left:
        await asyncio.sleep(LOOK_EVERY_S)
        left = await deadlines.are_left(at)


async def _lateness(stand: Stage, deadlines: _Deadlines) -> float:
    """Return how much later than it is due a deadline is on the topic, by the broker's clock: the 99th percentile."""
    async with _router(stand, deadlines) as heard:
        wanted = A_SECOND * SECONDS
        first = datetime.now(UTC) + timedelta(seconds=BEFORE_S + wanted / MADE_DUE_A_SECOND)
        due = await deadlines.set([first + timedelta(seconds=place / A_SECOND) for place in range(wanted)])
        await _not_too_late(first)
        await heard.all_of(due)
        late = sorted(heard.at[incident] - at.timestamp() for incident, at in due.items())
        return late[len(late) * 99 // 100]


async def _not_too_late(first: datetime) -> None:
    """Wait until what is to be measured begins."""
    left_s = first.timestamp() - time.time()
    if left_s < 0:
        raise Unmeasured("this machine is too slow to set the deadlines before they are due")
    await asyncio.sleep(left_s)


class _Heard:
    """What came on the topic of escalations: for each incident, the instant of its last record, in seconds."""

    def __init__(self) -> None:
        self.at: dict[UUID, float] = {}

    async def listen(self, consumer: AIOKafkaConsumer) -> None:
        """Take what comes, for ever."""
        async for record in consumer:
            self.at[UUID(record.key.decode())] = record.timestamp / 1000

    async def all_of(self, wanted: Mapping[UUID, datetime]) -> None:
        """Wait until something came about each."""
        end = time.monotonic() + SECONDS + LIMIT_S
        # Counted before they are compared, which costs more than what is measured should have to share.
        while len(self.at) < len(wanted) or not wanted.keys() <= self.at.keys():
            if time.monotonic() > end:
                raise Unmeasured(
                    f"{len(wanted.keys() - self.at.keys())} of {len(wanted)} deadlines were never heard of"
                )
            await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def _router(stand: Stage, deadlines: _Deadlines) -> AsyncIterator[_Heard]:
    """Run the router, and listen; when this begins, a deadline has been fired already."""
    heard = _Heard()
    consumer = AIOKafkaConsumer(ESCALATIONS.name, bootstrap_servers=stand.servers, auto_offset_reset="latest")
    async with stand.program("services.router"), consumer:
        await asyncio.gather(*(consumer.position(each) for each in consumer.assignment()))
        listening = asyncio.ensure_future(heard.listen(consumer))
        try:
            await heard.all_of(await deadlines.set([datetime.now(UTC)]))
            yield heard
        finally:
            listening.cancel()
