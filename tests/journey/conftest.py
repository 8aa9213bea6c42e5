"""The real router as a process, on servers of its own, and a judge who trusts only topics and tables."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import decision, dispatch, incident, response
from schemas.event import Event, dump, parse
from schemas.report import Raised
from schemas.topics import DECISIONS, DISPATCHES, ESCALATIONS, JOURNAL, RESPONSES, TOPICS, dead_letters
from services.configured import load
from services.local.house import DATABASE, KAFKA
from services.local.kafka import EmbeddedKafka
from services.local.postgres import EmbeddedPostgres
from services.runtime import topics
from services.runtime.database import connect
from services.runtime.kafka import producer
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, KafkaSettings, Settings
from tests.journey.house import LIMIT_S, Process, heard, is_drained, until

STREET, COMMUNITY = "dongsheng", "guangdu"
# Whom the shipped routes name for these categories, the lead first.
CALLED = {
    "drainage": ("water",),
    "lighting": ("urban-management",),
    "river": ("water", "parks", "dongsheng-urban"),
}
_FACTS = {fact.type: fact for topic in (JOURNAL, DISPATCHES) for fact in topic.facts}


@dataclass(frozen=True, slots=True)
class Said:
    """A fact, and the topic it is said on."""

    topic: str
    event: Event


@dataclass(frozen=True, slots=True)
class Matter:
    """An incident as a test wants it: opened, called for, and responded to as far as `acts` go."""

    id: UUID
    category: str
    acts: int
    at: datetime

    @property
    def departments(self) -> tuple[str, ...]:
        """Who is called."""
        return CALLED[self.category]

    def said(self) -> list[Said]:
        """Return all that is said of it, each with the same id every time."""
        report = Raised(
            kind="demand", category=self.category, description="积水", channel="tea-talk", happened_at=self.at
        )
        opened = decision.Opened(community=COMMUNITY, report=report, reported_at=self.at)
        street = [opened, decision.Called(kind="general")]
        found = [self._say(DECISIONS.named(STREET), f"/street/{STREET}", fact) for fact in street]
        for department in self.departments:
            acts = [response.Acknowledged(), response.Resolved(note="办结")][: self.acts]
            found += [self._say(RESPONSES.named(department), f"/department/{department}", fact) for fact in acts]
        return found

    def _say(self, topic: str, source: str, fact: decision.Decision | response.Response) -> Said:
        return Said(topic, Event(uuid.uuid5(self.id, topic + fact.type), source, self.id, self.at, fact))

    def expected(self) -> Counter[str]:
        """Return the entries its history must have, by type."""
        owed = len(self.departments)
        acts = (incident.Acknowledged.type, incident.Resolved.type)[: self.acts]
        found = Counter({incident.Opened.type: 1, incident.Called.type: 1, incident.Dispatched.type: owed})
        return found + Counter(dict.fromkeys(acts, owed))


def matters(count: int, at: datetime | None = None) -> list[Matter]:
    """Return so many matters of every category, of which some are responded to and some are not."""
    categories = list(CALLED)
    instant = at or datetime.now(UTC)
    return [
        Matter(uuid.uuid4(), categories[each % len(CALLED)], each // len(CALLED) % 3, instant) for each in range(count)
    ]


@dataclass
class Town:
    """The router's surroundings."""

    settings: Settings
    engine: AsyncEngine
    producer: AIOKafkaProducer
    outputs: list[str]
    inputs: list[str]
    folder: Path
    matters: list[Matter] = field(default_factory=list)

    @property
    def servers(self) -> str:
        """Where Kafka is."""
        return self.settings.kafka.bootstrap_servers

    def router(self, instance: str = "1", config: Path | None = None) -> Process:
        """Return the router as a process, not yet started; under the shipped configuration, or another."""
        environment = {
            KAFKA: self.servers,
            DATABASE: self.settings.database.url.get_secret_value(),
            "WHISTLE_INSTANCE": instance,
            "WHISTLE_HOME": str(self.folder),
            "WHISTLE_CONFIG": str(config or self.settings.config),
        }
        return Process("services.router", environment=environment, log=self.folder / f"router-{instance}.log")

    async def say(self, said: Iterable[Said]) -> None:
        """Say facts, and return when the broker has them all."""
        for each in said:
            await self.producer.send(each.topic, dump(each.event), key=str(each.event.subject).encode())
        await self.producer.flush()

    async def say_matters(self, found: Sequence[Matter]) -> None:
        """Say all there is to say of some matters, which the judge will ask for from now on."""
        self.matters += found
        await self.say(said for each in found for said in each.said())

    async def handled(self) -> int:
        """Return how many rows the router's journal has."""
        return await self.scalar("SELECT coalesce(sum(seq), 0) FROM router.shard")

    async def scalar(self, statement: str) -> int:
        """Return one number from the database."""
        async with self.engine.connect() as connection:
            return int((await connection.execute(text(statement))).scalar_one())

    async def drained(self) -> None:
        """Wait until the router has committed everything it hears."""
        await until(lambda: is_drained(self.servers, "router", self.inputs), 2 * LIMIT_S, self._logs)

    def _logs(self) -> str:
        return "\n".join(each.read_text(errors="replace")[-3000:] for each in self.folder.glob("*.log"))

    async def judge(self) -> set[UUID]:
        """Judge everything from topics and tables alone, and return the ids of all that was said.

        Every incident has the versions 1, 2, 3… in this order, each with one event; every act asked for is in its
        history once; every department called has one dispatch; and the journal is published to its end.
        """
        events = await self._distinct()
        history: dict[UUID, list[incident.Entry]] = {}
        dispatched: dict[UUID, list[tuple[str, int]]] = {}
        for topic, event in events.values():
            if isinstance(event.data, incident.Entry):
                history.setdefault(event.subject, []).append(event.data)
            elif isinstance(event.data, dispatch.Issued):
                dispatched.setdefault(event.subject, []).append((topic, event.data.round))
        assert set(history) == {each.id for each in self.matters}
        for each in self.matters:
            entries = history[each.id]
            assert [entry.version for entry in entries] == list(range(1, len(entries) + 1)), each
            assert Counter(entry.type for entry in entries) == each.expected(), each
            wanted = sorted((DISPATCHES.named(department), 1) for department in each.departments)
            assert sorted(dispatched[each.id]) == wanted, each
        assert await heard(self.servers, [dead_letters("router")]) == []
        await self._judge_tables(events, {subject: len(entries) for subject, entries in history.items()})
        return set(events)

    async def _distinct(self) -> dict[UUID, tuple[str, Event]]:
        """Return every event said, once, in the order in which each partition first heard of them."""
        found: dict[UUID, tuple[str, Event]] = {}
        values: dict[UUID, bytes] = {}
        for record in await heard(self.servers, self.outputs):
            event = parse(record.value, _FACTS)
            assert values.setdefault(event.id, record.value) == record.value, "one id, two facts"
            assert record.key == str(event.subject).encode()
            found.setdefault(event.id, (record.topic, event))
        return found

    async def _judge_tables(self, events: dict[UUID, tuple[str, Event]], versions: dict[UUID, int]) -> None:
        assert await self.scalar("SELECT count(*) FROM router.shard WHERE published <> seq") == 0
        assert await self.scalar("SELECT count(*) FROM router.journal WHERE topic IS NOT NULL") == len(events)
        causes = sum(len(each.said()) for each in self.matters)
        assert await self.scalar("SELECT count(DISTINCT cause) FROM router.journal") == causes
        assert await self.handled() == await self.scalar("SELECT count(*) FROM router.journal")
        async with self.engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT id, CAST(state AS jsonb) ->> 'version' AS at FROM router.incident")
            )
            assert {row.id: int(row.at) for row in rows} == versions


