"""A duty roster: who holds a post at which instant, by turns, with overrides and substitutes.

Turns are counted in the wall time of the roster's zone, as they are written on the wall: a week's turn begins at the
same time of day however clocks are put forward or back. Everything a roster is asked for is an instant in UTC.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Duty:
    """From one instant of the zone's wall time until another, somebody stands in; nobody, where `who` is None."""

    start: datetime
    end: datetime
    who: str | None

    def covers(self, local: datetime) -> bool:
        """Whether an instant of wall time lies in it; its end does not."""
        return self.start <= local < self.end


@dataclass(frozen=True, slots=True)
class Absence:
    """`who` is away, and somebody stands in: see `Duty`."""

    who: str
    instead: Duty


@dataclass(frozen=True, slots=True)
class Roster:
    """Members take turns of equal length from `start` (wall time of the zone) on, until `end` if there is one.

    A member that is None is a turn nobody takes. An override comes before whoever's turn it is, and a substitute before
    whoever is away. `read_from` is the file and line of where it is.
    """

    members: tuple[str | None, ...]
    turn: timedelta
    start: datetime
    zone: tzinfo
    end: datetime | None = None
    overrides: tuple[Duty, ...] = ()
    away: tuple[Absence, ...] = ()
    read_from: tuple[str, int] = field(default=("the configuration", 1), compare=False)

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` a roster that says two things at once."""
        if not self.members or self.turn <= timedelta():
            raise ValueError("a roster has no members, or turns of no length: give it at least one, and day or week")
        for before, after in pairwise(sorted(self.overrides, key=lambda each: each.start)):
            _refuse_overlap("two overrides", before, after)
        for who in {each.who for each in self.away}:
            stretches = sorted((each.instead for each in self.away if each.who == who), key=lambda each: each.start)
            for before, after in pairwise(stretches):
                _refuse_overlap(f"two absences of {who}", before, after)
        for each in self.away:
            for other in self.away:
                if each.instead.who == other.who:
                    first, second = sorted((each.instead, other.instead), key=lambda duty: duty.start)
                    _refuse_overlap(f"the absences of {each.who} and of the substitute {other.who}", first, second)

    @property
    def staffed(self) -> bool:
        """Whether anybody is on it at all."""
        return any(self.members) or any(each.who for each in self.overrides)

    @property
    def over_at(self) -> datetime | None:
        """The instant, in UTC, from which on nobody is on duty any more; None where it goes on for ever."""
        if self.end is None:
            return None
        ends = [self.end, *(each.end for each in self.overrides if each.who)]
        return max(ends).replace(tzinfo=self.zone).astimezone(UTC)

    def holder(self, at: datetime) -> str | None:
        """Who is on duty at an instant (UTC); None where nobody is."""
        local = at.astimezone(self.zone).replace(tzinfo=None)
        who = next((each.who for each in self.overrides if each.covers(local)), self._in_turn(local))
        return next((each.instead.who for each in self.away if each.who == who and each.instead.covers(local)), who)

    def _in_turn(self, local: datetime) -> str | None:
        if local < self.start or (self.end is not None and local >= self.end):
            return None
        return self.members[(local - self.start) // self.turn % len(self.members)]


def _refuse_overlap(what: str, before: Duty, after: Duty) -> None:
    if after.start < before.end:
        raise ValueError(f"{what} overlap from {after.start:%Y-%m-%d %H:%M}: let one end where the other begins")
