"""Lag: how many records a group has yet to read, worked out of what a broker said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from schemas.topics import family


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the broker said: all committed offsets first, then all ends, so that equal means read.

    `committed` has every group looked at, with what it has committed, which may name topics that are gone. `reads` are
    the topics each group is known to read, committed or not. `ends` are next offsets. `beginnings` are known where they
    matter: where a group hasn't committed the end. `unreadable` are partitions whose end could not be read.
    """

    committed: Mapping[str, Mapping[Partition, int]]
    reads: Mapping[str, frozenset[str]]
    ends: Mapping[Partition, int]
    beginnings: Mapping[Partition, int]
    unreadable: frozenset[Partition] = frozenset()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind on one partition, in records; `committed` is None where it never committed."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


def measure(committed: int | None, beginning: int, end: int) -> int:
    """Return the number of records still to be read; never negative.

    1. Never committed: the whole partition, from its beginning.
    2. Committed before the beginning: what was deleted unread can't be read any more, so it doesn't count.
    3. Committed beyond the end: 0. It happens for a moment when another broker takes a partition over.

    Counts offsets: of a compacted topic, fewer records may be left.
    """
    start = beginning if committed is None else max(committed, beginning)
    return max(0, end - start)


def lags(snapshot: Snapshot) -> list[Lag]:
    """Return every group's lag on every partition it reads or has read, the worst first.

    Left out: topics that are gone (there is nothing to read) and partitions that are unreadable.
    """
    found = [
        _lag(snapshot, group, partition)
        for group, partitions in _pairs(snapshot.committed, snapshot.reads, snapshot.ends)
        for partition in partitions
    ]
    return sorted(found, key=lambda each: (-each.lag, each.group, each.topic, each.partition))


def unfinished(
    committed: Mapping[str, Mapping[Partition, int]],
    reads: Mapping[str, frozenset[str]],
    ends: Mapping[Partition, int],
) -> set[Partition]:
    """Return the partitions with records whose end some group hasn't committed: there the beginning matters."""
    return {
        partition
        for group, partitions in _pairs(committed, reads, ends)
        for partition in partitions
        if committed[group].get(partition, 0) < ends[partition]
    }


def is_drained(snapshot: Snapshot) -> bool:
    """Say whether every group has committed the end of all it reads: nothing unread, and nothing unknown."""
    if snapshot.unreadable:
        return False
    # What was deleted before it was read is unfinished, and still nothing is left to read.
    begin, ends = snapshot.beginnings, snapshot.ends
    return all(begin.get(each) == ends[each] for each in unfinished(snapshot.committed, snapshot.reads, ends))


def by_topic(found: Iterable[Lag]) -> dict[tuple[str, str], int]:
    """Return the total lag of each group and topic, the worst first."""
    total: Counter[tuple[str, str]] = Counter()
    for each in found:
        total[each.group, each.topic] += each.lag
    return dict(total.most_common())


def by_group(found: Iterable[Lag]) -> dict[str, int]:
    """Return the total lag of each group, the worst first."""
    total: Counter[str] = Counter()
    for each in found:
        total[each.group] += each.lag
    return dict(total.most_common())


def read_by(group: str, topics: Iterable[str]) -> frozenset[str]:
    """Return the topics that the registry lets a group of this name read: a room's group has the room's name."""
    return frozenset(topic for topic in topics if group in _readers(topic))


@lru_cache(maxsize=2**16)
def _readers(topic: str) -> tuple[str, ...]:
    found = family(topic)
    return found[0].readers if found else ()


def _pairs(
    committed: Mapping[str, Mapping[Partition, int]],
    reads: Mapping[str, frozenset[str]],
    ends: Mapping[Partition, int],
) -> Iterator[tuple[str, set[Partition]]]:
    """Pair each group with the readable partitions it reads or has committed."""
    topics = defaultdict(set)
    for each in ends:
        topics[each.topic].add(each)
    for group, offsets in committed.items():
        yield group, (offsets.keys() & ends.keys()).union(*(topics[each] for each in reads[group] & topics.keys()))


def _lag(snapshot: Snapshot, group: str, partition: Partition) -> Lag:
    committed = snapshot.committed[group].get(partition)
    end = snapshot.ends[partition]
    behind = measure(committed, snapshot.beginnings.get(partition, 0), end)
    return Lag(group, partition.topic, partition.partition, committed, end, behind)
