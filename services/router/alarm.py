"""The alarm before a calendar runs out, for operations: at the start, with each other configuration, and once a day."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from services.domain.configuration import Configuration
from services.domain.provisional import running_out
from services.router.handlers import RouterDesk
from services.runtime.log import get
from services.runtime.room import Room

A_DAY_S = 86_400.0
LOOK_EVERY_S = 10.0
"""How often it is looked whether the room has another configuration."""
log = get(__name__)


async def warn_of_calendars(room: Room) -> None:
    """Warn at once, as soon as the room has another configuration, and once a day, for ever."""
    warned: Configuration | None = None
    again = 0.0
    while True:
        # Asked for each time: with another configuration the room has another desk.
        desk: RouterDesk = room.desk  # type: ignore[assignment]
        if desk.configuration is not warned or time.monotonic() >= again:
            warned, again = desk.configuration, time.monotonic() + A_DAY_S
            warn(warned, room.plumbing.clock.now())
        await asyncio.sleep(LOOK_EVERY_S)


def warn(configuration: Configuration, now: datetime) -> None:
    """Warn of every calendar and roster that runs out within 60 days of the house's time, or has."""
    for problem in running_out(configuration, now):
        log.warning("a calendar or roster runs out", what=problem.what, cure=problem.cure, read_from=problem.file)
