"""The clocks of an incident: when each fires next, who owes, and what firing says.

A clock is addressed by its department, or the unit whose supervision case it is (None for the incident's own), and its
name.

Source: states.md, beside this file.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

from schemas import incident as entries
from schemas.event import LATEST, beside
from services.domain import ladder as ladders
from services.domain.configuration import Configuration
from services.domain.directory import Directory, Holder
from services.domain.incident import Case, Clock, Incident, Obligation
from services.domain.ladder import Ladder, Step
from services.domain.memo import remembered_of_each
from services.domain.story import Story
from services.domain.working_time import Duration

BY_ITSELF = frozenset({"close", "review", "reply"})
"""Clocks that end a wait by themselves instead of climbing a ladder."""
UNTAKEN = frozenset({"decide", "acknowledge", "lead"})
"""Clocks of what nobody has taken on: whose it is isn't decided, or whoever it is hasn't acknowledged it."""
UNSEEN: Final = "unseen "
"""How the name begins of what only remains to be judged, whatever a rule calls its steps: a code has no blank in it."""
OF_THE_STREET = frozenset({"decide", "confirm", "approve"})
"""Clocks on an obligation that run against whoever has to decide, not against the department."""


Owed = Obligation | Case | None
"""What a clock belongs to; None for the incident's own."""
Running = tuple[Owed, str, Clock]
"""A clock that runs, with what it belongs to and its name."""


@dataclass(frozen=True, slots=True)
class Due:
    """One firing of one clock: `index` is the rung of its ladder that is next, and `since` the version that set it."""

    at: datetime
    department: str | None
    name: str
    since: int
    index: int
    case: str | None = None


def identity(incident: UUID, due: Due) -> UUID:
    """Return the id of one firing, the same whoever computes it: it can happen only once."""
    return beside(incident, f"{due.department or due.case or ''}/{due.name}/{due.since}/{due.index}".encode())


def dues(state: Incident, configuration: Configuration, until: datetime = LATEST) -> Iterator[Due]:
    """Yield the next firing of every clock that runs out by an instant, in no order; a rung may be later than that.

    `wait` ends the waiting of premature facts, and `unseen` judges a promise that is waited for no longer.
    """
    for owed, name, clock in running(state):
        # Most need not be worked out.
        if _not_before(state, owed, name, clock, configuration) <= until:
            yield _due(state, owed, name, clock, configuration)
    for each in state.unseen:
        if each.due_at <= until:
            yield Due(
                each.due_at, each.department or None, f"{UNSEEN}{each.deadline}", each.since, 0, each.case or None
            )
    if state.waiting:
        yield Due(_waited_until(state), None, "wait", state.version, len(state.waiting))


def next_due_at(state: Incident, configuration: Configuration) -> datetime | None:
    """Return the instant (UTC) at which something fires next; None only when nobody waits for anything."""
    earliest = _waited_until(state) if state.waiting else None
    for each in state.unseen:
        earliest = each.due_at if earliest is None else min(earliest, each.due_at)
    found = [(_not_before(state, *each, configuration), *each) for each in running(state)]
    found.sort(key=_FIRST)
    for not_before, owed, name, clock in found:
        # Most need not be worked out.
        if earliest is not None and not_before >= earliest:
            break
        at = _next_at(state, owed, name, clock, configuration)
        earliest = at if earliest is None else min(earliest, at)
    return earliest


_FIRST = itemgetter(0)


def _not_before(state: Incident, owed: Owed, name: str, clock: Clock, configuration: Configuration) -> datetime:
    """Return an instant that the next firing does not precede, which is quickly known: mostly the deadline itself."""
    if name in BY_ITSELF:
        return clock.due_at
    unit = debtor(state, owed, name)
    ladder = _climbed_by(state, unit, owed, name, configuration)
    if clock.fired >= ladder.early:
        return clock.due_at
    calendar = configuration.calendar_of(unit)
    return ladders.not_before(ladder, calendar, clock.due_at, clock.fired, _set_at(state, clock))


def _due(state: Incident, owed: Owed, name: str, clock: Clock, configuration: Configuration) -> Due:
    at = _next_at(state, owed, name, clock, configuration)
    if isinstance(owed, Case):
        return Due(at, None, name, clock.since, clock.fired, owed.unit)
    return Due(at, owed.department if owed else None, name, clock.since, clock.fired)


