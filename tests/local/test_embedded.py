"""The embedded servers: real ones, which keep what they were given through every way of ending."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.local.errors import LocalError
from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres
from services.local.process import reached, stop_leftover
from services.local.stand_in import give, stand_in_for_root

ENDED_LIMIT_S = 20.0
STARTED_LIMIT_S = 60.0


@pytest.fixture
async def topic(kafka: EmbeddedKafka) -> str:
    """A new topic with one partition."""
    name = f"embedded.{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    await admin.close()
    return name


async def say(kafka: EmbeddedKafka, topic: str, value: bytes) -> None:
    """Send one record and wait until the broker has it."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def heard(kafka: EmbeddedKafka, topic: str) -> list[bytes | None]:
    """All values in the topic's one partition, from its beginning to its end."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes | None] = []
        while await consumer.position(partition) < end:
            values.append((await consumer.getone()).value)
    return values


async def test_kafka_carries_a_record(kafka: EmbeddedKafka, topic: str) -> None:
    """What is said on a topic is heard on it."""
    await say(kafka, topic, b"said")
    assert await heard(kafka, topic) == [b"said"]


async def test_kafka_comes_back_after_a_clean_stop(kafka: EmbeddedKafka, topic: str) -> None:
    """A restart keeps the records and the address."""
    before = kafka.bootstrap_servers
    await say(kafka, topic, b"before")
    await kafka.restart()
    await say(kafka, topic, b"after")
    assert kafka.bootstrap_servers == before
    assert await heard(kafka, topic) == [b"before", b"after"]


async def test_kafka_comes_back_after_a_crash(kafka: EmbeddedKafka, topic: str) -> None:
    """What the broker acknowledged survives its kill -9."""
    await say(kafka, topic, b"acknowledged")
    await kafka.kill()
    assert not kafka.alive
    await kafka.start()
    assert await heard(kafka, topic) == [b"acknowledged"]


async def test_kafka_comes_back_on_the_same_home(tmp_path: Path, cache: Path) -> None:
    """A new house on the same folder has the same port, and one on another folder starts beside it.

    The folder's name has a space, a comma and Chinese letters in it.
    """
    home = tmp_path / "吹哨, 社区"
    async with EmbeddedKafka(home, cache=cache) as first:
        port = first.bootstrap_servers
    async with EmbeddedKafka(home, cache=cache) as second, EmbeddedKafka(tmp_path / "beside", cache=cache) as beside:
        assert second.bootstrap_servers == port
        assert beside.bootstrap_servers != port


async def test_kafka_says_that_its_port_is_busy(tmp_path: Path, cache: Path) -> None:
    """A port that was asked for and is taken is one sentence, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"^Port {port} is in use by another program: stop .*\.$"):
            async with EmbeddedKafka(tmp_path, port=port, cache=cache):
                pass


async def test_kafka_says_what_its_log_tells(tmp_path: Path, cache: Path) -> None:
    """A broker that can't start names its log, and the line there that tells why."""
    broker = EmbeddedKafka(tmp_path, cache=cache, settings={"num.io.threads": "none"})
    with pytest.raises(LocalError, match=r"num\.io\.threads"):
        async with broker:
            pass


async def test_a_home_has_one_house(kafka: EmbeddedKafka, tmp_path: Path, cache: Path) -> None:
    """A second house on a folder in use is refused, and leaves the first one's broker alone."""
    async with EmbeddedKafka(tmp_path, cache=cache) as first:
        with pytest.raises(LocalError, match=r"^Another Whistle is running on"):
            async with EmbeddedKafka(tmp_path, cache=cache):
                pass
        assert first.alive
    assert kafka.alive


