"""Reading the calendars from a configuration: their office hours, and the days that aren't like their weekday.

Those days come from the table of a country's public holidays, and the dated entries of `calendar-days`, which have the
last word, since somebody has announced them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.domain.reading import Place
from services.domain.working_time import FIRST_YEAR, LAST_YEAR, OFFICE_WEEK, Calendar, Hours

DEFAULT_ZONE: Final = "Asia/Shanghai"
DEFAULT_COUNTRY: Final = "CN"
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ENTRY: Final = ("day", "through", "office", "reason", "announced-by")
_OFFICE: Final = ("open", "closed")
_LONGEST_CLOSED_DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class Calendars:
    """Every calendar by its name, and the one of whoever names none."""

    default: Calendar
    by_name: Mapping[str, Calendar]

    def named(self, place: Place) -> str:
        """The name of a calendar that a unit goes by; otherwise an error, and an empty text."""
        name = place.text()
        if name and name not in self.by_name:
            place.error(f"no calendar is called {name!r}", f"use one of {', '.join(self.by_name)}")
            return ""
        return name


@dataclass(slots=True)
class _Days:
    """The days that aren't like their weekday, and until when all of them are known; for ever where that is None."""

    closed: set[date] = field(default_factory=set)
    open: set[date] = field(default_factory=set)
    confirmed_until: date | None = None


def read_calendars(keys: Mapping[str, Place]) -> Calendars:
    """Read every calendar; where there are none, it is China's, 09:00 to 12:00 and 13:00 to 17:00 in Asia/Shanghai."""
    table = keys["public-holidays"].keys() if "public-holidays" in keys else {}
    entered = keys["calendar-days"].keys() if "calendar-days" in keys else {}
    named = keys["calendars"].keys() if "calendars" in keys else {}
    found = {name: _calendar(name, place, table, entered.get(name)) for name, place in named.items()}
    if "calendars" not in keys:
        country = table.get(DEFAULT_COUNTRY)
        days = _announced(country) if country else _Days()
        _enter(days, OFFICE_WEEK, entered.get("default"))
        found["default"] = _made("default", country, ZoneInfo(DEFAULT_ZONE), OFFICE_WEEK, days)
    for name, place in entered.items():
        if name not in found:
            place.error(f"no calendar is called {name!r}", f"use one of {', '.join(found)}")
    return Calendars(_default(keys, found), found)


def _default(keys: Mapping[str, Place], found: Mapping[str, Calendar]) -> Calendar:
    if "calendar" in keys:
        name = Calendars(next(iter(found.values()), _PLAIN), found).named(keys["calendar"])
        return found.get(name, _PLAIN)
    if len(found) > 1:
        keys["calendars"].error(
            "there are several calendars, and none is that of a unit that names none",
            f"write calendar: {next(iter(found))} at the top of a file",
        )
    return next(iter(found.values()), _PLAIN)


def _calendar(name: str, place: Place, table: Mapping[str, Place], entered: Place | None) -> Calendar:
    keys = place.keys(("zone", "country", "office-hours"))
    place.at(name, name).code()
    zone = _zone(keys["zone"]) if "zone" in keys else ZoneInfo(DEFAULT_ZONE)
    week = _week(keys["office-hours"]) if "office-hours" in keys else OFFICE_WEEK
    days = _Days()
    if "country" in keys:
        country = keys["country"].text()
        if country in table:
            days = _announced(table[country])
        elif country:
            keys["country"].error(
                f"no public holidays are known of the country {country!r}",
                "write its ISO code, as in CN, or none, and the days under calendar-days:",
            )
    _enter(days, week, entered)
    if "country" in keys and keys["country"].value in table and days.confirmed_until is None:
        keys["country"].error(
            f"nothing tells until when the days of the calendar {name!r} are confirmed",
            f"write calendar-days: {{{name}: {{confirmed-until: 2027-12-31}}}} with the day that you answer for",
        )
    return _made(name, place, zone, week, days)


def _made(name: str, place: Place | None, zone: ZoneInfo, week: tuple[tuple[Hours, ...], ...], days: _Days) -> Calendar:
    try:
        where = (place.document.file, place.document.line(place.path)) if place else _PLAIN.read_from
        return Calendar(zone, week, frozenset(days.closed), frozenset(days.open), days.confirmed_until, name, where)
    except ValueError as error:
        if place is not None:
            place.error(str(error).partition(":")[0], str(error).partition(": ")[2] or "mend the calendar")
        return _PLAIN


