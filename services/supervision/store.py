"""What supervision remembers: who was told of which escalation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid, cast, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.domain.clocks import UNTAKEN
from services.runtime.journal import Journal

metadata = MetaData(schema="supervision")
journal = Journal(metadata)
telling = Table(
    "telling",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("incident", Uuid, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
    Column("street", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("department", Text),
    Column("deadline", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("step", Integer, nullable=False),
    Column("post", Text, nullable=False),
    Column("holder_unit", Text),
    Column("holder", Text),
    Column("summary", Text, nullable=False),
    Column("vacant", ARRAY(Text)),
    # What a copy of a reminder says, or what is asked for and why; an escalation has none.
    Column("note", Text),
    Column("provisional", Boolean),
)
Index("telling_at", telling.c.told_at)

ASKED = -1


@dataclass(frozen=True, slots=True)
class Telling:
    """Who was told of what; `holder` is None where nobody held the post.

    `step` is the rung of the ladder, or `ASKED` where a decision is asked for and no promise is broken. `vacant` are
    the posts that were to be told first, and that nobody held, from the lowest up; None where none was.

    A copy of a reminder by hand has the deadline `by-hand` and its `note`. What is asked for by a `due_at` that is
    `provisional` is asked for again once that is certain.
    """

    id: UUID
    incident: UUID
    told_at: datetime
    street: str
    unit: str
    department: str | None
    deadline: str
    due_at: datetime
    step: int
    post: str
    holder_unit: str | None
    holder: str | None
    summary: str
    vacant: list[str] | None = None
    note: str | None = None
    provisional: bool | None = None


async def save(connection: AsyncConnection, tellings: Sequence[Telling]) -> None:
    """Write tellings; one that is there already stays as it is."""
    if tellings:
        rows = [asdict(each) for each in tellings]
        await connection.execute(insert(telling).on_conflict_do_nothing(), rows)


async def latest(connection: AsyncConnection, limit: int, incident: UUID | None = None) -> list[Telling]:
    """Return the newest tellings, at most `limit`; of one incident, or of all.

    What nobody has taken on comes first, then the newest.
    """
    order = telling.c.told_at.desc(), telling.c.incident, telling.c.step.desc()
    statement = select(telling).order_by(*order).limit(limit)
    if incident:
        statement = statement.where(telling.c.incident == incident)
    newest = statement.subquery()
    taken = newest.c.deadline.not_in(sorted(UNTAKEN))
    rows = await connection.execute(
        select(newest).order_by(taken, newest.c.told_at.desc(), newest.c.incident, newest.c.step.desc())
    )
    return [Telling(**row) for row in rows.mappings()]


async def find(connection: AsyncConnection, prefix: str) -> list[UUID]:
    """Return the incidents somebody was told of whose id begins like this, at most two: two are an ambiguity."""
    rows = await connection.execute(
        select(telling.c.incident)
        .where(cast(telling.c.incident, Text).startswith(prefix.lower(), autoescape=True))
        .distinct()
        .limit(2)
    )
    return list(rows.scalars())
