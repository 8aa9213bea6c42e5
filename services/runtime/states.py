"""A table of states: one row for each key, written whole, beside columns derived from the state for asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Derived(Generic[S]):
    """A column that is computed from the state whenever it is written."""

    name: str
    type: TypeEngine[Any]
    of: Callable[[S], Any]
    nullable: bool = False


class States(Generic[S]):
    """The states of a room, in its own schema; `codec` reads and writes them as JSON text."""

    def __init__(self, metadata: MetaData, name: str, codec: TypeAdapter[S], *derived: Derived[S]) -> None:
        self._codec = codec
        self._derived = derived
        self.table = Table(
            name,
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("shard", Integer, nullable=False),
            *(Column(each.name, each.type, nullable=each.nullable) for each in derived),
            Column("state", Text, nullable=False),
        )
        self._upsert = text(self._statement(f"{metadata.schema}.{name}"))

    def _statement(self, table: str) -> str:
        """Return one statement that writes any number of rows, each column as one array."""
        columns = [column.name for column in self.table.columns]
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        arrays = ", ".join(
            f"CAST(:{column.name} AS {column.type.compile(dialect=dialect)}[])" for column in self.table.columns
        )
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
        names = ", ".join(columns)
        return (
            f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - names from our own code
            f"ON CONFLICT (id) DO UPDATE SET {updates}"
        )

    def read(self, state: str) -> S:
        """Return a state from its text."""
        return self._codec.validate_json(state)

    async def load(self, connection: AsyncConnection, keys: Sequence[UUID]) -> dict[UUID, S]:
        """Return the states that exist, by key."""
        table = self.table
        rows = await connection.execute(
            table.select().where(table.c.id.in_(keys)).with_only_columns(table.c.id, table.c.state)
        )
        return {row.id: self.read(row.state) for row in rows}

    async def save(self, connection: AsyncConnection, states: Mapping[UUID, tuple[int, S]]) -> None:
        """Write states in bulk, each with its shard."""
        rows = list(states.items())
        values: dict[str, list[Any]] = {
            "id": [key for key, _ in rows],
            "shard": [shard for _, (shard, _) in rows],
            "state": [self._codec.dump_json(state).decode() for _, (_, state) in rows],
        }
        for each in self._derived:
            values[each.name] = [each.of(state) for _, (_, state) in rows]
        await connection.execute(self._upsert, values)
