"""Judging deadlines: what a calendar can't count, what ends after what it leads to, and what can't wait for the office.

Each unit goes by a calendar, and a duration is judged by the calendar of everybody who may owe it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

from services.domain.directory import Level, Unit
from services.domain.reading import Place
from services.domain.routing import Route
from services.domain.whistles import Whistle
from services.domain.working_time import Calendar, Duration, add

if TYPE_CHECKING:
    from services.domain.configuration import Configuration

_AT_ONCE: Final = ("acknowledge", "arrive", "decide")
_NAMES: Final = ("acknowledge", "arrive", "resolve")
"""The deadlines that are no interim steps."""
_NEAR: Final = 0.8
"""How alike a step's name and one of these are, from 0 to 1, before that is taken for a mistake."""
_ANYBODY: Final[tuple[Level, ...]] = get_args(Level)
_CALLED: Final[tuple[Level, ...]] = ("department", "section")
# Who owes by which of the street's own times, and so by whose calendar it is counted.
_OWING: Final[Mapping[str, tuple[Level, ...]]] = MappingProxyType(
    {
        "decide": ("street",),
        "confirm": ("street", "community"),
        "answer": ("street",),
        "close": ("street",),
        "approve": ("street", "district"),
        "lead": ("district",),
        "wait": ("street",),
        "reply": ("street",),
        "explain": _ANYBODY,
        "judge": ("street", "district"),
    }
)
# Citizens have these, and need at least a day for them.
_OF_CITIZENS: Final = ("close", "reply")
_A_DAY: Final = Duration(1, "d")
_A_YEAR: Final = Duration(366, "d")
_SILENT: Final = Duration(90, "d")
"""A ladder that says nothing for longer is as good as none."""
# As far as any duration may reach (`reading.py`), whatever it is counted by.
_TEN_YEARS: Final = timedelta(days=3_660)
_STRETCHED: Final = 3
"""How many times as long as by ordinary office hours a deadline may take before that is taken for a mistake."""
_ORDINARY: Final = Calendar(UTC)
# Every third hour of a fortnight: nights, weekends, and each hour of the office's day.
_STARTS: Final = tuple(datetime(2021, 3, 1, tzinfo=UTC) + timedelta(hours=3 * each) for each in range(14 * 8))


