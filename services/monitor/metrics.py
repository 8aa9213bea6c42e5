"""What Prometheus is told: collectors that are made anew from each look at the broker and at the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.monitor.lag import Snapshot, lags


class LagCollector(Collector):
    """The metrics of one snapshot; with None, of a broker that could not be asked: then there is no lag, not 0.

    Names of raw lag are the established ones, so that existing dashboards work.
    Source: https://github.com/danielqsj/kafka_exporter (metrics).
    """

    def __init__(self, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each metric once, with its help and type."""
        snapshot = self._snapshot
        yield GaugeMetricFamily(
            "whistle_monitor_broker_reachable",
            "1 if the broker answered when it was last asked, else 0; while 0, nothing is known of any lag.",
            value=float(snapshot is not None),
        )
        if snapshot is None:
            return
        yield GaugeMetricFamily(
            "whistle_monitor_partitions_unreadable",
            "Partitions that exist and whose offsets could not be read; their lag is missing below.",
            value=float(len(snapshot.unreadable)),
        )
        yield from _of_groups(snapshot)
        yield _of_topics(snapshot)


class CalendarCollector(Collector):
    """Until when each calendar is confirmed, by name; with None, nobody knows: then there is no end, not a far one.

    An instant and not the days that are left, so that whoever alarms takes the time from its own clock.
    Source: https://prometheus.io/docs/practices/instrumentation/ (timestamps, not time since).
    """

    def __init__(self, ends: Mapping[str, datetime] | None) -> None:
        self._ends = ends

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each metric once, with its help and type."""
        yield GaugeMetricFamily(
            "whistle_calendars_known",
            "1 if there is a configuration that can be used, else 0; while 0, nothing is known of any calendar.",
            value=float(self._ends is not None),
        )
        if self._ends is None:
            return
        ends = GaugeMetricFamily(
            "whistle_calendar_confirmed_until_timestamp_seconds",
            "When a calendar runs out, in seconds since 1970: deadlines after that are provisional; missing if never.",
            labels=["calendar"],
        )
        for name, end in sorted(self._ends.items()):
            ends.add_metric([name], end.timestamp())
        yield ends


def exposition(snapshot: Snapshot | None, ends: Mapping[str, datetime] | None) -> bytes:
    """Return the metrics of a snapshot, and of the calendars' ends, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(LagCollector(snapshot))
    registry.register(CalendarCollector(ends))
    return generate_latest(registry)


def _of_groups(snapshot: Snapshot) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    names = ["consumergroup", "topic", "partition"]
    behind = GaugeMetricFamily(
        "kafka_consumergroup_lag",
        "Records a consumer group has yet to read of a partition; the whole partition if it never committed.",
        labels=names,
    )
    committed = GaugeMetricFamily(
        "kafka_consumergroup_current_offset",
        "The offset a consumer group has committed on a partition; missing if it never committed.",
        labels=names,
    )
    for each in lags(snapshot):
        labels = [each.group, each.topic, str(each.partition)]
        behind.add_metric(labels, each.lag)
        if each.committed is not None:
            committed.add_metric(labels, each.committed)
    return behind, committed


def _of_topics(snapshot: Snapshot) -> GaugeMetricFamily:
    ends = GaugeMetricFamily(
        "kafka_topic_partition_current_offset",
        "The offset that the next record written to a partition will get.",
        labels=["topic", "partition"],
    )
    for (topic, partition), end in sorted(snapshot.ends.items()):
        ends.add_metric([topic, str(partition)], end)
    return ends
