"""A table of states: one row for each key, written whole, beside columns derived from the state for asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from services.runtime.bulk import replacing
from services.runtime.database import Statement

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Derived(Generic[S]):
    """A column that is computed from the state whenever it is written."""

    name: str
    type: TypeEngine[Any]
    of: Callable[[S], Any]
    nullable: bool = False


class States(Generic[S]):
    """The states of a room, in its own schema; `codec` reads and writes them as JSON text.

    So many of them as `remembered` says, the last ones read, are not read from the same text again.
    """

    def __init__(
        self, metadata: MetaData, name: str, codec: TypeAdapter[S], *derived: Derived[S], remembered: int = 0
    ) -> None:
        self._codec = codec
        self._derived = derived
        self._read: Callable[[str], S] = (
            lru_cache(maxsize=remembered)(codec.validate_json) if remembered else codec.validate_json
        )
        self.table = Table(
            name,
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("shard", Integer, nullable=False),
            *(Column(each.name, each.type, nullable=each.nullable) for each in derived),
            Column("state", Text, nullable=False),
        )
        self._upsert = replacing(self.table)
        self._select = Statement(f"SELECT id, state FROM {self.table.fullname} WHERE id = ANY($1::uuid[])")  # noqa: S608 - our own names

    def read(self, state: str) -> S:
        """Return a state from its text."""
        return self._read(state)

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, S]:
        """Return the states that exist, by key."""
        rows = await self._select.run(connection, keys)
        return {key: self.read(state) for key, state in rows}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, S]]) -> None:
        """Write states in bulk, each with its shard."""
        rows = [
            (
                key,
                shard,
                *(each.of(state) for each in self._derived),
                self._codec.serializer.to_json(state, exclude_defaults=True).decode(),
            )
            for key, (shard, state) in states.items()
        ]
        await self._upsert.write(connection, rows)
