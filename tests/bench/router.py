"""The router beside a bare loop that writes and says the same, and beside the two ordinary ways to do its work."""

from __future__ import annotations

import pickle
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from sqlalchemy import text

from schemas.event import parse
from schemas.topics import DECISIONS
from services.runtime.inlet import cause_id
from tests.bench.calls import RECORDS_A_CALL, TOPIC, write
from tests.bench.figures import Unmeasured, Values
from tests.bench.floor import Precomputed
from tests.bench.peers import measure_faust, measure_per_message
from tests.bench.stage import Gauge, Stage, rewind, stage

FACTS = {fact.type: fact for fact in DECISIONS.facts}
RUNS = 3
CALLS = 50_000
FAUST_CALLS = 5_000
PER_MESSAGE_CALLS = 1_000
"""Watched for so many of the calls that are there: both go on at the same pace, and all would take them far longer."""


async def measure_routers(reasons: MutableMapping[str, str] | None = None) -> Values:
    """Measure the router by a bare loop, by one message at a time, and by Faust: all in turn, on the same servers.

    `…_calls_per_s` are the raw rates, run by run. A peer that can't be measured is left out, and `reasons` says why, by
    the figure's key.
    """
    rates: dict[str, list[float]] = {}
    reasons = {} if reasons is None else reasons
    async with stage() as stand:
        await write(stand.settings.kafka, CALLS)
        async with Gauge(stand.servers, "router", [TOPIC]) as gauge:
            for _ in range(RUNS):
                await _run(stand, gauge, rates, reasons)
    found = {f"{name}_calls_per_s": each for name, each in rates.items()}
    for name, each in rates.items():
        if name != "router" and len(each) == RUNS:
            found[f"router_vs_{name}"] = [ours / theirs for ours, theirs in zip(rates["router"], each, strict=True)]
    return found


async def _run(stand: Stage, gauge: Gauge, rates: dict[str, list[float]], reasons: MutableMapping[str, str]) -> None:
    rates.setdefault("router", []).append(await measure_router(stand, gauge, CALLS))
    file = stand.folder / "precomputed.pickle"
    if not file.exists():
        await precompute(stand, file)
    rates.setdefault("floor", []).append(await measure_floor(stand, CALLS, file))
    peers: dict[str, Callable[[], Awaitable[float]]] = {
        "per_message": lambda: measure_per_message(stand, PER_MESSAGE_CALLS),
        "faust": lambda: measure_faust(stand, FAUST_CALLS),
    }
    for name, measure in peers.items():
        if f"router_vs_{name}" in reasons:
            continue
        try:
            rates.setdefault(name, []).append(await measure())
        except Unmeasured as error:
            reasons[f"router_vs_{name}"] = str(error)


async def measure_router(stand: Stage, gauge: Gauge, calls: int, replicas: int = 1) -> float:
    """Return calls/s of the real router on an empty database, in so many processes that share its partitions."""
    await stand.fresh_database()
    await rewind(stand.servers, "router", gauge.partitions)
    async with AsyncExitStack() as running:
        for number in range(replicas):
            await running.enter_async_context(stand.program("services.router", WHISTLE_INSTANCE=f"bench-{number}"))
        # The first of several has begun when the others join, and their partitions stand still until they have.
        begin = 1 if replicas == 1 else calls * RECORDS_A_CALL // 5
        return await gauge.rate(calls * RECORDS_A_CALL, begin) / RECORDS_A_CALL


async def measure_floor(stand: Stage, calls: int, file: Path) -> float:
    """Return calls/s of the bare loop on an empty database."""
    await stand.fresh_database()
    group = f"floor-{uuid.uuid4().hex}"
    async with (
        Gauge(stand.servers, group, [TOPIC]) as own,
        stand.program("tests.bench.floor", str(file), group),
    ):
        return await own.rate(calls * RECORDS_A_CALL) / RECORDS_A_CALL


async def precompute(stand: Stage, file: Path) -> None:
    """Write down what the router has just made of every record."""
    async with stand.engine.connect() as connection:
        journal: dict[UUID, list[Any]] = defaultdict(list)
        for row in await connection.execute(text("SELECT * FROM router.journal ORDER BY shard, seq")):
            journal[row.cause].append(row)
        found = await connection.execute(text("SELECT * FROM router.incident"))
        states = {row.id: tuple(row) for row in found}
    known = Precomputed({}, {}, {})
    last: dict[UUID, tuple[int, int]] = {}
    async for record in _all_records(stand.servers):
        event = parse(record.value, FACTS)
        place = record.partition, record.offset
        rows = journal[cause_id(event.subject, event.id, TOPIC)]
        known.journal[place] = [tuple(row) for row in rows]
        known.messages[place] = [(row.topic, str(row.aggregateid).encode(), row.payload.encode()) for row in rows]
        last[event.subject] = place
    known.states.update({place: states[incident] for incident, place in last.items()})
    with file.open("wb") as opened:
        pickle.dump(known, opened)


async def _all_records(servers: str) -> Any:
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=servers, auto_offset_reset="earliest")
    async with consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        left = sum(ends.values())
        while left:
            for records in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
                for each in records:
                    left -= 1
                    yield each
