"""Incidents handed on to two departments, beside alerts that Prometheus Alertmanager hands on to two receivers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from services.local.ports import HOST, free_port
from services.local.process import ServerProcess
from tests.bench.calls import TOPIC, write
from tests.bench.figures import Unmeasured, Values
from tests.bench.router import measure_router
from tests.bench.stage import READY_LIMIT_S, STALLED_S, Gauge, stage
from tests.journey.house import Process, until

BINARY = "prometheus-alertmanager"
RUNS = 3
CALLS = 50_000
# As the machine has cores: Alertmanager uses all of them in one process, and a room in as many as it has replicas.
REPLICAS = os.cpu_count() or 1
ALERTS = 5_000
# At its best: any post of 100 and more, one or several at once, is the same to it; single alerts are ten times slower.
ALERTS_A_POST = 1_000
POSTS_AT_ONCE = 2
RECEIVERS = ("/urban-management", "/parks")
LOOK_EVERY_S = 0.05


async def measure_alertmanager() -> Values:
    """Measure the router, with a replica for each core, and Alertmanager in turn; the raw rates are per second.

    Raises:
        Unmeasured: Alertmanager is not installed.

    """
    if shutil.which(BINARY) is None:
        raise Unmeasured(f"{BINARY} is not installed: apt-get install {BINARY}")
    ours: list[float] = []
    theirs: list[float] = []
    async with stage() as stand:
        await write(stand.settings.kafka, CALLS)
        async with Gauge(stand.servers, "router", [TOPIC]) as gauge:
            for _ in range(RUNS):
                ours.append(await measure_router(stand, gauge, CALLS, REPLICAS))
                theirs.append(await alerts_per_s())
    ratios = [each / other for each, other in zip(ours, theirs, strict=True)]
    return {"vs_alertmanager": ratios, "alertmanager_router_calls_per_s": ours, "alertmanager_alerts_per_s": theirs}


async def alerts_per_s(count: int = ALERTS, batch: int = ALERTS_A_POST, at_once: int = POSTS_AT_ONCE) -> float:
    """Return alerts/s from the first POST to the last alert that both receivers have."""
    with tempfile.TemporaryDirectory(prefix="whistle-bench-") as name:
        receiver, alertmanager = free_port(None), free_port(None)
        folder = Path(name)
        log = folder / "receiver.log"
        async with (
            Process("tests.bench.receiver", str(receiver), environment={}, log=log),
            _alertmanager(folder, alertmanager, receiver) as server,
            httpx.AsyncClient(timeout=STALLED_S, trust_env=False) as client,
        ):
            await until(lambda: _answers(client, f"http://{HOST}:{receiver}/"), READY_LIMIT_S)
            await until(
                lambda: _answers(client, f"http://{HOST}:{alertmanager}/-/ready"), READY_LIMIT_S, server.telling_line
            )
            began = time.monotonic()
            await _post(client, f"http://{HOST}:{alertmanager}/api/v2/alerts", _bodies(count, batch), at_once)
            last = await _all_came(client, f"http://{HOST}:{receiver}/", count)
            return count / (last - began)


@asynccontextmanager
async def _alertmanager(folder: Path, port: int, receiver: int) -> AsyncIterator[ServerProcess]:
    """Run Alertmanager by itself, every alert a group of its own that waits for nothing."""
    routes = [{"receiver": each, "continue": True} for each in RECEIVERS]
    receivers = [
        {"name": each, "webhook_configs": [{"url": f"http://{HOST}:{receiver}{each}", "send_resolved": False}]}
        for each in RECEIVERS
    ]
    root = {"receiver": RECEIVERS[0], "group_by": ["..."], "group_wait": "0s", "group_interval": "1h", "routes": routes}
    config = folder / "alertmanager.yml"
    # JSON is YAML.
    config.write_text(json.dumps({"route": root, "receivers": receivers}), encoding="utf-8")
    server = ServerProcess("Alertmanager", folder / "alertmanager.log")
    argv = [
        str(shutil.which(BINARY)),
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    server.start(argv, cwd=folder, death_signal=signal.SIGKILL)
    try:
        yield server
    finally:
        await server.stop(signal.SIGTERM)


def _bodies(count: int, batch: int) -> Iterator[bytes]:
    """Yield the bodies of the posts: alerts with the labels that a report is routed by."""
    until_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for start in range(0, count, batch):
        alerts = [
            {
                "labels": {
                    "alertname": "report",
                    "incident": str(number),
                    "kind": "demand",
                    "category": "lighting",
                    "community": "guangdu",
                },
                "annotations": {"description": "北门路灯不亮，晚上看不清路，请尽快处理。"},
                "endsAt": until_at,
            }
            for number in range(start, min(start + batch, count))
        ]
        yield json.dumps(alerts).encode()


async def _post(client: httpx.AsyncClient, url: str, bodies: Iterator[bytes], at_once: int) -> None:
    async def work() -> None:
        for body in bodies:
            answer = await client.post(url, content=body, headers={"content-type": "application/json"})
            answer.raise_for_status()

    await asyncio.gather(*(work() for _ in range(at_once)))


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


async def _all_came(client: httpx.AsyncClient, url: str, count: int) -> float:
    """Return when the last alert came, once all are with both receivers."""
    seen: dict[str, tuple[int, float]] = {}
    moved = time.monotonic()
    while any(seen.get(each, (0, 0.0))[0] < count for each in RECEIVERS):
        if time.monotonic() - moved > STALLED_S:
            raise Unmeasured(f"Alertmanager stood still at {seen} of {count} alerts for {STALLED_S:.0f} s")
        await asyncio.sleep(LOOK_EVERY_S)
        before, seen = seen, (await client.get(url)).json()
        moved = time.monotonic() if seen != before else moved
    return max(at for _, at in seen.values())
