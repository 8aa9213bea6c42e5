"""What is asked of the ledger's tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.domain.figures import Tally

MOST_MATCHES = 10
_FIRST, _LAST = (f"{each * 8}-{each * 4}-{each * 4}-{each * 4}-{each * 12}" for each in "0f")


@dataclass(frozen=True, slots=True)
class Burden:
    """What one department owes and has done, in incidents; `late` never gets less."""

    department: str
    owed: int
    overdue: int
    late: int
    done: int


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a history: when (UTC), who, by which post or rule, and what was said."""

    version: int
    at: datetime
    type: str
    who: str
    by: str
    data: str


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Hold a connection whose statements all see one state of the tables, whoever writes meanwhile."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


async def tallies(connection: AsyncConnection) -> list[Tally]:
    """Count the reports that have met the same fate, in no order."""
    result = await connection.execute(
        text(
            "SELECT kind, community, status, owned, count(*), count(*) FILTER (WHERE escalated) "
            "FROM ledger.fate GROUP BY kind, community, status, owned"
        )
    )
    return [Tally(*each) for each in result]


async def duplicates(connection: AsyncConnection) -> int:
    """Return how many reports live in more than one incident: their own, unless it is attached, and all others."""
    statement = (
        # Nearly all that are listed as repeats are attached, as a small index knows; the others are looked up.
        "WITH others AS MATERIALIZED (SELECT report FROM ledger.repeat "
        "EXCEPT SELECT id FROM ledger.fate WHERE home IS DISTINCT FROM id) "
        "SELECT count(*) FROM (SELECT report FROM ledger.repeat GROUP BY report HAVING count(*) > 1 "
        "UNION SELECT report FROM others JOIN ledger.fate ON fate.id = report) AS twice"
    )
    return int(await connection.scalar(text(statement)) or 0)


async def inspections(connection: AsyncConnection) -> int:
    """Return how many rounds of inspection were recorded."""
    return int(await connection.scalar(text("SELECT count(*) FROM ledger.inspection")) or 0)


async def count_overdue(connection: AsyncConnection, now: datetime) -> int:
    """Return how many promises are broken at an instant."""
    statement = text("SELECT count(*) FROM ledger.clock WHERE taken IN (false, true) AND due_at <= :now")
    return int(await connection.scalar(statement, {"now": now}) or 0)


async def burdens(connection: AsyncConnection, now: datetime) -> list[Burden]:
    """Return what each department owes and has done, whoever has most overdue first."""
    result = await connection.execute(
        text(
            "SELECT department, count(*) FILTER (WHERE owed), count(*) FILTER (WHERE due_at <= :now) AS overdue, "
            "count(*) FILTER (WHERE late), count(*) FILTER (WHERE status = 'confirmed') "
            "FROM ledger.obligation GROUP BY department ORDER BY overdue DESC, 2 DESC, department"
        ),
        {"now": now},
    )
    return [Burden(*each) for each in result]


async def history(connection: AsyncConnection, incident: UUID) -> list[Line]:
    """Return the whole history of an incident in order, with what still waits for an earlier entry."""
    result = await connection.execute(
        text("SELECT version, at, type, who, by, data FROM ledger.entry WHERE incident = :id ORDER BY version"),
        {"id": incident},
    )
    return [Line(*each) for each in result]


async def home(connection: AsyncConnection, report: UUID) -> UUID | None:
    """Return the incident in which a report lives that was attached to it, directly or by others; None elsewhere."""
    statement = text("SELECT home FROM ledger.fate WHERE id = :id AND home <> id")
    found: UUID | None = await connection.scalar(statement, {"id": report})
    return found


def between(prefix: str) -> tuple[UUID, UUID] | None:
    """Return the first and the last id that begin like this; None where none does."""
    try:
        first, last = (UUID(prefix + rest[len(prefix) :]) for rest in (_FIRST, _LAST))
    except ValueError:
        return None
    # The class takes hyphens anywhere.
    return (first, last) if str(first).startswith(prefix.lower()) else None


async def matching(connection: AsyncConnection, prefix: str) -> list[UUID]:
    """Return the incidents whose id begins like this (hexadecimal digits and hyphens), a few at most."""
    found = between(prefix)
    if found is None:
        return []
    first, last = found
    result = await connection.execute(
        text(
            "SELECT DISTINCT incident FROM ledger.entry WHERE incident BETWEEN :first AND :last "
            "ORDER BY incident LIMIT :limit"
        ),
        {"first": first, "last": last, "limit": MOST_MATCHES},
    )
    return list(result.scalars())


async def known(connection: AsyncConnection, reports: Sequence[UUID]) -> set[UUID]:
    """Return those of the reports that have an incident, their own or another's."""
    result = await connection.execute(
        text(
            "SELECT id FROM ledger.fate WHERE id = ANY(CAST(:ids AS uuid[])) "
            "UNION SELECT report FROM ledger.repeat WHERE report = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": list(reports)},
    )
    return set(result.scalars())


async def stamp(connection: AsyncConnection) -> int:
    """Return a number that grows with every record the ledger has handled."""
    return int(await connection.scalar(text("SELECT sum(seq) FROM ledger.shard")) or 0)
