"""A real Apache Kafka on this machine, from packages."""

import contextlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from services.local.broker import Broker
from services.local.java import kafka_java, mark
from services.local.ports import busy, free_port, is_free
from services.local.process import home_held, stop_leftover


class EmbeddedKafka:
    """An Apache Kafka broker, with its data in `home/kafka` and its log in `home/logs/kafka.log`.

    `port` None: the port of the last start if it is free, else any free one. `cache` keeps what is fetched or made
    once (by default `home/cache`); `settings` are broker settings that go before the house's own. An async context
    manager, to be entered on the thread that lives as long as the house. Raises `LocalError`.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int | None = None,
        cache: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home.resolve()
        self._cache = (cache or self._home / "cache").resolve()
        self._asked_port = port
        self._settings = settings
        self._started: Broker | None = None
        self._held = contextlib.AsyncExitStack()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, `host:port`; it stays the same over `restart`."""
        return self._broker.bootstrap_servers

    @property
    def alive(self) -> bool:
        """Whether the broker's process is running."""
        return self._started is not None and self._started.alive

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self._broker.pid

    async def __aenter__(self) -> Self:
        """Fetch what is missing, format the data folder once, start the broker and wait until it answers."""
        await self._held.enter_async_context(home_held(self._home, "kafka"))
        try:
            command = await kafka_java(self._home, self._cache)
            await self._stop_leftover()
            ports = self._choose_ports()
            self._started = Broker(self._home, command, ports, self._settings)
            await self._started.start()
            self._remember(ports)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker cleanly and let go of the home."""
        async with self._held:
            if self._started is not None:
                await self._started.stop()

    async def start(self) -> None:
        """Start the broker again after `stop` or `kill`, on the same port and with the same data."""
        await self._broker.start()

    async def stop(self) -> None:
        """Stop the broker cleanly; after 15 s, by force."""
        await self._broker.stop()

    async def kill(self) -> None:
        """End the broker at once, as a crash would."""
        await self._broker.kill()

    async def restart(self) -> None:
        """Stop the broker, if it is running, and start it again."""
        await self.stop()
        await self.start()

    @property
    def _broker(self) -> Broker:
        if self._started is None:
            raise RuntimeError("EmbeddedKafka is used before it was entered")
        return self._started

    @property
    def _state(self) -> Path:
        return self._home / "kafka.json"

    def _remembered(self) -> dict[str, int]:
        """What the last start wrote down: `port`, `controller_port`, `pid`; empty when there was none."""
        try:
            found: dict[str, int] = json.loads(self._state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self, ports: tuple[int, int]) -> None:
        """Write down where the broker is, for the next start."""
        state = {"port": ports[0], "controller_port": ports[1], "pid": self.pid}
        self._state.write_text(json.dumps(state), encoding="utf-8")

    async def _stop_leftover(self) -> None:
        """Stop the broker that an earlier house left on this home, where its leash failed."""
        if pid := self._remembered().get("pid"):
            await stop_leftover(pid, mark(self._home), signal.SIGTERM)

    def _choose_ports(self) -> tuple[int, int]:
        """The broker's port and its controller's: what was asked, what they were last, or any that is free."""
        last = self._remembered()
        if self._asked_port is not None and not is_free(self._asked_port):
            raise busy(self._asked_port)
        port = self._asked_port or free_port(last.get("port"))
        return port, free_port(last.get("controller_port"), taken=(port,))
