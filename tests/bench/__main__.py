"""`make bench`: how long the main job takes and how much memory it needs, on this machine.

Prints a table with minimum, median and maximum, writes tests/bench/results.json where everything was measured, and
prints the medians as one JSON object on the last line. A figure that could not be measured is null, with a reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.local.whole_house import House, everything

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".whistle" / "cache"
RESULTS = Path(__file__).with_name("results.json")
RUNS = 3
BARS = {"warm_run_s": 60.0, "first_run_s": 240.0, "memory_mb": 3072.0}
Values = dict[str, list[float]]


def warm() -> Values:
    """Three runs in new homes, with everything fetched: seconds to the settled ledger, and the most memory in use."""
    found: Values = {"warm_run_s": [], "memory_mb": []}
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder) / "home", CACHE)
            began = time.monotonic()
            process = house.start("--once", "--json")
            most = 0.0
            while process.poll() is None:
                most = max(most, _memory_mb(process))
                time.sleep(0.5)
            if process.returncode:
                raise RuntimeError(house.errors())
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


def first() -> Values:
    """One run in a fresh copy of the project, with nothing fetched: seconds from `make run` to the settled ledger."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "whistle"
        listing = ["git", "ls-files", "-z"]
        files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True)
        for name in files.stdout.split("\0"):
            if name and (ROOT / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WHISTLE_")}
        # No wheel that an earlier run has fetched.
        environment["PIP_NO_CACHE_DIR"] = "1"
        began = time.monotonic()
        main_job = ["make", "run", "ARGS=--once --json"]
        subprocess.run(main_job, cwd=copy, env=environment, check=True, capture_output=True)
        return {"first_run_s": [time.monotonic() - began]}


FIGURES: dict[str, Callable[[], Values]] = {"warm": warm, "first": first}


def main() -> None:
    """Measure what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="which to measure; all if none is named")
    asked = parser.parse_args().figures or list(FIGURES)
    values: Values = {}
    reasons: dict[str, str] = {}
    for name in asked:
        try:
            values |= FIGURES[name]()
        except (RuntimeError, subprocess.SubprocessError, OSError) as error:
            reasons[name] = str(error)[-500:]
    medians = {name: round(statistics.median(values[name]), 1) if values.get(name) else None for name in BARS}
    _print(values, reasons)
    machine = {"cores": os.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 2**30)}
    report = {"machine": machine | {"python": platform.python_version()}, "values": values, "reasons": reasons}
    if asked == list(FIGURES):
        # What is kept is all of it, from one machine and one day.
        RESULTS.write_text(json.dumps(report | {"medians": medians}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(medians) + "\n")


def _print(values: Values, reasons: dict[str, str]) -> None:
    table = Table("figure", "minimum", "median", "maximum", "bar", "runs")
    for name, bar in BARS.items():
        found = values.get(name)
        if found:
            shown = [f"{each:.1f}" for each in (min(found), statistics.median(found), max(found))]
            table.add_row(name, *shown, f"≤ {bar:.0f}", str(len(found)))
        else:
            table.add_row(name, "–", "not measured", "–", f"≤ {bar:.0f}", "0")
    console = Console(stderr=True)
    console.print(table)
    for name, reason in reasons.items():
        console.print(f"{name} could not be measured: {reason}")


if __name__ == "__main__":
    main()
