"""Run the monitor: `python -m services.monitor`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn

from services.monitor.app import Watch, make
from services.monitor.broker import BrokerView
from services.monitor.calendars import Calendars
from services.monitor.settings import MonitorSettings
from services.runtime.listening import listen
from services.runtime.log import configure, get

CLOSE_LIMIT_S = 3
log = get(__name__)


class Server(uvicorn.Server):
    """A server that ends with status 0 when told to stop: uvicorn's own would raise the signal once more."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def serve(settings: MonitorSettings, listening: socket.socket) -> None:
    """Serve until told to stop."""
    async with BrokerView(settings.kafka) as view:
        app = make(Watch(view), Calendars(settings.config))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=CLOSE_LIMIT_S
        )
        host, port = listening.getsockname()
        log.info("the room is open", metrics=f"http://{host}:{port}/metrics", kafka=settings.kafka.bootstrap_servers)
        await Server(config).serve([listening])
    log.info("the room is closed")


def main() -> None:
    """Run the room; where the port is taken, say so and end with status 1."""
    settings = MonitorSettings()
    configure("monitor", settings.log_level)
    # The client library writes an error for every try to connect; the room says once what is the matter.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        listening = listen(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        sys.exit(
            f"The monitor cannot listen on {settings.metrics_host}:{settings.metrics_port} ({error.strerror}): "
            "end the program that uses the port, or set WHISTLE_METRICS_PORT to another."
        )
    with listening:
        asyncio.run(serve(settings, listening))


if __name__ == "__main__":
    main()
