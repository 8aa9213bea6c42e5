"""What the router remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.event import LATEST
from services.domain.clocks import next_due_at
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.provisional import counted_by
from services.runtime.database import Statement
from services.runtime.journal import Journal
from services.runtime.states import Derived, States

metadata = MetaData(schema="router")
journal = Journal(metadata)


def make_states(
    metadata: MetaData, configuration: Configuration | None = None, *, remembered: int = 0
) -> States[Incident]:
    """Return the table of incidents; what is derived needs the configuration, and only writing needs that."""

    def known() -> Configuration:
        if configuration is None:
            raise RuntimeError("states are written under a configuration")
        return configuration

    return States(
        metadata,
        "incident",
        TypeAdapter(Incident),
        Derived("next_due_at", DateTime(timezone=True), lambda state: next_due_at(state, known()), nullable=True),
        Derived("counted_by", Text(), lambda state: counted_by(state, known()), nullable=True),
        remembered=remembered,
    )


incidents = make_states(metadata)
# The sweeper's way in: its cost follows what is due, not what is open.
Index("incident_due", incidents.table.c.shard, incidents.table.c.next_due_at)
# The way to what has to be counted again when calendars become others; those that are certain aren't in it.
Index(
    "incident_counted_by",
    incidents.table.c.shard,
    incidents.table.c.counted_by,
    postgresql_where=incidents.table.c.counted_by.is_not(None),
)

# By which configuration the instants of a shard's incidents were reckoned, where that is one for all (decision 0017).
reckoned = Table(
    "reckoned",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
)

# Shard by shard, each no further than the limit: asked for all at once, the planner takes a third of what is open for
# due, and reads the whole table instead of the index.
_DUE = text(
    "SELECT due.shard, due.next_due_at, due.state "
    "FROM unnest(CAST(:shards AS int[]), CAST(:until AS timestamptz[])) AS horizon(shard, until) "
    "CROSS JOIN LATERAL (SELECT * FROM router.incident "
    "WHERE incident.shard = horizon.shard AND incident.next_due_at <= horizon.until "
    "ORDER BY incident.next_due_at LIMIT :limit) AS due "
    "ORDER BY due.next_due_at, due.id LIMIT :limit"
)


async def due_states(
    connection: AsyncConnection, states: States[Incident], horizons: Mapping[int, datetime], limit: int
) -> list[tuple[int, datetime, Incident]]:
    """Return (shard, next_due_at, state) of what is due up to each shard's horizon, the earliest first."""
    rows = await connection.execute(_DUE, {"shards": list(horizons), "until": list(horizons.values()), "limit": limit})
    return [(row.shard, row.next_due_at, states.read(row.state)) for row in rows]


_RECKONED = text("SELECT shard FROM router.reckoned WHERE shard = ANY(:shards) AND version = :version")
_RUNNING = text("SELECT id FROM router.incident WHERE shard = :shard AND next_due_at IS NOT NULL")
_SOME = Statement("SELECT id, next_due_at, state FROM router.incident WHERE id = ANY($1::uuid[])")
_MOVE = Statement(
    "UPDATE router.incident SET next_due_at = moved.at FROM unnest($1::uuid[], $2::timestamptz[]) AS moved(id, at) "
    "WHERE incident.id = moved.id"
)
_MARK = Statement(
    "INSERT INTO router.reckoned (shard, version) VALUES ($1, $2) "
    "ON CONFLICT (shard) DO UPDATE SET version = excluded.version"
)


async def unreckoned(connection: AsyncConnection, shards: Iterable[int], version: str) -> set[int]:
    """Return those of some shards whose instants were not all reckoned by a version of the configuration."""
    shards = set(shards)
    return shards - set((await connection.execute(_RECKONED, {"shards": list(shards), "version": version})).scalars())


async def running(connection: AsyncConnection, shard: int) -> list[UUID]:
    """Return the incidents of a shard of which something is due some day."""
    return list((await connection.execute(_RUNNING, {"shard": shard})).scalars())


async def reckon(
    connection: AsyncConnection, states: States[Incident], configuration: Configuration, keys: Sequence[UUID]
) -> int:
    """Write when these incidents are due next, in a transaction that holds their shard; return how many changed."""
    found = [
        (key, was, next_due_at(states.read(state), configuration))
        for key, was, state in await _SOME.run(connection, keys)
    ]
    moved = [(key, at) for key, was, at in found if at != was]
    if moved:
        await _MOVE.run(connection, [key for key, _ in moved], [at for _, at in moved])
    return len(moved)


async def mark_reckoned(connection: AsyncConnection, shard: int, version: str) -> None:
    """Note that a shard's instants have all been reckoned by a version, in a transaction that holds it."""
    await _MARK.run(connection, shard, version)


# A page reads so many rows, whether or not they are asked for, so that no statement takes long however many there are.
_REPORTED = text(
    "SELECT id, CASE WHEN at >= :since AND at < :until THEN state END AS state "
    "FROM (SELECT id, state, CAST(CAST(state AS json) ->> 'reported_at' AS timestamptz) AS at "
    "FROM router.incident WHERE id > :after ORDER BY id LIMIT :limit) AS page ORDER BY id"
)
PAGE = 1_000


async def reported(engine: AsyncEngine, since: datetime, until: datetime | None = None) -> AsyncIterator[Incident]:
    """Yield every incident reported from an instant on, and before another, by id; a page of them is in memory."""
    after = UUID(int=0)
    while True:
        parameters = {"since": since, "until": until or LATEST, "after": after, "limit": PAGE}
        async with engine.connect() as connection:
            rows = (await connection.execute(_REPORTED, parameters)).all()
        for row in rows:
            if row.state is not None:
                yield incidents.read(row.state)
        if len(rows) < PAGE:
            return
        after = rows[-1].id


# Below and above, since an index doesn't find what is different.
_UNCERTAIN = text(
    "SELECT found.shard, found.state "
    "FROM unnest(CAST(:shards AS int[])) AS owned(shard) "
    "CROSS JOIN LATERAL ("
    "(SELECT shard, counted_by, state FROM router.incident "
    "WHERE incident.shard = owned.shard AND incident.counted_by < :now ORDER BY counted_by LIMIT :limit) "
    "UNION ALL (SELECT shard, counted_by, state FROM router.incident "
    "WHERE incident.shard = owned.shard AND incident.counted_by > :now ORDER BY counted_by LIMIT :limit)) AS found "
    "LIMIT :limit"
)


async def uncertain_states(
    connection: AsyncConnection, states: States[Incident], shards: Iterable[int], calendars: str, limit: int
) -> list[tuple[int, Incident]]:
    """Return (shard, state) of what isn't certain and was counted by other calendars than those of that name."""
    rows = await connection.execute(_UNCERTAIN, {"shards": list(shards), "now": calendars, "limit": limit})
    return [(row.shard, states.read(row.state)) for row in rows]