def running(state: Incident) -> Iterator[Running]:
    """Yield every running clock, with the obligation or case it belongs to, if it isn't the incident's own."""
    for name, clock in state.clocks.items():
        yield None, name, clock
    for owed in state.obligations.values():
        for name, clock in owed.clocks.items():
            yield owed, name, clock
    for case in state.cases.values():
        for name, clock in case.clocks.items():
            yield case, name, clock


def _waited_until(state: Incident) -> datetime:
    return min(each.until for each in state.waiting)


def _next_at(state: Incident, owed: Owed, name: str, clock: Clock, configuration: Configuration) -> datetime:
    if name in BY_ITSELF:
        return clock.due_at
    unit = debtor(state, owed, name)
    ladder, calendar = _climbed_by(state, unit, owed, name, configuration), configuration.calendar_of(unit)
    return ladders.next_at(ladder, calendar, clock.due_at, clock.fired, _set_at(state, clock))


def _set_at(state: Incident, clock: Clock) -> datetime | None:
    """Return when a clock was first set, where that is known."""
    return clock.set_at or state.set_at.get(clock.since)


def debtor(state: Incident, owed: Owed, name: str) -> str:
    """Return the code of the unit that a clock runs against."""
    if owed is None:
        return state.naming if name == "lead" else state.street
    if isinstance(owed, Case):
        return owed.unit if name == "explain" else owed.judge
    if name == "approve" and owed.request:
        return owed.request.unit
    if name == "confirm" and owed.section:
        return state.community
    return state.street if name in OF_THE_STREET else owed.department


def next_owed_at(state: Incident, unit: str, *, of_cases: bool = True) -> datetime | None:
    """Return the first deadline (UTC) of all that run against a unit; None where it owes nothing.

    With `of_cases` also what supervision cases ask of it.
    """
    return min(
        (
            clock.due_at
            for owed, name, clock in running(state)
            if name not in BY_ITSELF and debtor(state, owed, name) == unit and (of_cases or not isinstance(owed, Case))
        ),
        default=None,
    )


def ladder_of(state: Incident, owed: Owed, name: str, configuration: Configuration) -> Ladder:
    """Return the ladder a clock climbs: the frozen one for what a department owes, else that of whoever owes."""
    return _climbed_by(state, debtor(state, owed, name), owed, name, configuration)


def _climbed_by(state: Incident, unit: str, owed: Owed, name: str, configuration: Configuration) -> Ladder:
    if isinstance(owed, Obligation) and unit == owed.department:
        return _thawed(owed.policy.ladder)
    # What nobody owns climbs as what somebody owns would.
    if name == "decide" and (ladder := configuration.whistles[state.kind].ladder):
        return configuration.ladders[configuration.climbed(ladder, unit)]
    return configuration.ladders[configuration.ladder_of(unit)]


# Comparing two messages costs more than everything else that is asked of a clock.
@remembered_of_each
def _thawed(frozen: entries.Ladder) -> Ladder:
    return _same(frozen.name, tuple((rung.after, rung.before, rung.post) for rung in frozen.rungs), frozen.repeat)


@lru_cache(maxsize=256)
def _same(name: str, rungs: tuple[tuple[str | None, str | None, str | None], ...], repeat: str) -> Ladder:
    parse = Duration.parse
    steps = tuple(Step(parse(before or after or "0m"), post, before is not None) for after, before, post in rungs)
    return Ladder(name, steps, parse(repeat))


def fire_until(story: Story, units: Collection[str]) -> list[Running]:
    """Fire what was due at the story's instant against some units, the earliest first; return what was against others.

    Before a unit's act is looked at, its own overdue clocks fire: at one instant, what is due comes before what is
    said, and what is done late does not hide that it was late. Clocks of others are left to the sweeper, which knows
    whether everything said in time has been read. Of these, the ones of which nothing was said yet are returned.
    """
    # What comes before a deadline is no lateness, and left to the sweeper; so nearly always that is all.
    if not [clock for _, _, clock in running(story.now_is) if clock.due_at <= story.at]:
        return []
    while (due := _overdue(story, units)) is not None:
        fire(story, due)
    return _overdue_of_others(story, units)


def _overdue(story: Story, units: Collection[str]) -> Due | None:
    """Return the earliest firing that is due against some units, or None."""
    state, configuration = story.now_is, story.configuration
    found = (
        _due(state, owed, name, clock, configuration)
        for owed, name, clock in running(state)
        if clock.due_at <= story.at and debtor(state, owed, name) in units
    )
    due = (each for each in found if each.at <= story.at)
    return min(due, key=lambda each: (each.at, each.department or "", each.name), default=None)


