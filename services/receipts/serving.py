"""Shows receipts beside the consumer, in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from services.receipts.page import make_page
from services.runtime.log import get
from services.runtime.room import Room

CLOSE_LIMIT_S = 1
log = get(__name__)


class Server(uvicorn.Server):
    """A server that leaves signals to the room."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(room: Room, key: bytes, listening: socket.socket) -> None:
    """Serve until cancelled; no access is logged, since a receipt is part of its address."""
    zone = lambda: room.desk.zone  # type: ignore[attr-defined]  # noqa: E731
    host, port = listening.getsockname()[:2]
    # uvicorn tells of its own start and end what the room tells already.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        make_page(room.plumbing.engine, key, zone),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=CLOSE_LIMIT_S,
    )
    server = Server(config)
    log.info("receipts are shown", page=f"http://{host}:{port}/receipts/…")
    try:
        await server.serve([listening])
        raise RuntimeError("the server of the receipts has ended by itself")
    except asyncio.CancelledError:
        await server.shutdown([listening])
        raise
    finally:
        listening.close()
