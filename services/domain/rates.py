"""The rates by which both sides are appraised (考核), counted from what became of every obligation and incident.

Departments and sections are appraised by their obligations, communities, categories and months by their incidents.
Every rate has its denominator beside it, and there is none where that is 0.

1. A month is that of the report. An item stays in its month whatever happens to it later, so the denominator of every
   rate of a month is of the same items, and nothing leaves a month because it took long.
2. What was late stays late: `late` is what the history says of the deadlines, in any round, kept or not afterwards. Of
   an obligation it is every deadline of the department's own but that to acknowledge: on the spot, each interim step,
   resolve. What others owe on its part, a decision, an approval, a confirmation, makes no department late.
3. An obligation is asked for a response from its dispatch on. One that was withdrawn counts only for what had become of
   it by then: it was asked where it was acknowledged, or late to be; it was late to resolve where that had passed.
   What was rated or reopened of its work stays, too. Where nothing at all had become of it, it is as if it had never
   been called, and called once more, it begins anew.
4. Response rate (响应率): acknowledged at all, in any round, of what was asked. To decline is no acknowledgement.
5. Prompt response rate (按时响应率): acknowledged, and never late to, of what was acknowledged or late to be.
6. Solution rate (解决率): rated solved, of what was rated. Satisfaction rate (满意率): rated satisfied, of what was
   rated. The last rating of each reporter counts, and of several reporters the worst: solved is what all of them call
   so. An obligation has those that were given while its own work was confirmed, whatever became of it later.
7. On-time rate (按时办结率): resolved, and never late to, of what is resolved or was late to be. What was sent back or
   reopened is not resolved until it is so again.
8. Handling time (办理用时): office time from the first dispatch to the last resolution, of what is resolved. No
   refusal, extension, parking or new round begins it anew or stops it, nor does a withdrawal of who had acknowledged,
   or was late to. Who was withdrawn before that begins with the next dispatch: the time between was others' (rule 3).
9. Reopen rate (重办率): reopened, of what was ever answered; a refusal with its reason is an answer. An obligation is
   reopened when work of its own that was confirmed is called for again, and answered by an answer given while it was
   confirmed: what others did after it was withdrawn, or before it was called, is not answered for it.
10. An incident stands for all its obligations together: it is responded to when everybody asked has acknowledged,
    resolved when all that were not withdrawn are, and late when any is, or when its own overall deadline has passed.
    Its handling time begins at the first whistle.
11. Whistle rate (吹哨率): a department of the district was ever called, of all incidents that the street has decided
    about: called anybody for, a section of its own among them, or refused. It should be neither too high nor too low.
12. Answering time (答复用时): office time from the report to the answer that stands, of incidents that have one.
13. A repeat that was attached is no incident of its own: it counts with the one it lives in. Whatever was called for
    before it was attached stays counted.
14. A percentile is the smallest time that so many of a hundred don't exceed: one that was really taken.

Source: the three rates (三率) of Chinese cities' hotlines and street whistles: response, solution, satisfaction.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from services.domain.clocks import OF_THE_STREET
from services.domain.figures import ANSWERED
from services.domain.incident import Incident, Obligation
from services.domain.working_time import Calendar, between

MEDIAN: Final = 0.5
NINETIETH: Final = 0.9
RATE_DIGITS: Final = 4
HOURS_DIGITS: Final = 2
HOUR: Final = timedelta(hours=1)
NO_LATENESS: Final = OF_THE_STREET | {"acknowledge"}
"""Deadlines of an obligation that make nobody late with the work: whoever acknowledges late is slow (rule 2)."""
RESOLVED: Final = frozenset({"resolved", "confirmed"})
GIVEN: Final = frozenset({"answered", "closed"})


class Appraised(NamedTuple):
    """An obligation, whose department is named, or an incident as a whole, where it is empty, as it is counted.

    `began_at` is the dispatch or whistle that its time begins with; `slow` means late to acknowledge, `late` late with
    the work (rule 2). `resolved_at` and `answered_at` are set while the resolution and the answer stand.
    """

    department: str
    section: bool
    street: str
    community: str
    category: str
    reported_at: datetime
    began_at: datetime | None
    asked: bool
    responded: bool
    slow: bool
    resolved_at: datetime | None
    late: bool
    answered: bool
    reopened: bool
    solved: bool | None
    satisfied: bool | None
    # Of incidents alone.
    decided: bool = False
    whistled: bool = False
    answered_at: datetime | None = None

    @property
    def unit(self) -> str:
        """Whose office hours its times are counted in."""
        return self.department or self.street


def appraised(state: Incident) -> list[Appraised]:
    """Return what is counted of an incident: itself once the street has decided about it, and its obligations."""
    report = state.report
    if report is None or state.reported_at is None:
        return []
    of = state.street, state.community, report.category, state.reported_at
    duties = [_duty(state, each, *of) for each in state.obligations.values()]
    return duties if state.called_at is None and state.answered_at is None else [_matter(state, duties, *of), *duties]


# Every change of an incident is looked at: naming the fields, or asking the obligations one question after another,
# would take twice as long.
def _duty(
    state: Incident, owed: Obligation, street: str, community: str, category: str, reported_at: datetime
) -> Appraised:
    stands = owed.status != "withdrawn"
    responded = owed.acknowledged_at is not None
    slow = "acknowledge" in owed.late
    reopened = owed.reopened > 0
    # No answer comes before all work is confirmed, and no work is taken on after it, but by reopening it.
    answered = owed.status == "confirmed" and state.status in GIVEN
    ratings = owed.ratings
    return Appraised(
        owed.department,
        owed.section,
        street,
        community,
        category,
        reported_at,
        owed.anew_at or owed.dispatched_at,
        stands or responded or slow,
        responded,
        slow,
        owed.resolved_at if owed.status in RESOLVED else None,
        bool(owed.late) and not NO_LATENESS.issuperset(owed.late),
        answered or reopened,
        reopened,
        all(each.solved for each in ratings) if ratings else None,
        all(each.satisfied for each in ratings) if ratings else None,
    )


def _matter(
    state: Incident, duties: Sequence[Appraised], street: str, community: str, category: str, reported_at: datetime
) -> Appraised:
    """Rule 10."""
    asked = slow = whistled = False
    late = "overall" in state.late
    responded = True
    ends = []
    for owed, duty in zip(state.obligations.values(), duties, strict=True):
        whistled = whistled or not duty.section
        slow = slow or duty.slow
        late = late or duty.late
        if duty.asked:
            asked = True
            responded = responded and duty.responded
        if owed.status != "withdrawn":
            ends.append(duty.resolved_at)
    return Appraised(
        "",
        False,  # noqa: FBT003 - a section is asked for where there is a department
        street,
        community,
        category,
        reported_at,
        state.called_at,
        asked,
        asked and responded,
        slow,
        _last(ends),
        late,
        state.answered_at is not None,
        state.reopened > 0,
        state.solved,
        state.satisfied,
        decided=True,
        whistled=whistled,
        answered_at=state.answered_at if state.status in ANSWERED else None,
    )


def _last(ends: Sequence[datetime | None]) -> datetime | None:
    """Return the last of them, if there are any and none is missing."""
    there = [each for each in ends if each]
    return max(there) if there and len(there) == len(ends) else None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    many: int = 0
    of: int = 0

    @property
    def rate(self) -> float | None:
        """The rate, from 0 to 1; None where there is nothing to have one."""
        return round(self.many / self.of, RATE_DIGITS) if self.of else None


@dataclass(frozen=True, slots=True)
class Span:
    """The median and the 90th percentile of so many times, in office time; None where there are none (rule 14)."""

    of: int = 0
    median: timedelta | None = None
    ninetieth: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """All rates of some obligations or incidents; `whistle` and `answering` are of incidents alone."""

    response: Share = Share()
    prompt: Share = Share()
    solution: Share = Share()
    satisfaction: Share = Share()
    on_time: Share = Share()
    reopen: Share = Share()
    whistle: Share = Share()
    handling: Span = Span()
    answering: Span = Span()


def count(items: Iterable[Appraised], calendar_of: Callable[[str], Calendar]) -> Rates:
    """Count the rates item by item; `calendar_of` gives the calendar of a unit's offices.

    The ledger's tables count the same without reading every row: this is what they are held against.
    """
    items = list(items)
    handling = [
        between(calendar_of(each.unit), each.began_at, each.resolved_at)
        for each in items
        if each.began_at and each.resolved_at
    ]
    answering = [
        between(calendar_of(each.unit), each.reported_at, each.answered_at) for each in items if each.answered_at
    ]
    return Rates(
        response=_share(each.responded for each in items if each.asked),
        prompt=_share(each.responded and not each.slow for each in items if each.responded or each.slow),
        solution=_share(each.solved for each in items if each.solved is not None),
        satisfaction=_share(each.satisfied for each in items if each.satisfied is not None),
        on_time=_share(
            each.resolved_at is not None and not each.late for each in items if each.resolved_at or each.late
        ),
        reopen=_share(each.reopened for each in items if each.answered),
        whistle=_share(each.whistled for each in items if each.decided),
        handling=_span(handling),
        answering=_span(answering),
    )


def _share(found: Iterable[bool | None]) -> Share:
    each = list(found)
    return Share(sum(map(bool, each)), len(each))


def _span(times: Sequence[timedelta]) -> Span:
    times = sorted(times)
    if not times:
        return Span()
    median, ninetieth = (times[math.ceil(part * len(times)) - 1] for part in (MEDIAN, NINETIETH))
    return Span(len(times), median, ninetieth)


def is_small(of: int, below: int) -> bool:
    """Whether a number comes from so few that it says little (小样本)."""
    return 0 < of < below


def as_json(figure: Share | Span, small_below: int) -> dict[str, Any]:
    """Return one figure as every format writes it, with the mark of small numbers; times are in working hours."""
    small = is_small(figure.of, small_below)
    if isinstance(figure, Share):
        return {"rate": figure.rate, "many": figure.many, "of": figure.of, "small": small}
    return {
        "median_h": _hours(figure.median),
        "p90_h": _hours(figure.ninetieth),
        "of": figure.of,
        "small": small,
    }


def _hours(time: timedelta | None) -> float | None:
    return None if time is None else round(time / HOUR, HOURS_DIGITS)
