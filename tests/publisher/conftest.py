"""Topics of its own for each test, and `whistle publish` as a process."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.event import Event, parse
from schemas.topics import REPORTS
from services.local.kafka import EmbeddedKafka
from services.publisher.settings import PublisherSettings
from services.runtime.settings import KafkaSettings, Settings

PARTITIONS = 4
FACTS = {fact.type: fact for fact in REPORTS.facts}
HASTY = PublisherSettings(keep_free_mb=0, reach_s=5, topic_s=1, acknowledge_s=5)
"""Patience enough for a test."""


@dataclass
class House:
    """What a test sees of Whistle: a community with a topic of its own, a home, and the command."""

    kafka: EmbeddedKafka
    home: Path
    community: str = field(default_factory=lambda: f"c-{uuid.uuid4().hex[:12]}")

    @property
    def settings(self) -> Settings:
        """Settings that name no configuration, so that any community goes."""
        return Settings(
            kafka=KafkaSettings(bootstrap_servers=self.kafka.bootstrap_servers),
            home=self.home,
            config=self.home / "no-config",
        )

    @property
    def topic(self) -> str:
        """The community's topic."""
        return REPORTS.named(self.community)

    @property
    def spooled(self) -> list[Path]:
        """The letters in the spool."""
        return sorted((self.home / "spool").glob("*.letter"))

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a process in this house."""
        own = {
            "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "WHISTLE_HOME": str(self.home),
            "WHISTLE_CONFIG": str(self.home / "no-config"),
            "WHISTLE_PUBLISHER__KEEP_FREE_MB": "0",
            "WHISTLE_PUBLISHER__TOPIC_S": "1",
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("WHISTLE_")} | own | more

    async def start(
        self, *arguments: str, module: str = "services.publisher.cli", **more: str
    ) -> asyncio.subprocess.Process:
        """Start the command, or a module, without waiting for it."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=self.home,
            env=self.environment(**more),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def publish(self, *arguments: str, stdin: bytes = b"", **more: str) -> tuple[int, str, str]:
        """Run `whistle publish` and return its status, its standard output and its standard error."""
        process = await self.start(*arguments, **more)
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    @asynccontextmanager
    async def counter(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """Give what counts the records on the community's topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap_servers)
        await consumer.start()
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)

        async def count() -> int:
            return sum((await consumer.end_offsets(partitions)).values())

        try:
            yield count
        finally:
            await consumer.stop()

    async def events(self) -> list[Event]:
        """Return everything on the community's topic, partition by partition, each in its order."""
        return [parse(record.value, FACTS) for record in await self.records()]

    async def records(self) -> list[ConsumerRecord]:
        """Return every record on the community's topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap_servers)
        await consumer.start()
        try:
            partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            left = {each: end for each, end in (await consumer.end_offsets(partitions)).items() if end}
            found: dict[TopicPartition, list[ConsumerRecord]] = {each: [] for each in left}
            while any(len(found[each]) < end for each, end in left.items()):
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[partition] += records
            return [record for records in found.values() for record in records]
        finally:
            await consumer.stop()


async def make_topic(kafka: EmbeddedKafka, name: str) -> None:
    """Make a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    finally:
        await admin.close()


async def reached(condition: Callable[[], bool], limit_s: float = 30) -> bool:
    """Wait until a condition holds, and say whether it came to that."""
    try:
        async with asyncio.timeout(limit_s):
            while not condition():  # noqa: ASYNC110 - the condition is another process's
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


@pytest.fixture
async def house(kafka: EmbeddedKafka, tmp_path: Path) -> AsyncIterator[House]:
    """Give a house with an empty topic; the broker runs again afterwards."""
    made = House(kafka, tmp_path)
    if not kafka.alive:
        await kafka.start()
    await make_topic(kafka, made.topic)
    yield made
    if not kafka.alive:
        await kafka.start()
