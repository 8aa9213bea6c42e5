"""The journal: inbox, outbox and audit trail of a room, in one append-only table beside its shards.

Its columns keep Debezium's outbox names, so that change data capture can take over the relay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.bulk import insertion
from services.runtime.database import Statement

NOTHING = "nothing"
"""The type of the row of a cause from which nothing followed."""


class Row(NamedTuple):
    """One row: what followed from a cause, at which ordinal; `topic` is None where there is nothing to publish.

    Its fields are in the order of the table's columns.
    """

    shard: int
    seq: int
    cause: UUID
    ordinal: int
    id: UUID
    aggregatetype: str
    aggregateid: UUID
    type: str
    payload: str
    topic: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Shard:
    """How far a shard's journal is written and published."""

    id: int
    seq: int
    published: int


class Journal:
    """The journal and the shards of one room, in its own schema."""

    def __init__(self, metadata: MetaData) -> None:
        self.schema = metadata.schema or "public"
        self.shards = Table(
            "shard",
            metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("seq", BigInteger, nullable=False, server_default="0"),
            Column("published", BigInteger, nullable=False, server_default="0"),
        )
        self.rows = Table(
            "journal",
            metadata,
            Column("shard", Integer, primary_key=True, autoincrement=False),
            Column("seq", BigInteger, primary_key=True, autoincrement=False),
            Column("cause", Uuid, nullable=False),
            Column("ordinal", Integer, nullable=False),
            Column("id", Uuid, nullable=False),
            Column("aggregatetype", Text, nullable=False),
            Column("aggregateid", Uuid, nullable=False),
            Column("type", Text, nullable=False),
            Column("payload", Text, nullable=False),
            Column("topic", Text),
            Column("at", DateTime(timezone=True), nullable=False),
        )
        # Every cause has ordinal 0, so this alone tells what has been handled.
        Index("journal_cause", self.rows.c.cause, unique=True, postgresql_where=self.rows.c.ordinal == 0)
        schema = self.schema
        self._lock = Statement(
            f"SELECT id, seq, published FROM {schema}.shard WHERE id = ANY($1::int[]) ORDER BY id FOR UPDATE"  # noqa: S608 - our own name
        )
        self._known = Statement(f"SELECT cause FROM {schema}.journal WHERE ordinal = 0 AND cause = ANY($1::uuid[])")  # noqa: S608 - as above
        self._append = Statement(
            f"WITH written AS ({insertion(self.rows)}) "  # noqa: S608 - as above
            f"UPDATE {schema}.shard SET seq = moved.seq "
            "FROM unnest($2::int[], $3::bigint[]) AS moved(id, seq) WHERE shard.id = moved.id"
        )

    async def prepare(self, connection: AsyncConnection, shards: int) -> None:
        """Make the shards' rows, once; refuse a count other than the one of the installation.

        Raises:
            ValueError: another count was installed; a fact would be handled under another lock than its state.

        """
        # Two replicas that start at once install one after the other.
        await connection.execute(text(f"LOCK TABLE {self.schema}.shard IN SHARE ROW EXCLUSIVE MODE"))
        found = (await connection.execute(select(self.shards.c.id))).scalars().all()
        if not found:
            await connection.execute(
                text(f"INSERT INTO {self.schema}.shard (id) SELECT generate_series(0, :last)"), {"last": shards - 1}
            )
            return
        if len(found) != shards:
            raise ValueError(
                f"the schema {self.schema} was installed with {len(found)} shards, and the settings say {shards}: "
                f"set WHISTLE_KAFKA__SHARDS={len(found)}, since the count is fixed at installation"
            )

    async def lock(self, connection: AsyncConnection, shards: Iterable[int]) -> dict[int, Shard]:
        """Take shards for the rest of the transaction, always in the same order, or two owners would deadlock."""
        return {row["id"]: Shard(*row) for row in await self._lock.run(connection, sorted(shards))}

    async def known(self, connection: AsyncConnection, causes: Sequence[UUID]) -> set[UUID]:
        """Return those of the causes that have been handled before."""
        return {cause for (cause,) in await self._known.run(connection, causes)}

    async def append(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Write rows in bulk, and move their shards' `seq` to the last of them."""
        if not rows:
            return
        last = {row.shard: row.seq for row in rows}
        await self._append.run(connection, rows, list(last), list(last.values()))

    async def unpublished(self, connection: AsyncConnection, shards: Sequence[int], limit: int) -> list[Row]:
        """Return what stands beyond the mark of these shards, in order within each, whoever wrote it."""
        rows = await connection.execute(
            text(
                f"SELECT journal.* FROM {self.schema}.shard JOIN {self.schema}.journal "  # noqa: S608 - as above
                "ON journal.shard = shard.id AND journal.seq > shard.published "
                "WHERE shard.id = ANY(CAST(:shards AS int[])) AND shard.published < shard.seq "
                "ORDER BY journal.shard, journal.seq LIMIT :limit"
            ),
            {"shards": list(shards), "limit": limit},
        )
        return [Row(*row) for row in rows]

    async def mark(self, connection: AsyncConnection, published: Mapping[int, int]) -> None:
        """Move the marks, never backwards; the rows are locked in order first, or two owners would deadlock."""
        await connection.execute(
            text(
                f"WITH moved AS (SELECT * FROM unnest(CAST(:shards AS int[]), CAST(:seqs AS bigint[])) AS m(id, seq)), "  # noqa: S608 - as above
                f"locked AS (SELECT id FROM {self.schema}.shard WHERE id = ANY(CAST(:shards AS int[])) "
                "ORDER BY id FOR UPDATE) "
                f"UPDATE {self.schema}.shard SET published = greatest(published, moved.seq) "
                "FROM moved JOIN locked USING (id) WHERE shard.id = moved.id"
            ),
            {"shards": list(published), "seqs": list(published.values())},
        )
