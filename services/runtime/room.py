"""A consuming room: FastStream's subscriber around the batch mechanism, with offsets, rebalances and dead letters."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import stamina
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    RebalanceInProgressError,
)
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.topics import Topic, dead_letters, family
from services.runtime.batch import Bench, Desk, Written
from services.runtime.clock import Clock, SampleClock, open_clock
from services.runtime.database import connect, until_back
from services.runtime.inlet import Cause, DeadLetter, Inlet
from services.runtime.journal import Journal
from services.runtime.kafka import METADATA_MAX_AGE_MS, consumer_options, producer
from services.runtime.log import get
from services.runtime.relay import PUBLISH_LIMIT_S, Relay
from services.runtime.settings import Settings
from services.runtime.unreadable import find_unreadable

BATCH_RECORDS = 1_000
POLL_MS = 100
"""How long a poll waits for something; what comes ends it at once."""
REVOKE_LIMIT_S = 15
"""Below the rebalance time-out: how long a revocation waits for the batch in flight."""
STOP_LIMIT_S = 5
ACCOUNT_EVERY_S = 0.1
"""What a process that dies has handled since, the next one reads again, to no effect."""
LOOK_BEHIND_EVERY_S = 5
"""How often an owner looks for rows that somebody committed late and never published."""
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
    in_hand: bool = field(default=False, init=False)
    closing: bool = field(default=False, init=False)
    failure: BaseException | None = field(default=None, init=False)
    _tasks: list[asyncio.Future[None]] = field(default_factory=list, init=False)
    _passing: asyncio.Future[None] | None = field(default=None, init=False)
    _saying: asyncio.Future[None] | None = field(default=None, init=False)
    _accounting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _published: dict[TopicPartition, int] = field(default_factory=dict, init=False)
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
            running = [*self._tasks, *([self._saying] if self._saying else [])]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # It would wait for a broker that is away for as long as that takes; what is unsaid is in the journal.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await self.plumbing.producer.stop()
            await self.plumbing.engine.dispose()
        if self.failure is None:
            return 0
        log.critical("the room stops, so that a restart can do the work again", exc_info=self.failure)
        return 1

    async def _open(self) -> Plumbing:
        engine = connect(self.settings.database, self.name)
        async for attempt in until_back():
            with attempt:
                async with engine.begin() as connection:
                    await self.journal.prepare(connection, self.settings.kafka.shards)
        made = await _connected(self.settings, self.name)
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
            logger=_PollErrors(self),
        )
        self._subscriber = broker.subscriber(
            pattern="|".join(topic.pattern for topic in self.topics),
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            listener=_Listener(self),
            **consumer_options(self.name, self.settings.instance),
        )
        # FastStream's own would sleep as long again after a poll that found nothing, and what comes would wait for it.
        self._subscriber.get_msg = _poll
        self._subscriber(self._receive, parser=_whole, decoder=_raw)
        return FastStream(broker, logger=None, after_startup=[self._begin], on_shutdown=[self._close])

    async def _begin(self) -> None:
        """Start what runs beside the consumer (FastStream would run a plain function in a thread)."""
        clock = self.plumbing.clock
        endless = [self.adopt(), self._keep_account(), *(run(self) for run in self.background)]
        if isinstance(clock, SampleClock):
            endless.append(clock.watch())
        for work in endless:
            task: asyncio.Future[None] = asyncio.ensure_future(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)
        log.info("the room is open", topics=[topic.name for topic in self.topics], sample_time=clock.sample)

    async def _close(self) -> None:
        """Take no more, and let what has been handled be said while its offsets can be committed."""
        self.closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S), self.busy:
                await self.quiet()

    def _ended(self, task: asyncio.Future[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception())

    def fail(self, error: BaseException | None) -> None:
        """End the process: a restart begins from what is durable."""
        self.failure = self.failure or error
        self._app.exit()

    @property
    def ending(self) -> bool:
        """Whether nothing more is handled: the room was told to stop, or something failed."""
        return self.closing or self.failure is not None

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """FastStream's consumer, while the room runs."""
        if self._subscriber.consumer is None:
            raise RuntimeError("the room's consumer is asked for before the room runs")
        return self._subscriber.consumer

    async def become(self, other: Room) -> None:
        """Decide and admit as another room would, which isn't opened, from the next batch on.

        What is in hand ends as it began: no batch is decided by two desks.
        """
        desk = other.make_desk(self.plumbing)
        async with self.busy:
            self.desk, self.admit = desk, other.admit

    # --- the batch ---------------------------------------------------------------------------------------------------

    async def _receive(self, records: Sequence[ConsumerRecord]) -> None:
        """Handle one poll; never raises, since FastStream would poll on and a later commit pass what failed."""
        self.in_hand = True
        try:
            async with self.busy:
                if not self.ending:
                    await self._handle(records)
                    # Of what is left unhandled it stays in hand: no deadline may fire as if it had been read.
                    self.in_hand = False
        except Exception as error:  # noqa: BLE001 - see above: the process ends instead
            self.fail(error)

    async def _handle(self, records: Sequence[ConsumerRecord]) -> None:
        async for attempt in until_back():
            with attempt:
                await self.plumbing.clock.refresh()
        read = [self._read(record) for record in records]
        causes = [each for each in read if isinstance(each, Cause)]
        await self._bury([each for each in read if isinstance(each, DeadLetter)])
        await self.work(causes, records)
        self._note(records, read)

    def _read(self, record: ConsumerRecord) -> Cause | DeadLetter:
        read = self._inlet.read(record)
        if isinstance(read, Cause):
            reason = self.admit(read)
            return DeadLetter(record, reason) if reason else read
        return read

    async def work(self, happenings: Sequence[Any], records: Sequence[ConsumerRecord] = ()) -> None:
        """Handle happenings; what follows is published, and the records' offsets are committed, behind the batch.

        Waits, visibly, for a database that is away. What fails is tried again in halves: a batch that takes longer than
        a transaction may would fail for ever.
        """
        size = len(happenings)
        written: list[Written] = []
        while happenings:
            async for attempt in until_back():
                with attempt:
                    try:
                        written.append(await self.plumbing.bench.handle(self.desk, happenings[:size]))
                    except Exception:
                        size = max(1, size // 2)
                        raise
            happenings = happenings[size:]
        await self._said()
        self._saying = asyncio.ensure_future(self._say(written, records))

    async def _said(self) -> None:
        """Wait until what follows from the batches handled so far has been published."""
        if self._saying is not None:
            await asyncio.wait([self._saying])

    async def quiet(self) -> None:
        """Wait until what follows from the batches handled so far has been published, and write down that it has."""
        await self._said()
        await self._account()

    async def _say(self, written: Sequence[Written], records: Sequence[ConsumerRecord]) -> None:
        """Publish, while the next batch is being decided; one batch at a time, and none after a failure."""
        try:
            for each in written:
                async for attempt in until_back():
                    with attempt:
                        if self.failure is None:
                            await self.plumbing.relay.publish_written(each)
            if self.failure is None:
                self._published |= _behind(records)
        except Exception as error:  # noqa: BLE001 - nothing later may overtake what was not said: the process ends
            self.fail(error)

    async def _keep_account(self) -> None:
        """Write down how far this process has come, from time to time and for ever.

        Once for each batch it would cost as much as a small batch does, and the next batch would wait for the locks.
        """
        while True:
            await asyncio.sleep(ACCOUNT_EVERY_S)
            await self._account()

    async def _account(self) -> None:
        """Move the marks of the shards, and commit the offsets of what has been handled and published."""
        async with self._accounting:
            # Taken before the marks: no offset is committed of which the mark is not.
            offsets = dict(self._published)
            async for attempt in until_back():
                with attempt:
                    await self.plumbing.relay.mark()
            try:
                await self._commit(offsets)
            except Exception as error:  # noqa: BLE001 - asked by a rebalance, Kafka's client would pass it over
                self.fail(error)
            self._published = {each: offset for each, offset in self._published.items() if offset != offsets.get(each)}

    async def _bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what can never be handled: original key, bytes and headers, and where and why."""
        sent = []
        async with asyncio.timeout(PUBLISH_LIMIT_S):
            for letter in letters:
                record = letter.record
                log.warning(
                    "a record can never be handled; it goes to the dead letters",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    reason=letter.reason,
                )
                value, key, headers = letter.written()
                sent.append(await self.plumbing.producer.send(dead_letters(self.name), value, key, headers=headers))
            await asyncio.gather(*sent)

    def _note(self, records: Sequence[ConsumerRecord], read: Sequence[Cause | DeadLetter]) -> None:
        """Note how far each partition has been handled; a dead letter tells no instant, so the one before it stands."""
        for record, each in zip(records, read, strict=True):
            self._reach(
                TopicPartition(record.topic, record.partition),
                record.offset + 1,
                each.at if isinstance(each, Cause) else None,
            )

    def _reach(self, partition: TopicPartition, offset: int, instant: datetime | None) -> None:
        """Note that everything before an offset has been handled, by whomever; what is known never goes back."""
        before = self.progress.get(partition)
        if before is None or offset > before.offset:
            self.progress[partition] = Progress(offset, instant or (before.instant if before else None))

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        owned = self.consumer.assignment() if offsets else set()
        mine = {partition: offset for partition, offset in offsets.items() if partition in owned}
        if not mine:
            return
        try:
            await self.consumer.commit(mine)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError) as error:
            # Normal while partitions move: whoever has them now reads the same records again, to no effect.
            log.info("offsets were not committed during a rebalance", error=str(error))

    def pass_over(self, error: BaseException) -> None:
        """End the process for what failed a poll; a record that can't be read is set aside first, and passed over."""
        if isinstance(error, UnicodeDecodeError) and self._passing is None:
            self._passing = asyncio.ensure_future(self._pass_over(error))
        elif self._passing is None:
            self.fail(error)

    async def _pass_over(self, error: UnicodeDecodeError) -> None:
        """Handle what stands before it, bury it, and commit past it; the next process polls on from there."""
        try:
            await self._learn()
            async with self.busy:
                await self.quiet()
                starts = {each: progress.offset for each, progress in self.progress.items()}
                found = await find_unreadable(self.settings.kafka, starts)
                if found.before:
                    await self._handle(found.before)
                    await self.quiet()
                if found.letter:
                    await self._bury([found.letter])
                    await self._commit(_behind([found.letter.record]))
        except Exception:  # the process ends all the same, and the next one tries again
            log.exception("a record that can't be read could not be set aside")
        self.fail(error)

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
        """Whenever partitions came, learn where they stand, and publish what their former owner left; for ever.

        Look again from time to time: a former owner may commit its last batch only now, and die before it says it.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_BEHIND_EVERY_S):
                    await self._adopted.wait()
            if self._adopted.is_set():
                self._adopted.clear()
                await self._learn()
            async for attempt in until_back():
                with attempt:
                    async with self.busy:
                        await self.quiet()
                        await self.plumbing.relay.publish(self.shards())

    async def _learn(self) -> None:
        """Learn how far the partitions of this process have been handled, by whomever."""
        owned = self.consumer.assignment()
        self._judge_partitions({each.topic for each in owned})
        try:
            beginnings = await self.consumer.beginning_offsets(list(owned)) if owned else {}
            for each in owned:
                committed = await self.consumer.committed(each)
                self._reach(each, beginnings[each] if committed is None else committed, None)
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("where partitions stand could not be read; it is tried again", error=repr(error))
            self._adopted.set()
            await asyncio.sleep(1)
        self.progress = {each: progress for each, progress in self.progress.items() if each in owned}

    def _judge_partitions(self, topics: set[str]) -> None:
        """Refuse topics that are cut otherwise than the settings say: some shards would have no owner."""
        partitions, shards = self.settings.kafka.partitions, self.settings.kafka.shards
        if shards % partitions:
            raise ValueError(f"{partitions} partitions don't divide {shards} shards")
        for topic in topics if self.anchor else ():
            found = family(topic)
            count = len(self.consumer.partitions_for_topic(topic) or ())
            if found and found[0].party != "community" and count not in {0, partitions}:
                raise ValueError(
                    f"{topic} has {count} partitions, and the settings say {partitions}: "
                    f"set WHISTLE_KAFKA__PARTITIONS={count} for every room"
                )

    async def revoked(self) -> None:
        """Wait for the batch in flight, within a limit: its offsets are still ours to commit."""
        try:
            async with asyncio.timeout(REVOKE_LIMIT_S), self.busy:
                await self.quiet()
        except TimeoutError:
            log.warning("a batch is still in flight while its partitions move; its repeat will have no effect")
        # What could not be committed in time is the next owner's to commit.
        self._published = {}


def _behind(records: Sequence[ConsumerRecord]) -> dict[TopicPartition, int]:
    """Return the next offset of each partition, once these have been handled."""
    return {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}


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


class _PollErrors:
    """FastStream's logger: what fails while it polls is told, and ends the process unless waiting mends it.

    FastStream itself would sleep and poll on for ever, unseen.
    """

    def __init__(self, room: Room) -> None:
        self._room = room

    def log(
        self, level: int, message: object, /, *, exc_info: object = None, extra: Mapping[str, object] | None = None
    ) -> None:
        """Take one line; `extra` tells the topics, which every line of a room is about."""
        del extra
        if level < logging.ERROR:
            return
        if isinstance(exc_info, KafkaError) and exc_info.retriable:
            log.warning("Kafka did not answer while polling; it is asked again", error=repr(exc_info))
        else:
            self._room.pass_over(exc_info if isinstance(exc_info, BaseException) else RuntimeError(str(message)))


@stamina.retry(on=KafkaConnectionError, attempts=None, timeout=None, wait_max=5.0)
async def _connected(settings: Settings, name: str) -> AIOKafkaProducer:
    """Return a producer, started; waits, visibly, for a broker that is away."""
    # Each batch comes whole: one that follows another at once would only linger.
    made = producer(settings.kafka, name, linger_ms=0)
    try:
        await made.start()
    except KafkaConnectionError:
        await made.stop()
        raise
    return made


async def _poll(consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
    found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
    return tuple(chain.from_iterable(found.values()))


async def _whole(records: Sequence[ConsumerRecord]) -> StreamMessage[Any]:
    """Take a poll as it is: FastStream's own parser loses a whole batch to one header that is not text."""
    return StreamMessage(raw_message=records, body=b"")


async def _raw(message: StreamMessage[Sequence[ConsumerRecord]]) -> Sequence[ConsumerRecord]:
    return message.raw_message
