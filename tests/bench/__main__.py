"""`make bench`: every figure the project is held to, measured on this machine within three quarters of an hour.

Prints a table with minimum, median and maximum, and the medians as one JSON object on the last line, and keeps what was
measured in results.json and results.svg beside this file: a part measured again takes the place of what was kept of it,
and all of it is from one machine. A figure that could not be measured is null, with a reason. Whatever is a ratio was
measured in alternation with what it is a ratio to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.bench import alertmanager, growing, latency, main_job, router
from tests.bench.figures import FIGURES, Unmeasured, Values
from tests.bench.report import Report

Part = Callable[[Report], Awaitable[None]]


def at_once(run: Callable[[], Awaitable[Values]]) -> Part:
    """Return a part of which all is known at the end."""

    async def part(report: Report) -> None:
        report.take(await run())

    return part


async def _router(report: Report) -> None:
    report.take(await router.measure_routers(report.reasons))


def one_by_one(run: Callable[[], AsyncIterator[Values]]) -> Part:
    """Return a part that tells what it knows so far: what fails later takes nothing with it."""

    async def part(report: Report) -> None:
        async for values in run():
            report.take(values)

    return part


PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "warm": (at_once(main_job.warm), ("warm_run_s", "memory_mb")),
    "first": (at_once(main_job.first), ("first_run_s",)),
    "router": (_router, ("router_vs_floor", "router_vs_per_message", "router_vs_faust")),
    "alertmanager": (at_once(alertmanager.measure_alertmanager), ("vs_alertmanager",)),
    "latency": (at_once(latency.measure_latency), ("latency_ratio_p50", "latency_ratio_p99")),
    "lives": (one_by_one(growing.measure_lives), ("lifecycles_per_s", "rebuild_per_s")),
    "million": (
        one_by_one(growing.measure_million),
        (
            "growth_1m",
            "spike_errors",
            "spike_drained",
            "escalations_6000_s",
            "sweep_growth",
            "lateness_p99_s",
            "ledger_page_p95_ms",
            "rss_mib",
        ),
    ),
}


async def measure(names: list[str]) -> Report:
    """Measure some parts, one after the other; what fails takes nothing else with it."""
    report = Report()
    for name in names:
        began = time.monotonic()
        run, keys = PARTS[name]
        try:
            await run(report)
        except Exception as error:  # noqa: BLE001 - the figures are null, and the reason is told
            if not isinstance(error, Unmeasured):
                traceback.print_exc()
            why = f"{type(error).__name__}: {error}"[:500]
            report.reasons |= {key: why for key in keys if key not in report.values}
        report.beside[f"{name}_took_s"] = [round(time.monotonic() - began, 1)]
        sys.stderr.write(f"{name}: {report.beside[f'{name}_took_s'][0]:.0f} s\n")
    return report


def main() -> None:
    """Measure what was asked for, or everything."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which to measure; all if none is named")
    asked = parser.parse_args().parts or list(PARTS)
    report = asyncio.run(measure(asked))
    wanted = [each for each in FIGURES if any(each.key in PARTS[name][1] for name in asked)]
    report.show(wanted)
    medians = {each.key: report.medians[each.key] for each in wanted}
    kept = report.keep(wanted)
    if kept:
        from tests.bench.plot import draw  # noqa: PLC0415 - the one thing that needs the drawing library

        draw(kept)
    sys.stdout.write(json.dumps(medians) + "\n")


if __name__ == "__main__":
    main()
