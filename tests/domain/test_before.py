"""Reminders before a deadline: no lateness, never after it in its place, and as cheap to know of as before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition

from schemas import action, decision, dispatch, escalation, response
from schemas.incident import Entry, Escalated, Reminded, SeenAfterwards
from services.domain.clocks import dues, next_due_at
from services.domain.ladder import Ladder, Step, due_steps, instant_of, next_at
from services.domain.working_time import Calendar, Duration, add, back
from tests.domain.scene import CONFIGURATION, DAY, HOUR, MINUTE, START, Scene, names, opened
from tests.domain.test_incident_properties import Life

CALL = decision.Called(kind="general")
CALENDAR = Calendar(ZoneInfo("Asia/Shanghai"))


def before(text: str, post: str | None = None) -> Step:
    """A step so long before the deadline."""
    return Step(Duration.parse(text), post, before=True)


def reminding(*steps: Step) -> Scene:
    """A scene whose ladders all begin with some steps before the deadline."""
    ladders = {name: replace(ladder, steps=(*steps, *ladder.steps)) for name, ladder in CONFIGURATION.ladders.items()}
    return Scene(replace(CONFIGURATION, ladders=ladders))


def called(*steps: Step) -> Scene:
    """The whistle was blown at the start: acknowledge in 2 hours, survey in 1 day, resolve in 5."""
    scene = reminding(*steps)
    scene.street(opened("water"))
    scene.street(CALL)
    return scene


def fired(told: Sequence[Entry], deadline: str) -> list[tuple[str, int, tuple[int, ...]]]:
    """What was fired of one deadline: (entry, step, skipped)."""
    return [
        (type(each).__name__, each.step, each.skipped)
        for each in told
        if isinstance(each, Reminded | Escalated) and each.deadline == deadline
    ]


def test_whoever_owes_is_reminded_before_the_deadline_and_is_not_late() -> None:
    """At its instant, once; nobody is late before the deadline itself, and nothing is counted as escalated."""
    scene = called(before("1d"))
    scene.department("water", response.Acknowledged())
    scene.pass_(4 * DAY - MINUTE)
    assert "resolve" not in {each.deadline for _, each in scene.told if isinstance(each, Reminded)}
    assert fired(scene.pass_(MINUTE), "resolve") == [("Reminded", 0, ())]
    assert "resolve" not in scene.owed().late
    assert fired(scene.pass_(DAY - MINUTE), "resolve") == []
    assert "resolve" not in scene.owed().late
    assert fired(scene.pass_(MINUTE), "resolve") == [("Reminded", 1, ())]
    assert "resolve" in scene.owed().late
    assert fired(scene.pass_(DAY), "resolve") == [("Escalated", 2, ())]


def test_the_department_hears_of_it_on_its_own_stream() -> None:
    """The reminder says which deadline, and when that is: it lies ahead."""
    scene = called(before("30m"))
    scene.pass_(90 * MINUTE)
    reminded = dispatch.Reminded(round=1, deadline="acknowledge", due_at=START + 2 * HOUR)
    assert ("department.water.dispatches", reminded) in scene.said


def test_a_post_may_be_told_before_the_deadline() -> None:
    """It is a reminder, not an escalation, and supervision tells its holder."""
    scene = called(before("30m", "section-head"))
    told = scene.pass_(90 * MINUTE)
    assert names(told) == ["Reminded"]
    assert isinstance(told[0], Reminded)
    assert (told[0].post, told[0].holder, told[0].holder_unit) == ("section-head", "water's section-head", "water")
    assert scene.now.escalations == 0
    (raised,) = [fact for topic, fact in scene.said if topic == "supervision.escalations"]
    assert isinstance(raised, escalation.Raised)
    assert (raised.post, raised.holder, raised.due_at) == (
        "section-head",
        "water's section-head",
        START + 2 * HOUR,
    )
    assert not [fact for topic, fact in scene.said if isinstance(fact, dispatch.Reminded)]


@pytest.mark.parametrize("offset", ["2h", "3h", "1d", "2wh"])
def test_what_would_come_before_a_deadline_was_set_is_passed_over(offset: str) -> None:
    """Whoever was given no more than that time is not reminded, and nothing says that anything was skipped."""
    scene = called(before(offset))
    assert fired(scene.sweep(), "acknowledge") == []
    assert fired(scene.pass_(2 * HOUR - MINUTE), "acknowledge") == []
    assert fired(scene.pass_(MINUTE), "acknowledge") == [("Reminded", 1, ())]


def test_only_the_steps_that_come_too_early_are_passed_over() -> None:
    """Of several, those for which there is time come."""
    scene = called(before("1d"), before("1h"))
    assert fired(scene.pass_(HOUR), "acknowledge") == [("Reminded", 1, ())]


def test_after_an_outage_a_reminder_does_not_come_late_in_place_of_the_deadline() -> None:
    """What was silent over the deadline is told of that, with what was skipped."""
    scene = called(before("1d"))
    scene.department("water", response.Acknowledged())
    told = scene.later(5 * DAY + HOUR).sweep()
    assert fired(told, "resolve") == [("Reminded", 1, (0,))]
    assert "resolve" in scene.owed().late
    half = called(before("1d"))
    half.department("water", response.Acknowledged())
    assert fired(half.later(5 * DAY - HOUR).sweep(), "resolve") == [("Reminded", 0, ())]
    assert "resolve" not in half.owed().late


def test_nobody_is_reminded_in_the_moment_of_acting() -> None:
    """What is due before a deadline waits for the sweeper: whoever acts in time needs no reminder before it."""
    scene = called(before("1d"))
    told = scene.later(4 * DAY + HOUR).department("water", response.Resolved(note="mended"))
    assert fired(told, "resolve") == []
    assert len(fired(told, "survey")) == 1
    assert names(told)[-2:] == ["Acknowledged", "Resolved"]


def test_a_new_deadline_is_reminded_of_again() -> None:
    """An extension sets a deadline of its own, and so does a new round; each is reminded of from when it was set."""
    scene = called(before("1d"))
    scene.department("water", response.Acknowledged())
    scene.pass_(4 * DAY + HOUR)
    scene.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="parts"))
    scene.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
    assert fired(scene.pass_(4 * DAY - HOUR), "resolve") == [("Reminded", 0, ())]
    assert scene.at == START + 8 * DAY
    scene.department("water", response.ExtensionRequested(until=START + 9 * DAY + HOUR, reason="more parts"))
    scene.later(10 * HOUR).supervision(action.Granted(department="water", request="extension"))
    assert fired(scene.pass_(DAY - 9 * HOUR), "resolve") == [("Reminded", 1, ())]


def test_the_reminder_is_frozen_with_the_ladder() -> None:
    """What a department was dispatched with stays, whatever the configuration becomes."""
    scene = called(before("1d"))
    rungs = scene.owed().policy.ladder.rungs
    assert [(rung.before, rung.after) for rung in rungs[:2]] == [("1d", None), (None, "0d")]
    scene.configuration = CONFIGURATION
    scene.department("water", response.Acknowledged())
    assert fired(scene.pass_(4 * DAY), "resolve") == [("Reminded", 0, ())]


def test_a_reminder_in_working_time_comes_when_somebody_is_there() -> None:
    """Four working hours before Monday noon is Friday afternoon."""
    ladder = Ladder("any", (before("4wh"), Step(Duration(0, "m"), None)), Duration(1, "d"))
    monday, friday = datetime(2021, 3, 8, 4, tzinfo=UTC), datetime(2021, 3, 5, 8, tzinfo=UTC)
    assert next_at(ladder, CALENDAR, monday, 0) == friday
    assert due_steps(ladder, CALENDAR, monday, 0, friday) == [(0, friday)]


def test_a_ladder_that_ends_before_the_deadline_is_refused() -> None:
    """It would fall silent just when the promise is broken."""
    with pytest.raises(ValueError, match="ends before the deadline"):
        Ladder("early", (before("1d"),), Duration(1, "d"))


offsets = st.builds(Duration, st.integers(1, 40), st.sampled_from(["m", "h", "d", "wh", "wd"]))
instants = st.datetimes(datetime(2020, 1, 1), datetime(2022, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(offsets, min_size=1, max_size=3), instants, st.integers(0, 9 * 24 * 60))
def test_steps_before_are_passed_over_exactly_where_there_is_no_time(
    early: list[Duration], set_at: datetime, minutes: int
) -> None:
    """Every step comes after the deadline was set, in order, and none that could come is left out."""
    due_at = set_at + timedelta(minutes=minutes)
    steps = tuple(Step(each, None, before=True) for each in early)
    ladder = Ladder("any", (*steps, Step(Duration(0, "m"), None)), Duration(1, "d"))
    fires = due_steps(ladder, CALENDAR, due_at, 0, due_at, set_at)
    assert [at for _, at in fires] == sorted(at for _, at in fires)
    assert all(set_at <= at <= due_at for _, at in fires)
    assert fires[-1] == (len(steps), due_at)
    passed = set(range(len(steps))) - {index for index, _ in fires}
    assert passed == set(range(len(passed)))
    assert all(add(CALENDAR, set_at, early[index]) >= due_at for index in passed)
    assert next_at(ladder, CALENDAR, due_at, 0, set_at) == fires[0][1]
    assert all(instant_of(ladder, CALENDAR, due_at, index) >= back(CALENDAR, due_at, early[index]) for index in passed)


class LifeWithReminders(Life):
    """Any life at all, with reminders before every deadline, by the wall clock and in working time."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = reminding(before("2d"), before("4wh", "section-head"), before("1h"))

    @precondition(lambda self: self.scene.state is not None)
    @invariant()
    def what_is_due_next_is_the_first_of_all(self) -> None:
        """Looking only at what can be next finds what looking at every clock does."""
        state, configuration = self.scene.now, self.scene.configuration
        every = [due.at for due in dues(state, configuration)]
        assert next_due_at(state, configuration) == min(every, default=None)
        soon = {due for due in dues(state, configuration) if due.at <= self.scene.at}
        assert soon == {due for due in dues(state, configuration, self.scene.at) if due.at <= self.scene.at}

    @precondition(lambda self: self.scene.state is not None)
    @invariant()
    def nobody_is_late_before_the_deadline(self) -> None:
        """Only what has passed is late."""
        for owed in self.scene.now.obligations.values():
            for name in owed.late:
                due_ats = [
                    each.due_at
                    for _, each in self.scene.told
                    if isinstance(each, Reminded | Escalated | SeenAfterwards)
                    and (each.department, each.deadline) == (owed.department, name)
                ]
                assert min(due_ats) <= self.scene.at


LifeWithReminders.TestCase.settings = settings(max_examples=25, stateful_step_count=25)
TestLifeWithReminders = LifeWithReminders.TestCase
