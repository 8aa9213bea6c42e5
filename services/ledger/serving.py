"""Serves the page beside the consumer, in the same process."""

from __future__ import annotations

import asyncio
import socket

from services.ledger.lost import Arrivals
from services.ledger.page import Ledger, make_page
from services.ledger.rates_page import Counted
from services.ledger.reading import Unreadable
from services.ledger.settings import LedgerSettings
from services.runtime import serving
from services.runtime.database import is_transient
from services.runtime.log import get
from services.runtime.room import Room

LOOK_EVERY_S = 10
"""How often the communities' topics are compared with the ledger."""
log = get(__name__)


async def serve(room: Room, listening: socket.socket) -> None:
    """Serve the page until cancelled, with the configuration that the room's desk has at the time."""
    plumbing = room.plumbing
    settings = LedgerSettings()
    names = lambda: room.desk.names  # type: ignore[attr-defined]  # noqa: E731
    ledger = Ledger(plumbing.engine, plumbing.clock, names, settings.reader_header)
    counted = Counted(plumbing.engine, lambda: room.desk.configuration, settings.small_below)  # type: ignore[attr-defined]
    arrivals = Arrivals(plumbing.settings.kafka, ())
    host, port = listening.getsockname()[:2]
    looking = asyncio.ensure_future(_look(ledger, arrivals))
    log.info("the page is served", page=f"http://{host}:{port}/")
    try:
        await serving.serve(make_page(ledger, counted, host), listening, "the page's server")
    finally:
        looking.cancel()


async def _look(ledger: Ledger, arrivals: Arrivals) -> None:
    """See again and again whether a report was lost; what can't be known is shown as unknown."""
    while True:
        try:
            arrivals.expect(ledger.names.communities)
            ledger.lost, ledger.trouble = await arrivals.lost(ledger.engine), ""
        except Unreadable as error:
            ledger.lost, ledger.trouble = None, str(error)
        except Exception as error:
            if not is_transient(error):
                log.exception("looking for lost reports failed")
            ledger.lost, ledger.trouble = None, "the ledger can't look just now"
        await asyncio.sleep(LOOK_EVERY_S)
