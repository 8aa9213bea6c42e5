"""The picture: how far each figure is from its bar."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Sheet

from tests.bench.figures import FIGURES, Figure
from tests.bench.report import Report

PICTURE = Path(__file__).with_name("results.svg")
MANY = 1_000
"""From here on a value is written out."""
GOOD, BAD, NONE = "#2f7d4f", "#b3402e", "#999999"


def draw(report: Report, path: Path = PICTURE) -> None:
    """Draw every figure as its median by its bar, with its range; to the right of 1 is better than asked."""
    # The same values make the same file, with text that stays text.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "whistle", "font.size": 9})
    sheet = Sheet(figsize=(9, 0.36 * len(FIGURES) + 1.2), layout="constrained")
    axes = sheet.add_subplot()
    for place, each in enumerate(reversed(FIGURES)):
        found = report.values.get(each.key)
        if not found:
            axes.text(1, place, "not measured", va="center", ha="center", color=NONE)
            continue
        middle = statistics.median(found)
        low, high = sorted(_by_bar(each, value) for value in (min(found), max(found)))
        axes.barh(place, _by_bar(each, middle) - 1, left=1, color=GOOD if each.holds(middle) else BAD, height=0.6)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        told = f"{middle:,.0f}" if middle >= MANY else f"{middle:.3g}"
        beside = max(1, high, _by_bar(each, middle)), place
        axes.annotate(f"{told}  ({each.bar})", beside, xytext=(5, 0), textcoords="offset points", va="center")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(0.1, 10)
    axes.set_yticks(range(len(FIGURES)), [each.key for each in reversed(FIGURES)])
    axes.set_xlabel("times as good as its bar (logarithmic); the line is the range of the runs")
    sheet.savefig(path, metadata={"Date": None})


def _by_bar(figure: Figure, value: float) -> float:
    """Return how many times as good as its bar a value is; what can't be a ratio is just good or bad."""
    if figure.at_least:
        return max(value / figure.at_least, 0.01)
    if figure.at_most and value > 0:
        return figure.at_most / value
    return 1.0 if figure.holds(value) else 0.1
