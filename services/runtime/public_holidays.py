"""The public holidays and working weekends (调休) of the countries that a configuration names, as a table.

Source: the library `holidays`, which has each year's notice of China's State Council once it has been released since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final

DEFAULT_COUNTRY: Final = "CN"
YEARS: Final = range(2020, 2036)
"""From before the sample's year; always the same ones, or a configuration would become another with each New Year."""

_CONFIRMED_TO: Final = "12-20"
"""How much of an announced year its own notice settles.

New Year is the next notice's, which has moved days from 29 December on (in the library: in 2001, 2005 to 2007, 2011 and
2018), and never one of the nine days between.
"""


def source() -> str:
    """Return where the table comes from."""
    return f"the library holidays {version('holidays')}"


def public_holidays(contents: Sequence[object]) -> dict[str, object]:
    """Return the days of each country that the calendars of a configuration name; China's where it has no calendars.

    For each: the days that are `closed`, those `open` although they are at a weekend, and `confirmed-until`, a day in
    December of the last year that was announced: the next year's notice may yet move what comes after it. Of the years
    to come the library has the days that the law gives alone, and doesn't say so: better than none, but nobody's word.
    A country in which no weekend is ever announced has no such end, and one that the library doesn't know is absent.
    """
    found = {country: _of(country) for country in sorted(set(_countries(contents)))}
    return {"public-holidays": {country: table for country, table in found.items() if table}} if found else {}


def _countries(contents: Sequence[object]) -> Iterator[str]:
    files = [each for each in contents if isinstance(each, Mapping)]
    if not any("calendars" in file for file in files):
        yield DEFAULT_COUNTRY
    for file in files:
        calendars = file.get("calendars")
        for calendar in calendars.values() if isinstance(calendars, Mapping) else ():
            if isinstance(calendar, Mapping) and isinstance(country := calendar.get("country"), str):
                yield country


def _of(country: str) -> dict[str, object] | None:
    # It takes a fifth of a second, which nobody who names no country should wait for.
    from holidays import country_holidays  # noqa: PLC0415

    try:
        found = country_holidays(country, years=YEARS)
    except NotImplementedError:
        return None
    working = {day for day in getattr(found, "weekend_workdays", ()) if day.year in YEARS}
    table: dict[str, object] = {
        "closed": sorted(day.isoformat() for day in found if day not in working),
        "open": sorted(day.isoformat() for day in working),
    }
    if working:
        table["confirmed-until"] = f"{max(working).year}-{_CONFIRMED_TO}"
    return table