class DeadlineChecks:
    """Judges every deadline of a configuration, and remembers what it has counted."""

    def __init__(self, configuration: "Configuration") -> None:
        self._configuration = configuration
        self._told: set[tuple[Calendar, Duration]] = set()
        self._regular = lru_cache(maxsize=None)(_regular)
        self._countable = lru_cache(maxsize=None)(countable)
        self._longest = lru_cache(maxsize=None)(_longest)
        self._later = lru_cache(maxsize=None)(always_later)

    def refuse(self, keys: Mapping[str, Place], rules: Iterable[tuple[Place, Route]]) -> bool:
        """Note what can't be counted by the calendar of somebody who may owe it, each where it is first written.

        Whether all can be counted; what can't would fail whenever anybody acts, and is not judged any further.
        """
        told: set[tuple[Calendar, Duration]] = set()
        for place, name, duration, levels in self._durations(keys, rules):
            for calendar in self._of_levels(levels) if duration.working else ():
                if (calendar, duration) not in told and not self._countable(calendar, duration):
                    told.add((calendar, duration))
                    place.error(
                        f"{name} in {duration} can't be counted by the calendar {calendar.name!r}: it is not over in"
                        " ten years",
                        "let the office open more often in that calendar, or write a shorter time",
                    )
        return not told

    def _durations(
        self, keys: Mapping[str, Place], rules: Iterable[tuple[Place, Route]]
    ) -> Iterator[tuple[Place, str, Duration, Iterable[Level]]]:
        """Yield every duration with its place, what it is called, and at which levels it may be owed."""
        configuration = self._configuration
        for name, levels in _OWING.items():
            yield keys["street-policy"].at(name, None), name, getattr(configuration.street, name), levels
        for kind, whistle in configuration.whistles.items():
            place = keys["whistles"].at(kind, None)
            yield place.at("overall", None), "overall", whistle.overall, ("street",)
            for name, duration in whistle.deadlines.items():
                yield place.at(name, None), name, duration, _CALLED
        # An officer may call anybody, whatever a rule names.
        for place, route in rules:
            for name, duration in route.deadlines.items():
                yield _at(place, name), name, duration, _CALLED
        for ladder in configuration.ladders.values():
            place = keys["ladders"].at(ladder.name, None)
            for index, step in enumerate(ladder.steps):
                yield place.at("steps", None).at(index, None), "this step", step.offset, _ANYBODY
            yield place.at("repeat", None), "repeat", ladder.repeat, _ANYBODY

    def policy(self, place: Place) -> None:
        """Judge the street's own times, be they written or by default."""
        overall = self._configuration.whistle(None).overall
        for name, levels in _OWING.items():
            duration: Duration = getattr(self._configuration.street, name)
            at, calendars = place.at(name, None), self._of_levels(levels)
            self._warn_of_stretched(at, name, duration, calendars)
            late = next((each for each in calendars if self._after_overall(each, duration, overall)), None)
            if late is not None and name != "close":
                at.warn(
                    f"{name} in {duration}{self._by(late)} is always later than the whole incident's overall,"
                    f" {overall}",
                    f"write a shorter {name}, or a longer overall",
                )
            if name in _OF_CITIZENS and self._later(_ORDINARY, _A_DAY, _ORDINARY, duration):
                at.warn(f"{name} in {duration} leaves citizens less than a day", f"write a longer {name}, as in 7d")
            if name == "close" and self._later(_ORDINARY, duration, _ORDINARY, _A_YEAR):
                at.warn(f"close in {duration} keeps an incident open for more than a year", "write a shorter close")

    def whistles(self, place: Place) -> None:
        """Judge the limits of each kind of whistle."""
        everybody = self._of_levels(_CALLED)
        for kind, whistle in self._configuration.whistles.items():
            written = place.at(kind, None)
            self._warn_of_stretched(
                written.at("overall", None), "overall", whistle.overall, self._of_levels(("street",))
            )
            if kind == "emergency":
                self._warn_of_slow(written, whistle)
            for name, duration in whistle.deadlines.items():
                at = written.at(name, None)
                _warn_of_near(at, name)
                self._warn_of_stretched(at, name, duration, everybody)
                late = next((each for each in everybody if self._after_overall(each, duration, whistle.overall)), None)
                if late is not None:
                    at.warn(
                        f"{name} in {duration}{self._by(late)} is always later than the {kind} whistle's overall,"
                        f" {whistle.overall}",
                        f"write a shorter {name}, or a longer overall",
                    )
                if kind == "emergency":
                    _warn_of_office_hours(at, name, duration)

    def _warn_of_slow(self, written: Place, whistle: Whistle) -> None:
        """In an emergency the street decides at once, and whoever is called comes, and comes before all is over."""
        decide = whistle.decide or self._configuration.street.decide
        _warn_of_office_hours(written.at("decide", None), "decide", decide)
        arrive, resolve = whistle.deadlines.get("arrive"), whistle.deadlines.get("resolve")
        if arrive is None:
            written.warn("the emergency whistle has no arrive, so nobody has to come", "write arrive: 30m")
        elif resolve and (arrive == resolve or self._later(_ORDINARY, arrive, _ORDINARY, resolve)):
            written.at("resolve", None).warn(
                f"resolve in {resolve} is not after arrive in {arrive}", "write a longer resolve, or a shorter arrive"
            )

    def ladders(self, place: Place, climbing: Mapping[str, Collection[Duration]]) -> None:
        """Judge the steps of each ladder, by the deadlines that are `climbing` it."""
        for ladder in self._configuration.ladders.values():
            written = place.at(ladder.name, None)
            for index, step in enumerate(ladder.steps):
                at, deadlines = written.at("steps", None).at(index, None), climbing.get(ladder.name, ())
                if not step.before:
                    self._warn_of_silent(at, "this step", step.offset)
                elif deadlines and all(self._later(_ORDINARY, step.offset, _ORDINARY, each) for each in deadlines):
                    at.warn(
                        f"the ladder {ladder.name!r} reminds {step.offset} before, and every deadline that climbs it is"
                        " shorter: this step never comes",
                        "write a shorter before",
                    )
            self._warn_of_silent(written.at("repeat", None), "repeat", ladder.repeat)

    def _warn_of_silent(self, at: Place, what: str, duration: Duration) -> None:
        if self._later(_ORDINARY, duration, _ORDINARY, _SILENT):
            at.warn(f"{what} in {duration} leaves the ladder silent for more than {_SILENT}", f"write a shorter {what}")

    def approvals(self, place: Place, resolves: Iterable[Duration]) -> None:
        """Judge whether an approval comes in time for any of the rules' `resolves`."""
        approve = self._configuration.street.approve
        if all(self._later(_ORDINARY, approve, _ORDINARY, each) for each in set(resolves)):
            place.at("approve", None).warn(
                f"approve in {approve} is later than every rule's resolve", "write a shorter approve"
            )

    def rule(
        self, keys: Mapping[str, Place], route: Route, above: Route | None, whistle: Whistle, *, urgent: bool
    ) -> None:
        """Judge the deadlines of a rule by the calendars of whom it calls; of all, where it leaves that to the street.

        What a rule has from the one `above` it is judged there, unless others are called, or by another whistle.
        """
        place = keys.get("deadlines") or keys.get("departments") or keys.get("matchers")
        if place is None:
            return
        written = "deadlines" in keys
        for name, at in keys["deadlines"].keys().items() if "deadlines" in keys else ():
            _warn_of_near(at, name)
        before = self._called_by(above) if above and not written else ()
        calendars = [each for each in self._called_by(route) if each not in before]
        for name, duration in route.deadlines.items():
            self._warn_of_stretched(_at(place, name), name, duration, calendars)
            # What it has only from above, and the whistle limits, is the whistle's.
            own = written and (_at(place, name) is not place or name not in whistle.deadlines)
            if own and (name == "arrive" or urgent):
                _warn_of_office_hours(_at(place, name), name, duration)
        for calendar in calendars:
            self._warn_of_order(place, route.deadlines, calendar)
            self._warn_of_overall(place, route.deadlines["resolve"], calendar, whistle)

    def _warn_of_stretched(self, place: Place, what: str, duration: Duration, calendars: Iterable[Calendar]) -> None:
        for calendar in calendars if duration.working else ():
            longest = self._longest(self._regular(calendar), duration)
            if (calendar, duration) not in self._told and longest > _STRETCHED * self._longest(_ORDINARY, duration):
                self._told.add((calendar, duration))
                place.warn(
                    f"{what} in {duration} takes up to {longest.days} days by the calendar {calendar.name!r}, which"
                    " seldom opens",
                    "write a shorter time, or one by the wall clock, or more office hours in that calendar",
                )

    def _warn_of_order(self, place: Place, deadlines: Mapping[str, Duration], calendar: Calendar) -> None:
        resolve, regular = deadlines["resolve"], self._regular(calendar)
        for name, duration in deadlines.items():
            if name != "resolve" and self._later(regular, duration, regular, resolve):
                _at(place, name, "resolve").warn(
                    f"{name} in {duration}{self._by(calendar)} is always later than resolve in {resolve}",
                    f"write a shorter {name}, or a longer resolve",
                )

    def _warn_of_overall(self, place: Place, resolve: Duration, calendar: Calendar, whistle: Whistle) -> None:
        # The whistle's own resolve is the stricter one, and is judged where it is written.
        if "resolve" not in whistle.deadlines and self._after_overall(calendar, resolve, whistle.overall):
            _at(place, "resolve").warn(
                f"resolve in {resolve}{self._by(calendar)} is always later than the whole incident's overall,"
                f" {whistle.overall}",
                "write a shorter resolve, or a longer overall under whistles",
            )

    def _after_overall(self, calendar: Calendar, duration: Duration, overall: Duration) -> bool:
        """Whether a duration is always later than the overall of every street; of the same, where it is a street's."""
        streets = self._of_levels(("street",))
        regular = self._regular(calendar)
        return bool(streets) and all(
            self._later(regular, duration, self._regular(each), overall)
            for each in ([calendar] if calendar in streets else streets)
        )

    # ------------------------------------------------------------------------------------------------ whose calendars

    def _of_levels(self, levels: Iterable[Level]) -> tuple[Calendar, ...]:
        return self._calendars(each for each in self._configuration.directory.units.values() if each.level in levels)

    def _called_by(self, route: Route) -> tuple[Calendar, ...]:
        units = self._configuration.directory.units
        return self._calendars(units[code] for code in route.departments) or self._of_levels(_CALLED)

    def _calendars(self, units: Iterable[Unit]) -> tuple[Calendar, ...]:
        return tuple(dict.fromkeys(self._configuration.calendar_of(unit.code) for unit in units))

    def _by(self, calendar: Calendar) -> str:
        return "" if calendar == self._configuration.calendar else f" by the calendar {calendar.name!r}"


