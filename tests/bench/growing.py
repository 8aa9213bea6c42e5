"""What a million incidents in the tables do to the speed of everything: growth, spikes, sweeps, pages, memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from schemas.topics import JOURNAL, ROOMS_WITH_DEAD_LETTERS, dead_letters
from services.local.settle import GROUPS
from services.monitor.client import BrokerView
from services.monitor.lag import is_drained
from services.runtime.kafka import producer
from tests.bench import ledger, sweeping
from tests.bench.figures import Values
from tests.bench.lives import ENTRIES_A_LIFE, House, config, house, reports
from tests.bench.million import seed
from tests.bench.officers import say
from tests.bench.stage import RUNS, Gauge, Stage, stage
from tests.journey.house import until

FEW, MANY = 10_000, 1_000_000
LIVES, LIVES_OF_GROWTH = 20_000, 5_000
SPIKES: Sequence[tuple[int, int]] = ((150, 15), (30, 5), (250, 15), (30, 5), (350, 15), (30, 5))
"""Reports a second, and for how many seconds. Source: the spike test of DIGIT's complaint service, times ten."""
TICK_S = 0.1
DRAIN_LIMIT_S = 120.0


async def measure_lives() -> AsyncIterator[Values]:
    """Measure whole lives a second, in a house that has nothing yet, and then the ledger made again from them all."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with stage(config(Path(folder))) as stand:
            for _ in range(RUNS):
                await stand.fresh_database()
                async with house(stand) as rooms:
                    found.append(await rooms.lives_per_s(LIVES))
            yield {"lifecycles_per_s": found}
            yield await ledger.measure_rebuild(stand)


async def measure_million() -> AsyncIterator[Values]:
    """Measure what depends on how much there is, on one server with two databases: one small, one with a million."""
    with tempfile.TemporaryDirectory() as folder:
        async with stage(config(Path(folder))) as stand:
            small = await stand.new_database()
            await seed(stand, FEW)
            big = await stand.new_database()
            began = time.monotonic()
            await seed(stand, MANY)
            yield {"seed_s": [time.monotonic() - began]}
            yield await sweeping.measure_sweeping(stand, small)
            await stand.use(big)
            yield await ledger.measure_pages(stand)
            yield await _growth(stand, small, big)
            await stand.use(big)
            yield await _spikes(stand)


async def _growth(stand: Stage, small: str, big: str) -> Values:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(RUNS):
        rates = []
        for url in (small, big):
            await stand.use(url)
            async with house(stand) as rooms:
                rates.append(await rooms.lives_per_s(LIVES_OF_GROWTH))
        found["growth_1m"].append(rates[1] / rates[0])
        found["lives_per_s_at_10k"].append(rates[0])
        found["lives_per_s_at_1m"].append(rates[1])
    return found


async def _spikes(stand: Stage) -> Values:
    found: dict[str, list[float]] = defaultdict(list)
    letters = [dead_letters(each) for each in ROOMS_WITH_DEAD_LETTERS]
    for _ in range(RUNS):
        async with (
            house(stand) as rooms,
            Gauge(stand.servers, "ledger", [JOURNAL.name]) as gauge,
            Gauge(stand.servers, "nobody", letters) as dead,
        ):
            before, wanted = await dead.written(), await gauge.written()
            wanted += ENTRIES_A_LIFE * await _raise_in_spikes(rooms)
            ended = time.monotonic()
            found["spike_drained"].append(await _drained(rooms, gauge, wanted))
            found["spike_drain_s"].append(time.monotonic() - ended)
            rooms.check()
            found["spike_errors"].append(await dead.written() - before + await _refused(stand))
            sizes = rooms.sizes_mib()
        found["rss_mib"].append(max(sizes.values()))
        for name, size in sizes.items():
            found[f"rss_{name}_mib"].append(size)
    return found


async def _raise_in_spikes(rooms: House) -> int:
    """Publish reports by the profile, by the clock and whatever becomes of them; return how many those were."""
    settings = rooms.stand.settings.kafka
    many = 0
    async with producer(settings, "bench-spikes") as made:
        for rate, seconds in SPIKES:
            began = time.monotonic()
            said = 0
            while (passed := time.monotonic() - began) < seconds:
                due = int(rate * passed) - said
                await say(made, settings.partitions, reports(due))
                said += due
                await asyncio.sleep(TICK_S)
            many += said
    return many


async def _drained(rooms: House, gauge: Gauge, wanted: int) -> float:
    """Wait until every life is in the ledger and nobody is behind; 1.0 if that comes within the limit, else 0.0."""

    async def quiet() -> bool:
        return await gauge.handled() >= wanted and is_drained(await view.look(GROUPS))

    async with BrokerView(rooms.stand.settings.kafka) as view:
        try:
            await until(quiet, DRAIN_LIMIT_S)
        except AssertionError:
            return 0.0
    return 1.0


async def _refused(stand: Stage) -> int:
    """Return how many acts were refused, in all that was lived on this database: none should be."""
    return await stand.scalar("SELECT count(*) FROM ledger.entry WHERE type = 'whistle.incident.act_refused.v1'")
