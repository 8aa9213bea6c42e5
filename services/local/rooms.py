"""The rooms of the house, each a process of its own, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import structlog

from services.local.errors import LocalError
from services.local.process import on_leash, telling_line, turn_over

ROOMS = ("publisher", "street", "router", "department", "supervision", "ledger", "receipts", "monitor")
STOP_LIMIT_S = 20.0
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""How long a room that died is left before it is started again; then the last one, until it has lived for a minute."""
ALIVE_S = 60.0
MOST_DEATHS = 6
"""A room that dies this often, each time within a minute, can't be helped by starting it."""
log = structlog.get_logger(__name__)


class Rooms:
    """Runs rooms as processes: `async with Rooms(...) as rooms`, and `rooms.check()` whenever one waits for them."""

    def __init__(self, home: Path, environment: Mapping[str, str], names: Sequence[str] = ROOMS) -> None:
        self._home = home
        self._environment = {**os.environ, **environment}
        self._names = names
        self._keepers: list[asyncio.Task[None]] = []
        self.pids: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Start every room."""
        self._keepers = [asyncio.create_task(self._keep(name)) for name in self._names]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop every room: each ends the batch it is in."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def check(self) -> None:
        """Raise the `LocalError` of a room that can't be kept running."""
        for keeper in self._keepers:
            if keeper.done() and not keeper.cancelled() and keeper.exception():
                raise keeper.exception() or LocalError("A room ended.")

    async def failed(self) -> None:
        """Wait until some room can't be kept running, and raise why."""
        await asyncio.wait(self._keepers, return_when=asyncio.FIRST_EXCEPTION)
        self.check()

    async def _keep(self, name: str) -> None:
        deaths = 0
        while True:
            began = asyncio.get_running_loop().time()
            status, last = await self._run(name)
            lived = asyncio.get_running_loop().time() - began
            deaths = 1 if lived > ALIVE_S else deaths + 1
            if deaths >= MOST_DEATHS:
                raise LocalError(
                    f"The room {name} ended {deaths} times in a row ({last}): see {self._log(name)}, then start again."
                )
            log.warning("a room ended and is started again", room_that_ended=name, status=status, last_line=last)
            await asyncio.sleep(PAUSES_S[min(deaths, len(PAUSES_S)) - 1])

    async def _run(self, name: str) -> tuple[int, str]:
        """Run a room until it ends; return its status and the line of its log that tells most."""
        path = self._log(name)
        turn_over(path)
        start = path.stat().st_size
        with path.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *on_leash([sys.executable, "-m", f"services.{name}"], signal.SIGTERM, None),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                # Ctrl-C in the terminal reaches the house alone, which then stops its rooms in order.
                start_new_session=True,
            )
        self.pids[name] = process.pid
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        with path.open("rb") as output:
            output.seek(start)
            return status, telling_line(output.read())

    def _log(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_LIMIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
