"""Deadlines beyond what a calendar is confirmed for: marked, and counted again, once, when it is."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import action, answer, decision, escalation, response
from schemas.dispatch import Changed, Issued, Supervised
from schemas.event import Fact
from schemas.incident import Called, Dispatched, Entry, Escalated, Recomputed, Reminded
from schemas.topics import JOURNAL
from services.domain.clocks import identity
from services.domain.configuration import Configuration, parse
from services.domain.decide import decide_due
from services.domain.incident import Clock
from services.domain.ladder import Step
from services.domain.provisional import counted_by, recount_due, running_out
from services.domain.street import hear_history
from services.domain.whistles import Whistle
from services.domain.working_time import Calendar, Duration
from services.runtime.files import read
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, OTHER, START, Scene, durations, names, opened
from tests.domain.test_incident_properties import moments, sensible

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
SHANGHAI = ZoneInfo("Asia/Shanghai")
# A Wednesday; the scene begins on Monday the first, at 10:00.
LAST_DAY = date(2021, 3, 10)
HOLIDAY = date(2021, 3, 12)
SHORT = Calendar(SHANGHAI, confirmed_until=LAST_DAY, name="city")
LONG = replace(SHORT, holidays=frozenset({HOLIDAY}), confirmed_until=date(2021, 12, 31))


def by(calendar: Calendar, resolve: str = "10wd", **calendars: Calendar) -> Configuration:
    """The scene's configuration, its deadlines in working days; a calendar of a unit's name is that unit's."""
    units = {
        code: replace(unit, calendar=code if code in calendars else "")
        for code, unit in CONFIGURATION.directory.units.items()
    }
    routes = tuple(
        replace(each, deadlines=durations(acknowledge="4wh", resolve=resolve)) for each in CONFIGURATION.routes.routes
    )
    return replace(
        CONFIGURATION,
        directory=replace(CONFIGURATION.directory, units=units),
        routes=replace(CONFIGURATION.routes, routes=routes),
        street=replace(CONFIGURATION.street, **durations(decide="1wd", close="30d")),
        whistles={kind: Whistle(Duration(30, "wd")) for kind in CONFIGURATION.whistles},
        calendar=calendar,
        calendars=calendars,
    )


def called(configuration: Configuration) -> Scene:
    """The water bureau has been called on Monday at 10:00."""
    scene = Scene(configuration)
    scene.street(opened())
    scene.street(decision.Called())
    return scene


def recount(scene: Scene, configuration: Configuration | None = None) -> Sequence[Entry]:
    """The router counts again by a configuration that has come."""
    scene.configuration = configuration or scene.configuration
    due = recount_due(scene.now, scene.configuration, scene.at)
    decided = decide_due(scene.now, due, scene.at, identity(scene.incident, due), scene.configuration)
    return scene._take(decided, scene.at)


def local(text: str) -> datetime:
    """An instant in 2021, written in Shanghai's time."""
    return datetime.fromisoformat(f"2021-{text}").replace(tzinfo=SHANGHAI).astimezone(UTC)


def test_what_ends_beyond_the_calendar_is_provisional_and_what_ends_before_is_not() -> None:
    """The entry, the state and the department's dispatch name it, with the instant and duration it is counted from."""
    scene = called(by(SHORT))
    told = {type(entry): entry for _, entry in scene.told}
    assert set(told[Called].provisional or ()) == {"overall"}
    marked = told[Dispatched].provisional
    assert marked is not None
    assert {name: (each.since, each.duration) for name, each in marked.items()} == {"resolve": (scene.at, "10wd")}
    assert scene.owed().clocks["resolve"].provisional == marked["resolve"]
    assert scene.owed().clocks["acknowledge"].provisional is None
    issued = next(fact for _, fact in scene.said if isinstance(fact, Issued))
    assert issued.provisional == ("resolve",)


