"""Each deadline is judged by the calendar of whoever may owe it: what can't be counted never starts."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from services.domain.configuration import Configuration, Problem, parse
from services.domain.deadline_checks import always_later, countable
from services.domain.working_time import Calendar, Duration, Hours
from services.runtime.files import read

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
Found = tuple[Configuration | None, list[Problem]]
Changed = Callable[..., Found]
# The street, or a bureau, has an office that opens for one hour a week.
SELDOM = ("calendar.yaml", "calendars:\n", "calendars:\n  seldom: {office-hours: {monday: [09:00-10:00]}}\n")
STREET = ("directory.yaml", "  - code: dongsheng\n", "  - code: dongsheng\n    calendar: seldom\n")
BUREAU = ("directory.yaml", "  - code: water\n", "  - code: water\n    calendar: seldom\n")


CLOSED = """\
calendar-days:
  china:
    days:
      - {day: 2021-02-11, through: %s, office: closed, reason: x, announced-by: y}
"""


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """The shipped configuration with texts in some files replaced, and what is wrong with it."""

    def changed(*replaced: tuple[str, str, str]) -> Found:
        folder = tmp_path / "config"
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        for file, old, new in replaced:
            text = (folder / file).read_text(encoding="utf-8")
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return parse(read(folder))

    return changed


def where(problem: Problem) -> str:
    """File and level of a problem."""
    return f"{Path(problem.file).name} {problem.level}"


def test_what_the_streets_own_calendar_can_not_count_never_starts(changed: Changed) -> None:
    """By the default calendar it could be: every call of that street would fail, so it is an error, told once."""
    configuration, problems = changed(
        SELDOM, STREET, ("policy.yaml", "general: {overall: 40wd}", "general: {overall: 6000wh}")
    )
    assert configuration is None
    [found] = problems
    assert where(found) == "policy.yaml error"
    assert "overall in 6000wh can't be counted by the calendar 'seldom'" in found.what
    assert found.cure


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("routes.yaml", "resolve: 20wd", "resolve: 4000wh"),
        ("ladders.yaml", "{after: 1wd, post: responsible-leader}", "{after: 2000wd, post: responsible-leader}"),
        ("policy.yaml", "general: {overall: 40wd}", "general: {overall: 40wd, survey: 3000wh}"),
    ],
)
def test_nor_what_a_bureaus_can_not(changed: Changed, file: str, old: str, new: str) -> None:
    """Rules that don't name the bureau, ladders and whistles too: an officer may call whomever they like."""
    configuration, problems = changed(SELDOM, BUREAU, (file, old, new))
    assert configuration is None
    assert f"{file} error" in {where(each) for each in problems}


def test_an_office_that_is_closed_for_decades_is_no_office(changed: Changed) -> None:
    """A slip of the pen in the last day of a holiday closes it for good."""
    configuration, problems = changed(("calendar.yaml", "calendar-days: {}\n", CLOSED % "2098-12-31"))
    assert configuration is None
    assert ("routes.yaml error", True) in {
        (where(each), "resolve in 5wd can't be counted" in each.what) for each in problems
    }


def test_an_office_that_is_closed_for_months_is_suspicious(changed: Changed) -> None:
    """It can be counted, so it is a warning where the day is written."""
    configuration, problems = changed(("calendar.yaml", "calendar-days: {}\n", CLOSED % "2021-05-17"))
    assert configuration is not None
    assert [(where(each), "closes the office for 96 days" in each.what) for each in problems] == [
        ("calendar.yaml warning", True)
    ]


def test_what_takes_weeks_by_a_bureaus_own_calendar_is_a_warning(changed: Changed) -> None:
    """`4wh` of an office that opens for one hour a week are four weeks; told once, where it is first written."""
    configuration, problems = changed(SELDOM, BUREAU)
    assert configuration is not None
    assert {each.level for each in problems} == {"warning"}
    whats = [each.what for each in problems]
    assert sum("acknowledge in 4wh takes up to 27 days by the calendar 'seldom'" in each for each in whats) == 1
    assert any("resolve in 10wd by the calendar 'seldom' is always later than the whole" in each for each in whats)


