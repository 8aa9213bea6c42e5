"""What every report says, made to be searched: written once, when its incident is opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.incident import Incident
from services.domain.wording import folded, grams, marks
from services.ledger.derived import place_of
from services.runtime.bulk import Insertion


class Wordings:
    """The table, in one schema; `grams` has the text's grams and the marks of what never changes about its report."""

    def __init__(self, metadata: MetaData, inserting: type[Insertion]) -> None:
        self.table = Table(
            "wording",
            metadata,
            Column("id", Uuid, primary_key=True),
            Column("text", Text, nullable=False),
            Column("grams", ARRAY(Integer), nullable=False),
        )
        # A search reads all that waits to be put in its place: it may be little.
        waiting = {"gin_pending_list_limit": "512"}
        Index("wording_grams", self.table.c.grams, postgresql_using="gin", postgresql_with=waiting)
        self._insert = inserting(self.table)

    async def write(self, connection: AsyncConnection, opened: Iterable[Incident]) -> None:
        """Write what the reports of incidents say that were just opened."""
        await self._insert.write(connection, [row for each in opened if (row := _row(each))])


def _row(state: Incident) -> tuple[Any, ...] | None:
    report = state.report
    if report is None:
        return None
    text = folded(report.description, place_of(state))
    known = marks(("kind", report.kind), ("category", report.category), ("community", state.community))
    return state.id, text, [*known, *grams(text)]