def test_the_last_confirmed_day_is_certain() -> None:
    """A deadline on the last day is as certain as any, and one on the next day is not."""
    assert called(by(SHORT, "7wd")).owed().clocks["resolve"].provisional is None
    assert called(by(SHORT, "8wd")).owed().clocks["resolve"].provisional is not None


def test_the_wall_clock_needs_no_calendar() -> None:
    """Days by the wall clock are certain however far they reach, and so is everything by a calendar without an end."""
    assert called(by(SHORT, "30d")).owed().clocks["resolve"].provisional is None
    assert called(by(replace(SHORT, confirmed_until=None))).now.clocks["overall"].provisional is None


def test_once_the_calendar_is_confirmed_the_deadline_is_counted_from_the_original_instant() -> None:
    """The holiday that has been announced moves it by a day, with a reason, and the department is told."""
    scene = called(by(SHORT))
    assert scene.owed().clocks["resolve"].due_at == local("03-15T10:00")
    scene.later(2 * DAY)
    entries = recount(scene, by(LONG))
    assert [type(entry) for entry in entries] == [Recomputed, Recomputed]
    own, owed = entries
    assert isinstance(own, Recomputed)
    assert isinstance(owed, Recomputed)
    assert (own.department, list(own.deadlines)) == (None, ["overall"])
    assert (owed.department, owed.round, owed.deadlines) == ("water", 1, {"resolve": local("03-16T10:00")})
    assert (owed.who, owed.reason) == ("clock", "the calendar city is confirmed until 2021-12-31")
    assert scene.owed().clocks["resolve"] == Clock(local("03-16T10:00"), owed.version, set_at=START)
    changed = next(fact for _, fact in reversed(scene.said) if isinstance(fact, Changed))
    assert (changed.status, changed.provisional) == ("dispatched", None)
    assert changed.deadlines["resolve"] == local("03-16T10:00")


def test_it_is_counted_again_exactly_once() -> None:
    """Whoever looks again finds nothing left to do; the act has the same id whoever does it, and whenever."""
    scene = called(by(SHORT))
    one = identity(scene.incident, recount_due(scene.now, by(LONG), scene.at))
    assert one == identity(scene.incident, recount_due(scene.now, by(LONG), scene.at + HOUR))
    assert len(recount(scene, by(LONG))) == 2
    assert recount(scene) == []
    assert counted_by(scene.now, scene.configuration) is None


def reminding(calendar: Calendar, before: str, resolve: str = "10wd") -> Configuration:
    """The same, and whoever owes is reminded so long before each deadline."""
    configuration = by(calendar, resolve)
    early = Step(Duration.parse(before), None, before=True)
    ladders = {name: replace(each, steps=(early, *each.steps)) for name, each in configuration.ladders.items()}
    return replace(configuration, ladders=ladders)


def fired(told: Sequence[Entry], deadline: str = "resolve") -> list[tuple[str, int, datetime]]:
    """What was fired of one deadline: (entry, step, when that deadline was due)."""
    return [
        (type(each).__name__, each.step, each.due_at)
        for each in told
        if isinstance(each, Reminded | Escalated) and each.deadline == deadline
    ]


def test_who_was_reminded_of_a_deadline_is_not_reminded_again_because_it_moved() -> None:
    """The rungs that have fired stay fired; those that haven't follow the new deadline."""
    scene = called(reminding(SHORT, "1wd"))
    scene.department("water", response.Acknowledged())
    due_at, moved = local("03-15T10:00"), local("03-16T10:00")
    assert fired(scene.pass_(local("03-12T11:00") - scene.at)) == [("Reminded", 0, due_at)]
    recount(scene, reminding(LONG, "1wd"))
    assert scene.owed().clocks["resolve"] == Clock(moved, scene.told[-1][1].version, 1, set_at=START)
    assert fired(scene.pass_(moved - scene.at - HOUR)) == []
    assert "resolve" not in scene.owed().late
    assert fired(scene.pass_(HOUR)) == [("Reminded", 1, moved)]


