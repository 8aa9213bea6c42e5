"""Rounds of inspection: what each has found, what it has looked at again, and what became of what was found.

1. What a round found are the reports it names, and those that name the round by a link.
2. Of these is rectified what is confirmed, answered or closed, with an owner, and refused what the street didn't take
   on; all else is open. A repeat has the fate of the incident it lives in (see fates.py).
3. Of what is rectified is re-inspected what held when a later round looked again, and failing what did not. A look
   counts where the history of the incident has taken it, at whichever of its reports, and only when it was made after
   the work that stands was resolved; the last one counts, and of one round what did not hold.
4. A level counts a report once, however many of its rounds have found it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Column, MetaData, Table, Uuid, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.incident import Entry, Inspected, Reinspected
from services.domain.figures import SETTLED
from services.domain.incident import Incident
from services.ledger.queries import between
from services.runtime.bulk import Insertion

LEVELS: Final = (1, 2, 3, 4)
SHOWN = 50
"""How many rounds of a level are listed."""
_URN = "urn:uuid:"


class Rounds:
    """The tables beside `inspection`, in one schema; a row never changes."""

    def __init__(self, metadata: MetaData) -> None:
        self.findings = Table(
            "finding",
            metadata,
            Column("inspection", Uuid, primary_key=True),
            Column("report", Uuid, primary_key=True),
        )
        self.rechecks = Table(
            "recheck",
            metadata,
            Column("inspection", Uuid, primary_key=True),
            Column("report", Uuid, primary_key=True),
            Column("holds", Boolean, nullable=False),
        )
        self.reinspections = Table(
            "reinspection",
            metadata,
            Column("incident", Uuid, primary_key=True),
            Column("inspection", Uuid, primary_key=True),
            Column("report", Uuid, primary_key=True),
            Column("holds", Boolean, nullable=False),
        )
        # The round names the report, or the report the round, or each the other.
        self._find = Insertion(self.findings, "ON CONFLICT (inspection, report) DO NOTHING")
        self._recheck = Insertion(self.rechecks, "ON CONFLICT (inspection, report) DO NOTHING")
        self._reinspect = Insertion(self.reinspections, "ON CONFLICT (incident, inspection, report) DO NOTHING")

    async def write(self, connection: AsyncConnection, walked: Sequence[tuple[UUID, Inspected]]) -> None:
        """Write what rounds say they have found and looked at again, each given with its id."""
        await self._find.write(
            connection, _once((key, report) for key, entry in walked for report in entry.round.found)
        )
        # Of a report that a round names twice, the first word counts.
        again = {
            (key, each.report): each.holds for key, entry in reversed(walked) for each in entry.round.rechecks[::-1]
        }
        await self._recheck.write(connection, [(*both, holds) for both, holds in again.items()])

    async def write_taken(self, connection: AsyncConnection, told: Iterable[tuple[UUID, Entry]]) -> None:
        """Write which looks histories have taken, of entries each given with its incident's id."""
        rows = [
            (key, entry.inspection, entry.report, entry.holds) for key, entry in told if isinstance(entry, Reinspected)
        ]
        await self._reinspect.write(connection, rows)

    async def write_linked(self, connection: AsyncConnection, opened: Iterable[Incident]) -> None:
        """Write which rounds gave rise to reports that were just opened, as the reports say."""
        await self._find.write(connection, _once((found, state.id) for state in opened for found in rounds_of(state)))


