"""Whom a broken promise climbs to, and when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.ladder import Ladder, Step, due_steps, next_at
from services.domain.working_time import Calendar, Duration, add

CALENDAR = Calendar(ZoneInfo("Asia/Shanghai"))
AT_ONCE = Step(Duration(0, "m"), None)
LADDER = Ladder(
    "district",
    (
        AT_ONCE,
        Step(Duration(4, "wh"), "section-head"),
        Step(Duration(1, "wd"), "responsible-leader"),
        Step(Duration(5, "wd"), "supervision-office"),
    ),
    Duration(5, "wd"),
)
# Monday, 2021-03-01, 10:00 in Shanghai.
DUE = datetime(2021, 3, 1, 2, tzinfo=UTC)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2022, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
durations = st.builds(Duration, st.integers(0, 40), st.sampled_from(["m", "h", "d", "wh", "wd"]))
ladders = st.builds(
    Ladder,
    st.just("any"),
    st.lists(st.builds(Step, durations, st.none()), max_size=4).map(lambda later: (AT_ONCE, *later)),
    st.builds(Duration, st.integers(1, 9), st.sampled_from(["h", "d", "wh", "wd"])),
)


def test_steps_come_at_their_time() -> None:
    """A reminder at once, then each post in its time, then the top again and again."""
    ats = [next_at(LADDER, CALENDAR, DUE, fired) for fired in range(6)]
    assert ats == [
        DUE,
        datetime(2021, 3, 1, 7, tzinfo=UTC),
        datetime(2021, 3, 2, 2, tzinfo=UTC),
        datetime(2021, 3, 8, 2, tzinfo=UTC),
        datetime(2021, 3, 15, 2, tzinfo=UTC),
        datetime(2021, 3, 22, 2, tzinfo=UTC),
    ]
    assert [LADDER.step(index).post for index in (0, 3, 4, 99)] == [None, *["supervision-office"] * 3]


def test_nothing_is_due_before_its_time() -> None:
    """At the instant a step is due, it is; a moment earlier, it isn't."""
    assert due_steps(LADDER, CALENDAR, DUE, 0, DUE - timedelta(microseconds=1)) == []
    assert due_steps(LADDER, CALENDAR, DUE, 0, DUE) == [(0, DUE)]
    assert due_steps(LADDER, CALENDAR, DUE, 1, DUE) == []


def test_after_an_outage_every_step_passed_is_named() -> None:
    """Whoever looks late sees all that was missed, in order, repeats included."""
    now = datetime(2021, 3, 16, tzinfo=UTC)
    assert [index for index, _ in due_steps(LADDER, CALENDAR, DUE, 2, now)] == [2, 3, 4]


@given(ladders, instants, st.integers(0, 8), st.integers(0, 40))
def test_looking_late_moves_nothing(ladder: Ladder, due_at: datetime, fired: int, days: int) -> None:
    """Instants follow from the original one: looked at every day or once at the end, they are the same."""
    end = add(CALENDAR, due_at, Duration(days, "d"))
    at_once = due_steps(ladder, CALENDAR, due_at, fired, end)
    daily: list[tuple[int, datetime]] = []
    for day in range(days + 1):
        now = due_at + timedelta(days=day)
        daily += due_steps(ladder, CALENDAR, due_at, fired + len(daily), now)
    assert daily == at_once


@given(ladders, instants, st.integers(0, 30))
def test_it_never_falls_silent_and_never_climbs_down(ladder: Ladder, due_at: datetime, fired: int) -> None:
    """There is always a next step, not before the one that fired last, and each repeat is later."""
    here, following = next_at(ladder, CALENDAR, due_at, fired), next_at(ladder, CALENDAR, due_at, fired + 1)
    assert due_at <= here <= following
    # A wall-clock instant at night and the opening after it are one instant in working time, but once.
    later = next_at(ladder, CALENDAR, due_at, fired + len(ladder.steps) + 2)
    assert here < later


def test_a_ladder_that_would_fall_silent_is_refused() -> None:
    """Without steps, or repeating after no time, it is a `ValueError`."""
    with pytest.raises(ValueError, match="no steps"):
        Ladder("empty", (), Duration(1, "d"))
    with pytest.raises(ValueError, match="no time"):
        Ladder("hectic", (AT_ONCE,), Duration(0, "d"))


@pytest.mark.parametrize("text", ["1m", "0wh", "0wd", "3d"])
def test_a_ladder_without_a_step_at_the_deadline_itself_is_refused(text: str) -> None:
    """A promise is broken at its deadline, not when the office opens or somebody is told: there a step fires."""
    early = Step(Duration(1, "h"), None, before=True)
    with pytest.raises(ValueError, match="no step at the deadline"):
        Ladder("slow", (early, Step(Duration.parse(text), "section-head")), Duration(1, "d"))
