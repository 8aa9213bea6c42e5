"""A consuming room: FastStream's subscriber around the batch mechanism, with offsets, rebalances and dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import stamina
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, RebalanceInProgressError
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.topics import Topic, dead_letters
from services.runtime.batch import Bench, Desk
from services.runtime.clock import Clock, SampleClock, open_clock
from services.runtime.database import connect, is_transient
from services.runtime.inlet import Cause, DeadLetter, Inlet
from services.runtime.journal import Journal
from services.runtime.kafka import METADATA_MAX_AGE_MS, consumer_options, producer
from services.runtime.log import get
from services.runtime.relay import Relay
from services.runtime.settings import Settings

BATCH_RECORDS = 1_000
POLL_MS = 10
"""A poll that finds nothing sleeps this long once more, and a single report would wait for it."""
REVOKE_LIMIT_S = 15
"""Below the rebalance time-out: how long a revocation waits for the batch in flight."""
log = get(__name__)


@dataclass(slots=True)
class Progress:
    """How far one partition has been handled: the next offset, and the instant of the last record."""

    offset: int
    instant: datetime | None = None


@dataclass
class Plumbing:
    """What a room works with while it runs; made once, by `Room.open`."""

    settings: Settings
    engine: AsyncEngine
    clock: Clock
    producer: AIOKafkaProducer
    journal: Journal
    bench: Bench
    relay: Relay


@dataclass
class Room:
    """One consuming room.

    `anchor` names the topic whose partitions tell which shards this process owns. `desk` is made when the plumbing
    stands. `background` are endless coroutines run beside the consumer: if one fails, so does the process. `admit` says
    why a cause can never be handled here, such as one from a party that the directory doesn't know, or None.
    """

    name: str
    topics: Sequence[Topic]
    anchor: str | None
    journal: Journal
    settings: Settings
    make_desk: Callable[[Plumbing], Desk[Any, Any]]
    background: Sequence[Callable[[Room], Awaitable[None]]] = ()
    admit: Callable[[Cause], str | None] = lambda _cause: None
    plumbing: Plumbing = field(init=False)
    desk: Desk[Any, Any] = field(init=False)
    progress: dict[TopicPartition, Progress] = field(default_factory=dict, init=False)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    failure: BaseException | None = field(default=None, init=False)
    _tasks: list[asyncio.Future[None]] = field(default_factory=list, init=False)
    _adopted: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> int:
        """Work until told to stop; the exit status is 1 when something failed that a restart may mend."""
        self.plumbing = await self._open()
        self.desk = self.make_desk(self.plumbing)
        self._inlet = Inlet(self.topics, self.plumbing.clock, self.settings.kafka.shards)
        self._app = self._assemble()
        try:
            await self._app.run(sleep_time=0.05)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.plumbing.producer.stop()
            await self.plumbing.engine.dispose()
        if self.failure is None:
            return 0
        log.critical("the room stops, so that a restart can do the work again", exc_info=self.failure)
        return 1

    async def _open(self) -> Plumbing:
        engine = connect(self.settings.database, self.name)
        async with engine.begin() as connection:
            await self.journal.prepare(connection, self.settings.kafka.shards)
        made = producer(self.settings.kafka, self.name)
        await made.start()
        return Plumbing(
            settings=self.settings,
            engine=engine,
            clock=await open_clock(engine),
            producer=made,
            journal=self.journal,
            bench=Bench(engine, self.journal, source=f"/{self.name}"),
            relay=Relay(engine, self.journal, made),
        )

    def _assemble(self) -> FastStream:
        broker = KafkaBroker(
            self.settings.kafka.bootstrap_servers,
            consumer_only=True,
            allow_auto_create_topics=False,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            apply_types=False,
            # On stop, let the batch in flight end.
            graceful_timeout=REVOKE_LIMIT_S,
            logger=None,
        )
        self._subscriber = broker.subscriber(
            pattern="|".join(topic.pattern for topic in self.topics),
            batch=True,
            max_records=BATCH_RECORDS,
            batch_timeout_ms=POLL_MS,
            ack_policy=AckPolicy.MANUAL,
            listener=_Listener(self),
            **consumer_options(self.name, self.settings.instance),
        )
        self._subscriber(self._receive, parser=_whole, decoder=_raw)
        return FastStream(broker, logger=None, after_startup=[self._begin])

    async def _begin(self) -> None:
        """Start what runs beside the consumer (FastStream would run a plain function in a thread)."""
        clock = self.plumbing.clock
        endless = [self.adopt(), *(run(self) for run in self.background)]
        if isinstance(clock, SampleClock):
            endless.append(clock.watch())
        for work in endless:
            task: asyncio.Future[None] = asyncio.ensure_future(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        log.info("the room is open", topics=[topic.name for topic in self.topics], sample_time=clock.sample)

    def _ended(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception())

    def fail(self, error: BaseException | None) -> None:
        """End the process: a restart begins from what is durable."""
        self.failure = self.failure or error
        self._app.exit()

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """FastStream's consumer, while the room runs."""
        if self._subscriber.consumer is None:
            raise RuntimeError("the room's consumer is asked for before the room runs")
        return self._subscriber.consumer

    # --- the batch ---------------------------------------------------------------------------------------------------

    async def _receive(self, records: Sequence[ConsumerRecord]) -> None:
        """Handle one poll; never raises, since FastStream would poll on and a later commit pass what failed."""
        try:
            async with self.busy:
                if self.failure is None:
                    await self._handle(records)
        except Exception as error:  # noqa: BLE001 - see above: the process ends instead
            self.fail(error)

    async def _handle(self, records: Sequence[ConsumerRecord]) -> None:
        read = [self._read(record) for record in records]
        causes = [each for each in read if isinstance(each, Cause)]
        await self._bury([each for each in read if isinstance(each, DeadLetter)])
        if causes:
            await self.work(causes)
        self._note(records, causes)
        await self._commit(records)

    def _read(self, record: ConsumerRecord) -> Cause | DeadLetter:
        read = self._inlet.read(record)
        if isinstance(read, Cause):
            reason = self.admit(read)
            return DeadLetter(record, reason) if reason else read
        return read

    async def work(self, happenings: Sequence[Any]) -> None:
        """Handle happenings and publish what follows; waits, visibly, for a database that is away."""
        async for attempt in stamina.retry_context(
            on=is_transient, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0
        ):
            with attempt:
                shards = await self.plumbing.bench.handle(self.desk, happenings)
                await self.plumbing.relay.publish(shards)

    async def _bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what can never be handled: original key, bytes and headers, and where and why."""
        for letter in letters:
            record = letter.record
            log.warning(
                "a record can never be handled; it goes to the dead letters",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=letter.reason,
            )
            origin = {
                "whistle-topic": record.topic,
                "whistle-partition": str(record.partition),
                "whistle-offset": str(record.offset),
                "whistle-reason": letter.reason,
            }
            await self.plumbing.producer.send_and_wait(
                dead_letters(self.name),
                value=record.value,
                key=record.key,
                headers=[*record.headers, *((name, text.encode()) for name, text in origin.items())],
            )

    def _note(self, records: Sequence[ConsumerRecord], causes: Sequence[Cause]) -> None:
        instants = {cause.topic: cause.at for cause in causes}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            self.progress[partition] = Progress(record.offset + 1, instants.get(record.topic))

    async def _commit(self, records: Sequence[ConsumerRecord]) -> None:
        offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        owned = self.consumer.assignment()
        mine = {partition: offset for partition, offset in offsets.items() if partition in owned}
        if not mine:
            return
        try:
            await self.consumer.commit(mine)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError) as error:
            # Normal while partitions move: whoever has them now reads the same records again, to no effect.
            log.info("offsets were not committed during a rebalance", error=str(error))

    # --- the shards --------------------------------------------------------------------------------------------------

    def shards(self) -> set[int]:
        """Return the shards this process owns: those of its partitions of the anchor topic."""
        count, partitions = self.settings.kafka.shards, self.settings.kafka.partitions
        owned = {each.partition for each in self.consumer.assignment() if each.topic == self.anchor}
        return {shard for shard in range(count) if shard % partitions in owned}

    def assigned(self) -> None:
        """Note that partitions came; asking for their offsets has to wait until the rebalance is over."""
        self._adopted.set()

    async def adopt(self) -> None:
        """Whenever partitions came: learn where they stand, and publish what their former owner left; for ever."""
        while True:
            await self._adopted.wait()
            self._adopted.clear()
            owned = self.consumer.assignment()
            self.progress = {each: progress for each, progress in self.progress.items() if each in owned}
            new = [each for each in owned if each not in self.progress]
            beginnings = await self.consumer.beginning_offsets(new) if new else {}
            for each in new:
                committed = await self.consumer.committed(each)
                # A batch may have been handled meanwhile, and knows better.
                self.progress.setdefault(each, Progress(beginnings[each] if committed is None else committed))
            async with self.busy:
                await self.plumbing.relay.publish(self.shards())

    async def revoked(self) -> None:
        """Wait for the batch in flight, within a limit: its offsets are still ours to commit."""
        try:
            async with asyncio.timeout(REVOKE_LIMIT_S), self.busy:
                pass
        except TimeoutError:
            log.warning("a batch is still in flight while its partitions move; its repeat will have no effect")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes rebalances on to the room."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batch in flight."""
        if revoked:
            await self._room.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take new partitions over."""
        if assigned:
            self._room.assigned()


async def _whole(records: Sequence[ConsumerRecord]) -> StreamMessage[Any]:
    """Take a poll as it is: FastStream's own parser loses a whole batch to one header that is not text."""
    return StreamMessage(raw_message=records, body=b"")


async def _raw(message: StreamMessage[Sequence[ConsumerRecord]]) -> Sequence[ConsumerRecord]:
    return message.raw_message
