"""The alarm before a calendar runs out, for operations: at the start, and once a day for as long as nobody acts."""

from __future__ import annotations

import asyncio
from datetime import datetime

from services.domain.configuration import Configuration
from services.domain.provisional import running_out
from services.router.handlers import RouterDesk
from services.runtime.log import get
from services.runtime.room import Room

A_DAY_S = 86_400
log = get(__name__)


async def warn_of_calendars(room: Room) -> None:
    """Warn at once, and once a day, for ever."""
    while True:
        # Asked for each time: with another configuration the room has another desk.
        desk: RouterDesk = room.desk  # type: ignore[assignment]
        warn(desk.configuration, room.plumbing.clock.now())
        await asyncio.sleep(A_DAY_S)


def warn(configuration: Configuration, now: datetime) -> None:
    """Warn of every calendar and roster that runs out within 60 days of the house's time, or has."""
    for problem in running_out(configuration, now):
        log.warning("a calendar or roster runs out", what=problem.what, cure=problem.cure, read_from=problem.file)