def _once(pairs: Iterable[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    return list(dict.fromkeys(pairs))


def rounds_of(state: Incident) -> list[UUID]:
    """Return the rounds that an incident's report says it was found on."""
    links = state.report.links if state.report else ()
    return [UUID(each.href.removeprefix(_URN)) for each in links if each.rel == "inspection" and _URN in each.href[:9]]


@dataclass(frozen=True, slots=True)
class Level:
    """What the rounds of one grid level came to; `reinspected` and `failing` are of those rectified."""

    grid_level: int
    rounds: int = 0
    found: int = 0
    rectified: int = 0
    reinspected: int = 0
    failing: int = 0
    refused: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """One round, and what became of what it found; `rechecked` counts the reports it looked at again."""

    id: UUID
    community: str
    purpose: str
    grid_level: int
    inspected_at: datetime
    rechecked: int
    found: int
    rectified: int
    reinspected: int
    failing: int
    refused: int
    open: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One report that a round found or looked at again, and what became of it.

    `rechecked` is whether it held then, as the round says, whether or not the report's history has taken it.

    `kind`, `description` and `status` are None where the ledger has not heard of the report yet; `home` is the incident
    it lives in; `holds` is what the last round found whose look counts (rule 3).
    """

    report: UUID
    home: UUID | None
    kind: str | None
    description: str | None
    status: str | None
    fate: str
    holds: bool | None
    rechecked: bool | None


_DONE = ", ".join(f"'{each}'" for each in sorted(SETTLED))
# What became of each report that some round found or looked at again; one row for each round and report.
_TRACED = f"""
traced AS (
    SELECT named.inspection, named.report, named.found, named.rechecked, fate.home, fate.kind, fate.status, last.holds,
        CASE WHEN fate.status = 'refused' THEN 'refused'
            WHEN fate.owned AND fate.status IN ({_DONE}) THEN 'rectified'
            ELSE 'open' END AS fate
    FROM named
    LEFT JOIN ledger.fate ON fate.id = named.report
    LEFT JOIN ledger.appraisal AS done ON done.incident = fate.home AND done.department = ''
    LEFT JOIN LATERAL (
        SELECT looked.holds
        FROM ledger.reinspection AS looked JOIN ledger.inspection ON inspection.id = looked.inspection
        WHERE looked.incident = fate.home AND inspection.inspected_at >= done.resolved_at
        ORDER BY inspection.inspected_at DESC, inspection.id DESC, looked.holds LIMIT 1
    ) AS last ON true
)"""  # noqa: S608 - our own names
_COUNTS = """
    count(DISTINCT traced.report) AS found,
    count(DISTINCT traced.report) FILTER (WHERE traced.fate = 'rectified') AS rectified,
    count(DISTINCT traced.report) FILTER (WHERE traced.fate = 'rectified' AND traced.holds) AS reinspected,
    count(DISTINCT traced.report) FILTER (WHERE traced.fate = 'rectified' AND NOT traced.holds) AS failing,
    count(DISTINCT traced.report) FILTER (WHERE traced.fate = 'refused') AS refused,
    count(DISTINCT traced.report) FILTER (WHERE traced.fate = 'open') AS open"""
_FOUND = "named AS (SELECT inspection, report, true AS found, CAST(NULL AS boolean) AS rechecked FROM ledger.finding)"
_BY_LEVEL = text(
    f"WITH {_FOUND}, {_TRACED} "  # noqa: S608 - our own names
    f"SELECT inspection.grid_level, count(DISTINCT inspection.id) AS rounds, {_COUNTS} "
    "FROM ledger.inspection LEFT JOIN traced ON traced.inspection = inspection.id GROUP BY inspection.grid_level"
)
_ROUNDS = text(
    "WITH shown AS (SELECT * FROM ledger.inspection WHERE CAST(:level AS integer) IS NULL OR grid_level = :level "  # noqa: S608 - our own names
    "ORDER BY inspected_at DESC, id DESC LIMIT :limit), "
    "named AS (SELECT inspection, report, true AS found, CAST(NULL AS boolean) AS rechecked FROM ledger.finding "
    f"JOIN shown ON shown.id = finding.inspection), {_TRACED} "
    "SELECT shown.id, shown.community, shown.purpose, shown.grid_level, shown.inspected_at, "
    f"(SELECT count(*) FROM ledger.recheck WHERE recheck.inspection = shown.id) AS rechecked, {_COUNTS} "
    "FROM shown LEFT JOIN traced ON traced.inspection = shown.id "
    "GROUP BY shown.id, shown.community, shown.purpose, shown.grid_level, shown.inspected_at "
    "ORDER BY shown.inspected_at DESC, shown.id DESC"
)
_OF_ROUND = text(
    "WITH named AS (SELECT inspection, report, finding.inspection IS NOT NULL AS found, recheck.holds AS rechecked "  # noqa: S608 - our own names
    "FROM (SELECT * FROM ledger.finding WHERE inspection = :id) AS finding "
    "FULL JOIN (SELECT * FROM ledger.recheck WHERE inspection = :id) AS recheck USING (inspection, report)), "
    f"{_TRACED} "
    "SELECT traced.report, traced.home, traced.kind, incident.description, traced.status, traced.fate, traced.holds, "
    "traced.rechecked FROM traced LEFT JOIN ledger.incident ON incident.id = traced.report "
    "ORDER BY traced.found DESC, traced.report"
)


async def by_level(connection: AsyncConnection) -> list[Level]:
    """Return what the rounds of each of the four grid levels came to, the first level first."""
    rows = {row["grid_level"]: Level(**row) for row in (await connection.execute(_BY_LEVEL)).mappings()}
    return [rows.get(level, Level(level)) for level in LEVELS]


async def rounds(connection: AsyncConnection, level: int | None = None, limit: int = SHOWN) -> list[Round]:
    """Return the latest rounds, of one grid level or of all, the newest first."""
    result = await connection.execute(_ROUNDS, {"level": level, "limit": limit})
    return [Round(**row) for row in result.mappings()]


async def findings(connection: AsyncConnection, inspection: UUID) -> list[Finding] | None:
    """Return what became of what a round found, and then of what it only looked at again; None: no such round."""
    known = await connection.scalar(text("SELECT 1 FROM ledger.inspection WHERE id = :id"), {"id": inspection})
    if known is None:
        return None
    rows = await connection.execute(_OF_ROUND, {"id": inspection})
    return [Finding(**row) for row in rows.mappings()]


def shown(found: Iterable[Finding]) -> Iterator[UUID]:
    """Yield the incidents that findings show: each report's own, and the one it lives in."""
    for each in found:
        yield each.report
        if each.home:
            yield each.home


async def matching(connection: AsyncConnection, prefix: str) -> Sequence[UUID]:
    """Return the rounds whose id begins like this, two at most: two are an ambiguity."""
    found = between(prefix)
    if found is None:
        return []
    first, last = found
    statement = text("SELECT id FROM ledger.inspection WHERE id BETWEEN :first AND :last ORDER BY id LIMIT 2")
    return (await connection.scalars(statement, {"first": first, "last": last})).all()
