"""How a department listens and speaks, for its own programs: a handler is a function of ten lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, TypeVar
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.dispatch import Changed, Issued
from schemas.event import Event, Fact, InvalidEventError, follow, parse
from schemas.response import Response
from schemas.topics import DISPATCHES, RESPONSES
from services.runtime.interrupt import noting_interrupts
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.log import get
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker

log = get(__name__)
POLL_MS = 200
# A topic that isn't there: what is asked of it takes nothing from those that are.
_NOTHING = TopicPartition("", 0)
_FACTS = {fact.type: fact for fact in DISPATCHES.facts}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message of a department's stream: which incident, what it says, and when it was said (UTC)."""

    id: UUID
    incident: UUID
    at: datetime
    fact: Fact


Handler = Callable[[Dispatch], Awaitable[Response | None]]
_MovedOn = AbstractSet[tuple[UUID, int]]
_T = TypeVar("_T")


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

    max_poll_interval_ms: ClassVar[int] = 300_000
    """After so long without a poll the group gives a program's dispatches to another."""

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
        """Give every dispatch that is still open to the handler, one after the other, until Ctrl-C.

        What was dispatched before is read first, as far as the group hasn't, and of that only what no later word has
        moved on is given: a program that is started for the first time leaves the past alone. A response has an id
        that follows from its dispatch, so a dispatch that is given again after a crash, or after another program of the
        group has joined, is answered to the same effect. A handler may take its time. Its own errors end the run: the
        dispatch is given again next time. So is the one in hand at Ctrl-C, after which the run has ended in order.
        """
        if self._handler is None:
            raise RuntimeError("name a handler with on_dispatch first")
        with noting_interrupts() as interrupts:
            try:
                await self._work(self._handler, group or f"department-{self.code}-handler")
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not interrupts or task is None:
                    raise
                task.uncancel()

    async def _work(self, handler: Handler, group: str) -> None:
        async with self._reading(group, "earliest") as consumer:
            moved_on = await _moved_on(consumer)
            async for record in consumer:
                dispatch = _read(record)
                if dispatch and _is_open(dispatch, moved_on):
                    said = await _while_polling(consumer, handler(dispatch))
                    if said is not None:
                        await self.respond(dispatch.incident, said, event_id=follow(dispatch.id, said.type))
                await _commit(consumer, record)

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
            max_poll_interval_ms=self.max_poll_interval_ms,
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()


async def _moved_on(consumer: AIOKafkaConsumer) -> _MovedOn:
    """Read what is there already, to the end as it is now, and go back: which rounds a later word has moved on."""
    found: set[tuple[UUID, int]] = set()
    while True:
        try:
            await _read_to_the_end(consumer, found)
            for partition in consumer.assignment():
                committed = await consumer.committed(partition)
                if committed is None:
                    await consumer.seek_to_beginning(partition)
                else:
                    consumer.seek(partition, committed)
        except IllegalStateError:
            # Another program of the group has joined or left meanwhile, and this one has other partitions.
            continue
        return found


async def _read_to_the_end(consumer: AIOKafkaConsumer, found: set[tuple[UUID, int]]) -> None:
    ends = await consumer.end_offsets(consumer.assignment())
    while not all([await consumer.position(partition) >= end for partition, end in ends.items()]):
        for records in (await consumer.getmany(*ends, timeout_ms=POLL_MS)).values():
            for read in map(_read, records):
                # One that still stands as dispatched has only been given another deadline.
                if read and isinstance(read.fact, Changed) and read.fact.status != "dispatched":
                    found.add((read.incident, read.fact.round))


def _is_open(dispatch: Dispatch, moved_on: _MovedOn) -> bool:
    fact = dispatch.fact
    return isinstance(fact, Issued) and (dispatch.incident, fact.round) not in moved_on


async def _while_polling(consumer: AIOKafkaConsumer, work: Awaitable[_T]) -> _T:
    """Wait for some work however long it takes, and poll meanwhile, or the group would take this program for dead."""
    working = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([working], timeout=POLL_MS / 1000))[0]:
            await consumer.getmany(_NOTHING)
        return working.result()
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait([working])


async def _commit(consumer: AIOKafkaConsumer, record: ConsumerRecord) -> None:
    try:
        await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
    except (CommitFailedError, IllegalStateError):
        log.info("another program of the group goes on from here", topic=record.topic, offset=record.offset)


def _read(record: ConsumerRecord) -> Dispatch | None:
    """Read one message of the stream; what can't be read is passed over, and told."""
    try:
        event = parse(record.value, _FACTS)
    except InvalidEventError as error:
        log.warning("passed over what can't be read", topic=record.topic, offset=record.offset, reason=str(error))
        return None
    return Dispatch(event.id, event.subject, event.time, event.data)
