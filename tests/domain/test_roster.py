"""Who is on duty: turns, overrides, substitutes, and what is wrong with a roster."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.directory import Directory, Holder, Unit
from services.domain.reading import Place, Problem
from services.domain.roster import Absence, Duty, Roster
from services.domain.roster_reading import read_post
from services.runtime.files import read

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
# Monday morning.
FIRST = datetime(2021, 3, 1, 8)  # noqa: DTZ001 - wall time of the roster's zone
SHIFTS = Roster(("day", "night"), timedelta(hours=12), FIRST, SHANGHAI)
WEEKS = Roster(("one", "two", None), timedelta(weeks=1), FIRST, SHANGHAI, end=FIRST + timedelta(weeks=9))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """An instant in UTC, written in a zone's time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def duty(start: str, end: str, who: str | None) -> Duty:
    """A stretch of the zone's wall time."""
    return Duty(datetime.fromisoformat(start), datetime.fromisoformat(end), who)


@pytest.mark.parametrize(
    ("roster", "instant", "who"),
    [
        (SHIFTS, "2021-03-01T07:59:59", None),
        (SHIFTS, "2021-03-01T08:00", "day"),
        (SHIFTS, "2021-03-01T19:59:59", "day"),
        (SHIFTS, "2021-03-01T20:00", "night"),
        (SHIFTS, "2021-03-07T03:00", "night"),
        (SHIFTS, "2031-03-07T13:00", "day"),
        (WEEKS, "2021-03-08T07:59", "one"),
        (WEEKS, "2021-03-08T08:00", "two"),
        (WEEKS, "2021-03-15T08:00", None),
        (WEEKS, "2021-03-22T08:00", "one"),
        (WEEKS, "2021-05-03T07:59", None),
        (WEEKS, "2021-05-03T08:00", None),
        (WEEKS, "2021-05-10T08:00", None),
    ],
)
def test_members_take_turns(roster: Roster, instant: str, who: str | None) -> None:
    """Each in order, from the very instant; nobody before it begins, after it ends, and in a turn nobody takes."""
    assert roster.holder(at(instant)) == who


def test_an_override_comes_before_whoevers_turn_it_is() -> None:
    """From its first instant until its last; without anybody, nobody is on duty."""
    night = duty("2021-03-01T22:00", "2021-03-02T06:00", "chief")
    empty = duty("2021-03-02T06:00", "2021-03-02T07:00", None)
    roster = replace(SHIFTS, overrides=(night, empty))
    asked = ["2021-03-01T21:59", "2021-03-01T22:00", "2021-03-02T05:59", "2021-03-02T06:00", "2021-03-02T07:00"]
    assert [roster.holder(at(each)) for each in asked] == ["night", "chief", "chief", None, "night"]


def test_a_substitute_stands_in_for_whoever_is_away() -> None:
    """Only in their turns, also in those they took over; without a substitute, nobody is on duty."""
    away = Absence("night", duty("2021-03-01T08:00", "2021-03-03T08:00", "deputy"))
    gone = Absence("day", duty("2021-03-03T08:00", "2021-03-04T08:00", None))
    roster = replace(SHIFTS, away=(away, gone), overrides=(duty("2021-03-02T10:00", "2021-03-02T11:00", "night"),))
    asked = ["2021-03-01T12:00", "2021-03-01T21:00", "2021-03-02T10:30", "2021-03-03T12:00", "2021-03-03T21:00"]
    assert [roster.holder(at(each)) for each in asked] == ["day", "deputy", "deputy", None, "night"]