@pytest.fixture(scope="module")
async def own_kafka(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> AsyncIterator[EmbeddedKafka]:
    """A broker on which nobody else has made topics that the router would hear."""
    async with EmbeddedKafka(tmp_path_factory.mktemp("journey"), cache=cache) as broker:
        yield broker


@pytest.fixture(scope="module")
async def town(
    own_kafka: EmbeddedKafka, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """The router's surroundings, installed as `make run` installs them; the tests of a module share them."""
    name = f"journey_{uuid.uuid4().hex}"
    url = await postgres.create_database(name)
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=own_kafka.bootstrap_servers),
        database=DatabaseSettings.model_validate({"url": url}),
    )
    directory = load(settings.config).directory
    parties = {
        "community": [each.code for each in directory.communities],
        "street": [each.code for each in directory.streets],
        "department": [each.code for each in directory.departments],
    }
    await topics.apply(settings.kafka, TOPICS, parties)
    engine = connect(settings.database, "test")
    await upgrade(engine)
    made = producer(settings.kafka, "test")
    await made.start()
    departments = sorted({each for called in CALLED.values() for each in called})
    yield Town(
        settings,
        engine,
        made,
        [JOURNAL.name, ESCALATIONS.name, *(DISPATCHES.named(each) for each in departments)],
        [DECISIONS.named(STREET), *(RESPONSES.named(each) for each in departments)],
        tmp_path_factory.mktemp("town"),
    )
    await made.stop()
    await engine.dispose()
    await postgres.drop_database(name)
