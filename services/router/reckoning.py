"""Reckons anew when incidents are due next, where that was reckoned by another configuration (decision 0017).

What an act has set stands. But the ladders of streets and communities, and the office hours in which any ladder is
climbed, are those of the configuration in use: under another one the next rung may come sooner or later.
"""

from __future__ import annotations

import asyncio

from services.router import store
from services.router.handlers import RouterDesk
from services.runtime.database import transaction, until_back
from services.runtime.log import get
from services.runtime.room import Room

LOOK_EVERY_S = 1.0
AT_ONCE = 200
"""Incidents reckoned in one go: so many take as long as a small batch."""
log = get(__name__)


async def follow(room: Room) -> None:
    """Look again and again whether a shard of this process is to be reckoned anew, for ever."""
    while True:
        async for attempt in until_back():
            with attempt:
                await reckon_all(room)
        await asyncio.sleep(LOOK_EVERY_S)


async def reckon_all(room: Room) -> None:
    """Reckon every shard of this process that the configuration in use has not been reckoned by."""
    desk: RouterDesk = room.desk  # type: ignore[assignment]
    owned = room.shards()
    async with room.plumbing.engine.connect() as connection:
        stale = await store.unreckoned(connection, owned, desk.configuration.version)
    for shard in sorted(stale | (desk.early & owned)):
        await _reckon(room, desk, shard)


async def _reckon(room: Room, desk: RouterDesk, shard: int) -> None:
    """Reckon a shard in small parts between the batches; what is written meanwhile is reckoned by the desk itself."""
    desk.early.discard(shard)
    async with room.plumbing.engine.connect() as connection:
        waiting = await store.running(connection, shard)
    moved = 0
    for start in range(0, len(waiting), AT_ONCE):
        async with room.busy:
            # Under a third configuration it begins again.
            if room.ending or room.desk is not desk:
                return
            async with transaction(room.plumbing.engine) as connection:
                await store.journal.lock(connection, {shard})
                keys = waiting[start : start + AT_ONCE]
                moved += await store.reckon(connection, desk.states, desk.configuration, keys)
    async with room.busy:
        if room.desk is desk:
            async with transaction(room.plumbing.engine) as connection:
                await store.journal.lock(connection, {shard})
                await store.mark_reckoned(connection, shard, desk.configuration.version)
    if moved:
        log.info("deadlines were reckoned anew", shard=shard, moved=moved, version=desk.configuration.version)
