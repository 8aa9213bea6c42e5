"""Durations by the wall clock and by office hours, and the calendar that the latter are counted with.

Every instant has an offset, and every result is in UTC. Office hours are closed intervals: an end exactly at closing
time is inside them.

Source: the time classes of the 12345 hotline and of the standards of city management.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from itertools import pairwise
from typing import Final, Literal, NamedTuple, Self, get_args

from services.domain.memo import remembered

Unit = Literal["m", "h", "d", "wh", "wd"]

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
# Six digits are more than a century of days, and keep every sum within what `timedelta` holds.
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,5})(m|h|d|wh|wd)")
_WALL: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_ONE_DAY: Final = timedelta(days=1)


class _NumberAndUnit(NamedTuple):
    value: int
    unit: Unit


# A tuple, for what is remembered about durations is looked up by them all day long.
class Duration(_NumberAndUnit):
    """A number of minutes, hours or days by the wall clock (`m h d`), or of working hours or days (`wh wd`)."""

    __slots__ = ()

    def __new__(cls, value: int, unit: Unit) -> Self:
        """Refuse a negative number and an unknown unit with a `ValueError`."""
        if value < 0 or unit not in get_args(Unit):
            raise ValueError(f"{value}{unit} is no duration: write 30m, 2h, 7d, 4wh or 5wd")
        return super().__new__(cls, value, unit)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `30m`, `2h`, `7d` (wall clock), `4wh` or `5wd` (office hours); anything else is a `ValueError`."""
        found = _DURATION.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no duration: write one number and one unit, as in 30m, 2h, 7d, 4wh or 5wd")
        return cls(int(found[1]), found[2])  # type: ignore[arg-type]  # the pattern admits only the units

    @property
    def working(self) -> bool:
        """Whether it is counted by a calendar."""
        return self.unit in {"wh", "wd"}

    def times(self, factor: int) -> "Duration":
        """This duration so many times over."""
        return Duration(self.value * factor, self.unit)

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{self.value}{self.unit}"


@dataclass(frozen=True, slots=True)
class Hours:
    """One stretch of office hours within a day, in the calendar's zone; it ends after it starts, before midnight."""

    start: time
    end: time

    def __post_init__(self) -> None:
        """Refuse a stretch that is empty or ends before it starts with a `ValueError`."""
        if self.start >= self.end:
            raise ValueError(
                f"office hours from {self.start:%H:%M} to {self.end:%H:%M} never open: begin before the end"
            )


Opening = tuple[datetime, datetime]

# Source: the default "until calendars come".
OFFICE_DAY: Final = (Hours(time(9), time(12)), Hours(time(13), time(17)))
OFFICE_WEEK: Final = (OFFICE_DAY,) * 5 + ((), ())


