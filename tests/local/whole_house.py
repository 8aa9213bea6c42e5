"""A whole house in a folder of its own, started as a person starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from services.local.ports import free_port
from services.local.process import on_leash

ROOT = Path(__file__).parents[2]
LIMIT_S = 280.0


class House:
    """`make run` in a home of its own, on ports of its own; nothing of the environment's Whistle reaches it."""

    def __init__(self, home: Path, cache: Path) -> None:
        """`cache` holds what is fetched and prepared once."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "cache").exists():
            (home / "cache").symlink_to(cache)
        self.page = free_port(None)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WHISTLE_")},
            "WHISTLE_HOME": str(home),
            "WHISTLE_PAGE_PORT": str(self.page),
        }

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start it in the background, with what it prints going to files in its home."""
        with (self.home / "out").open("w") as out, (self.home / "err").open("w") as err:
            return subprocess.Popen(
                # On a leash, so that a test that fails or is cut off leaves no house behind.
                on_leash([sys.executable, "-m", "services.local", *arguments], signal.SIGKILL, None),
                cwd=ROOT,
                env=self.environment | environment,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )

    def once(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run it until the ledger has settled; return the ledger."""
        status = self.start("--once", "--json", *arguments, **environment).wait(LIMIT_S)
        assert status == 0, self.errors()
        ledger: dict[str, Any] = json.loads((self.home / "out").read_text().splitlines()[-1])
        return ledger

    def whistle(self, *arguments: str) -> str:
        """Run a command against it, and return what it prints."""
        run = subprocess.run(
            [Path(sys.executable).with_name("whistle"), *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def errors(self) -> str:
        """The end of what it printed on standard error."""
        return (self.home / "err").read_text()[-3000:]


def everything(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The house with all it has started."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def kill_everything(process: "subprocess.Popen[str]") -> None:
    """Kill -9 the house and all it has started."""
    for each in everything(process):
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    process.wait(LIMIT_S)


def until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait for a condition, with a limit."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {limit_s} s"
        time.sleep(0.05)


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of the processes runs any more."""
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)
