"""The room's own process: it drains the spool whenever Kafka answers, and takes reports by HTTP on this machine."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys

import stamina
import uvicorn

from services.publisher.intake import intake
from services.publisher.outbox import Drained, Outbox
from services.publisher.settings import PublisherSettings
from services.runtime.log import configure, get
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.serving import Server
from services.runtime.settings import Settings

LOOK_EVERY_S = 1.0
log = get(__name__)


class NotDrained(Exception):
    """Something is left in the spool, which Kafka may take later."""


async def drain_always(outbox: Outbox) -> None:
    """Drain the spool, for ever; while Kafka is away, or a topic, wait longer and longer between tries."""
    while True:
        async for attempt in stamina.retry_context(
            on=NotDrained, attempts=None, timeout=None, wait_initial=0.5, wait_max=15.0
        ):
            with attempt:
                _judge(await outbox.drain())
        await asyncio.sleep(LOOK_EVERY_S)


def _judge(drained: Drained) -> None:
    for path in drained.aside:
        log.error("a file in the spool can't be read; it is set aside, for somebody to look at", file=str(path))
    if drained.taken:
        log.info("sent from the spool", letters=drained.taken, left=drained.left)
    if drained.left:
        raise NotDrained(f"{drained.left} letters wait in the spool")


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # Only listening tells whether somebody else already does.
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


async def run(settings: Settings, own: PublisherSettings) -> int:
    """Work until told to stop; the exit status is 1 when the port is taken or something failed."""
    try:
        key = receipt_key(settings, make=True)
        listening = _bind(own.host, own.port)
    except NoKeyError as error:
        log.critical(str(error))
        return 1
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"can't be opened ({error.strerror})"
        sentence = f"the port {own.port} of {own.host} {why}: set WHISTLE_PUBLISHER__PORT to another one"
        log.critical(sentence)
        return 1
    with listening:
        async with Outbox("room", settings, own) as outbox:
            config = uvicorn.Config(intake(outbox, settings, key), log_config=None, access_log=False, lifespan="off")
            # Whoever posts is answered within that time, or posts again: an id makes it the same report.
            config.timeout_graceful_shutdown = 10
            server = Server(config)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, _stop, server)
            return await _work(server, listening, outbox, own)


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


async def _work(server: uvicorn.Server, listening: socket.socket, outbox: Outbox, own: PublisherSettings) -> int:
    serving = asyncio.create_task(server.serve([listening]))
    draining = asyncio.create_task(drain_always(outbox))
    log.info("the room is open", address=f"http://{own.host}:{own.port}", spool=str(outbox.spool.folder))
    await asyncio.wait([serving, draining], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    draining.cancel()
    await asyncio.gather(serving, draining, return_exceptions=True)
    for task in (serving, draining):
        if not task.cancelled() and (error := task.exception()):
            log.critical("the room stops, so that a restart can go on", exc_info=error)
            return 1
    log.info("the room is closed")
    return 0


def main() -> int:
    """Run the room."""
    settings = Settings.load()
    configure("publisher", settings.log_level)
    return asyncio.run(run(settings, PublisherSettings()))


if __name__ == "__main__":
    sys.exit(main())
