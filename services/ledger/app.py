"""Which topic the ledger hears, what answers it, and the page it serves beside."""

from __future__ import annotations

import socket

from schemas.topics import JOURNAL
from services.domain.configuration import Configuration
from services.ledger.handlers import LedgerDesk
from services.ledger.serving import serve
from services.ledger.store import journal
from services.runtime.room import Room
from services.runtime.settings import Settings


def make(settings: Settings, configuration: Configuration, listening: socket.socket) -> Room:
    """Return the room, not yet running; its page is served on a socket that listens already."""

    async def page(room: Room) -> None:
        await serve(room, listening)

    return Room(
        name="ledger",
        topics=(JOURNAL,),
        anchor=JOURNAL.name,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: LedgerDesk(configuration=configuration),
        background=(page,),
    )
