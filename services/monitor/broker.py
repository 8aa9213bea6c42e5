"""A look at the broker itself, over one connection that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError

from services.monitor.lag import Lag, Partition, Snapshot, is_drained, lags, read_by, unfinished
from services.monitor.questions import (
    BEGINNING,
    END,
    fetch_committed,
    fetch_subscription,
    find_coordinator,
    list_groups,
    list_offsets,
    partitions_of,
    refresh,
)
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.settings import KafkaSettings

LIMIT_S = 8.0
REQUEST_LIMIT_MS = 5_000
PAUSES_S = (0.1, 0.4)
"""How long to wait before asking again where something is just moving."""
Answer = TypeVar("Answer")


class NoAnswer(Exception):
    """The broker is away or refuses: one sentence that says what to check; a later look may succeed."""


class BrokerView:
    """Looks at a broker as often as you like; an async context manager, to be used by one task at a time.

    It connects when it is first asked, and again after it failed. Every answer comes within about 8 s, or `NoAnswer`
    is raised.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None
        self._coordinators: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Nothing to do yet: the first question connects."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; a later question opens another."""
        client, self._client = self._client, None
        self._coordinators.clear()
        if client is not None:
            await client.close()

    async def look(self, groups: Sequence[str] | None = None) -> Snapshot:
        """Return what the broker says of these groups and of what they read; None: of all groups and all topics.

        A group named here need not exist yet. With groups named, a new topic is heard of within 5 s, as consumers do.
        """
        return await self._answered(lambda client: self._look(client, groups))

    async def lags(self, groups: Sequence[str] | None = None) -> list[Lag]:
        """Return the lag of these groups (None: of all) on every partition, the worst first."""
        return lags(await self.look(groups))

    async def drained(self, groups: Sequence[str]) -> bool:
        """Say whether each of these groups has committed the end of all it reads; one that reads nothing has.

        All committed offsets are read before any end: where True, the groups had read everything that was written until
        the moment between.
        """
        return is_drained(await self.look(groups))

    async def _look(self, client: AIOKafkaClient, groups: Sequence[str] | None) -> Snapshot:
        everything = groups is None
        if groups is None:
            await refresh(client)
            groups = await list_groups(client)
        committed, reads = await self._committed(client, groups)
        named = {each.topic for offsets in committed.values() for each in offsets}
        topics = client.cluster.topics() if everything else named.union(*reads.values())
        ends, unread = await _offsets(client, partitions_of(client, topics), END)
        behind = unfinished(committed, reads, ends)
        beginnings, unknown = await _offsets(client, behind, BEGINNING)
        return Snapshot(
            committed,
            reads,
            {each: end for each, end in ends.items() if each not in unknown},
            beginnings,
            frozenset(unread | unknown),
        )

    async def _committed(
        self, client: AIOKafkaClient, groups: Sequence[str]
    ) -> tuple[dict[str, dict[Partition, int]], dict[str, frozenset[str]]]:
        """Return what each group has committed and which topics it reads, as its members or else the registry say."""
        missing = [each for each in groups if each not in self._coordinators]
        found = await asyncio.gather(*(find_coordinator(client, each) for each in missing))
        self._coordinators.update(zip(missing, found, strict=True))
        at = [self._coordinators[each] for each in groups]
        subscriptions, committed = await asyncio.gather(
            asyncio.gather(*map(fetch_subscription, [client] * len(groups), at, groups)),
            asyncio.gather(*map(fetch_committed, [client] * len(groups), at, groups)),
        )
        topics = client.cluster.topics()
        reads = [
            read_by(group, topics) if asked is None else asked
            for group, asked in zip(groups, subscriptions, strict=True)
        ]
        return dict(zip(groups, committed, strict=True)), dict(zip(groups, reads, strict=True))

    async def _answered(self, ask: Callable[[AIOKafkaClient], Awaitable[Answer]]) -> Answer:
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._patiently(ask)
        except (KafkaConnectionError, NodeNotReadyError, OSError, TimeoutError) as error:
            await self.close()
            raise NoAnswer(
                f"Kafka at {self._settings.bootstrap_servers} does not answer: "
                "check that it runs and that WHISTLE_KAFKA__BOOTSTRAP_SERVERS is right."
            ) from error
        except KafkaError as error:
            await self.close()
            raise NoAnswer(
                f"Kafka at {self._settings.bootstrap_servers} does not tell its offsets ({error}): "
                "check that it is well and lets this client describe groups and topics."
            ) from error

    async def _patiently(self, ask: Callable[[AIOKafkaClient], Awaitable[Answer]]) -> Answer:
        """Ask; where a connection broke or a group is moving, ask again from the beginning."""
        for pause_s in PAUSES_S:
            try:
                return await ask(await self._connected())
            except KafkaError as error:
                if not error.retriable:
                    raise
            await self.close()
            await asyncio.sleep(pause_s)
        return await ask(await self._connected())

    async def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            self._client = AIOKafkaClient(
                bootstrap_servers=self._settings.bootstrap_servers,
                client_id="whistle-monitor",
                request_timeout_ms=REQUEST_LIMIT_MS,
                metadata_max_age_ms=METADATA_MAX_AGE_MS,
            )
            await self._client.bootstrap()
            # It begins with the addresses of brokers only.
            await refresh(self._client)
        return self._client


async def _offsets(
    client: AIOKafkaClient, wanted: set[Partition], at: int
) -> tuple[dict[Partition, int], set[Partition]]:
    """Return offsets, and the partitions that are there and yet can't be read, though asked again."""
    found, failed = await list_offsets(client, wanted, at)
    for pause_s in PAUSES_S:
        if not failed:
            break
        await asyncio.sleep(pause_s)
        await refresh(client)
        failed &= partitions_of(client, {each.topic for each in failed})
        more, failed = await list_offsets(client, failed, at)
        found |= more
    return found, failed
