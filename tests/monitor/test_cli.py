import asyncio
import json
import os
import sys
import time

import pytest

from tests.monitor.conftest import House

WHISTLE_LAG = (sys.executable, "-c", "from services.monitor.cli import app; app()")
AWAY = "127.0.0.1:1"


async def whistle_lag(servers: str, *arguments: str) -> tuple[int | None, str, str]:
    """Run the command as a person does; return its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *WHISTLE_LAG,
        *arguments,
        env=os.environ | {"WHISTLE_KAFKA__BOOTSTRAP_SERVERS": servers},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def behind(house: House, group: str) -> str:
    """A group that has one record to read of one topic, and three of another."""
    near, far = await house.topic(), await house.topic()
    await house.say(near, 2)
    await house.say(far, 3)
    await house.commit(group, {(near, 0): 1, (far, 0): 0})
    return group


async def test_the_table_shows_the_worst_first(house: House, behind: str) -> None:
    """`whistle lag` prints groups, topics, partitions and lag; nothing is cut, and the worst is on top."""
    status, out, err = await whistle_lag(house.servers, "--group", behind)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if behind in line]
    assert (status, err) == (0, "")
    assert rows[0] == [behind, "4"]
    assert [row[2:] for row in rows[1:]] == [["0", "0", "3", "3"], ["0", "1", "2", "1"]]
    assert all(row[1].startswith("monitor.") for row in rows[1:])


async def test_json_is_one_line(house: House, behind: str) -> None:
    """`--json` prints one array on one line, the worst first, and nothing else."""
    status, out, err = await whistle_lag(house.servers, "--group", behind, "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    found = json.loads(out)
    assert [each["lag"] for each in found] == [3, 1]
    assert found[0].keys() == {"group", "topic", "partition", "committed", "end", "lag"}


async def test_watching_goes_on(house: House, behind: str) -> None:
    """`--watch` looks again by itself, and an interrupt ends it without an error."""
    process = await asyncio.create_subprocess_exec(
        *WHISTLE_LAG,
        *("--watch", "--json", "--group", behind),
        env=os.environ | {"WHISTLE_KAFKA__BOOTSTRAP_SERVERS": house.servers},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        first = json.loads(await process.stdout.readline())
        await house.say(first[0]["topic"], 2)
        second = json.loads(await process.stdout.readline())
    process.send_signal(2)
    _, err = await process.communicate()
    assert (first[0]["lag"], second[0]["lag"]) == (3, 5)
    assert (process.returncode, err) == (0, b"")


async def test_a_group_that_nobody_knows_is_said(house: House) -> None:
    """A name that is misspelt is one sentence and status 1, not an empty table."""
    status, out, err = await whistle_lag(house.servers, "--group", "nobody")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "no group named nobody" in err


async def test_a_broker_that_is_away_is_one_sentence() -> None:
    """Without a broker: one sentence on stderr that says where and what to check, status 1, within 10 s."""
    started_at = time.monotonic()
    status, out, err = await whistle_lag(AWAY, "--json")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert AWAY in err
    assert "WHISTLE_KAFKA__BOOTSTRAP_SERVERS" in err
    assert time.monotonic() - started_at < 10
