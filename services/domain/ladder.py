"""The ladder that a broken promise climbs: who is told, how long after it was due, and how often from then on.

Its first steps may come before the promise is due, so that it need not be broken. Every instant follows from the one at
which the promise was due, never from when somebody looked, and is in UTC.

Source: states.md, beside this file (clocks 2 to 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from services.domain.working_time import Calendar, Duration, add, back


@dataclass(frozen=True, slots=True)
class Step:
    """The holder of a post is told; no post: whoever owes is reminded. So long after a promise was due, or `before`."""

    offset: Duration
    post: str | None
    before: bool = False

    @property
    def at_the_deadline(self) -> bool:
        """Whether it comes at the very instant, whether or not an office is open then."""
        return not (self.before or self.offset.value or self.offset.working)


@dataclass(frozen=True)
class Ladder:
    """The steps in the order of climbing, those before the promise is due first; the last is the top, which repeats.

    The first of the others comes at the deadline itself: there a promise is broken, and there it is said.

    `instead` names another ladder for the sides that must not climb this one, such as a street's sections.
    """

    name: str
    steps: tuple[Step, ...]
    repeat: Duration
    instead: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` a ladder that would fall silent, or say late that a promise is broken."""
        if not self.steps:
            raise ValueError(f"ladder {self.name!r} has no steps: give it at least one")
        if self.steps[-1].before:
            raise ValueError(f"ladder {self.name!r} ends before the deadline: give it a step after it")
        if not next(step for step in self.steps if not step.before).at_the_deadline:
            raise ValueError(f"ladder {self.name!r} has no step at the deadline itself: give it one after 0m")
        if not self.repeat.value:
            raise ValueError(f"ladder {self.name!r} repeats after no time at all: write repeat: 1wd or the like")

    @cached_property
    def top(self) -> int:
        """The index of the last step."""
        return len(self.steps) - 1

    @cached_property
    def early(self) -> int:
        """How many of its steps come before the promise is due."""
        return sum(step.before for step in self.steps)

    def step(self, index: int) -> Step:
        """What happens at an index; the indexes after the last step are the top's repeats."""
        return self.steps[min(index, self.top)]


def instant_of(ladder: Ladder, calendar: Calendar, due_at: datetime, index: int) -> datetime:
    """When the step of an index fires, in UTC; a step never fires before the one below it."""
    this = ladder.step(index)
    reached = _instant(this, calendar, due_at)
    for step in ladder.steps[:index]:
        # Those before the deadline can't hold up those after it.
        if step.before == this.before:
            reached = max(reached, _instant(step, calendar, due_at))
    return reached if index <= ladder.top else add(calendar, reached, ladder.repeat.times(index - ladder.top))


def _instant(step: Step, calendar: Calendar, due_at: datetime) -> datetime:
    return (back if step.before else add)(calendar, due_at, step.offset)


def not_before(
    ladder: Ladder, calendar: Calendar, due_at: datetime, fired: int, set_at: datetime | None = None
) -> datetime:
    """An instant, in UTC, that the next step does not precede (see `next_at`): quickly known, but not exactly."""
    for step in ladder.steps[fired : ladder.early]:
        earliest = calendar.not_before(due_at.date(), step.offset)
        if not _passed_over(calendar, due_at, step.offset, earliest, set_at):
            return earliest
    return due_at


def next_at(
    ladder: Ladder, calendar: Calendar, due_at: datetime, fired: int, set_at: datetime | None = None
) -> datetime:
    """When the next step fires after `fired` of them have: there always is one, for the top repeats for ever.

    A step before the deadline is passed over where whoever owes was given no more than its time in the first place, at
    the instant `set_at`.
    """
    return instant_of(ladder, calendar, due_at, _next(ladder, calendar, due_at, fired, set_at))


def due_steps(
    ladder: Ladder, calendar: Calendar, due_at: datetime, fired: int, now: datetime, set_at: datetime | None = None
) -> list[tuple[int, datetime]]:
    """The steps that are due at `now` and haven't fired, as (index, instant), in order; empty when none is.

    `fired` says how many have: indexes begin with 0, and go on counting beyond the last step with the top's repeats.
    """
    due = []
    index = _next(ladder, calendar, due_at, fired, set_at)
    while (at := instant_of(ladder, calendar, due_at, index)) <= now:
        due.append((index, at))
        index += 1
    return due


def _next(ladder: Ladder, calendar: Calendar, due_at: datetime, index: int, set_at: datetime | None) -> int:
    while index < ladder.early:
        offset = ladder.steps[index].offset
        if not _passed_over(calendar, due_at, offset, calendar.not_before(due_at.date(), offset), set_at):
            break
        index += 1
    return index


def _passed_over(
    calendar: Calendar, due_at: datetime, offset: Duration, earliest: datetime, set_at: datetime | None
) -> bool:
    # Mostly it is enough to know what it does not precede. The sum is known too: it was made with the deadline.
    return set_at is not None and earliest <= set_at and add(calendar, set_at, offset) >= due_at
