"""Reading who holds a post: a text, or a duty roster."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.domain.reading import Place
from services.domain.roster import Absence, Duty, Roster
from services.domain.working_time import FIRST_YEAR, LAST_YEAR

_KEYS: Final = ("members", "turn", "from", "to", "zone", "overrides", "away")
_ZONE: Final = "Asia/Shanghai"
_TURNS: Final = {"day": timedelta(days=1), "week": timedelta(weeks=1)}
_ALWAYS: Final = datetime(FIRST_YEAR, 1, 1)  # noqa: DTZ001 - wall time of the roster's zone
_EXAMPLE: Final = "2021-03-01, or 2021-03-01T08:00"
_CURE: Final = f"write it as in {_EXAMPLE}"


def read_post(place: Place) -> str | Roster | None:
    """Read who holds a post, a text or a roster; None, and what is wrong is noted, where it is neither."""
    if not isinstance(place.value, Mapping):
        return place.text() or None
    known = len(place.problems)
    keys = place.keys(_KEYS)
    members = tuple(_member(each) for each in keys["members"].items()) if "members" in keys else ()
    if not members:
        place.error("this roster has no members", "write members: [one, two]")
    for needed in ("turn", "from"):
        if len(members) > 1 and needed not in keys:
            place.error(f"members take turns, and the roster has no {needed!r}", _needed(needed))
    turn = _turn(keys["turn"]) if "turn" in keys else _TURNS["week"]
    start = (_instant(keys["from"]) if "from" in keys else None) or _ALWAYS
    end = _instant(keys["to"], end=True) if "to" in keys else None
    zone = _zone(keys["zone"]) if "zone" in keys else ZoneInfo(_ZONE)
    overrides = [_duty(each, "who") for each in keys["overrides"].items()] if "overrides" in keys else []
    away = [_absence(each) for each in keys["away"].items()] if "away" in keys else []
    if end is not None and end <= start:
        keys["to"].error("this roster ends before it begins", "let it end later, or leave out to:")
    if any(each.level == "error" for each in place.problems[known:]):
        return None
    read_from = place.document.file, place.document.line(place.path)
    roster: Roster | None = Roster(members, turn, start, zone, end, read_from=read_from)
    roster = _with(keys.get("overrides"), roster, overrides=tuple(each for each in overrides if each))
    roster = _with(keys.get("away"), roster, away=tuple(each for each in away if each))
    _warn_of_strangers(keys.get("away"), roster)
    return roster


def _with(place: Place | None, roster: Roster | None, **more: tuple[Duty, ...] | tuple[Absence, ...]) -> Roster | None:
    """A roster with some of its overrides or absences; None, and that is noted, where they say two things at once."""
    if place is None or roster is None:
        return roster
    try:
        return replace(roster, **more)  # type: ignore[arg-type]  # each is named by its field
    except ValueError as error:
        what, _, cure = str(error).rpartition(": ")
        place.error(what, cure)
        return None


def _needed(key: str) -> str:
    return "write turn: day, week, or hours as in 12h" if key == "turn" else f"write {key}: {_EXAMPLE}"


def _member(place: Place) -> str | None:
    """A member's name; an empty place in the list is a turn nobody takes."""
    return None if place.value is None else place.text()


def _turn(place: Place) -> timedelta:
    if str(place.value) in _TURNS:
        return _TURNS[str(place.value)]
    duration = place.duration()
    if duration.value and duration.unit not in ("h", "d"):
        place.error(f"{place.value!r} is no turn", "write day, week, or hours or days as in 12h or 2d")
    return timedelta(hours=duration.value) if duration.unit == "h" else timedelta(days=duration.value or 1)


def _duty(place: Place, key: str) -> Duty | None:
    """One stretch, and who (under a key) is on duty in it; nobody, where that is left out."""
    more = ("who", "substitute") if key == "substitute" else ("who",)
    keys = place.keys(("from", "to", *more))
    for needed in ("from", "to"):
        if needed not in keys:
            place.error(f"this stretch has no {needed!r}", _needed(needed))
    start = _instant(keys["from"]) if "from" in keys else None
    end = _instant(keys["to"], end=True) if "to" in keys else None
    who = keys[key].text() or None if key in keys else None
    if start is None or end is None:
        return None
    if end <= start:
        place.error("this stretch ends before it begins", "let to: be later than from:")
        return None
    return Duty(start, end, who)


def _absence(place: Place) -> Absence | None:
    duty = _duty(place, "substitute")
    keys = place.keys()
    if "who" not in keys:
        place.error("this doesn't say who is away", "write who: and a member")
        return None
    who = keys["who"].text()
    return Absence(who, duty) if duty and who else None


def _instant(place: Place, *, end: bool = False) -> datetime | None:
    """An instant in the zone's wall time: a date alone is its beginning, and, as an end, that of the day after."""
    text = str(place.value)
    try:
        day: date | None = date.fromisoformat(text)
    except ValueError:
        day = None
    try:
        found = datetime.combine(day, time()) + timedelta(days=end) if day else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        place.error(f"{text!r} is no date and no time", _CURE)
        return None
    if found.tzinfo is not None:
        place.error(f"{text!r} has an offset, and a roster is written in the time of its zone", _CURE)
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        place.error(f"{text!r} lies outside the years {FIRST_YEAR} to {LAST_YEAR}", _CURE)
        return None
    return found


def _zone(place: Place) -> ZoneInfo:
    try:
        return ZoneInfo(place.text())
    except (ValueError, OSError, KeyError):
        place.error(f"no time zone is called {place.value!r}", f"write one as in {_ZONE}")
        return ZoneInfo(_ZONE)


def _warn_of_strangers(place: Place | None, roster: Roster | None) -> None:
    """Somebody who is away, and would never have been on duty, is likely a slip of the pen."""
    if place is None or roster is None:
        return
    known = {*roster.members, *(each.who for each in roster.overrides), *(each.instead.who for each in roster.away)}
    for each, absence in zip(place.items(), roster.away, strict=True):
        if absence.who not in known:
            each.warn(f"{absence.who!r} is away, and is never on duty", "write who: as the members are written")
