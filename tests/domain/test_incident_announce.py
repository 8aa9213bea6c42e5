"""Who is told of what: everything goes to the journal, and some of it to a department or to supervision."""

from datetime import datetime

import pytest

from schemas import action, decision, dispatch, escalation, response
from schemas import incident as entries
from schemas.event import Fact
from schemas.inspection import Recorded
from schemas.report import Place
from services.domain.announce import messages, summary
from services.domain.incident import Incident
from tests.domain.scene import DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, opened

DONE = response.Resolved(note="mended")
DISPATCHES = "department.{}.dispatches"


def called(category: str = "water") -> Scene:
    """An incident for which the whistle was blown at the start; nothing said before is kept."""
    scene = Scene()
    scene.street(opened(category))
    scene.street(decision.Called(kind="general"))
    scene.said.clear()
    return scene


def told(scene: Scene) -> list[tuple[str, Fact]]:
    """What was said since, but for the journal."""
    return [(topic, fact) for topic, fact in scene.said if topic != "incident.journal"]


def changed(
    status: dispatch.Status, number: int = 1, reason: str = "", done: str | None = None, **deadlines: datetime
) -> dispatch.Changed:
    """How an obligation stands."""
    return dispatch.Changed(status=status, round=number, reason=reason, done=done, deadlines=deadlines)


def test_every_entry_goes_to_the_journal_first() -> None:
    """Entry by entry, in order, whatever else is said."""
    scene = Scene()
    scene.street(opened("river"))
    scene.street(decision.Called(kind="general"))
    scene.department("water", DONE)
    scene.pass_(9 * DAY)
    journal = [fact for topic, fact in scene.said if topic == "incident.journal"]
    assert journal == [entry for _, entry in scene.told]


def test_each_department_called_gets_its_dispatch() -> None:
    """What, where, as lead or support and beside whom, by which rule, by when."""
    scene = Scene()
    scene.street(opened("river", place=Place(estate="Elm Court"), severity="high"))
    scene.street(decision.Called(kind="general", note="bring pumps"))
    found = [each for each in told(scene) if isinstance(each[1], dispatch.Issued)]
    assert [topic for topic, _ in found] == [DISPATCHES.format(each) for each in ("water", "power", "east-care")]
    issued = found[1][1]
    assert isinstance(issued, dispatch.Issued)
    assert issued == dispatch.Issued(
        street="east",
        community="elm",
        round=1,
        role="support",
        lead="water",
        call="general",
        rule="river",
        deadlines={"acknowledge": START + 2 * HOUR, "survey": START + DAY, "resolve": START + 5 * DAY},
        kind="demand",
        category="river",
        severity="high",
        description="no water since morning",
        place=Place(estate="Elm Court"),
        note="bring pumps",
    )


def test_who_joins_late_is_told_who_leads() -> None:
    """Even when the lead's own work is confirmed already."""
    scene = called()
    scene.department("water", DONE)
    scene.street(decision.Called(kind="general", departments=("power",)))
    scene.street(decision.Confirmed(department="water"))
    scene.street(decision.Called(kind="general", departments=("fire",)))
    issued = [fact for _, fact in told(scene) if isinstance(fact, dispatch.Issued)]
    assert [(each.role, each.lead) for each in issued] == [("support", "water")] * 2


def test_a_department_is_told_how_its_obligation_stands() -> None:
    """Each change of state, with the deadlines that run from then on."""
    scene = called()
    survey, resolve = START + DAY, START + 5 * DAY
    steps: list[tuple[str, Fact, list[dispatch.Changed]]] = [
        ("water", response.Acknowledged(), [changed("acknowledged", survey=survey, resolve=resolve)]),
        ("water", response.Progressed(note="on it"), []),
        (
            "water",
            response.Progressed(note="measured", step="survey"),
            [changed("acknowledged", done="survey", resolve=resolve)],
        ),
        (
            "water",
            response.ExtensionRequested(until=START + 9 * DAY, reason="parts"),
            [changed("acknowledged", reason="parts", resolve=resolve, approve=START + DAY)],
        ),
        (
            "east",
            decision.Granted(department="water", request="extension", by="responsible-leader"),
            [changed("acknowledged", resolve=START + 9 * DAY)],
        ),
        (
            "water",
            response.ParkingRequested(review_at=START + 8 * DAY, reason="frozen"),
            [changed("acknowledged", reason="frozen", resolve=START + 9 * DAY, approve=START + DAY)],
        ),
        (
            "hill",
            action.Denied(department="water", request="parking", reason="no"),
            [changed("acknowledged", reason="no", resolve=START + 9 * DAY)],
        ),
        ("water", DONE, [changed("resolved", confirm=START + 3 * DAY)]),
        (
            "east",
            decision.SentBack(department="water", reason="it drips"),
            [changed("acknowledged", 2, "it drips", survey=survey, resolve=resolve)],
        ),
        ("water", DONE, [changed("resolved", 2, confirm=START + 3 * DAY)]),
        ("east", decision.Confirmed(), [changed("confirmed", 2)]),
    ]
    for code, fact, expected in steps:
        scene.said.clear()
        speak = {"east": scene.street, "hill": scene.supervision}.get(code)
        _ = speak(fact) if speak else scene.department(code, fact)
        of_water = [each for each in told(scene) if each[0] == DISPATCHES.format("water")]
        assert of_water == [(DISPATCHES.format("water"), each) for each in expected]