def test_a_reminder_that_has_not_come_follows_the_deadline() -> None:
    """It comes so long before the new one, and not at the old instant."""
    scene = called(reminding(SHORT, "1wd"))
    scene.department("water", response.Acknowledged())
    recount(scene, reminding(LONG, "1wd"))
    assert fired(scene.pass_(local("03-15T09:00") - scene.at)) == []
    assert fired(scene.pass_(HOUR)) == [("Reminded", 0, local("03-16T10:00"))]


def test_whether_there_was_time_for_a_reminder_is_judged_by_when_the_deadline_was_set() -> None:
    """However late it is counted again: whoever was given more time than that is reminded, at once if it is due."""
    scene = called(reminding(SHORT, "5wd", "9wd"))
    scene.department("water", response.Acknowledged())
    scene.later(local("03-10T16:00") - scene.at)
    recount(scene, reminding(LONG, "5wd", "9wd"))
    assert fired(scene.sweep()) == [("Reminded", 0, local("03-15T10:00"))]
    never = called(reminding(SHORT, "10wd"))
    never.department("water", response.Acknowledged())
    never.later(DAY)
    recount(never, reminding(LONG, "10wd"))
    assert fired(never.pass_(local("03-16T09:00") - never.at)) == []


def test_whatever_is_said_first_finds_them_counted_again() -> None:
    """An act, or another clock, that comes before the router has looked does not hide what there is to do."""
    scene = called(by(SHORT))
    scene.configuration = by(LONG)
    entries = scene.department("water", response.Acknowledged())
    assert names(entries) == ["Recomputed", "Recomputed", "Acknowledged"]
    assert entries[0].who == "clock"
    silent = called(by(SHORT))
    silent.configuration = by(LONG)
    assert names(silent.pass_(2 * DAY))[:3] == ["Recomputed", "Recomputed", "Reminded"]


def test_a_deadline_that_stays_where_it_was_becomes_certain_and_goes_on() -> None:
    """Where no holiday came between, the same clock runs on, no longer provisional."""
    scene = called(by(SHORT))
    before = scene.owed().clocks["resolve"]
    recount(scene, by(replace(SHORT, confirmed_until=date(2021, 12, 31))))
    assert scene.owed().clocks["resolve"] == replace(before, provisional=None)


def test_late_stays_late() -> None:
    """A provisional deadline that has passed does not move any more, although the day turns out to be a holiday."""
    scene = called(by(SHORT))
    scene.department("water", response.Acknowledged())
    scene.pass_(15 * DAY)
    late = scene.owed()
    assert "resolve" in late.late
    entries = recount(scene, by(LONG))
    assert [entry.department for entry in entries if isinstance(entry, Recomputed)] == [None]
    assert scene.owed() == late


def test_what_lies_beyond_the_new_end_too_stays_provisional() -> None:
    """A calendar confirmed for another week settles what ends in that week, and nothing else."""
    scene = called(by(SHORT))
    entries = recount(scene, by(replace(LONG, confirmed_until=date(2021, 3, 17))))
    assert [entry.department for entry in entries if isinstance(entry, Recomputed)] == ["water"]
    assert scene.now.clocks["overall"].provisional is not None


def test_every_calendar_counts_for_itself() -> None:
    """The department's deadline waits for the department's calendar, whatever the street's is confirmed for."""
    scene = called(by(SHORT, water=replace(SHORT, name="water")))
    entries = recount(scene, by(LONG, water=replace(SHORT, name="water")))
    assert [entry.department for entry in entries if isinstance(entry, Recomputed)] == [None]
    entries = recount(scene, by(LONG, water=replace(LONG, name="water")))
    assert [entry.department for entry in entries if isinstance(entry, Recomputed)] == ["water"]


def test_a_provisional_deadline_keeps_its_place_in_an_unparking() -> None:
    """The work that begins again at the review date is counted from that date, and again from it."""
    scene = called(by(SHORT))
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=local("03-09T10:00"), reason="winter"))
    scene.supervision(action.Granted(department="water", request="parking"))
    scene.pass_(9 * DAY)
    clock = scene.owed().clocks["resolve"]
    assert clock.provisional is not None
    assert clock.provisional.since == local("03-09T10:00")
    recount(scene, by(LONG))
    assert scene.owed().clocks["resolve"].due_at == local("03-24T10:00")


