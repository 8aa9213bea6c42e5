"""What supervision remembers: who was told of which escalation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid, cast, select, tuple_
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
    # What nobody had taken on when it was told is listed before everything else.
    Column("untaken", Boolean, nullable=False),
)
_ORDER = (telling.c.untaken, telling.c.told_at, telling.c.incident, telling.c.step, telling.c.id)
Index("telling_order", *_ORDER)
Index("telling_incident", telling.c.incident)

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
        rows = [asdict(each) | {"untaken": each.deadline in UNTAKEN} for each in tellings]
        await connection.execute(insert(telling).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True)
class Page:
    """Some tellings, and whether others follow the last of them."""

    tellings: Sequence[Telling]
    more: bool


async def page(
    connection: AsyncConnection,
    limit: int,
    *,
    incident: UUID | None = None,
    untaken: bool | None = None,
    after: UUID | None = None,
) -> Page | None:
    """Return tellings, at most `limit`: of one incident or of all, and from the one with the id `after` on.

    Of all there ever were, what nobody had taken on comes first, then the newest; `untaken` asks for one of these parts
    alone. None where there is no telling `after`.
    """
    columns = [telling.c[each.name] for each in fields(Telling)]
    statement = select(*columns).order_by(*(each.desc() for each in _ORDER)).limit(limit + 1)
    if incident:
        statement = statement.where(telling.c.incident == incident)
    if untaken is not None:
        statement = statement.where(telling.c.untaken == untaken)
    if after:
        place = (await connection.execute(select(*_ORDER).where(telling.c.id == after))).first()
        if place is None:
            return None
        statement = statement.where(tuple_(*_ORDER) < tuple_(*place))
    rows = (await connection.execute(statement)).mappings().all()
    return Page([Telling(**row) for row in rows[:limit]], len(rows) > limit)


async def find(connection: AsyncConnection, prefix: str) -> list[UUID]:
    """Return the incidents somebody was told of whose id begins like this, at most two: two are an ambiguity."""
    rows = await connection.execute(
        select(telling.c.incident)
        .where(cast(telling.c.incident, Text).startswith(prefix.lower(), autoescape=True))
        .distinct()
        .limit(2)
    )
    return list(rows.scalars())
