"""The sweeper: fires what is due in the shards this process owns, and only when their partitions were read that far.

The cost follows what is due, not what is open: the desk asks an index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import stamina
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import is_transient
from services.runtime.room import Room

EVERY_S = 0.1
AT_ONCE = 1_000


class Sweepable(Protocol):
    """A desk whose states have deadlines."""

    async def due(self, connection: AsyncConnection, horizons: Mapping[int, datetime], limit: int) -> Sequence[Any]:
        """Return what is due in each shard up to its horizon, the earliest first; empty when nothing is."""
        ...


async def sweep(room: Room) -> None:
    """Fire what is due, for ever."""
    while True:
        await asyncio.sleep(EVERY_S)
        async for attempt in stamina.retry_context(
            on=is_transient, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0
        ):
            with attempt:
                while await _sweep_once(room):
                    pass


async def _sweep_once(room: Room) -> bool:
    """Fire one batch; tell whether there may be more."""
    desk: Sweepable = room.desk  # type: ignore[assignment]
    async with room.busy:
        horizons = await _horizons(room)
        if not horizons:
            return False
        async with room.plumbing.engine.connect() as connection:
            due = await desk.due(connection, horizons, AT_ONCE)
        if due:
            await room.work(due)
        return bool(due)


async def _horizons(room: Room) -> dict[int, datetime]:
    """Return up to which instant each owned shard's deadlines may fire.

    That is now, if everything written to the shard's partitions so far has been handled; otherwise the instant of the
    last record handled, since an acknowledgement given in time may still wait to be read.
    """
    owned = room.consumer.assignment()
    now = room.plumbing.clock.now()
    ends = await room.consumer.end_offsets(list(owned)) if owned else {}
    reached: dict[int, datetime | None] = {}
    for each in owned:
        progress = room.progress.get(each)
        until = None if progress is None else now if progress.offset >= ends[each] else progress.instant
        earlier = reached.get(each.partition, now)
        reached[each.partition] = None if until is None or earlier is None else min(until, earlier)
    partitions = room.settings.kafka.partitions
    found = {shard: reached.get(shard % partitions) for shard in room.shards()}
    return {shard: until for shard, until in found.items() if until is not None}
