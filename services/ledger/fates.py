"""What became of every report, in one narrow row: what lists, filters and figures are read from.

A repeat has the fate of the incident it lives in (services/domain/figures.py, rule 5), and that incident may lie in
another shard, with another owner. So whoever writes one of the two takes a lock first, writes, and then settles the
repeats again from what both say: whoever comes second sees what the first has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Index, MetaData, Table, Text, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.incident import Incident
from services.ledger.derived import lead_of
from services.runtime.bulk import replacing


class Fates:
    """The table, in one schema, beside those it is settled from."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "fate",
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("kind", Text, nullable=False),
            Column("category", Text, nullable=False),
            Column("community", Text, nullable=False),
            # From here on: of the incident it lives in; `home` names it, and is empty where there is none.
            Column("status", Text, nullable=False),
            Column("owned", Boolean, nullable=False),
            Column("lead", Text),
            Column("home", Uuid),
            # And its own again.
            Column("escalated", Boolean, nullable=False),
            Column("reported_at", DateTime(timezone=True), nullable=False),
        )
        column = self.table.c
        order = column.kind, column.reported_at, column.id
        # Each has all that lists are filtered by, so that no row is looked at which is not shown.
        filters = ("community", "category", "status", "lead")
        Index("fate_kind", *order, postgresql_include=list(filters))
        for name in filters:
            others = [each for each in filters if each != name]
            Index(f"fate_{name}", column[name], *order, postgresql_include=others)
        Index(
            "fate_unowned",
            column.reported_at,
            column.id,
            postgresql_where=text("NOT owned AND status <> 'refused'"),
            postgresql_include=list(filters),
        )
        Index("fate_attached", column.id, postgresql_where=text("home IS DISTINCT FROM id"))
        schema = metadata.schema or "public"
        self._upsert = replacing(self.table)
        self._lock = text(f"SELECT pg_advisory_xact_lock(hashtext('{schema}.fate'))")
        self._settle = text(_SETTLE.format(schema=schema))

    async def write(
        self, connection: AsyncConnection, changes: Mapping[UUID, tuple[Incident | None, Incident]]
    ) -> None:
        """Write the fates of incidents that have changed, given as they were and as they are."""
        rows = [row for before, after in changes.values() if (row := _row(after)) and row != _row(before)]
        related = [key for key, states in changes.items() if any(map(_related, states))]
        if related:
            await connection.execute(self._lock)
        await self._upsert.write(connection, rows)
        if related:
            await self.settle(connection, related)

    async def settle(self, connection: AsyncConnection, ids: Sequence[UUID]) -> None:
        """Give the repeats among these incidents, and those attached to them, the fate of where they live."""
        await connection.execute(self._settle, {"ids": list(ids)})


def _related(state: Incident | None) -> bool:
    return state is not None and (state.status == "attached" or bool(state.repeats))


def _row(state: Incident | None) -> tuple[Any, ...] | None:
    """Return an incident's own fate; None while nobody has opened it."""
    if state is None or state.report is None:
        return None
    lead = lead_of(state)
    # Where an attached one lives is settled afterwards.
    attached = state.status == "attached"
    return (
        state.id,
        state.report.kind,
        state.report.category,
        state.community,
        state.status,
        state.owned and not attached,
        lead.department if lead else None,
        None if attached else state.id,
        state.escalations > 0,
        state.reported_at,
    )


# Down to all that may live in these incidents, and from each of them up, as long as both say so and in no circle.
_SETTLE = """
WITH RECURSIVE touched (id) AS (
    SELECT unnest(CAST(:ids AS uuid[]))
    UNION
    SELECT repeat.report FROM {schema}.repeat JOIN touched ON repeat.incident = touched.id
),
way (id, at, seen) AS (
    SELECT incident.id, incident.id, ARRAY[incident.id]
    FROM {schema}.incident JOIN touched USING (id) WHERE incident.status = 'attached' AND incident.kind IS NOT NULL
    UNION ALL
    SELECT way.id, other.id, way.seen || other.id
    FROM way
    JOIN {schema}.incident AS one ON one.id = way.at AND one.status = 'attached'
    JOIN {schema}.incident AS other
        ON other.id = one.attached_to AND other.kind IS NOT NULL AND other.id <> ALL(way.seen)
    JOIN {schema}.repeat ON repeat.incident = other.id AND repeat.report = one.id
),
settled AS (
    SELECT own.id, home.id AS home, coalesce(home.status, 'attached') AS status, coalesce(home.owned, false) AS owned,
        CASE WHEN home.id IS NULL THEN own.lead ELSE home.lead END AS lead
    FROM (SELECT DISTINCT id FROM way) AS attached
    JOIN {schema}.incident AS own USING (id)
    LEFT JOIN (
        SELECT way.id AS repeat, incident.id, incident.status, incident.owned, incident.lead
        FROM way JOIN {schema}.incident ON incident.id = way.at AND incident.status <> 'attached'
    ) AS home ON home.repeat = own.id
)
UPDATE {schema}.fate SET home = settled.home, status = settled.status, owned = settled.owned, lead = settled.lead
FROM settled WHERE fate.id = settled.id
    AND (fate.home, fate.status, fate.owned, fate.lead)
        IS DISTINCT FROM (settled.home, settled.status, settled.owned, settled.lead)
"""
