"""Which topics the room hears, what answers them, and what is shown beside it."""

from __future__ import annotations

import socket

from schemas.topics import ANSWERS
from services.domain.configuration import Configuration
from services.receipts.handlers import ReceiptsDesk
from services.receipts.page import make_page
from services.receipts.store import journal
from services.runtime.log import get
from services.runtime.room import Room
from services.runtime.serving import serve
from services.runtime.settings import Settings

log = get(__name__)


def make(settings: Settings, configuration: Configuration, key: bytes, listening: socket.socket) -> Room:
    """Return the room, not yet running; it has nothing to publish, so it needs no anchor."""

    async def shown(room: Room) -> None:
        """Show receipts until cancelled, in the zone that the room's desk has at the time."""
        host, port = listening.getsockname()[:2]
        log.info("receipts are shown", page=f"http://{host}:{port}/receipts/…")
        plumbing = room.plumbing
        page = make_page(plumbing.engine, key, lambda: room.desk.zone, plumbing.clock)  # type: ignore[attr-defined]
        await serve(page, listening, "the server of the receipts")

    return Room(
        name="receipts",
        topics=(ANSWERS,),
        anchor=None,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: ReceiptsDesk(configuration.calendar.zone),
        background=(shown,),
    )
