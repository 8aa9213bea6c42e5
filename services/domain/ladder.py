"""The ladder that a broken promise climbs: who is told, how long after it was due, and how often from then on.

Every instant follows from the one at which the promise was due, never from when somebody looked, and is in UTC.

Source: states.md, beside this file (clocks 2 to 4).
"""

from dataclasses import dataclass
from datetime import datetime

from services.domain.working_time import Calendar, Duration, add


@dataclass(frozen=True, slots=True)
class Step:
    """So long after a promise was due, the holder of a post is told; no post: whoever owes is reminded."""

    after: Duration
    post: str | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps in the order of climbing, at least one; the last is the top, which repeats for ever."""

    name: str
    steps: tuple[Step, ...]
    repeat: Duration

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` a ladder that would fall silent."""
        if not self.steps:
            raise ValueError(f"ladder {self.name!r} has no steps: give it at least one")
        if not self.repeat.value:
            raise ValueError(f"ladder {self.name!r} repeats after no time at all: write repeat: 1wd or the like")

    def step(self, index: int) -> Step:
        """What happens at an index; the indexes after the last step are the top's repeats."""
        return self.steps[min(index, len(self.steps) - 1)]


def instant_of(ladder: Ladder, calendar: Calendar, due_at: datetime, index: int) -> datetime:
    """When the step of an index fires, in UTC; a step never fires before the one below it."""
    top = len(ladder.steps) - 1
    reached = add(calendar, due_at, ladder.steps[0].after)
    for step in ladder.steps[1 : index + 1]:
        reached = max(reached, add(calendar, due_at, step.after))
    return reached if index <= top else add(calendar, reached, ladder.repeat.times(index - top))


def next_at(ladder: Ladder, calendar: Calendar, due_at: datetime, fired: int) -> datetime:
    """When the next step fires after `fired` of them have: there always is one, for the top repeats for ever."""
    return instant_of(ladder, calendar, due_at, fired)


def due_steps(
    ladder: Ladder, calendar: Calendar, due_at: datetime, fired: int, now: datetime
) -> list[tuple[int, datetime]]:
    """The steps that are due at `now` and haven't fired, as (index, instant), in order; empty when none is.

    `fired` says how many have: indexes begin with 0, and go on counting beyond the last step with the top's repeats.
    """
    due = []
    index = fired
    while (at := next_at(ladder, calendar, due_at, index)) <= now:
        due.append((index, at))
        index += 1
    return due
