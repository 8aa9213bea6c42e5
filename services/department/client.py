"""How a department listens and speaks, for its own programs: a handler is a function of ten lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.dispatch import Changed, Issued
from schemas.event import Event, Fact, InvalidEventError, follow, parse
from schemas.response import Response
from schemas.topics import DISPATCHES, RESPONSES
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.log import get
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker

log = get(__name__)
POLL_MS = 200
_FACTS = {fact.type: fact for fact in DISPATCHES.facts}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message of a department's stream: which incident, what it says, and when it was said (UTC)."""

    id: UUID
    incident: UUID
    at: datetime
    fact: Fact


Handler = Callable[[Dispatch], Awaitable[Response | None]]


class Department(Speaker):
    """One department's ears and voice.

    ```python
    async with Department("water") as water:

        @water.on_dispatch
        async def take_it_on(dispatch):
            if dispatch.fact.severity == "critical":
                return response.Acknowledged(by="duty officer")

        await water.run()
    ```
    """

    def __init__(self, code: str, settings: Settings | None = None) -> None:
        super().__init__(f"/department/{code}", settings)
        self.code = code
        self._handler: Handler | None = None

    async def respond(
        self, incident: UUID, fact: Response, *, event_id: UUID | None = None, at: datetime | None = None
    ) -> Event:
        """Say something about an incident; the same `event_id` twice is the same response.

        Raises:
            NotSaidError: the broker did not take it.

        """
        return await self.say(RESPONSES.named(self.code), incident, fact, event_id=event_id, at=at)

    def on_dispatch(self, handler: Handler) -> Handler:
        """Have a function answer every new dispatch; what it returns is said, None says nothing yet."""
        self._handler = handler
        return handler

    async def run(self, group: str | None = None) -> None:
        """Give every dispatch that is still open to the handler, one after the other, for ever.

        What was dispatched before is read first, as far as the group hasn't, and of that only what no later word has
        moved on is given: a program that is started for the first time leaves the past alone. A response has an id
        that follows from its dispatch, so a dispatch that is given again after a crash is answered to the same effect.
        The handler's own errors end the run: the dispatch is given again next time.
        """
        if self._handler is None:
            raise RuntimeError("name a handler with on_dispatch first")
        async with self._reading(group or f"department-{self.code}-handler", "earliest") as consumer:
            backlog = await _backlog(consumer)
            moved_on = {
                (read.incident, read.fact.round)
                for _, read in backlog
                # One that still stands as dispatched has only been given another deadline.
                if read and isinstance(read.fact, Changed) and read.fact.status != "dispatched"
            }
            for record, read in backlog:
                await self._give(consumer, record, read, moved_on)
            async for record in consumer:
                await self._give(consumer, record, _read(record), frozenset())

    async def _give(
        self,
        consumer: AIOKafkaConsumer,
        record: ConsumerRecord,
        dispatch: Dispatch | None,
        moved_on: AbstractSet[tuple[UUID, int]],
    ) -> None:
        if (
            dispatch
            and self._handler
            and isinstance(dispatch.fact, Issued)
            and (dispatch.incident, dispatch.fact.round) not in moved_on
        ):
            said = await self._handler(dispatch)
            if said is not None:
                await self.respond(dispatch.incident, said, event_id=follow(dispatch.id, said.type))
        await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    async def dispatches(self, start: Literal["earliest", "latest"] = "latest") -> AsyncIterator[Dispatch]:
        """Yield the department's stream as it comes, without a group: nothing is remembered."""
        async with self._reading(None, start) as consumer:
            async for record in consumer:
                dispatch = _read(record)
                if dispatch:
                    yield dispatch

    @asynccontextmanager
    async def _reading(
        self, group: str | None, start: Literal["earliest", "latest"]
    ) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            DISPATCHES.named(self.code),
            bootstrap_servers=self._settings.kafka.bootstrap_servers,
            group_id=group,
            auto_offset_reset=start,
            enable_auto_commit=False,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


async def _backlog(consumer: AIOKafkaConsumer) -> list[tuple[ConsumerRecord, Dispatch | None]]:
    """Read what is there already, to the end as it is now."""
    ends = await consumer.end_offsets(consumer.assignment())
    found: list[tuple[ConsumerRecord, Dispatch | None]] = []
    while not all([await consumer.position(partition) >= end for partition, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            found.extend((record, _read(record)) for record in records)
    return found


def _read(record: ConsumerRecord) -> Dispatch | None:
    """Read one message of the stream; what can't be read is passed over, and told."""
    try:
        event = parse(record.value, _FACTS)
    except InvalidEventError as error:
        log.warning("passed over what can't be read", topic=record.topic, offset=record.offset, reason=str(error))
        return None
    return Dispatch(event.id, event.subject, event.time, event.data)
