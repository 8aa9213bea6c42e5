"""Topics, records and readers on the real broker, each with a name of its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.local.kafka import EmbeddedKafka
from services.monitor.broker import BrokerView
from services.runtime.settings import KafkaSettings

LIMIT_S = 20.0


@dataclass
class House:
    """Whoever fills and reads topics while they are looked at."""

    servers: str
    admin: AIOKafkaAdminClient
    producer: AIOKafkaProducer

    async def topic(self, name: str | None = None, partitions: int = 1) -> str:
        """Make an empty topic."""
        name = name or f"monitor.{uuid.uuid4().hex}"
        await self.topics([name], partitions)
        return name

    async def topics(self, names: Sequence[str], partitions: int) -> None:
        """Make empty topics, and wait until they can be read."""
        await self.admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        async with asyncio.timeout(LIMIT_S):
            while True:
                if not any(each["error_code"] for each in await self.admin.describe_topics(list(names))):
                    return
                await asyncio.sleep(0.02)

    async def remove(self, topic: str) -> None:
        """Delete a topic."""
        await self.admin.delete_topics([topic])

    async def say(self, topic: str, count: int, partition: int = 0) -> None:
        """Write records to a partition."""
        for _ in range(count):
            await self.producer.send(topic, b"said", partition=partition)
        await self.producer.flush()

    async def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit offsets without being a member, as a group does that has none."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
        consumer.assign([TopicPartition(*each) for each in offsets])
        async with consumer:
            await consumer.commit({TopicPartition(*each): offset for each, offset in offsets.items()})

    def reader(self, group: str, *topics: str) -> AIOKafkaConsumer:
        """Return a member of a group, not yet started, which commits when it is told to."""
        return AIOKafkaConsumer(
            *topics,
            bootstrap_servers=self.servers,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )


@pytest.fixture
async def house(kafka: EmbeddedKafka) -> AsyncIterator[House]:
    """Whoever fills and reads topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", linger_ms=5) as producer:
        yield House(kafka.bootstrap_servers, admin, producer)
    await admin.close()


@pytest.fixture
async def view(kafka: EmbeddedKafka) -> AsyncIterator[BrokerView]:
    """A view of the real broker."""
    async with BrokerView(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)) as looking:
        yield looking


@pytest.fixture
def group() -> str:
    """The name of a group that nobody else uses."""
    return f"readers-{uuid.uuid4().hex}"