def test_turns_begin_by_the_clock_on_the_wall() -> None:
    """When clocks are put forward, the next turn begins at the same time of day, an hour sooner."""
    roster = Roster(("one", "two"), timedelta(days=1), FIRST, BERLIN)
    saturday, sunday = at("2021-03-27T08:00", BERLIN), at("2021-03-28T08:00", BERLIN)
    assert sunday - saturday == timedelta(hours=23)
    assert [roster.holder(each) for each in (saturday, sunday - timedelta(seconds=1), sunday)] == ["one", "one", "two"]


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple),
    st.integers(1, 72).map(lambda hours: timedelta(hours=hours)),
    st.integers(0, 10_000).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_turns_are_equal_and_never_end(members: tuple[str, ...], turn: timedelta, later: timedelta) -> None:
    """A round later it is the same member's turn, and a turn later the next one's."""
    roster = Roster(members, turn, FIRST, SHANGHAI)
    instant = FIRST.replace(tzinfo=SHANGHAI).astimezone(UTC) + later
    who = roster.holder(instant)
    assert who == members[(later // turn) % len(members)]
    assert roster.holder(instant + turn * len(members)) == who
    assert roster.holder(instant + turn) == members[(later // turn + 1) % len(members)]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"members": ()}, "no members"),
        ({"turn": timedelta()}, "no length"),
        (
            {"overrides": (duty("2021-03-02", "2021-03-04", "a"), duty("2021-03-01", "2021-03-03", "b"))},
            "two overrides overlap from 2021-03-02 00:00",
        ),
        (
            {
                "away": (
                    Absence("day", duty("2021-03-01", "2021-03-03", "a")),
                    Absence("day", duty("2021-03-02", "2021-03-04", "b")),
                )
            },
            "two absences of day overlap",
        ),
        (
            {
                "away": (
                    Absence("day", duty("2021-03-01", "2021-03-03", "night")),
                    Absence("night", duty("2021-03-02", "2021-03-04", "b")),
                )
            },
            "the absences of day and of the substitute night overlap",
        ),
        ({"away": (Absence("day", duty("2021-03-01", "2021-03-03", "day")),)}, "overlap"),
    ],
)
def test_a_roster_that_says_two_things_at_once_is_refused(fields: Mapping[str, Any], what: str) -> None:
    """Overlapping overrides or absences, and a substitute who is away too, are a `ValueError`."""
    with pytest.raises(ValueError, match=what):
        replace(SHIFTS, **fields)


def test_a_roster_that_is_empty_is_not_helped_out() -> None:
    """Where a unit keeps a roster, its street's post of the same name does not stand in for it."""
    street = Unit("east", "East", "street", "east", {"officer": "the street's", "head": "the street's"})
    section = Unit("care", "Care", "section", "east", {"officer": SHIFTS})
    directory = Directory({"east": street, "care": section})
    before, then = at("2021-03-01T07:00"), at("2021-03-01T09:00")
    assert directory.holder("care", "officer", before) is None
    assert directory.holder("care", "officer", then) == Holder("officer", "care", "day")
    assert directory.holder("care", "head", before) == Holder("head", "east", "the street's")
    assert directory.has_post("care", "officer")
    assert not directory.has_post("care", "leader")
    assert (directory.rotates("care"), directory.rotates("east")) == (True, False)


# --- as it is written -------------------------------------------------------------------------------------------------

Read = Callable[[str], tuple[str | Roster | None, list[Problem]]]


@pytest.fixture
def written(tmp_path: Path) -> Read:
    """What is read of a post, and what is wrong with it."""

    def reading(text: str) -> tuple[str | Roster | None, list[Problem]]:
        (tmp_path / "post.yaml").write_text(f"officer:\n{text}\n", encoding="utf-8")
        document = read(tmp_path / "post.yaml")[0]
        problems: list[Problem] = []
        assert isinstance(document.content, dict)
        return read_post(Place(document, ("officer",), document.content["officer"], problems)), problems

    return reading


def test_a_roster_is_read_as_it_is_written(written: Read) -> None:
    """A date that ends something is that whole day, a time is that instant."""
    found, problems = written(
        """
  members: [甲班, ~, 乙班]
  turn: 12h
  from: 2021-03-01T08:00
  to: 2021-12-31
  zone: Europe/Berlin
  overrides: [{from: 2021-05-01, to: 2021-05-05, who: 节日组}, {from: 2021-06-01T20:00, to: 2021-06-02T08:00}]
  away: [{who: 乙班, from: 2021-03-08, to: 2021-03-12, substitute: 丁班}]
"""
    )
    assert problems == []
    assert found == Roster(
        ("甲班", None, "乙班"),
        timedelta(hours=12),
        FIRST,
        BERLIN,
        datetime(2022, 1, 1),  # noqa: DTZ001 - wall time of the roster's zone
        (duty("2021-05-01", "2021-05-06", "节日组"), duty("2021-06-01T20:00", "2021-06-02T08:00", None)),
        (Absence("乙班", duty("2021-03-08", "2021-03-13", "丁班")),),
    )


def test_a_post_may_be_a_name_or_one_member_with_a_substitute(written: Read) -> None:
    """One alone needs no turn, and is on duty always."""
    assert written("  值班员") == ("值班员", [])
    found, problems = written("  {members: [甲], away: [{who: 甲, from: 2021-03-01, to: 2021-03-01, substitute: 乙}]}")
    assert problems == []
    assert isinstance(found, Roster)
    assert [found.holder(at(day)) for day in ("2001-01-01", "2021-03-01", "2021-03-02")] == ["甲", "乙", "甲"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("  []", 1, "is no text"),
        ("  {turn: day}", 1, "has no members"),
        ("  {members: []}", 1, "has no members"),
        ("  {members: [a, b], from: 2021-03-01}", 1, "no 'turn'"),
        ("  {members: [a, b], turn: week}", 1, "no 'from'"),
        ("  members: [a]\n  turn: 3wd", 3, "is no turn"),
        ("  members: [a]\n  turn: 0h", 3, "is no time at all"),
        ("  members: [a]\n  turn: fortnight", 3, "is no duration"),
        ("  members: [a]\n  turn: [day]", 3, "is no duration"),
        ("  members: {a: b}", 2, "is no list"),
        ("  members: [[a]]", 2, "is no text"),
        ("  members: [a]\n  overrides: b", 3, "is no list"),
        ("  members: [a]\n  away: [b]", 3, "is no mapping"),
        ("  members: [a]\n  zone: [a]", 3, "is no text"),
        ("  members: [a]\n  from: 2021-02-30", 3, "is no date and no time"),
        ("  members: [a]\n  from: 2021-02-01T08:00+08:00", 3, "has an offset"),
        ("  members: [a]\n  from: 1921-02-01", 3, "lies outside the years"),
        ("  members: [a]\n  from: 2021-02-02\n  to: 2021-02-01", 4, "ends before it begins"),
        ("  members: [a]\n  zone: Asia/Chengdu", 3, "no time zone is called"),
        ("  members: [a]\n  shift: 1", 3, "unknown key 'shift'"),
        ("  members: [a]\n  overrides:\n  - {who: b, from: 2021-02-02}", 4, "has no 'to'"),
        ("  members: [a]\n  overrides:\n  - {who: b, from: 2021-02-02, to: 2021-02-01}", 4, "ends before it begins"),
        ("  members: [a]\n  away:\n  - {from: 2021-02-01, to: 2021-02-01}", 4, "doesn't say who is away"),
        (
            "  members: [a]\n  overrides: [{from: 2021-02-01, to: 2021-02-02}, {from: 2021-02-02, to: 2021-02-03}]",
            3,
            "two overrides overlap from 2021-02-02 00:00",
        ),
    ],
)
def test_what_is_wrong_with_a_roster_is_named_with_line_and_cure(
    written: Read, text: str, line: int, what: str
) -> None:
    """Each fault is an error on its own line, with a cure."""
    found, problems = written(text)
    assert found is None
    assert any(what in each.what and each.line == line for each in problems), problems
    assert all(each.level == "error" and each.cure for each in problems)
