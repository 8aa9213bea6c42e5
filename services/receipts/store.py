"""What the room remembers: what the reporter of each report was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Index, MetaData, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.journal import Journal

metadata = MetaData(schema="receipts")
journal = Journal(metadata)
told = Table(
    "told",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("community", Text, nullable=False),
    Column("report", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("reply_by", DateTime(timezone=True)),
    Column("provisional", Boolean),
)
Index("told_report", told.c.report, told.c.community)


@dataclass(frozen=True, slots=True)
class Told:
    """What a reporter was told: `outcome` is an answer's, or `asked`, which may be replied to until `reply_by`.

    Where that is `provisional` it may still move; once it is certain, the reporter is told so, as `recomputed`.
    """

    id: UUID
    community: str
    report: UUID
    at: datetime
    outcome: str
    text: str
    reply_by: datetime | None
    provisional: bool | None = None


async def save(connection: AsyncConnection, page: Sequence[Told]) -> None:
    """Write what was told; what is there already stays as it is."""
    if page:
        await connection.execute(insert(told).on_conflict_do_nothing(), [asdict(each) for each in page])


async def of_report(connection: AsyncConnection, community: str, report: UUID) -> list[Told]:
    """Return what the reporter of a community's report was told, in order; empty where that is nothing yet."""
    rows = await connection.execute(
        select(told).where(told.c.report == report, told.c.community == community).order_by(told.c.at, told.c.id)
    )
    return [Told(**row) for row in rows.mappings()]