async def rows(url: str, statement: str) -> list[str]:
    """Run one statement in a transaction of its own; the first column of what it gives."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        found = [str(row[0]) for row in result] if result.returns_rows else []
    await engine.dispose()
    return found


async def test_postgres_keeps_its_data_over_a_restart(postgres: EmbeddedPostgres, database_url: str) -> None:
    """What is committed is there after a clean stop and after a kill -9, and its URL stays the same."""
    await rows(database_url, "CREATE TABLE kept (said text)")
    await rows(database_url, "INSERT INTO kept VALUES ('before the restart')")
    await postgres.restart()
    await rows(database_url, "INSERT INTO kept VALUES ('before the crash')")
    await postgres.kill()
    assert not postgres.alive
    await postgres.start()
    assert await rows(database_url, "SELECT said FROM kept") == ["before the restart", "before the crash"]


def just_ended(user: str | None) -> "subprocess.Popen[bytes]":
    """A process that has ended, or is about to, and that nobody has waited for."""
    return subprocess.Popen(["/bin/sh", "-c", "exit"], user=user)


async def test_postgres_waits_for_the_last_of_a_killed_one(tmp_path: Path) -> None:
    """A start right after a kill -9, while the killed process is still on the machine's books, waits for its end."""
    async with EmbeddedPostgres(tmp_path) as server:
        url = server.url
    dead = just_ended(stand_in_for_root())
    await reached(lambda: psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE, ENDED_LIMIT_S)
    data = tmp_path / "postgres"
    (data / "postmaster.pid").write_text(f"{dead.pid}\n{data}\n0\n5432\n{data}\n\n  0 0\nready\n")
    give(data / "postmaster.pid", stand_in_for_root())
    asyncio.get_running_loop().call_later(1, dead.wait)
    async with EmbeddedPostgres(tmp_path) as server:
        assert await rows(url, "SELECT 1") == ["1"]


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
async def test_postgres_is_durable(database_url: str, setting: str) -> None:
    """Nothing that makes a commit durable is turned off for speed."""
    assert await rows(database_url, f"SHOW {setting}") == ["on"]


@pytest.mark.parametrize("folder", ["deep/" * 40, "吹哨 社区", "a:b,c"])
async def test_postgres_runs_in_any_folder(tmp_path: Path, folder: str) -> None:
    """A path too long for a socket, or with letters that mean something in a URL, is no hindrance."""
    async with EmbeddedPostgres(tmp_path / folder) as server:
        assert await rows(server.url, "SELECT 1") == ["1"]


async def test_postgres_serves_other_processes(database_url: str) -> None:
    """Another process connects with nothing but the URL."""
    script = (
        "import asyncio, sys; from sqlalchemy import text; from sqlalchemy.ext.asyncio import create_async_engine\n"
        "async def main():\n"
        "    async with create_async_engine(sys.argv[1]).connect() as connection:\n"
        "        print(await connection.scalar(text('SELECT 6 * 7')))\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, database_url, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "42"


HOUSE = """
import asyncio, sys
from pathlib import Path
from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres

async def main():
    home = Path(sys.argv[1])
    async with EmbeddedKafka(home, cache=Path(sys.argv[2])) as kafka, EmbeddedPostgres(home) as postgres:
        print(kafka.pid, postgres.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def house(tmp_path: Path, cache: Path) -> AsyncIterator[tuple[int, list[int]]]:
    """A house with both servers in a process of its own: its process id and theirs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOUSE, str(tmp_path), str(cache), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(STARTED_LIMIT_S):
        servers = [int(pid) for pid in (await process.stdout.readline()).split()]
    yield process.pid, servers
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process with its parent")
async def test_no_server_outlives_its_house(house: tuple[int, list[int]], tmp_path: Path, cache: Path) -> None:
    """After a kill -9 of the house both servers end, and the next house starts on the same folder."""
    pid, servers = house
    assert len(servers) == 2
    os.kill(pid, signal.SIGKILL)
    async with EmbeddedKafka(tmp_path, cache=cache), EmbeddedPostgres(tmp_path) as postgres:
        assert await rows(postgres.url, "SELECT 1") == ["1"]
        assert await reached(lambda: not any(map(psutil.pid_exists, servers)), ENDED_LIMIT_S)


async def test_a_leftover_is_stopped_only_if_it_is_ours(tmp_path: Path) -> None:
    """A process whose command line doesn't name our home is left alone; one that names it is ended."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)", str(tmp_path))
    try:
        await stop_leftover(process.pid, "somewhere else", signal.SIGTERM)
        assert process.returncode is None
        await stop_leftover(process.pid, str(tmp_path), signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