def _overdue_of_others(story: Story, units: Collection[str]) -> list[Running]:
    state = story.now_is
    said = {(each.since, each.deadline) for each in state.broken}
    return [
        (owed, name, clock)
        for owed, name, clock in running(state)
        if clock.due_at <= story.at
        and name not in BY_ITSELF
        and debtor(state, owed, name) not in units
        and (clock.since, name) not in said
    ]


def fire(story: Story, due: Due) -> None:
    """Fire one clock at the story's instant; nothing happens if it no longer runs as it did."""
    if due.name == "wait":
        return
    state = story.now_is
    owed = _holder(state, due)
    clock = (owed.clocks if owed else state.clocks).get(due.name)
    if clock is None or (clock.since, clock.fired) != (due.since, due.index) or due.at > story.at:
        return
    if due.name == "close" and owed is None:
        story.tell(entries.HeldOpen if state.supervised else entries.Closed, **by_itself(owed))
    elif due.name == "reply" and owed is None:
        story.tell(entries.Unreplied, report=state.asked[-1].report, **by_itself(owed))
    elif due.name == "review" and isinstance(owed, Obligation):
        # From the review date itself: whoever looks late moves nothing.
        resolve = Duration.parse(owed.policy.durations["resolve"])
        deadlines = story.deadlines(owed.department, due.at, resolve=resolve)
        story.tell_of(entries.Unparked, owed.department, deadlines=deadlines, **by_itself(owed))
    else:
        _climb(story, owed, due.name, clock)


def _holder(state: Incident, due: Due) -> Owed:
    if due.department:
        return state.obligations.get(due.department)
    return state.cases.get(due.case) if due.case else None


def by_itself(owed: Owed) -> Mapping[str, str]:
    """Return who speaks when a clock fires: nobody, though somebody's act may have been the occasion."""
    rule = owed.policy.rule if isinstance(owed, Obligation) else "street-policy"
    return {"who": "clock", "by": f"rule:{rule}"}


def _climb(story: Story, owed: Owed, name: str, clock: Clock) -> None:
    """Climb to the highest rung that is due; the ones below it that came due in the same silence are skipped."""
    state, configuration = story.now_is, story.configuration
    unit = debtor(state, owed, name)
    ladder, calendar = _climbed_by(state, unit, owed, name, configuration), configuration.calendar_of(unit)
    steps = ladders.due_steps(ladder, calendar, clock.due_at, clock.fired, story.at, _set_at(state, clock))
    *skipped, highest = (index for index, _ in steps)
    told = _reach(ladder, highest, unit, configuration.directory, story.at)
    fields = {
        "deadline": name,
        "due_at": clock.due_at,
        "step": told.step,
        "unit": unit,
        **of(owed),
        "skipped": tuple(skipped),
        "vacant": told.vacant or None,
        **by_itself(owed),
    }
    if told.post is None:
        story.tell(entries.Reminded, **fields)
        return
    if told.holder is not None:
        fields |= {"holder": told.holder.name, "holder_unit": told.holder.unit}
    kind = entries.Reminded if story.at < clock.due_at else entries.Escalated
    story.tell(kind, post=told.post, **fields)


def of(owed: Owed) -> Mapping[str, object]:
    """Return what an entry about a clock says of whom it belongs to."""
    if isinstance(owed, Case):
        return {"case": owed.unit, "round": owed.turn}
    return {"department": owed.department, "round": owed.round} if owed else {}


class _Reached(NamedTuple):
    """Whom a firing tells, on which rung: no post, where whoever owes is reminded; `vacant` are the posts passed."""

    step: int
    post: str | None
    holder: Holder | None
    vacant: tuple[str, ...]


def _reach(ladder: Ladder, index: int, unit: str, directory: Directory, at: datetime) -> _Reached:
    """Climb from a rung past the posts that nobody holds, which takes no time.

    A rung before the deadline is not passed for one after it: whoever owes is reminded instead. Above the top comes the
    district's supervision office, and where nobody holds that either, the top is told all the same, as vacant.
    """
    vacant: tuple[str, ...] = ()
    first = ladder.step(index)
    while True:
        step = ladder.step(index)
        if step.before != first.before:
            return _Reached(index - 1, None, None, vacant)
        holder = directory.holder(unit, step.post, at) if step.post else None
        if step.post is None or holder:
            return _Reached(index, step.post, holder, vacant)
        vacant = (*vacant, step.post)
        if index >= ladder.top:
            last = directory.last_resort(at)
            return _Reached(index, last.post if last else step.post, last, vacant)
        index += 1
