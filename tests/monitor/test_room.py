import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.monitor.conftest import House

LIMIT_S = 30.0


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def monitor(servers: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the room as it is run for real; it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.monitor"),
        env=os.environ | {"WHISTLE_KAFKA__BOOTSTRAP_SERVERS": servers, "WHISTLE_METRICS_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ask(port: int, path: str) -> httpx.Response:
    """Get a path as soon as the room is open."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=15) as client, asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(httpx.ConnectError):
                return await client.get(path)
            await asyncio.sleep(0.05)


async def test_the_room_serves_the_truth(house: House, group: str) -> None:
    """The metrics, the JSON and the health of a room over a real broker agree with what was written and read."""
    topic = await house.topic()
    await house.say(topic, 7)
    await house.commit(group, {(topic, 0): 5})
    port = free_port()
    async with monitor(house.servers, port):
        metrics = await ask(port, "/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        samples = {
            (each.name, each.labels.get("topic")): each.value
            for family in text_string_to_metric_families(metrics.text)
            for each in family.samples
        }
        assert samples["whistle_calendars_known", None] == 1
        assert samples["whistle_calendar_confirmed_until_timestamp_seconds", None] > 0
        assert samples["kafka_consumergroup_lag", topic] == 2
        assert samples["kafka_consumergroup_current_offset", topic] == 5
        assert samples["kafka_topic_partition_current_offset", topic] == 7
        rows = [each for each in (await ask(port, "/lag")).json() if each["group"] == group]
        assert rows == [{"group": group, "topic": topic, "partition": 0, "committed": 5, "end": 7, "lag": 2}]
        assert (await ask(port, "/healthz")).json() == {"status": "ok"}


async def test_the_room_stays_up_without_a_broker() -> None:
    """With the broker away the room says so on every path, and shows no lag."""
    port = free_port()
    async with monitor("127.0.0.1:1", port):
        health = await ask(port, "/healthz")
        assert health.status_code == 503
        assert "WHISTLE_KAFKA__BOOTSTRAP_SERVERS" in health.json()["reason"]
        assert (await ask(port, "/lag")).status_code == 503
        text = (await ask(port, "/metrics")).text
        assert "whistle_monitor_broker_reachable 0.0" in text
        assert "kafka_consumergroup_lag" not in text


async def test_a_busy_port_is_one_sentence() -> None:
    """Where the port is taken, the room says what to do and ends with status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with monitor("127.0.0.1:1", port) as process:
            _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().count("\n") == 1
    assert f"127.0.0.1:{port}" in err.decode()
    assert "WHISTLE_METRICS_PORT" in err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_room_stops_cleanly(house: House, number: signal.Signals) -> None:
    """Told to stop, the room closes what it has open and ends with status 0."""
    port = free_port()
    async with monitor(house.servers, port) as process:
        assert (await ask(port, "/healthz")).status_code == 200
        process.send_signal(number)
        async with asyncio.timeout(LIMIT_S):
            _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in err
