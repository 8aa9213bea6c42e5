"""The router's work as an ordinary FastStream service does it: a handler, a transaction and a commit for each message.

As a process of its own: `python -m tests.bench.per_message GROUP`. It decides by the same pure functions, keeps the
same facts, and says the same messages; it only takes them one at a time, in tables of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import uvloop
from aiokafka import ConsumerRecord
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.event import Event, dump, follow, parse
from schemas.topics import DECISIONS
from services.configured import load
from services.domain.announce import messages
from services.domain.clocks import next_due_at
from services.domain.configuration import Configuration
from services.domain.decide import Said, decide_said
from services.domain.incident import Incident
from services.runtime.batch import Message
from services.runtime.database import connect
from services.runtime.inlet import cause_id
from services.runtime.relay import CONTENT_TYPE_HEADER
from services.runtime.settings import Settings
from tests.bench.calls import STREET, TOPIC

FACTS = {fact.type: fact for fact in DECISIONS.facts}
HEADERS = {name: value.decode() for name, value in CONTENT_TYPE_HEADER}
CODEC = TypeAdapter(Incident)
metadata = MetaData(schema="per_message")
incidents = Table(
    "incident",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("next_due_at", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
)
journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger, Identity(), primary_key=True),
    Column("cause", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("aggregateid", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("topic", Text),
    Column("at", DateTime(timezone=True), nullable=False),
)
Index("journal_cause", journal.c.cause, unique=True, postgresql_where=journal.c.ordinal == 0)


class Service:
    """What answers one message."""

    def __init__(self, broker: KafkaBroker, engine: AsyncEngine, configuration: Configuration) -> None:
        self._broker = broker
        self._engine = engine
        self._configuration = configuration

    async def handle(self, message: KafkaMessage) -> None:
        """Decide and save in one transaction, then say what follows, one after the other."""
        event = parse(message.body, FACTS)
        record: ConsumerRecord = message.raw_message
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        said = Said(cause_id(event.subject, event.id, TOPIC), "street", STREET, at, event.data)
        for topic, told in await self._work(event.subject, said):
            await self._broker.publish(dump(told), topic, key=str(told.subject).encode(), headers=HEADERS)

    async def _work(self, incident: UUID, said: Said) -> Sequence[tuple[str, Event]]:
        async with self._engine.begin() as connection:
            if await _is_known(connection, said.cause):
                return []
            before = await _loaded(connection, incident)
            decided = decide_said(before, incident, said, self._configuration)
            if decided.state is not None and decided.state is not before:
                await self._save(connection, decided.state, new=before is None)
            told = [
                Message(topic, incident, fact)
                for entry in decided.entries
                for topic, fact in messages(decided.state, entry)
            ]
            return [await _written(connection, said, each, ordinal) for ordinal, each in enumerate(told)]

    async def _save(self, connection: AsyncConnection, state: Incident, *, new: bool) -> None:
        values = {
            "next_due_at": next_due_at(state, self._configuration),
            "state": CODEC.dump_json(state, exclude_defaults=True).decode(),
        }
        if new:
            await connection.execute(insert(incidents).values(id=state.id, **values))
        else:
            await connection.execute(update(incidents).where(incidents.c.id == state.id).values(**values))


async def _is_known(connection: AsyncConnection, cause: UUID) -> bool:
    found = await connection.execute(select(journal.c.id).where(journal.c.cause == cause, journal.c.ordinal == 0))
    return found.first() is not None


async def _loaded(connection: AsyncConnection, incident: UUID) -> Incident | None:
    found = await connection.execute(select(incidents.c.state).where(incidents.c.id == incident).with_for_update())
    state = found.scalar_one_or_none()
    return None if state is None else CODEC.validate_json(state)


async def _written(connection: AsyncConnection, said: Said, message: Message, ordinal: int) -> tuple[str, Event]:
    event = Event(follow(said.cause, ordinal), "/router", message.subject, said.at, message.fact)
    row = {
        "cause": said.cause,
        "ordinal": ordinal,
        "id": event.id,
        "aggregateid": message.subject,
        "type": message.fact.type,
        "payload": dump(event).decode(),
        "topic": message.topic,
        "at": said.at,
    }
    await connection.execute(insert(journal).values(**row))
    return message.topic, event


async def run(group: str) -> None:
    """Go on until killed."""
    settings = Settings.load()
    engine = connect(settings.database, "per-message")
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"CREATE SCHEMA {metadata.schema}")
        await connection.run_sync(metadata.create_all)
    # What is acknowledged is on disk, as it is for the router; there is no lingering where each send is waited for.
    broker = KafkaBroker(
        settings.kafka.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=0, logger=None
    )
    service = Service(broker, engine, load(settings.config))
    subscribe = broker.subscriber(TOPIC, group_id=group, ack_policy=AckPolicy.ACK, auto_offset_reset="earliest")
    subscribe(service.handle)
    await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1]))
