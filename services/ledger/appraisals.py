"""Every obligation and every incident as it counts in the rates: rows that hold instants, and no working hours.

How long something took depends on a calendar, which is confirmed and corrected later than what it is asked of; so it is
computed when it is asked for (services/ledger/rates.py), and the rows follow from the history alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, MetaData, Table, Text, Uuid
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.incident import Incident
from services.domain.rates import appraised
from services.runtime.bulk import replacing


class Appraisals:
    """The table, in one schema: after the incident's id, the fields of `Appraised` in their order."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "appraisal",
            metadata,
            Column("incident", Uuid, primary_key=True),
            # Empty where it is the incident as a whole.
            Column("department", Text, primary_key=True),
            Column("section", Boolean, nullable=False),
            Column("street", Text, nullable=False),
            Column("community", Text, nullable=False),
            Column("category", Text, nullable=False),
            Column("reported_at", DateTime(timezone=True), nullable=False),
            Column("began_at", DateTime(timezone=True)),
            Column("asked", Boolean, nullable=False),
            Column("responded", Boolean, nullable=False),
            Column("slow", Boolean, nullable=False),
            Column("resolved_at", DateTime(timezone=True)),
            Column("late", Boolean, nullable=False),
            Column("answered", Boolean, nullable=False),
            Column("reopened", Boolean, nullable=False),
            Column("solved", Boolean),
            Column("satisfied", Boolean),
            Column("decided", Boolean, nullable=False),
            Column("whistled", Boolean, nullable=False),
            Column("answered_at", DateTime(timezone=True)),
        )
        self._upsert = replacing(self.table)

    async def write(
        self, connection: AsyncConnection, changes: Mapping[UUID, tuple[Incident | None, Incident]]
    ) -> None:
        """Write the rows that have changed of incidents as they were and as they are; none ever goes away."""
        rows = []
        for key, (before, after) in changes.items():
            old = appraised(before) if before else ()
            rows += [(key, *each) for each in appraised(after) if each not in old]
        await self._upsert.write(connection, rows)