def test_a_department_is_told_which_deadline_it_has_kept() -> None:
    """On the spot, and each step: what is left to do is due then, so that nothing kept looks overdue."""
    scene = Scene()
    scene.street(opened("other"))
    scene.street(decision.Called(kind="emergency"))
    scene.department("fire", response.Acknowledged())
    scene.said.clear()
    scene.department("fire", response.Arrived())
    assert told(scene) == [
        (DISPATCHES.format("fire"), changed("acknowledged", done="arrive", resolve=START + DAY)),
    ]


def test_what_is_done_in_one_breath_with_what_follows_has_no_deadlines_of_it() -> None:
    """An early word that is heard with others says only that it is done: the last of them says what is due."""
    scene = Scene()
    scene.street(opened("other"))
    scene.department("fire", response.Acknowledged())
    for fact in (response.Arrived(), DONE):
        scene.later(MINUTE).department("fire", fact)
    scene.said.clear()
    scene.street(decision.Called(kind="emergency"))
    of_fire = [fact for topic, fact in told(scene) if topic == DISPATCHES.format("fire")]
    assert of_fire[1:] == [
        changed("acknowledged"),
        changed("acknowledged", done="arrive"),
        changed("resolved", confirm=scene.at + 3 * DAY),
    ]


def test_a_refusal_is_answered_by_insisting_or_taking_back() -> None:
    """Declined; then a dispatch of a new round, or withdrawn with the reason."""
    for insist in (True, False):
        scene = called()
        scene.street(decision.Called(kind="general", departments=("fire",)))
        scene.said.clear()
        scene.department("water", response.Declined(reason="not ours"))
        assert told(scene) == [
            (DISPATCHES.format("water"), changed("declined", reason="not ours", decide=START + DAY)),
        ]
        scene.said.clear()
        if insist:
            scene.street(decision.Insisted(department="water", reason="yours"))
            [(topic, issued)] = told(scene)
            assert topic == DISPATCHES.format("water")
            assert isinstance(issued, dispatch.Issued)
            assert (issued.round, issued.role, issued.note) == (2, "lead", "yours")
        else:
            scene.street(decision.Called(kind="general", departments=("power",), by="section-head"))
            topics = [(topic, type(fact)) for topic, fact in told(scene)]
            assert topics == [
                (DISPATCHES.format("water"), dispatch.Changed),
                (DISPATCHES.format("fire"), dispatch.LeadNamed),
                (DISPATCHES.format("power"), dispatch.LeadNamed),
                (DISPATCHES.format("power"), dispatch.Issued),
            ]


def test_the_district_is_asked_for_what_only_it_may_decide() -> None:
    """A request for its approval, and the name of a lead, are told at once: who, by when, which post, and why."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.said.clear()
    scene.department("water", response.ParkingRequested(review_at=START + 8 * DAY, reason="frozen"))
    [(_, asked)] = [each for each in told(scene) if each[0] == "supervision.escalations"]
    assert isinstance(asked, escalation.Asked)
    assert (asked.unit, asked.post, asked.request, asked.reason) == ("hill", "supervision-office", "parking", "frozen")
    assert (asked.until, asked.due_at) == (START + 8 * DAY, START + DAY)
    sought = called()
    sought.said.clear()
    sought.department("water", response.Declined(reason="not ours"))
    [(_, asked)] = [each for each in told(sought) if each[0] == "supervision.escalations"]
    assert isinstance(asked, escalation.Asked)
    assert (asked.unit, asked.department, asked.request, asked.due_at) == ("hill", None, "lead", START + DAY)
    sought.said.clear()
    sought.supervision(action.LeadNamed(department="power", reason="their cable"))
    assert [(topic, type(fact)) for topic, fact in told(sought)] == [
        (DISPATCHES.format("power"), dispatch.LeadNamed),
        (DISPATCHES.format("water"), dispatch.Changed),
        (DISPATCHES.format("power"), dispatch.Issued),
    ]


def test_parking_and_its_end_are_told() -> None:
    """Parked until the review date, then acknowledged again with a new deadline."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + DAY, reason="frozen"))
    scene.said.clear()
    scene.supervision(action.Granted(department="water", request="parking"))
    scene.pass_(DAY)
    assert told(scene) == [
        (DISPATCHES.format("water"), changed("parked", review=START + DAY)),
        (DISPATCHES.format("water"), changed("acknowledged", resolve=START + 6 * DAY)),
    ]


def test_what_has_moved_on_within_one_decision_has_no_deadlines_of_what_follows() -> None:
    """Resolving acknowledges too: only the last word says what is due now."""
    scene = called()
    scene.department("water", DONE)
    assert told(scene) == [
        (DISPATCHES.format("water"), changed("acknowledged")),
        (DISPATCHES.format("water"), changed("resolved", confirm=START + 3 * DAY)),
    ]


