"""What deadlines are counted from, and what may move or end them: not that somebody was slow to get to it."""

from datetime import datetime, timedelta

import pytest

from schemas import action, decision, response
from schemas.incident import ActRefused, Entry
from services.domain.street import hear_community
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, MINUTE, START, Scene, opened, report


def refusals(told: list[Entry]) -> list[str]:
    """The reasons for which what was said is refused."""
    return [entry.reason for entry in told if isinstance(entry, ActRefused)]


# --- from when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("down", [timedelta(), 2 * HOUR, 2 * DAY, 40 * DAY])
def test_a_report_waits_for_the_street_from_when_it_was_reported(down: timedelta) -> None:
    """However long nobody at the street's got to it: a day after it is late, and stays so."""
    scene = Scene().later(down)
    scene.street(opened("unheard-of"))
    assert scene.now.clocks["decide"].due_at == START + DAY
    scene.sweep()
    assert scene.now.late == (("decide",) if down > DAY else ())


def test_a_street_gains_no_time_by_a_report_that_is_still_to_come() -> None:
    """Not later than from when it says that there is one."""
    scene = Scene()
    scene.street(opened("unheard-of").model_copy(update={"reported_at": START + 9 * DAY}))
    assert scene.now.clocks["decide"].due_at == START + DAY


def test_a_whistle_that_a_rule_blows_is_counted_from_the_report() -> None:
    """A rule takes no time. What departments owe is counted from their dispatch, of which they knew nothing before."""
    scene = Scene().later(2 * DAY)
    for _, _, fact in hear_community(None, INCIDENT, "elm", report("water"), START, CONFIGURATION):
        scene.street(fact)
    assert scene.now.clocks["overall"].due_at == START + 30 * DAY
    assert scene.owed().clocks["acknowledge"].due_at == scene.at + 2 * HOUR


def test_a_whistle_that_an_officer_blows_is_counted_from_that() -> None:
    """It took the officer so long, under the street's own deadline."""
    scene = Scene()
    scene.street(opened())
    scene.later(2 * HOUR).street(decision.Called(kind="general", by="officer"))
    assert scene.now.clocks["overall"].due_at == START + 2 * HOUR + 30 * DAY


# --- how much more ---------------------------------------------------------------------------------------------------


def asked(*, extension: datetime | None = None, parking: datetime | None = None) -> tuple[Scene, list[str]]:
    """The bureau is at work and asks for more time, or to wait for better days; and why that is refused."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Called(kind="general"))
    scene.department("water", response.Acknowledged())
    if extension:
        return scene, refusals(scene.department("water", response.ExtensionRequested(until=extension, reason="parts")))
    assert parking
    return scene, refusals(scene.department("water", response.ParkingRequested(review_at=parking, reason="frozen")))


def granted(scene: Scene, request: decision.Request) -> list[str]:
    """Why the highest rank's approval is refused."""
    fact = action.Granted(department="water", request=request, by="supervision-office")
    return refusals(scene.supervision(fact))


def test_no_extension_moves_the_whole_incidents_deadline() -> None:
    """It is refused when it is asked for, and when it is granted after that has come forward."""
    overall = START + 30 * DAY
    _, reasons = asked(extension=overall + MINUTE)
    assert len(reasons) == 1
    assert "no extension moves that" in reasons[0]
    scene, reasons = asked(extension=overall)
    assert not reasons
    sooner = scene.copy()
    assert not granted(scene, "extension")
    assert scene.owed().clocks["resolve"].due_at == overall
    sooner.street(decision.Called(kind="emergency", departments=("fire",)))
    assert "no extension moves that" in granted(sooner, "extension")[0]


@pytest.mark.parametrize("request_", ["extension", "parking"])
def test_what_was_asked_for_is_not_granted_once_it_has_passed(request_: decision.Request) -> None:
    """Nobody is given a deadline in the past; it is denied, and asked for anew."""
    until = START + 6 * DAY
    scene, reasons = asked(extension=until) if request_ == "extension" else asked(parking=until)
    assert not reasons
    scene.pass_(6 * DAY)
    assert "has passed" in granted(scene, request_)[0]
    assert scene.owed().request is not None
    denied = action.Denied(department="water", request=request_, reason="late", by="supervision-office")
    assert not refusals(scene.supervision(denied))


