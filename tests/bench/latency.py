"""How long a report is on its way to the department, beside the same two hops with nothing in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from uuid_utils.compat import uuid7

from schemas.event import Event, dump
from schemas.topics import DISPATCHES, REPORTS
from services.runtime.kafka import producer
from tests.bench.calls import COMMUNITY, raised
from tests.bench.figures import Unmeasured, Values
from tests.bench.stage import READY_LIMIT_S, Stage, stage

RUNS = 3
REPORTS_PER_S = 100
LASTS_S = 20.0
WARM_S = 3.0
ARRIVE_LIMIT_S = 30.0
TRY_EVERY_S = 0.5
HOPS = ("bench.first", "bench.second", "bench.third")


@dataclass(frozen=True, slots=True)
class Path:
    """Where reports go in, where what follows comes out, and what runs in between, with its arguments."""

    enters: str
    leaves: str
    programs: tuple[tuple[str, ...], ...]


# By a rule of the shipped configuration (lighting), the one department is called at once.
HOUSE = Path(
    REPORTS.named(COMMUNITY), DISPATCHES.named("urban-management"), (("services.street",), ("services.router",))
)
BARE = Path(
    HOPS[0],
    HOPS[2],
    (
        ("tests.bench.hop", HOPS[0], HOPS[1], "bench-hop-1"),
        ("tests.bench.hop", HOPS[1], HOPS[2], "bench-hop-2"),
    ),
)


async def measure_latency() -> Values:
    """Measure both paths in turn, and return their percentiles in milliseconds and by each other, for every run."""
    names = ("latency_ratio_p50", "latency_ratio_p99")
    raw = ("latency_p50_ms", "latency_p99_ms", "latency_bare_p50_ms", "latency_bare_p99_ms")
    found: dict[str, list[float]] = {name: [] for name in (*names, *raw)}
    async with stage() as stand:
        await _make_topics(stand)
        for _ in range(RUNS):
            house = percentiles(await travel_times(stand, HOUSE))
            bare = percentiles(await travel_times(stand, BARE))
            for name, value in zip(raw, (*house, *bare), strict=True):
                found[name].append(value * 1000)
            for name, ours, theirs in zip(names, house, bare, strict=True):
                found[name].append(ours / theirs)
    return found


async def travel_times(stand: Stage, path: Path) -> list[float]:
    """Return how many seconds each report was on its way, from the call that sends it to its receipt."""
    async with AsyncExitStack() as running:
        for argv in path.programs:
            await running.enter_async_context(stand.program(*argv))
        eye = await running.enter_async_context(_Eye.watching(stand, path))
        await eye.opened()
        await eye.send(WARM_S)
        return await eye.send(LASTS_S)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


class _Eye:
    """Says reports at one end of a path, and sees them at the other, by one clock."""

    def __init__(self, path: Path, said: AIOKafkaProducer, heard: AIOKafkaConsumer) -> None:
        self._path = path
        self._said = said
        self._heard = heard
        self._came: dict[bytes, float] = {}

    @classmethod
    @asynccontextmanager
    async def watching(cls, stand: Stage, path: Path) -> AsyncIterator[_Eye]:
        """Connect, and look from now on."""
        heard = AIOKafkaConsumer(bootstrap_servers=stand.servers, fetch_max_wait_ms=10)
        async with producer(stand.settings.kafka, "bench-eye", linger_ms=0) as said, heard:
            partitions = [TopicPartition(path.leaves, each) for each in sorted(await said.partitions_for(path.leaves))]
            heard.assign(partitions)
            await heard.seek_to_end(*partitions)
            eye = cls(path, said, heard)
            watching = asyncio.ensure_future(eye.watch())
            try:
                yield eye
            finally:
                watching.cancel()

    async def watch(self) -> None:
        """Note when each record comes, for ever; a second one about the same report changes nothing."""
        while True:
            polled = await self._heard.getmany(timeout_ms=1000)
            now = time.monotonic()
            for records in polled.values():
                for each in records:
                    self._came.setdefault(each.key, now)

    async def opened(self) -> None:
        """Wait until what runs in between lets something through."""
        tried: list[bytes] = []
        until = time.monotonic() + READY_LIMIT_S
        while not self._came:
            if time.monotonic() > until:
                raise Unmeasured(f"nothing came through to {self._path.leaves} within {READY_LIMIT_S:.0f} s")
            tried.append(await self._report())
            await asyncio.sleep(TRY_EVERY_S)
        await self._arrived(tried)

    async def send(self, lasts_s: float) -> list[float]:
        """Send reports by the clock, however long they take, and return how long each took."""
        sent: dict[bytes, float] = {}
        began = time.monotonic()
        saying: set[asyncio.Future[bytes]] = set()
        for number in range(int(lasts_s * REPORTS_PER_S)):
            await asyncio.sleep(max(0.0, began + number / REPORTS_PER_S - time.monotonic()))
            saying.add(asyncio.ensure_future(self._report(sent)))
        await self._arrived(await asyncio.gather(*saying))
        return [self._came[key] - at for key, at in sent.items()]

    async def _report(self, sent: dict[bytes, float] | None = None) -> bytes:
        report = uuid7()
        key, value = str(report).encode(), _raised(report)
        if sent is not None:
            sent[key] = time.monotonic()
        await self._said.send_and_wait(self._path.enters, value, key=key)
        return key

    async def _arrived(self, keys: list[bytes]) -> None:
        until = time.monotonic() + ARRIVE_LIMIT_S
        while missing := [key for key in keys if key not in self._came]:
            if time.monotonic() > until:
                raise Unmeasured(f"{len(missing)} of {len(keys)} reports never came to {self._path.leaves}")
            await asyncio.sleep(0.05)


def _raised(report: UUID) -> bytes:
    at = datetime.now(UTC)
    fact = raised(at)
    return dump(Event(report, f"/community/{COMMUNITY}", report, at, fact))


async def _make_topics(stand: Stage) -> None:
    """Make the bare path's topics, cut as the house's are."""
    kafka = stand.settings.kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, kafka.partitions, kafka.replication_factor) for name in HOPS])
    finally:
        await admin.close()
