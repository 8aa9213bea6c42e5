"""Serving HTTP beside a room's consumer, in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

CLOSE_LIMIT_S = 1


class Server(uvicorn.Server):
    """A server that leaves signals to us: by itself it ends the process by the signal, as if it had been killed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(app: Starlette, listening: socket.socket, what: str) -> None:
    """Serve until cancelled, and close the port; no access is logged. `what` names the server where it fails."""
    # uvicorn tells of its own start and end what the room tells already.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=CLOSE_LIMIT_S,
    )
    server = Server(config)
    try:
        await server.serve([listening])
        raise RuntimeError(f"{what} has ended by itself")
    except asyncio.CancelledError:
        await server.shutdown([listening])
        raise
    finally:
        listening.close()
