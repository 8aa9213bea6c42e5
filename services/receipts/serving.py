"""Shows receipts beside the consumer, in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from datetime import tzinfo

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine

from services.receipts.page import make_page
from services.runtime.log import get

CLOSE_LIMIT_S = 1
log = get(__name__)


class Server(uvicorn.Server):
    """A server that leaves signals to the room."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(engine: AsyncEngine, key: bytes, zone: tzinfo, listening: socket.socket) -> None:
    """Serve until cancelled; no access is logged, since a receipt is part of its address."""
    host, port = listening.getsockname()[:2]
    # uvicorn tells of its own start and end what the room tells already.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        make_page(engine, key, zone),
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
