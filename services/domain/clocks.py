"""The clocks of an incident: when each fires next, who owes, and what firing says.

A clock is addressed by its department (None for the incident's own) and its name.

Source: states.md, beside this file.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from schemas import incident as entries
from schemas.event import LATEST, beside
from services.domain import ladder as ladders
from services.domain.configuration import Configuration
from services.domain.incident import Clock, Incident, Obligation
from services.domain.ladder import Ladder, Step
from services.domain.story import Story
from services.domain.working_time import Duration

BY_ITSELF = frozenset({"close", "review", "reply"})
"""Clocks that end a wait by themselves instead of climbing a ladder."""
OF_THE_STREET = frozenset({"decide", "confirm", "approve"})
"""Clocks on an obligation that run against whoever has to decide, not against the department."""


@dataclass(frozen=True, slots=True)
class Due:
    """One firing of one clock: `index` is the rung of its ladder that is next, and `since` the version that set it."""

    at: datetime
    department: str | None
    name: str
    since: int
    index: int


def identity(incident: UUID, due: Due) -> UUID:
    """Return the id of one firing, the same whoever computes it: it can happen only once."""
    return beside(incident, f"{due.department or ''}/{due.name}/{due.since}/{due.index}".encode())


def dues(state: Incident, configuration: Configuration, until: datetime = LATEST) -> Iterator[Due]:
    """Yield the next firing of every clock that runs out by an instant, in no order; a rung may be later than that.

    `wait` ends the waiting of premature facts.
    """
    for owed, name, clock in _running(state):
        # No rung comes before the deadline itself, so most need not be looked up.
        if clock.due_at <= until:
            yield _due(state, owed, name, clock, configuration)
    if state.waiting:
        yield Due(_waited_until(state), None, "wait", state.version, len(state.waiting))


def next_due_at(state: Incident, configuration: Configuration) -> datetime | None:
    """Return the instant (UTC) at which something fires next; None only when nobody waits for anything."""
    earliest = _waited_until(state) if state.waiting else None
    for owed, name, clock in sorted(_running(state), key=lambda each: each[2].due_at):
        # No rung comes before the deadline itself, so most need not be looked up.
        if earliest is not None and clock.due_at >= earliest:
            break
        at = _next_at(state, owed, name, clock, configuration)
        earliest = at if earliest is None else min(earliest, at)
    return earliest


def _due(state: Incident, owed: Obligation | None, name: str, clock: Clock, configuration: Configuration) -> Due:
    at = _next_at(state, owed, name, clock, configuration)
    return Due(at, owed.department if owed else None, name, clock.since, clock.fired)


def _running(state: Incident) -> Iterator[tuple[Obligation | None, str, Clock]]:
    """Yield every running clock, with the obligation it belongs to, if it isn't the incident's own."""
    for name, clock in state.clocks.items():
        yield None, name, clock
    for owed in state.obligations.values():
        for name, clock in owed.clocks.items():
            yield owed, name, clock


def _waited_until(state: Incident) -> datetime:
    return min(each.until for each in state.waiting)


def _next_at(
    state: Incident, owed: Obligation | None, name: str, clock: Clock, configuration: Configuration
) -> datetime:
    if name in BY_ITSELF:
        return clock.due_at
    ladder = ladder_of(state, owed, name, configuration)
    return ladders.next_at(ladder, configuration.calendar, clock.due_at, clock.fired)


def debtor(state: Incident, owed: Obligation | None, name: str, configuration: Configuration) -> str:
    """Return the code of the unit that a clock runs against."""
    if owed is None:
        return state.street
    if name == "approve" and owed.request and configuration.approvers[owed.request.request] == "supervision":
        district = configuration.directory.district
        return district.code if district else state.street
    if name == "confirm" and owed.section:
        return state.community
    return state.street if name in OF_THE_STREET else owed.department


def ladder_of(state: Incident, owed: Obligation | None, name: str, configuration: Configuration) -> Ladder:
    """Return the ladder a clock climbs: the frozen one for what a department owes, else that of whoever owes."""
    unit = debtor(state, owed, name, configuration)
    if owed is not None and unit == owed.department:
        frozen = owed.policy.ladder
        return _thawed(frozen.name, tuple([(rung.after, rung.post) for rung in frozen.rungs]), frozen.repeat)
    return configuration.ladders[configuration.ladder_of(unit)]


# By what it holds: comparing two messages costs more than everything else that is asked of a clock.
@lru_cache(maxsize=256)
def _thawed(name: str, rungs: tuple[tuple[str, str | None], ...], repeat: str) -> Ladder:
    steps = tuple(Step(Duration.parse(after), post) for after, post in rungs)
    return Ladder(name, steps, Duration.parse(repeat))


def fire_until(story: Story, units: Collection[str]) -> None:
    """Fire what was due at the story's instant against some units, the earliest first.

    Before a unit's act is looked at, its own overdue clocks fire: at one instant, what is due comes before what is
    said, and what is done late does not hide that it was late. Clocks of others are left to the sweeper, which knows
    whether everything said in time has been read.
    """
    while (due := _overdue(story, units)) is not None:
        fire(story, due)


def _overdue(story: Story, units: Collection[str]) -> Due | None:
    """Return the earliest firing that is due against some units, or None."""
    state, configuration = story.now_is, story.configuration
    found = (
        _due(state, owed, name, clock, configuration)
        for owed, name, clock in _running(state)
        # No rung comes before the deadline itself, so nearly all of them end here.
        if clock.due_at <= story.at and debtor(state, owed, name, configuration) in units
    )
    due = (each for each in found if each.at <= story.at)
    return min(due, key=lambda each: (each.at, each.department or "", each.name), default=None)


def fire(story: Story, due: Due) -> None:
    """Fire one clock at the story's instant; nothing happens if it no longer runs as it did."""
    if due.name == "wait":
        return
    state = story.now_is
    owed = state.obligations.get(due.department) if due.department else None
    clock = (owed.clocks if owed else state.clocks).get(due.name)
    if clock is None or (clock.since, clock.fired) != (due.since, due.index) or due.at > story.at:
        return
    if due.name == "close":
        story.tell(entries.Closed, **_by_itself(owed))
    elif due.name == "reply":
        story.tell(entries.Unreplied, report=state.asked, **_by_itself(owed))
    elif due.name == "review" and owed:
        # From the review date itself: whoever looks late moves nothing.
        resolve = story.after(Duration.parse(owed.policy.durations["resolve"]), since=due.at)
        story.tell_of(entries.Unparked, owed.department, deadlines={"resolve": resolve}, **_by_itself(owed))
    else:
        _climb(story, owed, due.name, clock)


def _by_itself(owed: Obligation | None) -> Mapping[str, str]:
    """Return who speaks when a clock fires: nobody, though somebody's act may have been the occasion."""
    return {"who": "clock", "by": f"rule:{owed.policy.rule}" if owed else "rule:street-policy"}


def _climb(story: Story, owed: Obligation | None, name: str, clock: Clock) -> None:
    """Climb to the highest rung that is due; the ones below it that came due in the same silence are skipped."""
    ladder = ladder_of(story.now_is, owed, name, story.configuration)
    steps = ladders.due_steps(ladder, story.configuration.calendar, clock.due_at, clock.fired, story.at)
    *skipped, highest = (index for index, _ in steps)
    fields = {
        "deadline": name,
        "due_at": clock.due_at,
        "step": highest,
        "unit": debtor(story.now_is, owed, name, story.configuration),
        "department": owed.department if owed else None,
        "round": owed.round if owed else 0,
        "skipped": tuple(skipped),
        **_by_itself(owed),
    }
    post = ladder.step(highest).post
    if post is None:
        story.tell(entries.Reminded, **fields)
    else:
        story.tell(entries.Escalated, post=post, **fields)