def test_a_state_is_found_when_calendars_become_others() -> None:
    """What is certain bears no name of the calendars; what isn't bears theirs, which another day changes."""
    certain, uncertain = by(LONG), by(SHORT)
    assert counted_by(called(certain).now, certain) is None
    assert counted_by(called(uncertain).now, uncertain) == uncertain.counted_by
    assert uncertain.counted_by == by(SHORT).counted_by
    assert len({each.counted_by for each in (certain, uncertain, by(SHORT, water=SHORT))}) == 3


def test_where_nothing_becomes_certain_it_is_noted_by_which_calendars_it_was_counted() -> None:
    """The state is another object, so it is written again, and each time that calendars go back and forth anew."""
    scene = called(by(SHORT, "1wd"))
    before = scene.now
    other = by(replace(SHORT, holidays=frozenset({HOLIDAY})))
    assert recount(scene, other) == []
    assert scene.now == before
    assert scene.now is not before
    ids = {identity(scene.incident, recount_due(scene.now, other, scene.at + hours * HOUR)) for hours in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(("days", "warned"), [(-30, 1), (0, 1), (59, 1), (61, 0), (400, 0)])
def test_the_alarm_comes_sixty_days_before(days: int, warned: int) -> None:
    """From 60 days before the calendar runs out until somebody confirms it for longer; never for one without an end."""
    calendar = replace(SHORT, confirmed_until=LAST_DAY)
    now = local("03-11T00:00") - timedelta(days=days)
    found = running_out(by(calendar, water=replace(calendar, confirmed_until=None, name="water")), now)
    assert len(found) == warned
    assert all(each.level == "warning" and "'city'" in each.what and str(LAST_DAY) in each.what for each in found)


# Each example is a whole life, twice.
@given(st.sampled_from(["water", "river", "care"]), st.lists(st.tuples(st.integers(0, 9), moments), max_size=14))
def test_once_confirmed_it_is_as_if_the_calendar_had_always_been(
    category: str, steps: list[tuple[int, timedelta]]
) -> None:
    """Whatever was done before, each deadline ends where it would have, and nothing is provisional any more.

    But for extensions: whether one is later than the deadline was judged by the deadline as it stood.
    """
    early, late = Scene(by(SHORT)), Scene(by(LONG))
    for scene in (early, late):
        scene.street(opened(category))
        for choice, time in steps:
            if scene.at + time >= local("03-10T17:00"):
                break
            expected = sensible(scene.state, scene.at)
            acts = [each for each in expected if not isinstance(each[2], response.ExtensionRequested)]
            if acts:
                scene.hear(*acts[choice % len(acts)])
            scene.pass_(time)
    recount(early, by(LONG))
    assert _running(early) == _running(late)
    assert early.now.status == late.now.status
    assert counted_by(early.now, early.configuration) is None


def _running(scene: Scene) -> dict[str, dict[str, tuple[datetime, int]]]:
    clocks = {"": scene.now.clocks} | {owed.department: owed.clocks for owed in scene.now.obligations.values()}
    return {code: {name: (each.due_at, each.fired) for name, each in of.items()} for code, of in clocks.items()}


def test_a_cases_and_a_questions_deadlines_are_counted_again_too() -> None:
    """Whatever belongs to neither the incident's story nor a department is found and counted again like the rest."""
    scene = Scene(replace(by(SHORT), street=replace(CONFIGURATION.street, **durations(explain="10wd", reply="10wd"))))
    scene.street(opened())
    scene.supervision(action.CaseOpened(unit="elm", reason="late"))
    scene.street(decision.Asked(question="where?"))
    assert counted_by(scene.now, scene.configuration) is not None
    told = recount(scene, replace(scene.configuration, calendar=LONG))
    counted = [(each.case, dict(each.deadlines)) for each in told if isinstance(each, Recomputed)]
    due_at = local("03-16T10:00")
    assert sorted(counted, key=str) == [("elm", {"explain": due_at}), (None, {"reply": due_at})]
    assert scene.now.cases["elm"].clocks["explain"].due_at == scene.now.clocks["reply"].due_at == due_at
    assert counted_by(scene.now, scene.configuration) is None


def uncertain(category: str = "water", **policy: str) -> Scene:
    """An incident whose street and district have so long for something, by a calendar that ends before that."""
    street = replace(CONFIGURATION.street, **durations(**policy))
    scene = Scene(replace(by(SHORT), street=street))
    scene.street(opened(category))
    return scene


def confirm_calendar(scene: Scene) -> list[Fact]:
    """The calendar is confirmed, and the deadlines are counted again; what others than the journal are told."""
    scene.said.clear()
    first = len(scene.told)
    recount(scene, replace(scene.configuration, calendar=LONG))
    of_street = [each for _, entry in scene.told[first:] for each in hear_history(scene.now, entry)]
    return [fact for topic, fact in scene.said if topic != JOURNAL.name] + [fact for *_, fact in of_street]


WAS, IS = local("03-15T10:00"), local("03-16T10:00")
CONFIRMED = "the calendar city is confirmed until 2021-12-31"


def test_a_department_is_told_that_a_case_s_deadline_is_provisional_and_when_it_is_not() -> None:
    """Marked where it is asked to explain, and told again, with why, once it is certain."""
    scene = uncertain(explain="10wd")
    scene.street(decision.Called(departments=("water",)))
    scene.supervision(action.CaseOpened(unit="water", reason="late"))
    asked = Supervised(status="asked", turn=1, deadlines={"explain": WAS}, reason="late", provisional=("explain",))
    assert scene.said[-1] == ("department.water.dispatches", asked)
    again = Supervised(status="asked", turn=1, deadlines={"explain": IS}, reason=CONFIRMED)
    assert again in confirm_calendar(scene)


def test_a_community_is_told_that_its_deadline_is_provisional_and_when_it_is_not() -> None:
    """Of an explanation and of a confirmation alike, whatever else is told at the same time."""
    scene = uncertain("care", explain="10wd", confirm="10wd")
    scene.street(decision.Called(departments=("east-care",)))
    (case,) = scene.supervision(action.CaseOpened(unit="elm", reason="late"))
    resolved = scene.department("east-care", response.Resolved(note="mended"))[-1]
    asked = [fact for entry in (case, resolved) for *_, fact in hear_history(scene.now, entry)]
    assert asked == [
        answer.ExplanationAsked(turn=1, reason="late", due_at=WAS, provisional=True),
        answer.ConfirmationAsked(department="east-care", round=1, due_at=WAS, provisional=True),
    ]
    told = [each for each in confirm_calendar(scene) if isinstance(each, answer.Recomputed)]
    assert sorted(told, key=lambda each: each.deadline) == [
        answer.Recomputed(deadline="confirm", department="east-care", due_at=IS, reason=CONFIRMED),
        answer.Recomputed(deadline="explain", due_at=IS, reason=CONFIRMED),
    ]


def test_a_reporter_is_told_that_the_time_to_reply_is_provisional_and_when_it_is_not() -> None:
    """On the stream of the community whose report it is, under the report's own id."""
    scene = uncertain(reply="10wd")
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    (entry,) = scene.street(decision.Asked(question="where?", report=OTHER))
    [(topic, key, asked)] = hear_history(scene.now, entry)
    assert (topic, key) == ("community.oak.answers", OTHER)
    assert asked == answer.Asked(report=OTHER, incident=INCIDENT, question="where?", reply_by=WAS, provisional=True)
    confirm_calendar(scene)
    told = [each for _, entry in scene.told for each in hear_history(scene.now, entry)]
    again = answer.Recomputed(deadline="reply", due_at=IS, reason=CONFIRMED)
    assert told[-1] == ("community.oak.answers", OTHER, again)


def test_the_district_is_told_that_its_deadline_is_provisional_and_when_it_is_not() -> None:
    """A parking to approve, a lead to name, an explanation to judge: asked again of whoever holds the post then."""
    parking = uncertain(approve="10wd")
    parking.street(decision.Called(departments=("water",)))
    parking.department("water", response.Acknowledged())
    parking.department("water", response.ParkingRequested(review_at=local("03-30T10:00"), reason="winter"))
    lead = uncertain(lead="10wd")
    lead.street(decision.Called(departments=("water",)))
    lead.department("water", response.Declined(reason="not ours"))
    judge = uncertain(judge="10wd")
    judge.street(decision.Called(departments=("water",)))
    judge.supervision(action.CaseOpened(unit="water", reason="late"))
    judge.department("water", response.Explained(explanation="nobody was in"))
    for scene, request in ((parking, "parking"), (lead, "lead"), (judge, "judge")):
        [asked] = [fact for _, fact in scene.said if isinstance(fact, escalation.Asked)]
        assert (asked.request, asked.due_at, asked.provisional) == (request, WAS, True)
        [again] = [fact for fact in confirm_calendar(scene) if isinstance(fact, escalation.Asked)]
        expected = {"due_at": IS, "provisional": None, "reason": CONFIRMED}
        assert again == asked.model_copy(update=expected), request


def test_nobody_above_is_asked_again_for_what_is_not_theirs() -> None:
    """A street's own approval, and deadlines of those who work, are nothing to ask the district for."""
    scene = uncertain(approve="10wd", decide="10wd")
    scene.street(decision.Called(departments=("water",)))
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ExtensionRequested(until=local("03-30T10:00"), reason="parts"))
    told = confirm_calendar(scene)
    assert told
    assert not [fact for fact in told if isinstance(fact, escalation.Asked)]


