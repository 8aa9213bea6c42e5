from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from services.monitor.lag import Partition, Snapshot
from services.monitor.metrics import exposition

END = datetime(2026, 12, 31, 16, tzinfo=UTC)


def parsed(snapshot: Snapshot | None, ends: Mapping[str, datetime] | None = None) -> dict[str, Metric]:
    """Read what Prometheus would read, and check that nothing is declared twice or without help and type."""
    text = exposition(snapshot, ends).decode()
    found = {each.name: each for each in text_string_to_metric_families(text)}
    for name, metric in found.items():
        assert metric.documentation
        assert metric.type == "gauge"
        assert text.count(f"# TYPE {name} ") == text.count(f"# HELP {name} ") == 1
    return found


def values(metric: Metric) -> list[tuple[dict[str, str], float]]:
    """Return a metric's samples: labels and value."""
    return [(each.labels, each.value) for each in metric.samples]


def test_metrics_have_their_established_names() -> None:
    """Raw lag is told under the names, and with the labels, that dashboards for Kafka know."""
    a, b = Partition("a", 0), Partition("b", 1)
    found = parsed(Snapshot({"g": {a: 4}}, {"g": frozenset({"b"})}, {a: 10, b: 3}, {b: 1}))
    of_a = {"consumergroup": "g", "topic": "a", "partition": "0"}
    of_b = {"consumergroup": "g", "topic": "b", "partition": "1"}
    assert values(found["kafka_consumergroup_lag"]) == [(of_a, 6), (of_b, 2)]
    assert values(found["kafka_consumergroup_current_offset"]) == [(of_a, 4)]
    assert values(found["kafka_topic_partition_current_offset"]) == [
        ({"topic": "a", "partition": "0"}, 10),
        ({"topic": "b", "partition": "1"}, 3),
    ]
    assert found["whistle_monitor_broker_reachable"].samples[0].value == 1
    assert found["whistle_monitor_partitions_unreadable"].samples[0].value == 0


def test_no_data_is_not_no_lag() -> None:
    """With the broker away there is no lag at all, and a metric that says why."""
    found = parsed(None)
    assert found.keys() == {"whistle_monitor_broker_reachable", "whistle_calendars_known"}
    assert found["whistle_monitor_broker_reachable"].samples[0].value == 0


def test_it_is_told_when_each_calendar_runs_out() -> None:
    """As an instant, by the calendar's name, with the broker away too."""
    found = parsed(None, {"china": END, "market": END})
    until = values(found["whistle_calendar_confirmed_until_timestamp_seconds"])
    assert until == [({"calendar": "china"}, END.timestamp()), ({"calendar": "market"}, END.timestamp())]
    assert found["whistle_calendars_known"].samples[0].value == 1


def test_an_unknown_calendar_is_none_without_an_end() -> None:
    """Without a configuration there is no end at all, and a metric that says so."""
    found = parsed(None, None)
    assert "whistle_calendar_confirmed_until_timestamp_seconds" not in found
    assert found["whistle_calendars_known"].samples[0].value == 0
