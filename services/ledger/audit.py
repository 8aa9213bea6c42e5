"""Who saw what: everybody who reads an incident or a list is written down first, and nothing of it is ever changed.

What can't be written down is not shown: a reading that fails here fails as a whole. A trigger of the migrations keeps
rows from being changed or deleted, whoever asks. A reader is who the page's proxy or the command's settings say; the
database's own users are not told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Identity, Index, MetaData, Table, Text, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

ANONYMOUS = "anonymous"
MOST_OF_NAME = 200
MOST_SHOWN = 1_000
"""How many incidents one row names; a list with more, which only a command shows as a whole, has several rows."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, by which way, and from which address or machine."""

    who: str
    via: Literal["page", "command"]
    address: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the trail: somebody read (`via` and `address` say how), or acted (`by` says as whom); `at` is UTC.

    `incident` is whose history it is about; of a list, `shown` are the incidents that it showed.
    """

    at: datetime
    did: Literal["read", "acted"]
    who: str
    by: str
    via: str
    address: str
    what: str
    incident: UUID | None
    shown: Sequence[UUID] = ()


def make_readings(metadata: MetaData) -> Table:
    """Return the table of readings, which no rebuild touches."""
    table = Table(
        "reading",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("who", Text, nullable=False),
        Column("via", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("incident", Uuid),
        # What a list showed, as far as this row has room.
        Column("shown", ARRAY(Uuid)),
    )
    Index("reading_shown", table.c.shown, postgresql_using="gin")
    Index("reading_incident", table.c.incident, table.c.at)
    Index("reading_who", table.c.who, table.c.at)
    return table


def reader(who: str | None, via: Literal["page", "command"], address: str) -> Reader:
    """Return a reader as it is written down: on one line, and anonymous where nobody says who it is."""
    name = " ".join((who or "").replace("\x00", " ").split())[:MOST_OF_NAME]
    return Reader(name or ANONYMOUS, via, address)


def of_list(name: str, asked: Mapping[str, str]) -> str:
    """Return what is written down of a list: its name, and what was asked of it."""
    more = " ".join(f"{key}={value}" for key, value in asked.items() if value and key != "after")
    return " ".join(f"list {name} {more}".split())[:MOST_OF_NAME]


_WRITE = text(
    "INSERT INTO ledger.reading (at, who, via, address, what, incident, shown) "
    "VALUES (:at, :who, :via, :address, :what, :incident, CAST(:shown AS uuid[]))"
)


async def record(
    engine: AsyncEngine, by: Reader, what: str, incident: UUID | None, at: datetime, shown: Iterable[UUID] = ()
) -> None:
    """Write down what somebody is about to be shown, at an instant of the house's clock (UTC).

    `shown` are the incidents of a list, each named once, in its order.

    Raises:
        SQLAlchemyError, OSError: it could not be written, so it must not be shown.

    """
    row = {"at": at, "who": by.who, "via": by.via, "address": by.address, "what": what, "incident": incident}
    named = list(dict.fromkeys(shown))
    parts = [named[start : start + MOST_SHOWN] for start in range(0, len(named), MOST_SHOWN)]
    async with engine.begin() as connection:
        await connection.execute(_WRITE, [{**row, "shown": part} for part in parts or (None,)])


_READ = (
    "SELECT at, 'read' AS did, who, '' AS by, via, address, what, incident, "
    "coalesce(shown, '{}') AS shown, 1 AS kind, id AS number "
    "FROM ledger.reading"
)
# Each part by its own index; a row that names an incident in both ways is one.
_OF_INCIDENT = (
    f"SELECT * FROM ({_READ} WHERE incident = :incident "  # noqa: S608 - our own names
    f"UNION ALL {_READ} WHERE shown @> ARRAY[CAST(:incident AS uuid)] AND incident IS DISTINCT FROM :incident "
    "UNION ALL SELECT at, 'acted', who, by, '', '', type, incident, '{}', 0, version "
    "FROM ledger.entry WHERE incident = :incident) AS step"
)


async def trail(
    connection: AsyncConnection, *, incident: UUID | None = None, who: str | None = None, limit: int
) -> Sequence[Step]:
    """Return the last steps of a trail, in order of time, at most `limit`.

    Of an incident, these are all who read it, by itself or in a list, and all who acted, by name or by whoever `who`
    is; without one, everything that `who` (or anybody) has read. At one instant, what was done comes before who read
    it.
    """
    statement, values = trail_of(incident, who, limit)
    rows = await connection.execute(text(statement), values)
    return [Step(*row[:9]) for row in rows][::-1]


def trail_of(incident: UUID | None, who: str | None, limit: int) -> tuple[str, dict[str, Any]]:
    """Return the statement that asks for a trail, with its values."""
    condition = "WHERE who = :who" if who else ""
    source = _OF_INCIDENT if incident else _READ
    values = {"limit": limit} | ({"incident": incident} if incident else {}) | ({"who": who} if who else {})
    return f"{source} {condition} ORDER BY at DESC, kind DESC, number DESC LIMIT :limit", values