def test_nobody_becomes_late_by_a_deadline_that_has_never_been_told() -> None:
    """Where the new instant has passed already, what was told stays: who acts by it is in time."""
    scene = called(by(SHORT))
    before = scene.owed().clocks["resolve"].due_at
    sooner = replace(LONG, holidays=frozenset(), working_weekends=frozenset({date(2021, 3, 6), date(2021, 3, 7)}))
    scene.at = before - HOUR
    scene.department("water", response.Resolved(note="mended"))
    assert "resolve" not in scene.owed().late
    waiting = called(by(SHORT))
    waiting.at = before - HOUR
    recount(waiting, by(sooner))
    clock = waiting.owed().clocks["resolve"]
    assert (clock.due_at, clock.provisional) == (before, None)


@pytest.mark.parametrize(
    ("now", "said"), [("2021-01-15", None), ("2021-04-01", "ends in 30 days"), ("2022-04-01", "has ended")]
)
def test_a_roster_that_ends_is_warned_of_as_a_calendar_is(tmp_path: Path, now: str, said: str | None) -> None:
    """From sixty days before on, with the line in which it is written: after it nobody is told."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    text = (folder / "directory.yaml").read_text(encoding="utf-8")
    roster = "leading-group: {members: [一组], turn: day, from: 2021-01-01, to: 2021-04-30}"
    (folder / "directory.yaml").write_text(text.replace("leading-group: 街道领导小组", roster), encoding="utf-8")
    configuration, problems = parse(read(folder))
    assert problems == []
    assert configuration is not None
    found = running_out(configuration, datetime.fromisoformat(f"{now}T00:00+08:00"))
    assert [each.what for each in found] == (
        [f"the roster of the post 'leading-group' of dongsheng {said}, and nobody there is told any more"]
        if said
        else []
    )
    for each in found:
        assert each.cure
        assert (Path(each.file).name, each.line) == (
            "directory.yaml",
            text[: text.index("leading-group:")].count("\n") + 1,
        )
