"""What everything is measured on: one broker, one database server, and a fresh database for every run."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.topics import TOPICS
from services.configured import load
from services.local.house import DATABASE, KAFKA
from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres
from services.runtime import topics
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, KafkaSettings, Settings
from tests.bench.figures import Unmeasured
from tests.journey.house import Process, until

CACHE = Path(__file__).parents[2] / ".whistle" / "cache"
RUNS = 3
LOOK_EVERY_S = 0.05
STALLED_S = 60.0
READY_LIMIT_S = 60.0
LEFT_LIMIT_S = 30.0


@dataclass
class Stage:
    """Servers with the house's topics and, at any time, one database with its tables."""

    folder: Path
    postgres: EmbeddedPostgres
    settings: Settings
    engine: AsyncEngine
    _databases: list[str] = field(default_factory=list)

    @property
    def servers(self) -> str:
        """Where Kafka is."""
        return self.settings.kafka.bootstrap_servers

    @property
    def environment(self) -> dict[str, str]:
        """What a room needs to find its servers."""
        return {
            KAFKA: self.servers,
            DATABASE: self.settings.database.url.get_secret_value(),
            "WHISTLE_CONFIG": str(self.settings.config),
            "WHISTLE_HOME": str(self.folder / "home"),
            "WHISTLE_LOG_LEVEL": "ERROR",
        }

    def program(self, *argv: str, **environment: str) -> Process:
        """Return a program as a process of its own, not yet started."""
        log = self.folder / f"{'-'.join(argv)[:80].replace('/', '_')}.log"
        return Process(*argv, environment=self.environment | environment, log=log)

    async def fresh_database(self) -> None:
        """Go on with a new database; the one before is dropped."""
        olds = list(self._databases)
        await self.new_database()
        for old in olds:
            await self.postgres.drop_database(old)
            self._databases.remove(old)

    async def new_database(self) -> str:
        """Go on with a new database that has the tables and nothing in them, and return its URL."""
        name = f"bench_{uuid.uuid4().hex}"
        url = await self.postgres.create_database(name)
        await self.use(url)
        await upgrade(self.engine)
        self._databases.append(name)
        return url

    async def use(self, url: str) -> None:
        """Go on with this database."""
        await self.engine.dispose()
        self.settings = self.settings.model_copy(update={"database": DatabaseSettings.model_validate({"url": url})})
        self.engine = connect(self.settings.database, "bench")

    async def scalar(self, statement: str, **values: object) -> int:
        """Return one number from the database."""
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(statement), values)).scalar_one() or 0)

    async def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        for each in statements:
            async with self.engine.begin() as connection:
                await connection.execute(text(each))


@asynccontextmanager
async def stage(
    config: Path | None = None,
    *,
    kafka: Mapping[str, str] | None = None,
    postgres: EmbeddedPostgres | None = None,
) -> AsyncIterator[Stage]:
    """Start servers with the topics of a configuration; `postgres` is a server that runs already."""
    with tempfile.TemporaryDirectory(prefix="whistle-bench-") as name:
        folder = Path(name)
        async with EmbeddedKafka(folder, cache=CACHE, settings=kafka) as broker:
            if postgres is not None:
                async with _installed(folder, broker, postgres, config) as found:
                    yield found
            else:
                async with EmbeddedPostgres(folder) as own, _installed(folder, broker, own, config) as found:
                    yield found


@asynccontextmanager
async def _installed(
    folder: Path, broker: EmbeddedKafka, postgres: EmbeddedPostgres, config: Path | None
) -> AsyncIterator[Stage]:
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=broker.bootstrap_servers),
        database=DatabaseSettings.model_validate({"url": postgres.url}),
        config=config or Path("deploy/config"),
    )
    await topics.apply(settings.kafka, TOPICS, load(settings.config).directory.parties)
    found = Stage(folder, postgres, settings, connect(settings.database, "bench"))
    await found.fresh_database()
    try:
        yield found
    finally:
        await found.engine.dispose()


# --- how far a group has come ----------------------------------------------------------------------------------------


class Gauge:
    """Tells from the broker how far a group has read some topics: `async with Gauge(servers, group, topics)`."""

    def __init__(self, servers: str, group: str, names: Iterable[str]) -> None:
        self._group = group
        self._topics = list(names)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers)
        self.partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._admin.start()
        await self._consumer.start()
        described = await self._admin.describe_topics(self._topics)
        self.partitions = [
            TopicPartition(each["topic"], one["partition"]) for each in described for one in each["partitions"]
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._consumer.stop()
        await self._admin.close()

    async def written(self) -> int:
        """Return how many records there are."""
        return sum((await self._consumer.end_offsets(self.partitions)).values())

    async def handled(self) -> int:
        """Return how many records the group has committed."""
        try:
            found = await self._admin.list_consumer_group_offsets(self._group, partitions=self.partitions)
        except KafkaError:
            # Nobody has joined yet.
            return 0
        return sum(max(0, each.offset) for each in found.values())

    async def rate(self, total: int, begin: int = 1) -> float:
        """Wait until so many records are committed, and return records per second.

        Counted from the first look at which `begin` of them are, so that nobody's start counts, to the last commit.
        """
        first: tuple[float, int] | None = None
        last = time.monotonic(), 0
        while last[1] < total:
            await asyncio.sleep(LOOK_EVERY_S)
            handled = await self.handled()
            now = time.monotonic()
            if handled > last[1]:
                last = now, handled
                first = first or (last if handled >= begin else None)
            elif now - last[0] > STALLED_S:
                raise Unmeasured(f"{self._group} stood still at {last[1]} of {total} records for {STALLED_S:.0f} s")
        if first is None or first[0] == last[0]:
            raise Unmeasured(f"{self._group} was done before its first commit was seen")
        return (last[1] - first[1]) / (last[0] - first[0])


async def rewind(servers: str, group: str, partitions: Sequence[TopicPartition]) -> None:
    """Let a group that is not running begin again with the first record.

    A room's member is static: one that was ended stays in its group until its session is over.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await until(lambda: _is_rewound(consumer, partitions), LEFT_LIMIT_S, lambda: f"{group} is not left")
    finally:
        await consumer.stop()


async def _is_rewound(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> bool:
    try:
        await consumer.commit({each: OffsetAndMetadata(0, "") for each in partitions})
    except CommitFailedError:
        return False
    return True
