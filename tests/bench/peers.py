"""The two ordinary ways to do the router's work: a service that takes one message at a time, and a Faust agent."""

from __future__ import annotations

import asyncio
import importlib.util
import uuid

from tests.bench.calls import RECORDS_A_CALL, TOPIC
from tests.bench.figures import Unmeasured
from tests.bench.stage import Gauge, Stage

LONGEST_S = 600.0


async def measure_per_message(stand: Stage, calls: int) -> float:
    """Return calls/s of the FastStream service with a transaction for each message, on an empty database."""
    await stand.fresh_database()
    return await _rate(stand, "tests.bench.per_message", calls)


async def measure_faust(stand: Stage, calls: int) -> float:
    """Return calls/s of the Faust agent, on tables of its own in Kafka.

    Raises:
        Unmeasured: Faust is not installed, or it stood still.

    """
    if importlib.util.find_spec("faust") is None:
        raise Unmeasured("faust-streaming is not installed: make setup-bench")
    return await _rate(stand, "tests.bench.faust_agent", calls)


async def _rate(stand: Stage, program: str, calls: int) -> float:
    # A group of its own for every run reads everything again; Faust names its tables after it too.
    group = f"peer-{uuid.uuid4().hex}"
    async with Gauge(stand.servers, group, [TOPIC]) as gauge, stand.program(program, group) as process:
        measuring = asyncio.ensure_future(gauge.rate(calls * RECORDS_A_CALL))
        ended = asyncio.ensure_future(process.ended(LONGEST_S))
        try:
            await asyncio.wait([measuring, ended], return_when=asyncio.FIRST_COMPLETED)
            if not measuring.done():
                raise Unmeasured(f"{program} has ended: {process.told()[-300:]}")
            return measuring.result() / RECORDS_A_CALL
        finally:
            measuring.cancel()
            ended.cancel()
