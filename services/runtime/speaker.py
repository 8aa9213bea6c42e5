"""How a party speaks: one fact at a time, on its own topic, acknowledged by the broker before the call returns."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from uuid_utils.compat import uuid7

from schemas.event import Event, Fact, dump
from services.runtime.kafka import producer
from services.runtime.relay import CONTENT_TYPE_HEADER
from services.runtime.settings import Settings


class NotSaidError(Exception):
    """The broker did not take a fact: what failed, and what to do."""


class Speaker:
    """Says facts with one party's voice.

    `source` names the party, such as `/department/water`. An `id` given twice is the same fact twice.
    """

    def __init__(self, source: str, settings: Settings | None = None) -> None:
        self.source = source
        self._settings = settings or Settings.load()
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            NotSaidError: Kafka is not to be reached.

        """
        made = producer(self._settings.kafka, self.source.strip("/").replace("/", "-"))
        try:
            await made.start()
        except KafkaError as error:
            await made.stop()
            raise NotSaidError(
                f"Kafka at {self._settings.kafka.bootstrap_servers} can't be reached ({type(error).__name__}): "
                "start the house with `make run`, or set WHISTLE_KAFKA__BOOTSTRAP_SERVERS"
            ) from error
        self._producer = made
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect, after everything said has been taken."""
        if self._producer:
            await self._producer.stop()
            self._producer = None

    async def say(
        self,
        topic: str,
        subject: UUID,
        fact: Fact,
        *,
        event_id: UUID | None = None,
        at: datetime | None = None,
    ) -> Event:
        """Say one fact, and return it when the broker has it on disk.

        Raises:
            NotSaidError: the broker did not take it.

        """
        if self._producer is None:
            raise RuntimeError("a speaker speaks inside `async with`")
        event = Event(event_id or uuid7(), self.source, subject, at or datetime.now(UTC), fact)
        try:
            await self._producer.send_and_wait(
                topic, dump(event), key=str(subject).encode(), headers=CONTENT_TYPE_HEADER
            )
        except KafkaError as error:
            raise NotSaidError(
                f"{fact.type} about {subject} was not taken by {topic} ({type(error).__name__}): say it again when "
                "the broker is back, with the same id"
            ) from error
        return event
