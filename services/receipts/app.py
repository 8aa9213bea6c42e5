"""Which topics the room hears, what answers them, and what is shown beside it."""

from __future__ import annotations

import socket

from schemas.topics import ANSWERS
from services.domain.configuration import Configuration
from services.receipts.handlers import ReceiptsDesk
from services.receipts.serving import serve
from services.receipts.store import journal
from services.runtime.room import Room
from services.runtime.settings import Settings


def make(settings: Settings, configuration: Configuration, key: bytes, listening: socket.socket) -> Room:
    """Return the room, not yet running; it has nothing to publish, so it needs no anchor."""

    async def shown(room: Room) -> None:
        await serve(room, key, listening)

    return Room(
        name="receipts",
        topics=(ANSWERS,),
        anchor=None,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: ReceiptsDesk(configuration.calendar.zone),
        background=(shown,),
    )
