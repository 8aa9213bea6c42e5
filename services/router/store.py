"""What the router remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import DateTime, Index, MetaData, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.clocks import next_due_at
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.provisional import counted_by
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
