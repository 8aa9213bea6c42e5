"""What the street decides without an officer, and what it owes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas import answer, decision, report, response
from schemas import incident as entries
from schemas.event import Fact
from schemas.inspection import Recorded
from services.domain.fold import evolve
from services.domain.incident import Incident
from services.domain.street import Said, hear_community, hear_history, owes
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, OTHER, START, Scene, opened
from tests.domain.scene import report as reported

TOPIC = "street.east.decisions"
DONE = response.Resolved(note="mended")


def heard(fact: Fact, state: Incident | None = None, community: str = "elm") -> list[Said]:
    """What the street says when a community has said something of the report `INCIDENT`."""
    return list(hear_community(state, INCIDENT, community, fact, START, CONFIGURATION))


def called(category: str = "water") -> Scene:
    """An incident for which the whistle was blown at the start."""
    scene = Scene()
    scene.street(opened(category))
    scene.street(decision.Called(kind="general"))
    return scene


# --- a report --------------------------------------------------------------------------------------------------------


def test_a_report_opens_an_incident_and_a_rule_calls_for_it() -> None:
    """The incident's id is the report's; who is called, and by which rule, is said with it."""
    raised = reported("river")
    assert heard(raised) == [
        (
            TOPIC,
            INCIDENT,
            decision.Opened(by="rule:reports", community="elm", report=raised, reported_at=START),
        ),
        (
            TOPIC,
            INCIDENT,
            decision.Called(by="rule:river", kind="general", departments=("water", "power", "east-care")),
        ),
    ]


def test_what_no_rule_catches_waits_for_an_officer() -> None:
    """It is opened, and nobody is called."""
    assert [type(fact) for _, _, fact in heard(reported("other"))] == [decision.Opened]


@pytest.mark.parametrize(
    ("category", "severity", "kind", "departments"),
    [
        ("care", "normal", None, ("east-care",)),
        ("water", "high", "general", ("water",)),
        ("water", "critical", "emergency", ("east-safety",)),
    ],
)
def test_the_streets_own_sections_need_no_whistle(
    category: str, severity: Any, kind: str | None, departments: tuple[str, ...]
) -> None:
    """A call to sections of the street alone has no kind, but in an emergency; to any department it is a whistle."""
    call = heard(reported(category, severity=severity))[-1][2]
    assert isinstance(call, decision.Called)
    assert (call.kind, call.departments) == (kind, departments)


def test_a_critical_report_is_an_emergency() -> None:
    """The routes see an emergency call, and departments are called by it."""
    without = tuple(each for each in CONFIGURATION.routes.routes if each.name != "urgent")
    configuration = replace(CONFIGURATION, routes=replace(CONFIGURATION.routes, routes=without))
    found = list(hear_community(None, INCIDENT, "elm", reported(severity="critical"), START, configuration))
    call = found[-1][2]
    assert isinstance(call, decision.Called)
    assert (call.kind, call.departments, call.by) == ("emergency", ("fire",), "rule:urgent-call")


def test_a_repeat_is_attached_to_what_it_repeats_and_nobody_is_called() -> None:
    """It is opened too, and ends when the other incident has taken it; if that refuses it, an officer decides."""
    link = report.Link(rel="repeats", href=f"urn:uuid:{OTHER}")
    raised = reported(links=(link,))
    assert heard(raised)[1:] == [
        (TOPIC, OTHER, decision.RepeatAttached(by="rule:repeats", report=INCIDENT, community="elm"))
    ]
    picture = report.Link(rel="picture", href=f"urn:uuid:{OTHER}")
    assert isinstance(heard(reported(links=(picture,)))[-1][2], decision.Called)


def test_what_the_street_says_by_rule_is_accepted() -> None:
    """The state machine takes each of it, and dispatches as the rule named."""
    for category, departments in (
        ("river", {"water", "power", "east-care"}),
        ("care", {"east-care"}),
        ("other", set()),
    ):
        scene = Scene()
        for _, _, fact in heard(reported(category)):
            assert not any(isinstance(each, entries.ActRefused) for each in scene.street(fact))
        assert set(scene.now.obligations) == departments


# --- what else a community says --------------------------------------------------------------------------------------


def test_an_inspection_is_passed_on_under_its_own_id() -> None:
    """A round that found nothing is a result too."""
    walked = Recorded(purpose="disputes", grid_level=3, inspected_at=START)
    fact = decision.Inspected(by="rule:inspections", community="elm", round=walked)
    assert heard(walked) == [(TOPIC, INCIDENT, fact)]


COMMUNITY_SAYS: list[tuple[Fact, Fact]] = [
    (
        report.Verified(holds=True, department="water", note="dry"),
        decision.Verified(by="elm", community="elm", holds=True, department="water", note="dry"),
    ),
    (report.Verified(holds=False), decision.Verified(by="elm", community="elm", holds=False)),
    (
        report.Confirmed(department="east-care", note="fine"),
        decision.Confirmed(by="elm", community="elm", department="east-care", note="fine"),
    ),
    (
        report.SentBack(department="east-care", reason="no"),
        decision.SentBack(by="elm", community="elm", department="east-care", reason="no"),
    ),
    (
        report.Rated(solved=True, satisfied=False),
        decision.Rated(by="elm", community="elm", report=INCIDENT, solved=True, satisfied=False),
    ),
]


@pytest.mark.parametrize(("said", "passed_on"), COMMUNITY_SAYS)
def test_a_communitys_word_is_passed_on_in_its_name(said: Fact, passed_on: Fact) -> None:
    """Verified, confirmed, sent back, rated: keyed by the incident, which for a repeat is the one it lives in."""
    assert heard(said) == [(TOPIC, INCIDENT, passed_on)]
    attached = Incident(INCIDENT, version=2, status="attached", attached_to=OTHER)
    assert heard(said, attached) == [(TOPIC, OTHER, passed_on)]
    assert heard(said, called().now) == [(TOPIC, INCIDENT, passed_on)]


def test_a_stranger_has_no_street() -> None:
    """A community that no street has, or a fact no community says, is our bug if it comes here."""
    with pytest.raises(ValueError, match="no street"):
        heard(reported(), community="nobody")
    with pytest.raises(TypeError, match="does not say"):
        heard(decision.Answered(answer="x"))


# --- answers ---------------------------------------------------------------------------------------------------------


def follow(scene: Scene) -> list[Said]:
    """What the street says about the whole history of a scene, as it reads it entry by entry."""
    state: Incident | None = None
    found: list[Said] = []
    for at, entry in scene.told:
        state = evolve(state, scene.incident, entry, at)
        found += hear_history(state, entry)
    return found


def given(reported_as: UUID, text: str, outcome: Any = "settled") -> answer.Given:
    """An answer about the incident."""
    return answer.Given(report=reported_as, incident=INCIDENT, outcome=outcome, answer=text)


def test_the_answer_goes_to_the_report_and_to_every_repeat() -> None:
    """Each on the topic of its own community; a repeat's incident is told that it ends in this one."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    scene.department("water", DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="water is back"))
    assert follow(scene) == [
        (TOPIC, OTHER, decision.Attached(by="rule:repeats", to=INCIDENT)),
        ("community.elm.answers", INCIDENT, given(INCIDENT, "water is back")),
        ("community.oak.answers", OTHER, given(OTHER, "water is back")),
    ]


