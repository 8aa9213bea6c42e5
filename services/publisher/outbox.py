"""The way out: Kafka where it answers, the spool where it doesn't; many letters in flight, each one acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.publisher.letters import Letter
from services.publisher.settings import PublisherSettings, spool_folder
from services.publisher.spool import Spool
from services.runtime.kafka import producer
from services.runtime.relay import CONTENT_TYPE_HEADER
from services.runtime.settings import Settings

IN_FLIGHT = 1_000
"""How many letters may wait for their acknowledgement at once."""
AWAY_S = 2.0
"""How long Kafka counts as away after it failed, so that each letter doesn't wait for it anew."""
MOST_AWAY_S = 30.0
"""The same, after it failed again and again: a broker that hangs costs `reach_s` at each try."""
GIVE_UP_S = 1.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of some letters: how many Kafka has, and how many the spool has."""

    taken: int
    spooled: int


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the spool: how many Kafka took, how many are left, and the unreadable ones set aside."""

    taken: int = 0
    left: int = 0
    aside: tuple[Path, ...] = ()


def _nobody_counts(_number: int) -> None:
    """Progress that nobody watches."""


class Outbox:
    """Sends letters, in the order given for each key; used as `async with Outbox(...) as outbox`.

    Several sends may run at once. While anything waits in the spool, what comes later waits behind it, so that
    nothing is overtaken.
    """

    def __init__(self, name: str, settings: Settings, own: PublisherSettings | None = None) -> None:
        self._name = name
        self._settings = settings
        self._own = own or PublisherSettings()
        self.spool = Spool(spool_folder(settings), keep_free=self._own.keep_free_mb * 1024 * 1024)
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._away_s = AWAY_S
        self._away_until = 0.0
        self._in_flight = 0

    async def __aenter__(self) -> Self:
        """Connect if Kafka answers; it is no error if it doesn't."""
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._disconnect()

    @property
    def connected(self) -> bool:
        """Whether Kafka answered when it was last spoken to."""
        return self._producer is not None

    async def missing(self, topics: Iterable[str]) -> list[str]:
        """Which of these topics Kafka says it doesn't have; none while it is away."""
        return [topic for topic in topics if self._producer and await self._has(topic) is False]

    async def send(self, letters: Iterable[Letter], count: Callable[[int], None] = _nobody_counts) -> Sent:
        """Bring letters to Kafka's disk or to the spool's, and return when every one is on either.

        Raises:
            NotKeptError: Kafka is away, and some letters could not be spooled either.

        """
        taken = spooled = 0
        for chunk in _chunks(letters):
            # Once something of this call is spooled, the rest waits behind it, and needn't ask again.
            answers = (self.connected or not spooled) and await self._answers()
            waiting = self.spool.topics() if answers else set[str]()
            accepted = await self._offer(chunk, count, waiting) if answers else [False] * len(chunk)
            rest = [letter for letter, has in zip(chunk, accepted, strict=True) if not has]
            if rest:
                await asyncio.to_thread(self.spool.keep, rest)
                count(len(rest))
            taken += len(chunk) - len(rest)
            spooled += len(rest)
        return Sent(taken, spooled)

    async def drain(self, count: Callable[[int], None] = _nobody_counts) -> Drained:
        """Send what the spool holds, oldest first, as long as Kafka takes it; letters without a topic stay."""
        if not self.spool.pending():
            return Drained()
        if not await self._connect():
            return Drained(left=len(self.spool.names()))
        taken = 0
        aside: list[Path] = []
        held: set[str] = set()
        async with self.spool.locked(self._own.acknowledge_s) as mine:
            # What is kept meanwhile is sent too, until there is nothing that can be.
            while mine and self.connected and not self.spool.topics() <= held:
                taken += await self._drain_once(count, held, aside)
        return Drained(taken, len(self.spool.names()), tuple(aside))

    async def _drain_once(self, count: Callable[[int], None], held: set[str], aside: list[Path]) -> int:
        taken = 0
        for names in _chunks(self.spool.names()):
            letters, unreadable = await asyncio.to_thread(self.spool.read, names)
            aside += unreadable
            accepted = await self._offer(list(letters.values()), count, held)
            gone = [name for name, has in zip(letters, accepted, strict=True) if has]
            self.spool.remove(gone)
            taken += len(gone)
            if not self.connected:
                break
        return taken

    async def _offer(self, letters: Sequence[Letter], count: Callable[[int], None], held: set[str]) -> list[bool]:
        """Send letters at once, and say which of them Kafka has acknowledged; a failure disconnects.

        Those for topics in `held` are left out, and topics that don't exist are added to it.
        """
        made = self._producer
        if made is None:
            return [False] * len(letters)
        for topic in {each.topic for each in letters} - held:
            if not await self._has(topic):
                held.add(topic)
        futures: list[asyncio.Future[Any] | None] = []
        failed = not self.connected

        def landed(future: asyncio.Future[Any]) -> None:
            # One that was cancelled is still in flight, whatever we wait for.
            self._in_flight -= not future.cancelled()
            count(_acknowledged(future))

        try:
            async with asyncio.timeout(self._own.acknowledge_s):
                for each in letters:
                    future = None if failed or each.topic in held else await _start(made, each)
                    if future:
                        self._in_flight += 1
                        future.add_done_callback(landed)
                    futures.append(future)
                await asyncio.gather(*(each for each in futures if each))
        except (KafkaError, TimeoutError):
            failed = True
        if failed:
            await self._disconnect(made)
        futures += [None] * (len(letters) - len(futures))
        return [each is not None and bool(_acknowledged(each)) for each in futures]

    async def _has(self, topic: str) -> bool | None:
        """Whether Kafka has a topic; None, and disconnected, if Kafka doesn't say."""
        made = self._producer
        if made is None:
            return None
        try:
            async with asyncio.timeout(self._own.topic_s):
                await made.partitions_for(topic)
        except (KafkaError, TimeoutError):
            try:
                async with asyncio.timeout(self._own.topic_s):
                    answered = await made.client.force_metadata_update()
            except (KafkaError, TimeoutError):
                answered = False
            if answered:
                return False
            await self._disconnect(made)
            return None
        return True

    async def _answers(self) -> bool:
        return self.connected or (time.monotonic() >= self._away_until and await self._connect())

    async def _connect(self) -> bool:
        async with self._connecting:
            if self._producer is not None:
                return True
            made = producer(self._settings.kafka, f"publisher-{self._name}")
            try:
                async with asyncio.timeout(self._own.reach_s):
                    await made.start()
            except (KafkaError, TimeoutError, OSError):
                await _give_up(made)
                self._rest()
                return False
            except asyncio.CancelledError:
                await _give_up(made)
                raise
            self._producer = made
            self._away_s = AWAY_S
            return True

    async def _disconnect(self, failed: AIOKafkaProducer | None = None) -> None:
        """Let go of the producer; of one that failed, only if nobody has replaced it yet."""
        made = self._producer
        if made is None or (failed is not None and failed is not made):
            return
        self._producer = None
        if failed is not None:
            self._rest()
        if failed is not None or self._in_flight:
            await _give_up(made)
        else:
            await made.stop()
        self._in_flight = 0

    def _rest(self) -> None:
        """Count Kafka as away for a while, longer each time."""
        self._away_until = time.monotonic() + self._away_s
        self._away_s = min(2 * self._away_s, MOST_AWAY_S)


async def _start(made: AIOKafkaProducer, letter: Letter) -> asyncio.Future[Any]:
    """Put a letter in flight; the future is done when Kafka has it on disk."""
    future: asyncio.Future[Any] = await made.send(
        letter.topic, letter.payload, key=str(letter.subject).encode(), headers=CONTENT_TYPE_HEADER
    )
    return future


async def _give_up(made: AIOKafkaProducer) -> None:
    """End a producer with what it still holds.

    Idempotent batches never expire, so its own `stop` would wait for Kafka for ever, and it has no other way out.
    """
    made._closed = True  # noqa: SLF001
    sender = made._sender.sender_task  # noqa: SLF001
    if sender:
        sender.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GIVE_UP_S):
            await made.client.close()
    if sender and (await asyncio.wait([sender], timeout=GIVE_UP_S))[1]:
        # It waits for news of the cluster, which nobody brings any more.
        sender.cancel()
        await asyncio.wait([sender], timeout=GIVE_UP_S)


def _acknowledged(future: asyncio.Future[Any]) -> int:
    """1 if Kafka has the letter, else 0."""
    return int(future.done() and not future.cancelled() and future.exception() is None)


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, IN_FLIGHT)):
        yield chunk
