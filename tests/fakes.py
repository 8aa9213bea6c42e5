"""Stand-ins for what keeps a room's memory: real classes, which pass the same tests as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from services.runtime.journal import Row, Shard

S = TypeVar("S")


class FakeJournal:
    """A journal and its shards in memory; there is one transaction at a time, so nobody needs to be locked out.

    Its methods take a connection as the real ones do, and don't look at it.
    """

    def __init__(self, shards: int = 0) -> None:
        self.shards = {each: Shard(each, 0, 0) for each in range(shards)}
        self.rows: list[Row] = []

    async def prepare(self, _connection: object, shards: int) -> None:
        """Make the shards, once; refuse a count other than the one of the installation."""
        if not self.shards:
            self.shards = {each: Shard(each, 0, 0) for each in range(shards)}
        if len(self.shards) != shards:
            raise ValueError(f"installed with {len(self.shards)} shards, and the settings say {shards}")

    async def lock(self, _connection: object, shards: Iterable[int]) -> dict[int, Shard]:
        """Return shards as they stand, in the order of their numbers."""
        return {each: self.shards[each] for each in sorted(set(shards)) if each in self.shards}

    async def known(self, _connection: object, causes: Sequence[UUID]) -> set[UUID]:
        """Return those of the causes that have been handled before."""
        return set(causes) & {row.cause for row in self.rows if row.ordinal == 0}

    async def append(self, _connection: object, rows: Sequence[Row]) -> None:
        """Keep rows, and move their shards' `seq` to the last of them; a cause or a place taken is refused."""
        for row in rows:
            self._judge(row)
            self.rows.append(row)
            before = self.shards[row.shard]
            self.shards[row.shard] = Shard(row.shard, row.seq, before.published)

    def _judge(self, row: Row) -> None:
        for there in self.rows:
            if (there.shard, there.seq) == (row.shard, row.seq):
                raise ValueError(f"row {row.seq} of shard {row.shard} is there already")
            if there.ordinal == row.ordinal == 0 and there.cause == row.cause:
                raise ValueError(f"the cause {row.cause} has been handled already")

    async def unpublished(self, _connection: object, shards: Sequence[int], limit: int) -> list[Row]:
        """Return what stands beyond the marks, in order within each shard."""
        beyond = [row for row in self.rows if row.shard in set(shards) and row.seq > self.shards[row.shard].published]
        return sorted(beyond, key=lambda row: (row.shard, row.seq))[:limit]

    async def mark(self, _connection: object, published: Mapping[int, int]) -> None:
        """Move the marks, never backwards."""
        for shard, seq in published.items():
            before = self.shards[shard]
            self.shards[shard] = Shard(shard, before.seq, max(before.published, seq))


class FakeStates(Generic[S]):
    """A table of states in memory, with the columns derived from them; kept as text, as a table keeps them."""

    def __init__(self, dump: Callable[[S], str], load: Callable[[str], S], **derived: Callable[[S], Any]) -> None:
        self._dump, self._load, self._derived = dump, load, derived
        self.rows: dict[UUID, dict[str, Any]] = {}

    async def load(self, _connection: object, keys: Sequence[UUID]) -> dict[UUID, S]:
        """Return the states that exist, by key."""
        return {key: self._load(self.rows[key]["state"]) for key in keys if key in self.rows}

    async def save(self, _connection: object, states: Mapping[UUID, tuple[int, S]]) -> None:
        """Write states, each with its shard."""
        for key, (shard, state) in states.items():
            columns = {name: of(state) for name, of in self._derived.items()}
            self.rows[key] = {"id": key, "shard": shard, **columns, "state": self._dump(state)}
