"""The figures, each with its name, what it is, and the bar it is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Values = Mapping[str, list[float]]
"""What was measured: each figure by its key, with one value for every run."""


class Unmeasured(Exception):
    """A figure could not be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `at_most` or `at_least` is its bar."""

    key: str
    what: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bar(self) -> str:
        """The bar, as it is written in the table."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    def holds(self, value: float) -> bool:
        """Whether a value reaches the bar."""
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0)


FIGURES = (
    Figure("warm_run_s", "seconds of the main job, everything fetched", at_most=60),
    Figure("first_run_s", "seconds of the main job, nothing fetched", at_most=240),
    Figure("memory_mb", "most memory of the main job, MiB", at_most=3072),
    Figure("router_vs_floor", "calls/s of the router by those of a bare loop", at_least=0.7),
    Figure("router_vs_per_message", "by those of one message, one transaction", at_least=20),
    Figure("router_vs_faust", "by those of a Faust agent", at_least=3),
    Figure("lifecycles_per_s", "whole lives a second, all rooms", at_least=500),
    Figure("growth_1m", "lives/s at 1,000,000 incidents by those at 10,000", at_least=0.9),
    Figure("spike_errors", "errors while reports come in spikes", at_most=0),
    Figure("spike_drained", "1 when all lag is drained at the end of the spikes", at_least=1),
    Figure("escalations_6000_s", "seconds until 6,000 due at once are published", at_most=2),
    Figure("sweep_growth", "cost of a sweep among 1,000,000 open by that among 10,000", at_most=1.2),
    Figure("lateness_p99_s", "seconds a deadline fires late, 1,000 due a second", at_most=1),
    Figure("latency_ratio_p50", "report to dispatch by two bare hops, median", at_most=3),
    Figure("latency_ratio_p99", "the same, 99th percentile", at_most=3),
    Figure("vs_alertmanager", "incidents/s, a router for each core, by Alertmanager's", at_least=1),
    Figure("ledger_page_p95_ms", "milliseconds a query of the ledger takes at 1,000,000", at_most=50),
    Figure("rss_mib", "resident memory of the largest room, MiB", at_most=200),
    Figure("rebuild_per_s", "entries/s when the ledger is made again", at_least=20_000),
)