def own_of(configuration: "Configuration", level: Level) -> set[Duration]:
    """Return the times that a unit of a level has for what is not its work: of the street's policy, and the overall."""
    own = {getattr(configuration.street, name) for name, levels in _OWING.items() if level in levels}
    return own | {each.overall for each in configuration.whistles.values() if level == "street"}


def _warn_of_near(place: Place, name: str) -> None:
    near = get_close_matches(name, _NAMES, n=1, cutoff=_NEAR)
    if near and name not in _NAMES:
        place.warn(
            f"{name!r} is an interim step, which the rule's departments report as done",
            f"did you mean {near[0]}? If not, give the step a name that is less like it",
        )


def _warn_of_office_hours(place: Place, name: str, duration: Duration) -> None:
    if name in _AT_ONCE and duration.working:
        place.warn(
            f"{name} in {duration} waits for the office to open, and an emergency doesn't",
            "write it by the wall clock, as in 30m",
        )


def _at(deadlines: Place, *names: str) -> Place:
    """Where the first of some deadlines is written, or all of them where none of these is but inherited."""
    written = deadlines.keys() if isinstance(deadlines.value, Mapping) else {}
    return next((written[name] for name in names if name in written), deadlines)


# ------------------------------------------------------------------------------------------------------------- counting


def always_later(calendar: Calendar, one: Duration, others: Calendar, other: Duration) -> bool:
    """Whether a duration by one calendar ends later than another by another, whenever in a fortnight both begin.

    What can't be counted is not compared.
    """
    if one.unit == other.unit and (calendar == others or not one.working):
        return one.value > other.value
    try:
        return all(add(calendar, each, one) > add(others, each, other) for each in _STARTS)
    except ValueError:
        return False


