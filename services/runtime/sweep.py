"""The sweeper: fires what is due in the shards this process owns, and only when their partitions were read that far.

The cost follows what is due, not what is open: the desk asks an index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import until_back
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.log import get
from services.runtime.room import Room

EVERY_S = 0.1
AT_ONCE = 1_000
UNSEEN = timedelta(seconds=1)
"""A record gets its instant before its replicas have it, and only then can be seen: so long an end is not believed."""
UNSEEN_ALONE = timedelta(seconds=0.1)
"""The same where there is no replica to wait for: the broker may stop for a moment, and its clock differ from ours."""
log = get(__name__)


class Sweepable(Protocol):
    """A desk whose states have deadlines."""

    async def due(self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int) -> Sequence[Any]:
        """Return what is due in each shard up to its horizon, the earliest first; empty when nothing is."""
        ...


Ends = Callable[[list[TopicPartition]], Awaitable[dict[TopicPartition, int]]]
"""What tells where partitions end now."""


async def sweep(room: Room) -> None:
    """Fire what is due, for ever."""
    # On the room's own connection the answer would come after that to the fetch before it, which waits for more.
    asked = AIOKafkaConsumer(
        bootstrap_servers=room.settings.kafka.bootstrap_servers,
        client_id=f"whistle-{room.name}-ends",
        isolation_level="read_committed",
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
    )
    async with asked:
        while True:
            await asyncio.sleep(EVERY_S)
            async for attempt in until_back():
                with attempt:
                    await fire_all(room, asked.end_offsets)


async def fire_all(room: Room, ends: Ends) -> None:
    """Fire everything that is due now, one batch after the other."""
    # They hold for all batches: what has been handled up to an instant stays handled.
    horizons = await _look(room, ends)
    fired: set[UUID] = set()
    while horizons and (found := await _fire(room, horizons)):
        if found <= fired:
            # Handled, and due all the same: going on at once would only be faster in vain.
            log.error("what was fired is still due: report this bug", happenings=len(found), first=str(min(found)))
            break
        fired |= found


async def _look(room: Room, ends: Ends) -> dict[int, datetime]:
    """Return up to which instant each owned shard's deadlines may fire; empty when nothing is due anyway."""
    async with room.busy:
        if room.ending:
            return {}
        await room.plumbing.clock.refresh()
        now = room.plumbing.clock.now()
        if not await _due(room, dict.fromkeys(room.shards(), now), 1):
            return {}
        # Only now, since asking the broker how far it is costs more than asking the index.
        return await _horizons(room, now, ends)


async def _fire(room: Room, horizons: Mapping[int, datetime]) -> set[UUID]:
    """Fire one batch, and return what it held; empty when there is no more."""
    async with room.busy:
        if room.ending:
            return set()
        due = await _due(room, horizons, AT_ONCE)
        if due:
            await room.work(due)
        return {each.id for each in due}


async def _due(room: Room, horizons: Mapping[int, datetime], limit: int) -> Sequence[Any]:
    desk: Sweepable = room.desk  # type: ignore[assignment]
    async with room.plumbing.engine.connect() as connection:
        return await desk.due(connection, horizons, limit)


async def _horizons(room: Room, now: datetime, ends: Ends) -> dict[int, datetime]:
    """Return up to which instant each owned shard's deadlines may fire; a shard of which that isn't known is absent.

    That is now, if everything written to the shard's partitions so far has been handled; otherwise the instant of the
    last record handled, since an acknowledgement given in time may still wait to be read. In sample time, in which
    records tell their own instants in any order, nothing fires before everything has been handled.
    """
    owned = room.consumer.assignment()
    unseen = UNSEEN if room.settings.kafka.replication_factor > 1 else UNSEEN_ALONE
    try:
        ended = await ends(list(owned)) if owned else {}
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("how far topics reach could not be read; no deadline fires", error=repr(error))
        return {}
    sample = room.plumbing.clock.sample
    reached: dict[int, datetime | None] = {}
    for each in owned:
        progress = room.progress.get(each)
        until: datetime | None = None
        if progress is not None and await _at_end(room, each, progress.offset, ended[each]):
            until = now if sample else now - unseen
        elif progress is not None and not sample:
            until = progress.instant
        earlier = reached.get(each.partition, now)
        reached[each.partition] = None if until is None or earlier is None else min(until, earlier)
    partitions = room.settings.kafka.partitions
    found = {shard: reached.get(shard % partitions) for shard in room.shards()}
    return {shard: until for shard, until in found.items() if until is not None}


async def _at_end(room: Room, partition: TopicPartition, handled: int, end: int) -> bool:
    """Tell whether everything up to an end has been handled."""
    if handled >= end:
        return True
    # What is left may be nothing to handle: the marks of a stranger's transaction take offsets too, and only the
    # position passes them. It passes a batch in hand as well, which is not handled yet.
    try:
        position = await room.consumer.position(partition)
    except IllegalStateError:
        return False
    return position >= end and not room.in_hand
