"""What was measured, for people and for machines: a table, a file, a picture, and one line of JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from services.local.jars import KAFKA
from services.local.postgres import installation
from tests.bench.figures import FIGURES, Figure, Values

RESULTS = Path(__file__).with_name("results.json")
PACKAGES = ("aiokafka", "asyncpg", "faststream", "pydantic", "sqlalchemy", "uvloop")


@dataclass
class Report:
    """Values and, where there are none, the reason; `beside` are values that are no figures but explain them."""

    values: dict[str, list[float]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)

    def take(self, values: Values) -> None:
        """Add what was measured."""
        known = {each.key for each in FIGURES}
        for key, found in values.items():
            (self.values if key in known else self.beside)[key] = [round(each, 4) for each in found]

    @property
    def medians(self) -> dict[str, float | None]:
        """The median of every figure; None for what was not measured."""
        return {
            each.key: round(statistics.median(self.values[each.key]), 3) if self.values.get(each.key) else None
            for each in FIGURES
        }

    def keep(self, figures: Sequence[Figure]) -> Report | None:
        """Put these figures in the place of those that were kept, and return all that is kept now.

        What was measured on another machine, or with other versions, is not mixed with this: only a run of all parts
        takes its place, and of fewer nothing is kept (None).
        """
        here = machine()
        found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        if len(figures) < len(FIGURES) and found.get("machine") != here:
            return None
        keys = {each.key for each in figures}
        of_old = found if found.get("machine") == here else {}
        kept = Report(
            {key: each for key, each in of_old.get("values", {}).items() if key not in keys} | self.values,
            {key: each for key, each in of_old.get("reasons", {}).items() if key not in keys} | self.reasons,
            of_old.get("beside", {}) | self.beside,
        )
        instant = datetime.now(UTC).isoformat(timespec="seconds")
        written = {
            "machine": here,
            "measured_at": of_old.get("measured_at", {}) | dict.fromkeys(sorted(keys), instant),
            "medians": kept.medians,
            "values": kept.values,
            "beside": kept.beside,
            "reasons": kept.reasons,
        }
        RESULTS.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return kept

    def show(self, figures: Iterable[Figure]) -> None:
        """Print the table."""
        table = Table("figure", "what", "minimum", "median", "maximum", "bar", "", "runs")
        for each in figures:
            found = self.values.get(each.key)
            if found:
                shown = [f"{value:.3g}" for value in (min(found), statistics.median(found), max(found))]
                mark = "✓" if each.holds(statistics.median(found)) else "✗"
                table.add_row(each.key, each.what, *shown, each.bar, mark, str(len(found)))
            else:
                table.add_row(each.key, each.what, "–", "null", "–", each.bar, "–", "0")
        console = Console(stderr=True, width=max(120, Console(stderr=True).width))
        console.print(table)
        for name, values in self.beside.items():
            console.print(f"beside: {name}: {', '.join(f'{each:.4g}' for each in values)}")
        for key, reason in self.reasons.items():
            console.print(f"{key} was not measured: {reason}")


def machine() -> Mapping[str, object]:
    """Return what it was measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
        "python": platform.python_version(),
        "kafka": KAFKA.version,
        "postgresql": installation().name.removeprefix("pginstall"),
        "packages": {name: version(name) for name in PACKAGES},
    }