def test_a_reminder_goes_to_the_department_that_owes_and_an_escalation_to_supervision() -> None:
    """First the department alone, then the post above it, with what it is about."""
    scene = called()
    scene.pass_(2 * HOUR)
    due_at = START + 2 * HOUR
    reminded = dispatch.Reminded(round=1, deadline="acknowledge", due_at=due_at)
    assert told(scene) == [(DISPATCHES.format("water"), reminded)]
    scene.said.clear()
    scene.pass_(DAY)
    raised = escalation.Raised(
        street="east",
        unit="water",
        department="water",
        round=1,
        deadline="acknowledge",
        due_at=due_at,
        step=1,
        post="section-head",
        holder="water's section-head",
        holder_unit="water",
        summary="water · elm · no water since morning",
    )
    assert ("supervision.escalations", raised) in told(scene)


@pytest.mark.parametrize("department", ["water", "east-care"])
def test_nobody_is_reminded_of_what_others_owe(department: str) -> None:
    """A decision, confirmation or approval that is overdue is no business of the department that waits for it."""
    scene = called("river")
    scene.department(department, response.Acknowledged())
    scene.department(department, response.ParkingRequested(review_at=START + 20 * DAY, reason="frozen"))
    asked, resolved, declined = scene.copy(), scene, called("river")
    resolved.department(department, DONE)
    declined.department(department, response.Declined(reason="no"))
    for each in (asked, resolved, declined):
        each.said.clear()
        each.pass_(20 * DAY)
        about = {
            fact.deadline for topic, fact in told(each) if isinstance(fact, dispatch.Reminded) and department in topic
        }
        assert not about & {"approve", "confirm", "decide"}
        assert any(isinstance(fact, entries.Reminded) and fact.unit != department for _, fact in each.said)


def test_the_streets_own_deadlines_are_told_to_supervision_only() -> None:
    """No department hears of a decision the street owes; the street reads it in the journal."""
    scene = Scene()
    scene.street(opened())
    scene.pass_(2 * DAY)
    assert [topic for topic, _ in told(scene)] == ["supervision.escalations"]
    raised = told(scene)[0][1]
    assert isinstance(raised, escalation.Raised)
    assert (raised.unit, raised.department, raised.round, raised.post) == ("east", None, 0, "responsible-leader")


def test_a_reminder_by_hand_reaches_the_department_it_names() -> None:
    """With the nearest deadline; without a department named, it is the street's, in the journal."""
    scene = called()
    scene.supervision(action.Reminded(note="hurry"))
    assert told(scene) == []
    scene.supervision(action.Reminded(department="water", note="hurry"))
    reminded = dispatch.Reminded(round=1, deadline="by-hand", due_at=START + 2 * HOUR, note="hurry")
    assert told(scene) == [(DISPATCHES.format("water"), reminded)]


def test_a_refused_act_is_told_to_the_department_that_tried() -> None:
    """With its type and the reason, even where no incident is known; the street's is in the journal only."""
    scene = called()
    scene.department("water", response.Progressed(note="on our way"))
    [(topic, refused)] = told(scene)
    assert topic == DISPATCHES.format("water")
    assert isinstance(refused, dispatch.Refused)
    assert refused.act == "whistle.response.progressed.v1"
    assert "dispatched" in refused.reason
    scene.said.clear()
    scene.street(decision.Answered(answer="done"))
    assert told(scene) == []
    unknown = Scene()
    unknown.department("power", DONE)
    unknown.pass_(HOUR)
    assert [topic for topic, _ in told(unknown)] == [DISPATCHES.format("power")]


def test_what_concerns_no_department_is_for_the_journal_alone() -> None:
    """Opening, refusing, attaching, confirming the whole, answering, rating and closing."""
    scene = called()
    scene.department("water", DONE)
    scene.street(decision.Verified(holds=True, department="water", community="elm"))
    scene.street(decision.Confirmed())
    scene.said.clear()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    scene.street(decision.Answered(answer="done"))
    scene.street(decision.Rated(community="elm", report=INCIDENT, solved=True, satisfied=True))
    scene.pass_(7 * DAY)
    assert told(scene) == []
    walked = Recorded(purpose="safety", grid_level=2, inspected_at=START)
    entry = entries.Inspected(
        version=1, cause=OTHER, who="street.east", by="rule", street="east", community="elm", round=walked
    )
    assert list(messages(None, entry)) == [("incident.journal", entry)]


def test_a_summary_is_one_line_without_the_reporter() -> None:
    """Category, place and the beginning of the description; of an incident without a report, its id."""
    scene = Scene()
    scene.street(opened(description="leak " * 100, place=Place(address="1 Elm Road"), reporter="r-17"))
    line = summary(scene.now)
    assert line.startswith("water · 1 Elm Road · leak")
    assert len(line) <= 200
    assert "r-17" not in line
    assert summary(Incident(INCIDENT)) == str(INCIDENT)
