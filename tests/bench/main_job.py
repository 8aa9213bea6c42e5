"""The main job: how long it takes and how much memory it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.figures import Unmeasured, Values
from tests.bench.stage import CACHE, RUNS
from tests.local.whole_house import House, everything

ROOT = Path(__file__).parents[2]


async def warm() -> Values:
    """Three runs in new homes, with everything fetched: seconds to the settled ledger, and the most memory in use."""
    found: dict[str, list[float]] = {"warm_run_s": [], "memory_mb": []}
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder) / "home", CACHE)
            began = time.monotonic()
            process = house.start("--once", "--json")
            most = 0.0
            while process.poll() is None:
                most = max(most, _memory_mb(process))
                time.sleep(0.5)  # noqa: ASYNC251 - nothing else goes on
            if process.returncode:
                raise Unmeasured(house.errors())
            found["warm_run_s"].append(time.monotonic() - began)
            found["memory_mb"].append(most)
    return found


def _memory_mb(process: subprocess.Popen[str]) -> float:
    """Sum what each process has for itself; shared pages count once, with whoever they are shared among."""
    total = 0
    try:
        for each in everything(process):
            total += each.memory_full_info().pss
    except psutil.Error:
        return 0.0
    return total / 2**20


async def first() -> Values:
    """One run in a fresh copy of the project, with nothing fetched: seconds from `make run` to the settled ledger."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "whistle"
        listing = ["git", "ls-files", "-z"]
        files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: ASYNC221 - as above
        for name in files.stdout.split("\0"):
            if name and (ROOT / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WHISTLE_")}
        # No wheel that an earlier run has fetched.
        environment["PIP_NO_CACHE_DIR"] = "1"
        began = time.monotonic()
        main_job = ["make", "run", "ARGS=--once --json"]
        try:
            subprocess.run(main_job, cwd=copy, env=environment, check=True, capture_output=True)  # noqa: ASYNC221 - as above
        except subprocess.CalledProcessError as error:
            raise Unmeasured(error.stderr.decode(errors="replace")[-500:]) from error
        return {"first_run_s": [time.monotonic() - began]}