_PLAIN: Final = Calendar(ZoneInfo(DEFAULT_ZONE))


def _zone(place: Place) -> ZoneInfo:
    try:
        return ZoneInfo(place.text())
    except (ValueError, OSError, KeyError):
        place.error(f"no time zone is called {place.value!r}", "write one as in Asia/Shanghai")
        return ZoneInfo(DEFAULT_ZONE)


def _week(place: Place) -> tuple[tuple[Hours, ...], ...]:
    keys = place.keys(_DAYS)
    return tuple(tuple(_hours(keys[day])) if day in keys else () for day in _DAYS)


def _hours(place: Place) -> list[Hours]:
    found = []
    for each in place.items():
        start, _, end = str(each.value).partition("-")
        try:
            found.append(Hours(time.fromisoformat(start.strip()), time.fromisoformat(end.strip())))
        except ValueError:
            each.error(f"{each.value!r} are no office hours", "write them as in 09:00-12:00")
    return found


# ---------------------------------------------------------------------------------------------------------------- days


def _announced(place: Place) -> _Days:
    """The days of one country, as the table has them."""
    keys = place.keys(("closed", "open", "confirmed-until"))
    return _Days(
        closed={day for each in keys["closed"].items() if (day := _date(each))} if "closed" in keys else set(),
        open={day for each in keys["open"].items() if (day := _date(each))} if "open" in keys else set(),
        confirmed_until=_date(keys["confirmed-until"]) if "confirmed-until" in keys else None,
    )


def _enter(days: _Days, week: tuple[tuple[Hours, ...], ...], place: Place | None) -> None:
    """Let the dated entries of one calendar have the last word."""
    keys = place.keys(("confirmed-until", "days")) if place else {}
    if "confirmed-until" in keys:
        days.confirmed_until = _date(keys["confirmed-until"])
    seen: dict[date, Place] = {}
    for each in keys["days"].items() if "days" in keys else ():
        office, entered = _entry(each)
        for day in entered:
            if day in seen:
                line = seen[day].document.line(seen[day].path)
                each.error(f"{day} is entered twice, first on line {line}", "keep what was announced last")
            seen[day] = each
            days.closed.discard(day)
            days.open.discard(day)
            if office == "closed":
                days.closed.add(day)
            elif not week[day.weekday()]:
                days.open.add(day)
        if office == "closed" and len(entered) > _LONGEST_CLOSED_DAYS:
            each.warn(
                f"this closes the office for {len(entered)} days, in which nothing that is owed by it comes due",
                "mend day: or through:",
            )
        if days.confirmed_until and entered and entered[-1] > days.confirmed_until:
            each.warn(
                f"{entered[-1]} lies behind {days.confirmed_until}, until which the calendar is confirmed,"
                " so its deadlines stay provisional",
                "write confirmed-until: beside days: once the whole year is known",
            )


def _entry(place: Place) -> tuple[str, list[date]]:
    """What an entry says of the office, and its days in order; no days where something is wrong with it."""
    keys = place.keys(_ENTRY)
    missing = [name for name in ("day", "office", "reason", "announced-by") if name not in keys]
    if missing:
        place.error(
            f"this day has no {' and no '.join(missing)}",
            "write {day: 2021-02-11, office: closed, reason: …, announced-by: …}",
        )
    for name in ("reason", "announced-by"):
        if name in keys:
            keys[name].text()
    office = str(keys["office"].value) if "office" in keys else "closed"
    if office not in _OFFICE:
        keys["office"].error(f"an office is never {office!r}", "write open or closed")
    first = _date(keys["day"]) if "day" in keys else None
    last = _date(keys["through"]) if "through" in keys else first
    if first is None or last is None:
        return office, []
    if last < first:
        keys["through"].error(f"{last} comes before {first}", "write the last of the days, or no through: at all")
    return office, list(_each_day(first, last))


def _each_day(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def _date(place: Place) -> date | None:
    try:
        found = date.fromisoformat(str(place.value))
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year < LAST_YEAR:
        place.error(f"{place.value!r} is no date", "write it as in 2021-10-01")
        return None
    return found
