"""The counting room on the real servers, with topics, a group and a database of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import decision, response
from schemas.dispatch import Reminded
from schemas.event import Event, Fact, dump, parse
from schemas.topics import DECISIONS, DISPATCHES, RESPONSES, dead_letters
from services.local.house import DATABASE, KAFKA
from services.local.kafka import EmbeddedKafka
from services.runtime import topics
from services.runtime.clock import metadata as clock_metadata
from services.runtime.database import connect
from services.runtime.kafka import producer
from services.runtime.settings import DatabaseSettings, KafkaSettings, Settings
from tests.journey import counting
from tests.journey.house import LIMIT_S, Process, heard, is_drained, until

_FACTS: dict[str, type[Fact]] = {Reminded.type: Reminded}
WHEN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def progressed(subject: UUID, event_id: UUID | None = None, note: str = "更换水泵") -> Event:
    """Return one more fact about a subject, as its department would say it."""
    return Event(event_id or uuid.uuid4(), "/department/test", subject, WHEN, response.Progressed(note=note))


def refused(subject: UUID, event_id: UUID | None = None) -> Event:
    """Return one more fact about a subject, as its street would say it."""
    return Event(event_id or uuid.uuid4(), "/street/test", subject, WHEN, decision.Refused(reason="不属实"))


def insisted(subject: UUID, event_id: UUID | None = None) -> Event:
    """Return a fact about a subject that begins a deadline."""
    return Event(event_id or uuid.uuid4(), "/street/test", subject, WHEN, decision.Insisted(department="a", reason="b"))


@dataclass
class World:
    """A counting room's surroundings."""

    name: str
    settings: Settings
    engine: AsyncEngine
    producer: AIOKafkaProducer
    folder: Path
    said: list[Event] = field(default_factory=list)

    @property
    def inputs(self) -> list[str]:
        """The topics the room hears."""
        return [DECISIONS.named(self.name), RESPONSES.named(self.name)]

    @property
    def servers(self) -> str:
        """Where Kafka is."""
        return self.settings.kafka.bootstrap_servers

    def process(self, step: str | None = None, instance: str = "1") -> Process:
        """Return the room as a process, not yet started; it dies the second time it comes to `step`."""
        environment = {
            KAFKA: self.servers,
            DATABASE: self.settings.database.url.get_secret_value(),
            "WHISTLE_INSTANCE": instance,
            "WHISTLE_HOME": str(self.folder),
        }
        return Process(
            "tests.journey.counting",
            self.name,
            *([step] if step else []),
            environment=environment,
            log=self.folder / f"{instance}.log",
        )

    async def say(self, events: Sequence[Event]) -> None:
        """Say facts on the topics they belong on; every one of them counts once, however often it is said."""
        self.said += events
        for event in events:
            topic = self.inputs[0] if isinstance(event.data, decision.Decision) else self.inputs[1]
            await self.producer.send(topic, dump(event), key=str(event.subject).encode())
        await self.producer.flush()

    async def drained(self, limit_s: float = LIMIT_S) -> None:
        """Wait until the room has committed everything."""
        await until(lambda: is_drained(self.servers, self.name, self.inputs), limit_s, self._logs)

    def _logs(self) -> str:
        return "\n".join(each.read_text(errors="replace")[-3000:] for each in self.folder.glob("*.log"))

    async def missed(self) -> dict[UUID, datetime]:
        """Return the deadlines that were said to be missed, by subject; each of them was said once."""
        found: dict[UUID, datetime] = {}
        ids = set()
        for record in await heard(self.servers, [DISPATCHES.named(self.name)]):
            event = parse(record.value, _FACTS)
            assert isinstance(event.data, Reminded)
            if event.data.deadline == "missed" and event.id not in ids:
                assert event.subject not in found
                ids.add(event.id)
                found[event.subject] = event.data.due_at
        return found

    async def scalar(self, statement: str) -> int:
        """Return one number from the database."""
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(statement))).scalar_one())

    async def judge(self) -> None:
        """Judge from topics and tables alone: every fact counted once, nothing lost, nothing said out of order."""
        wanted: dict[UUID, set[UUID]] = {}
        for each in self.said:
            wanted.setdefault(each.subject, set()).add(each.id)
        async with self.engine.connect() as connection:
            rows = await connection.execute(text("SELECT id, state FROM counting.count"))
            totals = {row.id: counting.counts.read(row.state).total for row in rows}
        assert totals == {subject: len(ids) for subject, ids in wanted.items()}
        assert await self.scalar("SELECT count(*) FROM counting.shard WHERE published <> seq") == 0
        assert await self.scalar("SELECT count(*) FROM counting.journal") == sum(map(len, wanted.values()))
        assert await self.scalar("SELECT sum(seq) FROM counting.shard") == sum(map(len, wanted.values()))
        await self._judge_what_was_said(wanted)

    async def _judge_what_was_said(self, wanted: dict[UUID, set[UUID]]) -> None:
        numbers: dict[UUID, list[int]] = {}
        causes: dict[UUID, set[UUID]] = {}
        seen: dict[UUID, bytes] = {}
        for record in await heard(self.servers, [DISPATCHES.named(self.name)]):
            event = parse(record.value, _FACTS)
            assert isinstance(event.data, Reminded)
            assert seen.setdefault(event.id, record.value) == record.value, "one id, two facts"
            if record.value is seen[event.id]:
                numbers.setdefault(event.subject, []).append(event.data.round)
                causes.setdefault(event.subject, set()).add(UUID(event.data.note))
        assert numbers == {subject: list(range(1, len(ids) + 1)) for subject, ids in wanted.items()}
        assert causes == wanted


@pytest.fixture
async def world(kafka: EmbeddedKafka, database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A counting room's surroundings, empty."""
    name = f"counting-{uuid.uuid4().hex[:12]}"
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
        database=DatabaseSettings.model_validate({"url": database_url}),
    )
    parties = {"street": [name], "department": [name]}
    await topics.apply(settings.kafka, (DECISIONS, RESPONSES, DISPATCHES), parties)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    config = {"max.message.bytes": str(topics.MAX_DEAD_LETTER_BYTES)}
    await admin.create_topics([NewTopic(dead_letters(name), 1, 1, topic_configs=config)])
    await admin.close()
    engine = connect(settings.database, "test")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA counting"))
        await connection.execute(text("CREATE SCHEMA runtime"))
        await connection.run_sync(counting.metadata.create_all)
        await connection.run_sync(clock_metadata.create_all)
    made = producer(settings.kafka, "test")
    await made.start()
    yield World(name, settings, engine, made, tmp_path)
    await made.stop()
    await engine.dispose()