def countable(calendar: Calendar, duration: Duration) -> bool:
    """Whether a duration is over within ten years, even where it begins as the longest closure does."""
    try:
        return all(
            add(calendar, each, duration) - each <= _TEN_YEARS for each in (_STARTS[0], _longest_closed_from(calendar))
        )
    except ValueError:
        return False


def _regular(calendar: Calendar) -> Calendar:
    """A calendar without its holidays: which days they are is not known for good, so most is not judged by them."""
    return replace(calendar, holidays=frozenset(), working_weekends=frozenset(), confirmed_until=None)


def _longest(calendar: Calendar, duration: Duration) -> timedelta:
    return max(add(calendar, each, duration) - each for each in _STARTS)


def _longest_closed_from(calendar: Calendar) -> datetime:
    """When the longest row of holidays begins, between which the office doesn't open."""
    longest, first, last = timedelta(), date(2021, 3, 1), date.min
    begin = first
    for day in sorted(each for each in calendar.holidays if calendar.week[each.weekday()]):
        between = (last + timedelta(days=each) for each in range(1, min((day - last).days, 8)))
        if (day - last).days > len(calendar.week) or any(calendar.openings(each) for each in between):
            begin = day
        last = day
        if day - begin > longest:
            longest, first = day - begin, begin
    return datetime.combine(first, time(), calendar.zone)