@dataclass(frozen=True)
class Calendar:
    """When the offices of one zone are open: a plain table.

    `week` has seven days, Monday first, each with its stretches in order. A `holidays` day is closed; a day of
    `working_weekends` (调休) is open like the first weekday that opens. Nobody has announced yet which days these are
    after `confirmed_until`; None where the calendar never runs out. `read_from` is the file and line of where it is.
    """

    zone: tzinfo
    week: tuple[tuple[Hours, ...], ...] = OFFICE_WEEK
    holidays: frozenset[date] = frozenset()
    working_weekends: frozenset[date] = frozenset()
    confirmed_until: date | None = None
    name: str = "default"
    read_from: tuple[str, int] = field(default=("the configuration", 1), compare=False)

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` what never opens or contradicts itself."""
        if len(self.week) != len(OFFICE_WEEK):
            raise ValueError(f"a week has 7 days, not {len(self.week)}: give each its office hours, Monday first")
        if not any(self.week):
            raise ValueError("this calendar never opens: give at least one weekday its office hours")
        for hours in self.week:
            if any(after.start < before.end for before, after in pairwise(hours)):
                raise ValueError("office hours of one day overlap or are out of order: write them from early to late")
        both = self.holidays & self.working_weekends
        if both:
            raise ValueError(f"{min(both)} is both a holiday and a working weekend: keep one of them")

    def __str__(self) -> str:
        """All of it, in the same words whoever tells it."""
        days = [sorted(str(day) for day in each) for each in (self.holidays, self.working_weekends)]
        return f"{self.name} {self.zone} {self.week} {days} {self.confirmed_until}"

    @cached_property
    def certain_before(self) -> datetime | None:
        """The first instant, in UTC, that the calendar is not confirmed for; None where it never runs out."""
        if self.confirmed_until is None:
            return None
        return datetime.combine(self.confirmed_until + _ONE_DAY, time(), self.zone).astimezone(UTC)

    # Most deadlines fall on the same few days.
    @remembered
    def openings(self, day: date) -> tuple[Opening, ...]:
        """The stretches of office hours that begin on a day of the zone, in UTC, in order; empty when closed."""
        return tuple(self._open_on(day))

    @remembered
    def working_day(self, day: date, later: int) -> date:
        """The day of the zone that is so many working days later; past the last year it is a `ValueError`."""
        start = day
        while later > 0:
            day += _ONE_DAY
            if day.year > LAST_YEAR:
                raise _out_of_bounds(f"working days after {start.isoformat()}")
            if self.openings(day):
                later -= 1
        return day

    # One act sets and asks for the same deadlines several times: for each department, for its ladder, for the sweeper.
    @remembered
    def _sum(self, instant: datetime, duration: Duration) -> datetime:
        return _add(self, instant, duration)

    @remembered
    def counted(self, since: datetime, duration: str) -> datetime:
        """The instant, in UTC, at which a duration written as text is over (see `add` and `Duration.parse`)."""
        return add(self, since, Duration.parse(duration))

    # The same reminders before the same deadlines are asked for as often.
    @remembered
    def _difference(self, instant: datetime, duration: Duration) -> datetime:
        return _back(self, instant, duration)

    @remembered
    def not_before(self, day: date, duration: Duration) -> datetime:
        """An instant, in UTC, that `back` does not precede from any instant of a day in UTC: quickly known."""
        return _back(self, datetime.combine(day, time(), UTC), duration)

    def _open_on(self, day: date) -> Iterator[Opening]:
        hours = self.week[day.weekday()]
        if day in self.working_weekends:
            hours = next(each for each in self.week if each)
        elif day in self.holidays:
            hours = ()
        earliest = datetime.min.replace(tzinfo=UTC)
        for each in hours:
            start = datetime.combine(day, each.start, self.zone).astimezone(UTC)
            end = datetime.combine(day, each.end, self.zone).astimezone(UTC)
            # Where the zone puts its clocks forward within office hours, two stretches may touch or one vanish.
            start = max(start, earliest)
            if start < end:
                earliest = end
                yield start, end


def add(calendar: Calendar, instant: datetime, duration: Duration) -> datetime:
    """The instant, in UTC, at which a duration that begins at `instant` is over.

    Wall-clock units are exact. Working units begin at the next opening when the offices are closed, and the result
    never lies outside office hours: `3wh` from 10:00 is 14:00, `5wd` the same time of day five working days later.
    A naive instant, and one outside the years 2000 to 2100 before or after, is a `ValueError`.
    """
    return calendar._sum(instant, duration)  # noqa: SLF001 - of this module


def _add(calendar: Calendar, instant: datetime, duration: Duration) -> datetime:
    start = _checked(instant)
    if duration.unit == "wh":
        return _after_hours(calendar, start, timedelta(hours=duration.value))
    if duration.unit == "wd":
        return _after_days(calendar, start, duration.value)
    try:
        return _checked(start + _WALL[duration.unit] * duration.value)
    except OverflowError:
        raise _out_of_bounds(f"{duration} after {start.isoformat()}") from None


def back(calendar: Calendar, instant: datetime, duration: Duration) -> datetime:
    """The latest instant, in UTC, from which a duration is over by `instant`: `add` counted backwards.

    Working units count from the closing before when the offices are closed, and the result never lies outside office
    hours: `3wh` before 14:00 is 10:00, `1wd` the same time of day one working day earlier.
    A naive instant, one outside the years 2000 to 2100, and a result before 1999 is a `ValueError`.
    """
    return calendar._difference(instant, duration)  # noqa: SLF001 - of this module


def _back(calendar: Calendar, instant: datetime, duration: Duration) -> datetime:
    end = _checked(instant)
    if duration.unit == "wh":
        return _before_hours(calendar, end, timedelta(hours=duration.value))
    if duration.unit == "wd":
        return _before_days(calendar, end, duration.value)
    try:
        begin = end - _WALL[duration.unit] * duration.value
    except OverflowError:
        raise _out_of_bounds(f"{duration} before {end.isoformat()}") from None
    if begin.year < FIRST_YEAR - 1:
        raise _out_of_bounds(begin.isoformat())
    return begin


def _before_hours(calendar: Calendar, end: datetime, left: timedelta) -> datetime:
    for opened, closed in _openings_until(calendar, end):
        finish = min(closed, end)
        if finish - left >= opened:
            return finish - left
        left -= finish - opened
    raise _out_of_bounds(f"working hours before {end.isoformat()}")


def _before_days(calendar: Calendar, end: datetime, days: int) -> datetime:
    local = _before_hours(calendar, end, timedelta()).astimezone(calendar.zone)
    day = local.date()
    while days > 0:
        day -= _ONE_DAY
        if day.year < FIRST_YEAR - 1:
            raise _out_of_bounds(f"working days before {end.isoformat()}")
        days -= bool(calendar.openings(day))
    same_time = datetime.combine(day, local.time(), calendar.zone).astimezone(UTC)
    return _before_hours(calendar, same_time, timedelta())


def between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The office time from one instant to a later one; zero when `end` isn't later.

    It undoes `add`: between an instant and `n` working hours after it lie exactly `n` hours.
    """
    start, end = _checked(start), _checked(end)
    total = timedelta()
    for opened, closed in _openings_from(calendar, start):
        if opened >= end:
            break
        total += max(min(closed, end) - max(opened, start), timedelta())
    return total


def is_open(calendar: Calendar, instant: datetime) -> bool:
    """Whether an instant lies in office hours, both of their ends included."""
    instant = _checked(instant)
    day = instant.astimezone(calendar.zone).date()
    return any(opened <= instant <= closed for opened, closed in calendar.openings(day))


def _after_hours(calendar: Calendar, start: datetime, left: timedelta) -> datetime:
    for opened, closed in _openings_from(calendar, start):
        begin = max(opened, start)
        if begin + left <= closed:
            return _checked(begin + left)
        left -= closed - begin
    raise _out_of_bounds(f"working hours after {start.isoformat()}")


def _after_days(calendar: Calendar, start: datetime, days: int) -> datetime:
    begin = _after_hours(calendar, start, timedelta())
    local = begin.astimezone(calendar.zone)
    day = calendar.working_day(local.date(), days)
    return _checked(_into_hours(calendar.openings(day), _same_time(day, local)))


def _same_time(day: date, local: datetime) -> datetime:
    """The instant, in UTC, at which the clocks show a local time on another day, so that later is never earlier.

    A time they show for the second time, put back, counts as the last before they were; one they skip, put forward, is
    when they are.
    """
    zone, clock = local.tzinfo, local.time()
    if local.fold:
        first = local.replace(fold=0)
        put_back_at = _changed_at(zone, first.astimezone(UTC), local.astimezone(UTC))
        clock = (put_back_at - timedelta.resolution + (first.utcoffset() or timedelta())).time()
    found = datetime.combine(day, clock, zone).astimezone(UTC)
    if found.astimezone(zone).time() == clock:
        return found
    return _changed_at(zone, datetime.combine(day, clock.replace(fold=1), zone).astimezone(UTC), found)


def _changed_at(zone: tzinfo | None, before: datetime, after: datetime) -> datetime:
    """The first instant, in UTC, of those after one and up to another, at which a zone has the offset of the last."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta.resolution:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _into_hours(openings: tuple[Opening, ...], instant: datetime) -> datetime:
    """The instant itself where the day is open, or else the closing before it, or else the day's first opening."""
    found = openings[0][0]
    for opened, closed in openings:
        if instant >= opened:
            found = min(instant, closed)
    return found


def _openings_from(calendar: Calendar, instant: datetime) -> Iterator[Opening]:
    """Every stretch of office hours that ends at `instant` or later, in order, up to the last year."""
    day = instant.astimezone(calendar.zone).date()
    while day.year <= LAST_YEAR:
        for opened, closed in calendar.openings(day):
            if closed >= instant:
                yield opened, closed
        day += _ONE_DAY


def _openings_until(calendar: Calendar, instant: datetime) -> Iterator[Opening]:
    """Every stretch of office hours that begins at `instant` or earlier, the latest first, up to a year too early."""
    day = instant.astimezone(calendar.zone).date()
    while day.year >= FIRST_YEAR - 1:
        for opened, closed in reversed(calendar.openings(day)):
            if opened <= instant:
                yield opened, closed
        day -= _ONE_DAY


def _checked(instant: datetime) -> datetime:
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError(f"{instant.isoformat()} has no offset from UTC: say in which zone it is")
    # The year is looked at before converting: the very first and last instants can't be converted.
    if FIRST_YEAR <= instant.year <= LAST_YEAR:
        instant = instant.astimezone(UTC)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise _out_of_bounds(instant.isoformat())
    return instant


def _out_of_bounds(what: str) -> ValueError:
    return ValueError(f"{what} lies outside the years {FIRST_YEAR} to {LAST_YEAR}, which is all that is counted with")
