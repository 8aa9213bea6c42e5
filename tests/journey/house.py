"""What tests of whole processes need: the processes themselves, and an eye of their own on topics and groups."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.local.process import on_leash

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """A connected eye: an admin client, a consumer without a group, and where partitions ended when it opened."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    ends: dict[TopicPartition, int]


class Process:
    """A Python module run as a process of its own; `async with` ends it, whatever state it is in."""

    def __init__(self, *argv: str, environment: Mapping[str, str], log: Path) -> None:
        # Whoever is ended in the middle of a test or a measurement leaves nothing running.
        self._argv = on_leash([sys.executable, "-m", *argv], signal.SIGKILL, None)
        self._environment = {**os.environ, **environment}
        self.log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, with its log appended to what an earlier run wrote."""
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                self._argv, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return self

    async def __aenter__(self) -> Self:
        """Start it."""
        return self.start()

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self.kill()

    @property
    def status(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._popen.poll() if self._popen else None

    @property
    def pid(self) -> int:
        """Its process id; 0 before the start."""
        return self._popen.pid if self._popen else 0

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._popen and self._popen.poll() is None:
            self._popen.send_signal(number)

    async def ended(self, limit_s: float = LIMIT_S) -> int:
        """Wait until it has ended, and return how."""
        await until(lambda: self.status is not None, limit_s, self.told)
        return self.status or 0

    async def kill(self) -> None:
        """End it as a crash would, even while it is stopped."""
        self.send(signal.SIGKILL)
        if self._popen:
            await self.ended()

    async def stop(self) -> int:
        """Ask it to end, and return how it did."""
        self.send(signal.SIGTERM)
        return await self.ended()

    def told(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:] if self.log.exists() else ""


async def until(
    condition: Callable[[], bool | Awaitable[bool]], limit_s: float = LIMIT_S, why: Callable[[], str] = str
) -> None:
    """Wait until a condition holds; fail with what `why` tells after a limit."""
    end = time.monotonic() + limit_s
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert time.monotonic() < end, f"not within {limit_s:.0f} s: {why()}"
        await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def looking(servers: str, topics: Iterable[str]) -> AsyncIterator[Look]:
    """Connect to a broker, and find where some topics end now."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", max_partition_fetch_bytes=2**23
    )
    await admin.start()
    try:
        async with consumer:
            found = {each["topic"]: each["partitions"] for each in await admin.describe_topics(list(topics))}
            partitions = [TopicPartition(topic, each["partition"]) for topic in found for each in found[topic]]
            assert partitions, "there are no such topics"
            consumer.assign(partitions)
            yield Look(admin, consumer, await consumer.end_offsets(partitions))
    finally:
        await admin.close()


async def heard(servers: str, topics: Iterable[str]) -> list[ConsumerRecord]:
    """Return every record of some topics up to where they end now, in the order of each partition."""
    found: list[ConsumerRecord] = []
    async with looking(servers, topics) as look, asyncio.timeout(LIMIT_S):
        for partition, end in look.ends.items():
            while await look.consumer.position(partition) < end:
                got = await look.consumer.getmany(partition, timeout_ms=500)
                found += got.get(partition, [])
    return found


async def is_drained(servers: str, group: str, topics: Iterable[str]) -> bool:
    """Tell whether a group has committed everything up to where topics end now."""
    async with looking(servers, topics) as look:
        try:
            committed = await look.admin.list_consumer_group_offsets(group, partitions=list(look.ends))
        except KafkaError:
            # Nobody has joined yet, or the broker has just been started.
            return False
        return all(end == 0 or (each in committed and committed[each].offset == end) for each, end in look.ends.items())
