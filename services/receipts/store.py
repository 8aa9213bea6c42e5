"""What the room remembers: what the reporter of each report was told, and when somebody has read it.

A trigger of the migrations keeps readings from being changed or deleted, whoever asks. They name the report and not its
receipt: nothing that is kept here opens anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, MetaData, Table, Text, Uuid, select
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
reading = Table(
    "reading",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    # Empty on the page: whoever has the receipt, and nobody asks who that is.
    Column("who", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("report", Uuid, nullable=False),
)
Index("reading_report", reading.c.report, reading.c.community, reading.c.at)


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


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody with its receipt has read what was told of a report, at an instant (UTC); `who` only by a command."""

    at: datetime
    who: str
    via: Literal["page", "command"]
    community: str
    report: UUID


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


async def read(connection: AsyncConnection, by: Reading) -> list[Told]:
    """Write down who is about to read, and return what there is to read; to be shown once the transaction stands."""
    await connection.execute(insert(reading), asdict(by))
    return await of_report(connection, by.community, by.report)


async def readings(connection: AsyncConnection, community: str, report: UUID, limit: int) -> list[Reading]:
    """Return the last readings of a report's receipt, at most `limit`, in order of time."""
    columns = [reading.c[each.name] for each in fields(Reading)]
    rows = await connection.execute(
        select(*columns)
        .where(reading.c.report == report, reading.c.community == community)
        .order_by(reading.c.at.desc(), reading.c.id.desc())
        .limit(limit)
    )
    return [Reading(**row) for row in rows.mappings()][::-1]
