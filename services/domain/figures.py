"""The figures of the ledger, counted from what became of every report; nothing here knows what they should be.

Figures count reports: a repeat that was attached has the other's incident, its owner and its answer.

1. A report has an owner when the incident it lives in has at least one obligation that was not withdrawn.
2. Its matter is settled when that incident is confirmed, answered or closed, and it has an owner.
3. It is answered when that incident is answered or closed, or was refused: the reason of a refusal is answered too.
4. What was refused has been decided, and is not counted among what nobody owns.
5. A repeat lives in another incident only when both say so: its own, which ended in the other, and the other, which
   lists it. One that only its own incident calls attached has nobody who would answer it, and so it has no owner.

Source: services/local/sample/article.yaml (the categories of the article).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from schemas.incident import Status
from schemas.report import Kind

SETTLED: frozenset[Status] = frozenset({"confirmed", "answered", "closed"})
ANSWERED: frozenset[Status] = frozenset({"answered", "closed", "refused"})
BOTH_LISTS: frozenset[Kind] = frozenset({"demand", "suggestion"})


@dataclass(frozen=True, slots=True)
class Row:
    """One report with the incident that was opened for it; the id is the id of both.

    `owned` tells whether a department owes or has done it; `repeats` are the other reports attached to it.
    """

    id: UUID
    kind: Kind
    community: str
    status: Status
    owned: bool = False
    escalations: int = 0
    attached_to: UUID | None = None
    repeats: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one report: `home` is the incident it lives in, None where there is none that would answer it."""

    row: Row
    home: Row | None

    @property
    def owned(self) -> bool:
        """Rule 1."""
        return self.home is not None and self.home.owned

    @property
    def status(self) -> Status:
        """The status of the incident it lives in; `attached` where it is attached to none that knows of it."""
        return self.home.status if self.home else "attached"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many reports of one kind and community have met the same fate, and how many of their incidents climbed.

    `status` and `owned` are those of the incident they live in; `attached`, and not owned, where there is none.
    """

    kind: Kind
    community: str
    status: Status
    owned: bool
    many: int
    escalated: int = 0

    @property
    def settled(self) -> bool:
        """Rule 2."""
        return self.owned and self.status in SETTLED

    @property
    def answered(self) -> bool:
        """Rule 3."""
        return self.status in ANSWERED

    @property
    def refused(self) -> bool:
        """Whether the street did not take them on."""
        return self.status == "refused"

    @property
    def unowned(self) -> bool:
        """Whether nobody owns them, and nobody has said why not (rule 4)."""
        return not self.owned and not self.refused


@dataclass(frozen=True, slots=True)
class Collected:
    """How many reports of each kind, and rounds of inspection, were collected."""

    demand: int
    suggestion: int
    hazard: int
    dispute: int
    instability: int
    inspections: int


@dataclass(frozen=True, slots=True)
class Unowned:
    """What nobody owns."""

    demand_or_suggestion: int
    hazard: int


@dataclass(frozen=True, slots=True)
class Hazards:
    """What became of the hazards; found is rectified, rectifying, without an owner, and refused."""

    found: int
    rectified: int
    rectifying: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures, without a time in them.

    `assigned`, `solved` and `in_progress` are of demands and suggestions. `escalated` counts incidents, all others
    reports. `lost` is None while it can't be known, which is not the same as none. `duplicates` live in more than one
    incident.
    """

    collected: Collected
    assigned: int
    solved: int
    in_progress: int
    unowned: Unowned
    hazards: Hazards
    disputes_settled: int
    instabilities_handled: int
    escalated: int
    answered: int
    refused: int
    lost: int | None
    duplicates: int

    def as_json(self) -> dict[str, Any]:
        """Return them as JSON writes them."""
        return asdict(self)


def fates(rows: Sequence[Row]) -> Iterator[Fate]:
    """Say what became of every report, in the order of the rows."""
    by_id = {row.id: row for row in rows}
    for row in rows:
        yield Fate(row, _home(row, by_id))


def _home(row: Row, by_id: Mapping[UUID, Row]) -> Row | None:
    """Follow attachments to the incident where they end (rule 5); None where they end nowhere, or go in a circle."""
    seen = {row.id}
    while row.status == "attached":
        other = by_id.get(row.attached_to) if row.attached_to else None
        if other is None or other.id in seen or row.id not in other.repeats:
            return None
        seen.add(other.id)
        row = other
    return row


def count(rows: Sequence[Row], *, inspections: int, lost: int | None) -> Figures:
    """Count the figures report by report; `inspections` are rounds walked, `lost` the reports without an incident.

    The ledger's tables count the same without reading every row: this is what they are held against.
    """
    return add_up(tally(fates(rows)), inspections=inspections, lost=lost, duplicates=_duplicates(rows))


def tally(all_fates: Iterable[Fate]) -> list[Tally]:
    """Count reports that have met the same fate, in no order."""
    many: Counter[tuple[Kind, str, Status, bool]] = Counter()
    escalated: Counter[tuple[Kind, str, Status, bool]] = Counter()
    for fate in all_fates:
        key = fate.row.kind, fate.row.community, fate.status, fate.owned
        many[key] += 1
        escalated[key] += fate.row.escalations > 0
    return [Tally(*key, many[key], escalated[key]) for key in many]


def add_up(tallies: Sequence[Tally], *, inspections: int, lost: int | None, duplicates: int) -> Figures:
    """Add up the figures; nothing here is counted twice as long as no report is in two tallies."""
    collected: Counter[str] = Counter()
    for each in tallies:
        collected[each.kind] += each.many
    listed = [each for each in tallies if each.kind in BOTH_LISTS]
    hazards = [each for each in tallies if each.kind == "hazard"]
    assigned = _many(each for each in listed if each.owned)
    solved = _many(each for each in listed if each.settled)
    rectified = _many(each for each in hazards if each.settled)
    return Figures(
        collected=Collected(
            demand=collected["demand"],
            suggestion=collected["suggestion"],
            hazard=collected["hazard"],
            dispute=collected["dispute"],
            instability=collected["instability"],
            inspections=inspections,
        ),
        assigned=assigned,
        solved=solved,
        in_progress=assigned - solved,
        unowned=Unowned(
            demand_or_suggestion=_many(each for each in listed if each.unowned),
            hazard=_many(each for each in hazards if each.unowned),
        ),
        hazards=Hazards(
            found=collected["hazard"],
            rectified=rectified,
            rectifying=_many(each for each in hazards if each.owned) - rectified,
        ),
        disputes_settled=_many(each for each in tallies if each.kind == "dispute" and each.settled),
        instabilities_handled=_many(each for each in tallies if each.kind == "instability" and each.settled),
        escalated=sum(each.escalated for each in tallies),
        answered=_many(each for each in tallies if each.answered),
        refused=_many(each for each in tallies if each.refused),
        lost=lost,
        duplicates=duplicates,
    )


def _many(tallies: Iterable[Tally]) -> int:
    return sum(each.many for each in tallies)


def _duplicates(rows: Sequence[Row]) -> int:
    """Count reports that live in more than one incident: their own, unless it is attached, and all that list them."""
    incidents = Counter(row.id for row in rows if row.status != "attached")
    incidents.update(repeat for row in rows for repeat in set(row.repeats))
    return sum(many > 1 for many in incidents.values())