def test_who_repeats_what_is_answered_already_is_answered_at_once() -> None:
    """A repeat attached after the answer has the same answer."""
    scene = called()
    scene.department("water", DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="water is back"))
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    assert follow(scene)[1:] == [
        (TOPIC, OTHER, decision.Attached(by="rule:repeats", to=INCIDENT)),
        ("community.oak.answers", OTHER, given(OTHER, "water is back")),
    ]


def test_a_refusal_is_answered_with_its_reason() -> None:
    """To the report and every repeat."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    scene.street(decision.Refused(reason="none of ours"))
    assert follow(scene)[1:] == [
        ("community.elm.answers", INCIDENT, given(INCIDENT, "none of ours", "refused")),
        ("community.oak.answers", OTHER, given(OTHER, "none of ours", "refused")),
    ]


def test_every_answer_is_said_anew_after_a_reopening() -> None:
    """Not solved, done again, answered again: everybody has the second answer too."""
    scene = called()
    for text in ("first", "second"):
        scene.department("water", DONE)
        scene.street(decision.Confirmed())
        scene.street(decision.Answered(answer=text))
        scene.street(decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False))
    assert [fact.answer for _, _, fact in follow(scene) if isinstance(fact, answer.Given)] == ["first", "second"]


# --- what the street owes --------------------------------------------------------------------------------------------


def test_the_street_owes_what_it_alone_can_do() -> None:
    """A decision, an approval, a confirmation, an answer, each by its deadline; else it is others' turn."""
    scene = Scene()

    def owed() -> tuple[str, timedelta] | None:
        found = owes(scene.now)
        return found and (found[0], found[1] - START)

    scene.street(opened("river"))
    assert owed() == ("decide", DAY)
    scene.street(decision.Called(kind="general"))
    assert owed() is None
    scene.department("water", response.Declined(reason="no"))
    assert owed() == ("decide water", DAY)
    scene.later(HOUR).street(decision.Insisted(department="water", reason="yours"))
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="parts"))
    assert owed() == ("approve water", DAY + HOUR)
    scene.department("power", DONE)
    scene.department("water", DONE)
    assert owed() == ("confirm power", 3 * DAY + HOUR)
    scene.street(decision.Confirmed(department="power"))
    assert owed() == ("confirm water", 3 * DAY + HOUR)
    scene.street(decision.Confirmed())
    scene.department("east-care", DONE)
    assert owed() is None, "a section's work is the community's to confirm"
    scene.street(decision.Confirmed(community="elm"))
    assert owed() == ("answer", 2 * DAY + HOUR)
    scene.street(decision.Answered(answer="done"))
    assert owed() is None
    scene.pass_(7 * DAY)
    assert owed() is None


def test_the_street_owes_the_whole_incidents_time_once_it_has_passed() -> None:
    """While it lasts it is others' turn; what the street can do at once comes first."""
    scene = Scene()
    scene.street(opened("river"))
    scene.street(decision.Called(kind="general"))
    overall = scene.now.clocks["overall"].due_at
    scene.pass_(overall - scene.at - HOUR)
    assert owes(scene.now) is None
    scene.pass_(2 * HOUR)
    assert owes(scene.now) == ("overall", overall)
    scene.department("water", DONE)
    assert owes(scene.now) == ("confirm water", scene.now.obligations["water"].clocks["confirm"].due_at)


def test_the_street_does_not_owe_the_districts_approval() -> None:
    """Parking is supervision's to grant."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="frozen"))
    assert owes(scene.now) is None


def test_a_community_explains_itself_in_the_incident_its_case_is_about() -> None:
    """Whatever that was attached to: the case stays where it was opened."""
    attached = Incident(INCIDENT, version=2, status="attached", attached_to=OTHER)
    assert heard(report.Explained(explanation="nobody was at home"), attached) == [
        (TOPIC, INCIDENT, decision.Explained(by="elm", community="elm", explanation="nobody was at home"))
    ]
