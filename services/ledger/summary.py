"""The ledger at a glance: what nobody owns and what is overdue first, then what was collected and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.domain.figures import Figures, Tally, add_up
from services.ledger import queries
from services.ledger.asking import KIND_OF, Asked
from services.ledger.lists import Item, Overdue, page
from services.ledger.lost import lost
from services.ledger.names import Names, names_of
from services.ledger.queries import Burden
from services.ledger.reading import Unreadable
from services.runtime.clock import Clock, open_clock
from services.runtime.database import connect
from services.runtime.settings import Settings

SHOWN = 10
"""How many lines of what nobody owns, and of what is overdue, are shown at a glance."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many reports of some kinds each community has, by the status of the incident they live in."""

    kind: str
    communities: dict[str, dict[str, int]]

    @property
    def total(self) -> dict[str, int]:
        """The same, of all communities together."""
        together: Counter[str] = Counter()
        for statuses in self.communities.values():
            together.update(statuses)
        return dict(together)


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything at one instant (`at`, UTC, by the house's clock; `sample` when that is the sample's).

    `unowned` and `overdue` are the first few lines of each, the longest waiting first; `unowned_total` and
    `overdue_total` how many there are. `trouble` says why `figures.lost` is not known.
    """

    at: datetime
    sample: bool
    figures: Figures
    unowned_total: int
    unowned: Sequence[Item]
    overdue_total: int
    overdue: Sequence[Overdue]
    lists: Sequence[Counts]
    burdens: Sequence[Burden]
    names: Names
    trouble: str = ""


async def summary(settings: Settings) -> Summary:
    """Return the ledger as it is now, with what was lost, for a command or the local runner.

    Raises:
        SQLAlchemyError, OSError: the database is away, or has no ledger.

    """
    engine = connect(settings.database, "ledger-summary")
    names = names_of(settings)
    try:
        many, trouble = await _lost(engine, settings, names)
        clock = await open_clock(engine)
        return await glance(engine, clock, names, many, trouble)
    finally:
        await engine.dispose()


async def _lost(engine: AsyncEngine, settings: Settings, names: Names) -> tuple[int | None, str]:
    if names.trouble:
        return None, names.trouble
    try:
        return await lost(engine, settings.kafka, names.communities), ""
    except Unreadable as error:
        return None, str(error)


async def glance(engine: AsyncEngine, clock: Clock, names: Names, lost: int | None, trouble: str = "") -> Summary:
    """Return the ledger as it is now; all of it from one snapshot of the database."""
    now = clock.now()
    async with queries.snapshot(engine) as connection:
        return await _taken(connection, now, sample=clock.sample, names=names, lost=lost, trouble=trouble)


async def _taken(
    connection: AsyncConnection, now: datetime, *, sample: bool, names: Names, lost: int | None, trouble: str
) -> Summary:
    tallies = await queries.tallies(connection)
    figures = add_up(
        tallies,
        inspections=await queries.inspections(connection),
        lost=lost,
        duplicates=await queries.duplicates(connection),
    )
    return Summary(
        at=now,
        sample=sample,
        figures=figures,
        unowned_total=sum(each.many for each in tallies if each.unowned),
        unowned=(await page(connection, Asked("unowned", limit=SHOWN), now)).items,
        overdue_total=await queries.count_overdue(connection, now),
        overdue=(await page(connection, Asked("overdue", limit=SHOWN), now)).overdue,
        lists=[_counts(kind, tallies) for kind in KIND_OF.values()],
        burdens=await queries.burdens(connection, now),
        names=names,
        trouble=trouble,
    )


def _counts(kind: str, tallies: Sequence[Tally]) -> Counts:
    found: dict[str, Counter[str]] = {}
    for each in tallies:
        if each.kind == kind:
            found.setdefault(each.community, Counter())[each.status] += each.many
    return Counts(kind, {community: dict(found[community]) for community in sorted(found)})
