from hypothesis import given
from hypothesis import strategies as st

from services.monitor.lag import Partition, Snapshot, by_group, by_topic, is_drained, lags, measure, read_by

OFFSETS = st.integers(min_value=0, max_value=2**63 - 1)
A0, A1, B0 = Partition("a", 0), Partition("a", 1), Partition("b", 0)


def snapshot(
    committed: dict[str, dict[Partition, int]],
    ends: dict[Partition, int],
    reads: dict[str, frozenset[str]] | None = None,
    beginnings: dict[Partition, int] | None = None,
    unreadable: frozenset[Partition] = frozenset(),
) -> Snapshot:
    """What a broker might have said; groups read nothing but what they committed, unless `reads` says so."""
    return Snapshot(
        committed, dict.fromkeys(committed, frozenset()) | (reads or {}), ends, beginnings or {}, unreadable
    )


@given(st.none() | OFFSETS, OFFSETS, OFFSETS)
def test_lag_is_never_negative(committed: int | None, beginning: int, end: int) -> None:
    """Whatever the broker says, in whatever order it changed, no lag is below zero or above what was ever written."""
    assert 0 <= measure(committed, beginning, end) <= end


@given(OFFSETS, OFFSETS)
def test_rule_1_never_committed_is_the_whole_topic(beginning: int, more: int) -> None:
    """A group that never committed has everything from the beginning still to read."""
    assert measure(None, beginning, beginning + more) == more


def test_rule_2_what_was_deleted_unread_does_not_count() -> None:
    """A group that committed 3 of a topic that now begins at 10 and ends at 12 has two records to read."""
    assert measure(3, 10, 12) == 2


def test_rule_3_beyond_the_end_is_no_lag() -> None:
    """A committed offset beyond the end is not a debt."""
    assert measure(9, 0, 7) == 0


def test_the_worst_comes_first_and_totals_add_up() -> None:
    """Rows and totals are ordered by lag, and a total is the sum of its rows."""
    found = lags(snapshot({"g": {A0: 9, A1: 2, B0: 0}, "h": {B0: 5}}, {A0: 10, A1: 10, B0: 5}))
    assert [(each.group, each.topic, each.partition, each.lag) for each in found] == [
        ("g", "a", 1, 8),
        ("g", "b", 0, 5),
        ("g", "a", 0, 1),
        ("h", "b", 0, 0),
    ]
    assert list(by_topic(found).items()) == [(("g", "a"), 9), (("g", "b"), 5), (("h", "b"), 0)]
    assert list(by_group(found).items()) == [("g", 14), ("h", 0)]


def test_a_topic_that_is_gone_has_no_lag() -> None:
    """Committed offsets of a deleted topic are nobody's debt, and don't keep a group from being drained."""
    gone = snapshot({"g": {A0: 1}}, {B0: 5})
    assert lags(gone) == []
    assert is_drained(gone)


def test_reading_without_committing_is_lag() -> None:
    """A topic that a group reads and never committed counts, in every partition."""
    new = snapshot({"g": {}}, {A0: 4, A1: 0}, reads={"g": frozenset({"a"})})
    assert [(each.partition, each.committed, each.lag) for each in lags(new)] == [(0, None, 4), (1, None, 0)]
    assert not is_drained(new)


def test_what_is_unknown_is_not_drained() -> None:
    """A partition that can't be read leaves the question open, so the answer is no."""
    assert is_drained(snapshot({"g": {A0: 4}}, {A0: 4}))
    assert not is_drained(snapshot({"g": {A0: 4}}, {A0: 4}, unreadable=frozenset({B0})))


def test_what_is_deleted_unread_is_drained() -> None:
    """Where retention took the last unread record, nothing is left to wait for, though the end isn't committed."""
    assert is_drained(snapshot({"g": {A0: 4}}, {A0: 9}, beginnings={A0: 9}))
    assert not is_drained(snapshot({"g": {A0: 4}}, {A0: 9}, beginnings={A0: 8}))


def test_the_registry_knows_what_a_room_reads() -> None:
    """A room that never came up reads what the registry says, of the topics that exist; a stranger reads nothing."""
    topics = ("community.guangdu.reports", "incident.journal", "street.dongsheng.decisions", "other")
    assert read_by("street", topics) == {"community.guangdu.reports", "incident.journal"}
    assert read_by("ledger", topics) == {"incident.journal"}
    assert read_by("stranger", topics) == frozenset()