@pytest.mark.parametrize(
    "week", [{"saturday": "[09:00-12:00]"}, {"friday": "[09:00-12:00]"}, {"sunday": "[00:00-23:59]"}]
)
def test_more_or_somewhat_fewer_hours_are_no_mistake(changed: Changed, week: dict[str, str]) -> None:
    """A bureau that works on one day more, or on a short Friday, is as good as any."""
    days = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "[09:00-12:00, 13:00-17:00]") | week
    hours = ", ".join(f"{day}: {told}" for day, told in days.items())
    own = ("calendar.yaml", "calendars:\n", f"calendars:\n  seldom: {{office-hours: {{{hours}}}}}\n")
    assert changed(own, BUREAU)[1] == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("emergency: {overall: 15d,", "emergency: {overall: 30m,", "resolve in 24h is always later than the whole"),
        (
            "general: {overall: 40wd}",
            "general: {overall: 40wd, acknowledge: 100wd}",
            "later than the general whistle's",
        ),
        ("acknowledge: 30m, arrive: 30m", "acknowledge: 30m, arrive: 8wh", "arrive in 8wh waits for the office"),
        ("acknowledge: 30m, arrive: 30m", "acknowledge: 4wh, arrive: 30m", "acknowledge in 4wh waits for the office"),
        ("explain: 2wd", "explain: 900wd", "explain in 900wd is always later than the whole incident's overall"),
        ("judge: 2wd", "judge: 90wd", "judge in 90wd is always later"),
        ("reply: 5d", "reply: 2000d", "reply in 2000d is always later"),
        ("reply: 5d", "reply: 1m", "reply in 1m leaves citizens less than a day"),
        ("close: 7d", "close: 1m", "close in 1m leaves citizens less than a day"),
        ("close: 7d", "close: 2000d", "close in 2000d keeps an incident open for more than a year"),
        ("wait: 1d", "wait: 300d", "wait in 300d is always later"),
    ],
)
def test_what_whistles_and_streets_are_given_is_judged_too(changed: Changed, old: str, new: str, what: str) -> None:
    """Each is a warning with a cure, in the line that is wrong or the one it contradicts."""
    configuration, problems = changed(("policy.yaml", old, new))
    assert configuration is not None
    assert {each.level for each in problems} == {"warning"}
    [found, *_] = [each for each in problems if what in each.what]
    assert found.cure
    if "resolve" not in what:
        text = (SHIPPED / "policy.yaml").read_text(encoding="utf-8")
        assert found.line == text[: text.index(old)].count("\n") + 1


def test_what_can_be_counted_is_told_by_how_long_it_takes() -> None:
    """Ten years are as long as any duration may be, in the longest closure too."""
    seldom = Calendar(UTC, ((Hours(time(9), time(10)),), (), (), (), (), (), ()))
    assert countable(seldom, Duration(500, "wh"))
    assert not countable(seldom, Duration(600, "wh"))
    assert not countable(seldom, Duration(6000, "wh"))
    closed = frozenset(date(2030, 1, 1) + timedelta(days=each) for each in range(4000))
    assert countable(Calendar(UTC), Duration(1, "wd"))
    assert not countable(Calendar(UTC, holidays=closed), Duration(1, "wd"))
    mondays = frozenset(date(2030, 1, 7) + timedelta(weeks=each) for each in range(600))
    assert not countable(Calendar(UTC, seldom.week, holidays=mondays), Duration(1, "wh"))


def test_each_of_two_durations_is_counted_by_a_calendar_of_its_own() -> None:
    """The same working days are later where fewer of them are open; the same hours on the wall never are."""
    seldom, daily = Calendar(UTC, ((Hours(time(9), time(10)),), (), (), (), (), (), ())), Calendar(UTC)
    assert always_later(seldom, Duration(3, "wd"), daily, Duration(5, "wd"))
    assert not always_later(daily, Duration(5, "wd"), daily, Duration(5, "wd"))
    assert not always_later(seldom, Duration(5, "d"), daily, Duration(5, "d"))
    assert datetime(2021, 3, 1, tzinfo=UTC).weekday() == 0


def test_an_emergency_rule_may_leave_its_limits_to_the_whistle(changed: Changed) -> None:
    """What it inherits in office hours counts for nothing where the whistle is stricter."""
    limits = "deadlines: {acknowledge: 30m, arrive: 30m, resolve: 24h}", "deadlines: {resolve: 24h}"
    assert changed(("routes.yaml", *limits))[1] == []


def test_a_rule_that_only_says_which_whistle_it_is_for_is_judged_by_that_whistle(changed: Changed) -> None:
    """Though its deadlines and departments are those of the rule above, which another whistle gives longer."""
    rule = "        - {name: enforced, matchers: ['call=\"enforcement\"']}\n"
    standing = "        - name: standing-water\n"
    shorter = ("policy.yaml", "enforcement: {overall: 40wd}", "enforcement: {overall: 8d}")
    quicker = (
        "routes.yaml",
        "deadlines: {acknowledge: 2wh, resolve: 7wd}",
        "deadlines: {acknowledge: 2wh, resolve: 3wd}",
    )
    longer = (
        "routes.yaml",
        "deadlines: {acknowledge: 4wh, resolve: 3wd}",
        "deadlines: {acknowledge: 4wh, resolve: 9wd}",
    )
    assert changed(quicker, shorter, longer)[1] == []
    [found] = changed(quicker, shorter, longer, ("routes.yaml", standing, rule + standing))[1]
    assert "resolve in 9wd is always later than the whole incident's overall, 8d" in found.what
