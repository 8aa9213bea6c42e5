"""One server process: how it is started, watched, stopped and found again after a crash."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TextIO

import psutil

from services.local import leash
from services.local.errors import LocalError

STOP_GRACE_S = 15.0
# A house that was just killed may still be ending when the next one starts.
HOME_LIMIT_S = 3.0
POLL_S = 0.02
LONGEST_LINE = 300
LOG_KEPT_BYTES = 10_000_000
TELLING = ("ERROR", "FATAL", "PANIC", "Exception", "Error:", "error:")
# Servers read paths by their locale, and a folder may have a Chinese name.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


class ServerProcess:
    """A server in a session of its own: Ctrl-C in the terminal reaches the rooms and not the server under them.

    It ends with the *thread* that called `start`, so call that on the thread that lives as long as the house.
    """

    def __init__(self, name: str, log: Path) -> None:
        """Nothing is started yet; `name` is used in sentences, `log` takes all that the server prints."""
        self.name = name
        self.log = log
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        death_signal: signal.Signals,
        user: str | None = None,
    ) -> None:
        """Start `argv` on a leash, with its output appended to the log."""
        turn_over(self.log)
        self._log_start = self.log.stat().st_size
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                on_leash(argv, death_signal, user),
                cwd=cwd,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The server's process id; 0 before it was started."""
        return self._popen.pid if self._popen else 0

    @property
    def alive(self) -> bool:
        """Whether the server was started and hasn't ended."""
        return self._popen is not None and self._popen.poll() is None

    async def stop(self, *signals: signal.Signals, grace_s: float = STOP_GRACE_S) -> None:
        """Send each signal in turn, with `grace_s` seconds to end after each, and SIGKILL at last."""
        for number in (*signals, signal.SIGKILL):
            if self._popen is None or not self.alive:
                return
            self._popen.send_signal(number)
            await reached(lambda: not self.alive, grace_s)

    def telling_line(self) -> str:
        """The line of this start's log that tells most."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return telling_line(log.read())

    def failure(self, what: str) -> LocalError:
        """The sentence for a server that did not start."""
        return LocalError(f"{self.name} {what} ({self.telling_line()}): see {self.log}, then start again.")


def telling_line(output: bytes) -> str:
    """The first line that tells of an error; else the last line; else that there is none."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in TELLING)]
    return _in_short((telling or lines[-1:] or ["it printed nothing"])[0])


def _in_short(line: str) -> str:
    """A line that fits into a sentence; of a room's own log, which is JSON, what happened and which error it was."""
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        told = json.loads(line)
        error = told["exception"][0] if "exception" in told else {}
        line = ": ".join(str(part) for part in (told["event"], error.get("exc_type"), error.get("exc_value")) if part)
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def on_leash(argv: Sequence[str], death_signal: signal.Signals, user: str | None) -> list[str]:
    """The command that becomes `argv`, as `user` where one is given, and ends when this process ends."""
    wrapper = [sys.executable, "-I", "-S", leash.__file__]
    return [*wrapper, str(os.getpid()), str(int(death_signal)), user or "-", *argv]


async def reached(condition: Callable[[], bool], limit_s: float) -> bool:
    """Wait until `condition` holds, at most `limit_s` seconds; whether it came to hold."""
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(POLL_S)
    return True


@contextlib.asynccontextmanager
async def held(path: Path, limit_s: float, refusal: LocalError) -> AsyncIterator[None]:
    """Hold a lock file, after whoever holds it now; raises `refusal` after `limit_s` seconds.

    The kernel lets go of it when this process ends, however it ends, so it is never stale.
    """
    with path_opened(path) as lock:
        if not await reached(lambda: locked(lock), limit_s):
            raise refusal
        yield


def path_opened(path: Path) -> TextIO:
    """The file at `path`, made with its folder where it isn't there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a", encoding="utf-8")


def locked(file: TextIO) -> bool:
    """Take the lock on an open file, unless somebody else has it; whether it was taken."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.asynccontextmanager
async def home_held(home: Path, server: str) -> AsyncIterator[None]:
    """Hold one server's place in a home; raises `LocalError` while another house runs there."""
    in_use = LocalError(f"Another Whistle is running on {home}: stop it, or start this one on a folder of its own.")
    async with held(home / f"{server}.lock", HOME_LIMIT_S, in_use):
        yield


async def stop_leftover(pid: int, mark: str, *signals: signal.Signals) -> None:
    """Stop the server that an earlier house left behind: process `pid`, if its command line holds `mark`.

    A process id may belong to somebody else by now, so nothing is done to a process without the mark.
    """
    for number in (*signals, signal.SIGKILL):
        process = marked_process(pid, mark)
        if process is None:
            return
        process.send_signal(number)
        await reached(lambda: marked_process(pid, mark) is None, STOP_GRACE_S)
    if marked_process(pid, mark) is not None:
        raise LocalError(f"Process {pid} of an earlier start still runs on {mark}: end it, then start again.")


def marked_process(pid: int, mark: str) -> psutil.Process | None:
    """The live process `pid`, if one of its arguments holds `mark`."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE and any(mark in argument for argument in process.cmdline()):
            return process
    return None


def turn_over(log: Path) -> None:
    """Make sure that the log exists, and set one that has grown large aside, over the one set aside before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    if log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".log.1"))
        log.touch()
