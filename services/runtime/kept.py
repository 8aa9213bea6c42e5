"""The states that a room wrote last, so that what happens to one incident in a row is read once.

A state is what the database holds as long as nobody else has written into its shard, and whoever writes there adds to
the shard's journal. So what is kept stands while the shard, once locked, has the `seq` that it was left with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from services.runtime.journal import Row, Shard

S = TypeVar("S")
MOST = 2_000
"""How many states are kept: some tens of MiB."""


class Kept(Generic[S]):
    """At most `most` states, those written last."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._states: OrderedDict[UUID, tuple[int, S]] = OrderedDict()
        self._seqs: dict[int, int] = {}

    def get(self, locked: Mapping[int, Shard], keys: Iterable[UUID]) -> dict[UUID, S]:
        """Return the states that are known of these keys, whose shards are locked and stand as given."""
        found = {}
        for key in keys:
            shard, state = self._states.get(key, (None, None))
            if shard is not None and state is not None and self._seqs.get(shard) == locked[shard].seq:
                found[key] = state
        return found

    def put(
        self, locked: Mapping[int, Shard], rows: Sequence[Row], written: Mapping[UUID, tuple[int, S | None]]
    ) -> None:
        """Keep what a transaction has written, once it is committed; a state of None is forgotten."""
        for stood in locked.values():
            if self._seqs.get(stood.id) != stood.seq:
                self._forget(stood.id)
            self._seqs[stood.id] = stood.seq
        self._seqs |= {row.shard: row.seq for row in rows}
        for key, (shard, state) in written.items():
            self._states.pop(key, None)
            if state is not None:
                self._states[key] = shard, state
        while len(self._states) > self._most:
            self._states.popitem(last=False)

    def _forget(self, shard: int) -> None:
        """Forget the states of a shard that somebody else has written into."""
        for key in [key for key, (of, _) in self._states.items() if of == shard]:
            del self._states[key]
