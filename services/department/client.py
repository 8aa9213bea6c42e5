"""How a department listens and speaks, for its own programs: a handler is a function of ten lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.dispatch import Issued
from schemas.event import Event, Fact, InvalidEventError, follow, parse
from schemas.response import Response
from schemas.topics import DISPATCHES, RESPONSES
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.log import get
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker

log = get(__name__)
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
        """Give every dispatch to the handler, one after the other, for ever.

        A response has an id that follows from its dispatch, so a dispatch that is given again after a crash is
        answered to the same effect. The handler's own errors end the run: the dispatch is given again next time.
        """
        if self._handler is None:
            raise RuntimeError("name a handler with on_dispatch first")
        async for dispatch, done in self._listen(group or f"department-{self.code}-handler"):
            if isinstance(dispatch.fact, Issued):
                said = await self._handler(dispatch)
                if said is not None:
                    await self.respond(dispatch.incident, said, event_id=follow(dispatch.id, said.type))
            await done()

    async def dispatches(self, start: Literal["earliest", "latest"] = "latest") -> AsyncIterator[Dispatch]:
        """Yield the department's stream as it comes, without a group: nothing is remembered."""
        async for dispatch, _done in self._listen(None, start):
            yield dispatch

    async def _listen(
        self, group: str | None, start: Literal["earliest", "latest"] = "earliest"
    ) -> AsyncIterator[tuple[Dispatch, Callable[[], Awaitable[None]]]]:
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
            async for record in consumer:
                partition = TopicPartition(record.topic, record.partition)

                async def done(partition: TopicPartition = partition, offset: int = record.offset) -> None:
                    if group is not None:
                        await consumer.commit({partition: offset + 1})

                try:
                    event = parse(record.value, _FACTS)
                except InvalidEventError as error:
                    log.warning(
                        "passed over what can't be read", topic=record.topic, offset=record.offset, reason=str(error)
                    )
                    continue
                yield Dispatch(event.id, event.subject, event.time, event.data), done
        finally:
            await consumer.stop()