def test_what_is_parked_is_looked_at_again_in_time() -> None:
    """The street's policy says when at the latest: a year, as shipped."""
    _, reasons = asked(parking=START + 366 * DAY)
    assert len(reasons) == 1
    assert "nothing is parked beyond" in reasons[0]
    scene, reasons = asked(parking=START + 365 * DAY)
    assert not reasons
    assert not granted(scene, "parking")


# --- insisting -------------------------------------------------------------------------------------------------------


def test_who_is_insisted_on_does_not_decline_again() -> None:
    """Else each refusal would set what it owes anew; the street alone takes it back, with the rank that takes."""
    scene = Scene()
    scene.street(opened("river"))
    scene.street(decision.Called(kind="general"))
    declined = response.Declined(reason="not ours")
    scene.department("water", declined)
    scene.later(HOUR).street(decision.Insisted(department="water", reason="yours"))
    owed = scene.owed("water")
    assert (owed.round, owed.bound) == (2, "insisted")
    assert "the street has insisted" in refusals(scene.later(HOUR).department("water", declined))[0]
    assert scene.owed("water").clocks == owed.clocks
    scene.supervision(action.LeadNamed(department="power", reason="theirs"))
    assert scene.owed("water").role == "support"
    assert refusals(scene.department("water", declined))
    assert refusals(scene.street(decision.Withdrawn(department="water", reason="wrong", by="officer")))
    assert not refusals(scene.street(decision.Withdrawn(department="water", reason="wrong", by="section-head")))


# --- an objection ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [10, 40])
def test_a_refusal_moves_no_overall_deadline(days: int) -> None:
    """What was called, taken back and refused is due, after an objection, when it was before, or is late already."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Called(kind="general"))
    scene.street(decision.Withdrawn(department="water", reason="not theirs", by="section-head"))
    scene.pass_(days * DAY)
    scene.street(decision.Refused(reason="nobody's"))
    assert not scene.now.clocks
    scene.later(HOUR).street(decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False))
    assert scene.now.clocks["overall"].due_at == START + 30 * DAY
    scene.sweep()
    assert ("overall" in scene.now.late) == (days > 30)


# --- a term of one's own ---------------------------------------------------------------------------------------------


def termed(term: datetime) -> Scene:
    """The power company was called later, for a term of its own."""
    scene = Scene()
    scene.street(opened("unheard-of"))
    scene.street(decision.Called(kind="general", departments=("water",)))
    scene.street(decision.Called(kind="general", departments=("power",), resolve_by=term))
    return scene


def due(scene: Scene) -> dict[str, timedelta]:
    """When what the power company owes is due, from the start."""
    return {name: clock.due_at - START for name, clock in scene.owed("power").clocks.items()}


def test_nothing_outlasts_a_term() -> None:
    """Whoever has two hours has no four to acknowledge it."""
    assert due(termed(START + 2 * HOUR)) == {"acknowledge": 2 * HOUR, "resolve": 2 * HOUR}


def test_a_term_holds_in_every_round_that_begins_before_it() -> None:
    """Neither a refusal nor bad work gains time; one that begins after it has the rule's own deadlines."""
    scene = termed(START + 2 * DAY)
    scene.later(HOUR).department("power", response.Declined(reason="not ours"))
    scene.later(HOUR).street(decision.Insisted(department="power", reason="yours"))
    assert due(scene) == {"acknowledge": 6 * HOUR, "resolve": 2 * DAY}
    scene.later(HOUR).department("power", response.Resolved(note="done"))
    after = scene.copy()
    scene.street(decision.SentBack(department="power", reason="it is not"))
    assert due(scene) == {"resolve": 2 * DAY}
    after.later(3 * DAY).street(decision.SentBack(department="power", reason="it is not"))
    assert due(after) == {"resolve": after.at - START + 5 * DAY}


def test_an_extension_moves_a_term() -> None:
    """What was granted holds in the rounds that follow."""
    scene = termed(START + 2 * DAY)
    scene.department("power", response.Acknowledged())
    scene.department("power", response.ExtensionRequested(until=START + 4 * DAY, reason="parts"))
    scene.street(decision.Granted(department="power", request="extension", by="responsible-leader"))
    scene.department("power", response.Resolved(note="done"))
    scene.street(decision.SentBack(department="power", reason="it is not"))
    assert due(scene) == {"resolve": 4 * DAY}
