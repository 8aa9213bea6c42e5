"""What becomes of an incident: rounds and deadlines, joint work, authority, what is early, what is late."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from schemas import action, decision, response
from schemas import incident as entries
from schemas.event import Fact
from schemas.inspection import Recorded
from services.domain.clocks import dues
from services.domain.decide import MOST_WAITING, Said, decide_said
from services.domain.fold import evolve
from services.domain.incident import Incident
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, names, opened

CALL = decision.Called(kind="general")
DONE = response.Resolved(note="mended")
NOT_SOLVED = decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False, note="still dry")


def called(category: str = "water", **fields: str) -> Scene:
    """An incident for which the whistle was blown at the start, by the routes."""
    scene = Scene()
    scene.street(opened(category, **fields))
    scene.street(CALL)
    return scene


def deadlines(scene: Scene, department: str = "water") -> dict[str, datetime]:
    """A department's running deadlines."""
    return {name: clock.due_at for name, clock in scene.owed(department).clocks.items()}


def overall(scene: Scene) -> datetime:
    """When the whole incident is due."""
    return scene.now.clocks["overall"].due_at


# --- the whistle -----------------------------------------------------------------------------------------------------


def test_a_call_without_names_goes_to_whom_the_routes_name() -> None:
    """Each department owes once, the first leads, under the rule that named it and posts as owners."""
    scene = called("river")
    owed = scene.now.obligations
    assert [(each.department, each.role, each.section) for each in owed.values()] == [
        ("water", "lead", False),
        ("power", "support", False),
        ("east-care", "support", True),
    ]
    assert scene.now.rules == ("river",)
    assert owed["water"].owner.officer == "water's officer"
    assert owed["water"].policy.rule == "river"
    assert owed["water"].policy.version == "first"
    assert [each.policy.ladder.name for each in owed.values()] == ["district", "district", "section"]
    assert deadlines(scene) == {"acknowledge": START + 2 * HOUR, "survey": START + DAY, "resolve": START + 5 * DAY}
    assert overall(scene) == START + 30 * DAY


def test_what_no_rule_catches_waits_for_names() -> None:
    """Without a rule, a call that names nobody is refused, and the street's decision stays due."""
    scene = Scene()
    scene.street(opened("other"))
    assert names(scene.street(CALL)) == ["ActRefused"]
    assert scene.next_due_at() == START + DAY
    scene.street(decision.Called(kind="general", departments=("power", "power")))
    assert list(scene.now.obligations) == ["power"]
    assert scene.owed("power").policy.rule == "root"


@pytest.mark.parametrize("named", ["nobody", "elm", "east", "hill", "west-care"])
def test_only_departments_and_own_sections_can_be_called(named: str) -> None:
    """Neither the unknown, nor a community, a street or the district, nor another street's section."""
    scene = Scene()
    scene.street(opened())
    assert names(scene.street(decision.Called(kind="general", departments=("water", named)))) == ["ActRefused"]
    assert scene.now.status == "received"
    assert not scene.now.obligations


def test_a_call_to_a_section_alone_needs_no_kind() -> None:
    """The street's own section is called the same way, up its own ladder, without a whistle."""
    scene = Scene()
    scene.street(opened("care"))
    scene.street(decision.Called(departments=("east-care",)))
    assert scene.now.call is None
    assert scene.now.status == "called"
    assert scene.owed("east-care").section


def test_a_policy_is_frozen_when_it_is_dispatched() -> None:
    """Whatever the configuration becomes, what is owed keeps its rule, its durations and its ladder."""
    scene = called("river")
    before = scene.owed().policy
    without_rules = replace(CONFIGURATION.routes, routes=())
    ladders = {**CONFIGURATION.ladders, "district": CONFIGURATION.ladders["quick"]}
    scene.configuration = replace(CONFIGURATION, version="second", routes=without_rules, ladders=ladders)
    scene.department("water", response.Declined(reason="not ours"))
    scene.street(decision.Insisted(department="water", reason="yours"))
    assert scene.owed().policy == before
    assert deadlines(scene)["acknowledge"] == START + 2 * HOUR
    assert [each.department for each in scene.pass_(2 * HOUR) if isinstance(each, entries.Reminded)].count("water") == 1


# --- rounds ----------------------------------------------------------------------------------------------------------


def test_each_round_has_deadlines_of_its_own() -> None:
    """Insisted on, sent back and rated as not solved: a new round each time, its deadlines from that instant."""
    scene = called()
    scene.street(decision.Called(kind="general", departments=("power",)))
    scene.later(HOUR).department("water", response.Declined(reason="not ours"))
    scene.later(HOUR).street(decision.Insisted(department="water", reason="yours"))
    at = START + 2 * HOUR
    assert scene.owed().round == 2
    assert deadlines(scene) == {"acknowledge": at + 2 * HOUR, "survey": at + DAY, "resolve": at + 5 * DAY}
    scene.department("water", DONE)
    scene.later(HOUR).street(decision.SentBack(department="water", reason="it drips"))
    at += HOUR
    assert scene.owed().round == 3
    assert deadlines(scene) == {"survey": at + DAY, "resolve": at + 5 * DAY}
    scene.department("water", DONE)
    scene.street(decision.Withdrawn(department="power", reason="not needed"))
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="done"))
    scene.later(DAY).street(NOT_SOLVED)
    at += DAY
    assert scene.owed().round == 4
    assert deadlines(scene) == {"acknowledge": at + 2 * HOUR, "survey": at + DAY, "resolve": at + 5 * DAY}


def test_a_word_about_an_earlier_round_is_refused() -> None:
    """A department that names a round speaks of that one only; without one, of the current."""
    scene = called()
    scene.department("water", response.Declined(reason="not ours", round=1))
    scene.street(decision.Insisted(department="water", reason="yours"))
    # In round 2 it led only until the district named somebody.
    for earlier in (1, 2):
        assert names(scene.department("water", response.Acknowledged(round=earlier))) == ["ActRefused"]
    assert names(scene.department("water", response.Acknowledged(round=3))) == ["Acknowledged"]


def test_who_has_arrived_need_not_arrive_again_when_work_is_sent_back() -> None:
    """Nobody leaves an emergency before it is done; a department that never came still has to."""
    for came in (True, False):
        scene = Scene()
        scene.street(opened("other"))
        scene.street(decision.Called(kind="emergency"))
        assert deadlines(scene, "fire")["arrive"] == START + 30 * MINUTE
        scene.department("fire", response.Acknowledged())
        if came:
            scene.department("fire", response.Arrived())
            assert "arrive" not in deadlines(scene, "fire")
            assert names(scene.department("fire", response.Arrived())) == ["ActRefused"]
        scene.department("fire", DONE)
        scene.street(decision.SentBack(department="fire", reason="it smokes"))
        assert ("arrive" in deadlines(scene, "fire")) != came


def test_an_interim_step_is_named_and_done_once() -> None:
    """Progress on a step ends its deadline; a step that isn't owed, or that has an act of its own, is refused."""
    scene = called()
    scene.department("water", response.Acknowledged())
    assert names(scene.department("water", response.Progressed(note="x", step="survey"))) == ["Progressed"]
    assert list(deadlines(scene)) == ["resolve"]
    for step in ("survey", "paint", "resolve", "acknowledge"):
        assert names(scene.department("water", response.Progressed(note="x", step=step))) == ["ActRefused"]
    assert list(deadlines(scene)) == ["resolve"]


def test_a_department_may_name_who_does_the_work() -> None:
    """An owner given with the acknowledgement overrides the directory's posts, and stays in the next round."""
    scene = called()
    owner = response.Owner(leader="deputy", section="network", officer="crew 3")
    scene.department("water", response.Acknowledged(owner=owner))
    assert scene.owed().owner == owner
    scene.department("water", DONE)
    scene.street(decision.SentBack(department="water", reason="no"))
    assert scene.owed().owner == owner


# --- the overall deadline --------------------------------------------------------------------------------------------


def test_nothing_moves_the_overall_deadline() -> None:
    """Neither refusal, insisting, calling others, re-classifying, sending back, extending nor taking all back."""
    scene = called()
    whistle = overall(scene)
    clock = scene.now.clocks["overall"]
    acts: list[tuple[str, Fact]] = [
        ("water", response.Declined(reason="not ours")),
        ("east", decision.Called(kind="general", departments=("power",), by="section-head")),
        ("east", decision.Reclassified(reason="it burns", category="fire", severity="critical")),
        ("east", decision.Called(kind="general", departments=("fire",))),
        ("power", response.Acknowledged()),
        ("power", response.ExtensionRequested(until=START + 29 * DAY, reason="parts")),
        ("east", decision.Granted(department="power", request="extension", by="responsible-leader")),
        ("power", DONE),
        ("east", decision.SentBack(department="power", reason="no")),
        ("east", decision.Withdrawn(department="power", reason="wrong")),
        ("east", decision.Withdrawn(department="fire", reason="wrong")),
        ("east", decision.Called(kind="general", departments=("water",))),
    ]
    for code, fact in acts:
        scene.later(HOUR)
        told = scene.street(fact) if code == "east" else scene.department(code, fact)
        assert not any(isinstance(each, entries.ActRefused) for each in told)
        assert overall(scene) == whistle
        assert scene.now.clocks["overall"] == clock
        assert scene.now.called_at == START
    assert scene.now.call == "general"


def test_all_withdrawn_is_received_again_under_both_deadlines() -> None:
    """The street owes a decision again, while the overall deadline goes on; it may refuse, attach or call anew."""
    scene = called()
    told = scene.later(HOUR).street(decision.Withdrawn(department="water", reason="wrong"))
    assert names(told) == ["Withdrawn", "Returned"]
    assert {name: clock.due_at for name, clock in scene.now.clocks.items()} == {
        "overall": START + 30 * DAY,
        "decide": START + HOUR + DAY,
    }
    assert not scene.now.owned
    scene.street(decision.Called(kind="general", departments=("water",)))
    assert set(scene.now.clocks) == {"overall"}
    assert scene.owed().round == 2


# --- joint handling --------------------------------------------------------------------------------------------------


def test_joint_work_is_complete_only_when_each_part_is() -> None:
    """Confirmed when every obligation is confirmed or withdrawn, and at least one confirmed; not a moment before."""
    scene = called("river")
    scene.department("water", DONE)
    assert names(scene.street(decision.Confirmed(department="water"))) == ["WorkConfirmed"]
    scene.department("power", DONE)
    assert names(scene.street(decision.Withdrawn(department="power", reason="not needed"))) == ["Withdrawn"]
    scene.department("east-care", DONE)
    assert scene.now.confirmed_at is None
    told = scene.street(decision.Confirmed(department="east-care", community="elm"))
    assert names(told) == ["WorkConfirmed", "Confirmed"]
    assert scene.now.confirmed_at == START


def test_the_last_part_withdrawn_completes_what_others_have_done() -> None:
    """Where at least one part is confirmed, taking the last one back confirms the incident."""
    scene = called("river")
    for department in ("water", "power"):
        scene.department(department, DONE)
    scene.street(decision.Confirmed())
    told = scene.street(decision.Withdrawn(department="east-care", reason="not needed"))
    assert names(told) == ["Withdrawn", "Confirmed"]


def test_one_confirmation_covers_all_that_the_speaker_may_judge() -> None:
    """Without a department named, the street confirms every department's work, and no section's."""
    scene = called("river")
    for department in ("water", "power", "east-care"):
        scene.department(department, DONE)
    told = scene.street(decision.Confirmed())
    assert [each.department for each in told if isinstance(each, entries.WorkConfirmed)] == ["water", "power"]
    assert scene.owed("east-care").status == "resolved"


def test_there_is_one_lead_whatever_happens() -> None:
    """Whoever is called first leads, to the end and after; only when it is withdrawn does the next one called lead."""
    scene = called()
    scene.department("water", DONE)
    scene.street(decision.Called(kind="general", departments=("power",)))
    scene.street(decision.Confirmed())
    scene.street(decision.Called(kind="general", departments=("fire",)))
    assert {each.department: each.role for each in scene.now.obligations.values()} == {
        "water": "lead",
        "power": "support",
        "fire": "support",
    }
    other = called()
    other.department("water", response.Declined(reason="no"))
    other.street(decision.Called(kind="general", departments=("power",), by="section-head"))
    assert other.now.lead
    assert other.now.lead.department == "power"


# --- who confirms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(
    ("department", "community", "allowed"),
    [
        ("water", None, True),
        ("water", "elm", False),
        ("water", "oak", False),
        ("east-care", None, False),
        ("east-care", "elm", True),
        ("east-care", "oak", False),
    ],
)
def test_the_community_judges_the_streets_sections_and_the_street_all_others(
    department: str,
    community: str | None,
    allowed: bool,  # noqa: FBT001 - a table fills it
    back: bool,  # noqa: FBT001 - a table fills it
) -> None:
    """Nobody confirms, or sends back, their own side's work, nor another community's."""
    scene = called("river")
    scene.department(department, DONE)
    fact = (
        decision.SentBack(department=department, reason="no", community=community)
        if back
        else decision.Confirmed(department=department, community=community)
    )
    expected = ("SentBack" if back else "WorkConfirmed") if allowed else "ActRefused"
    assert names(scene.street(fact)) == [expected]


def test_verifying_is_recorded_and_decides_nothing() -> None:
    """What the community saw on the spot is a fact of its own; another community's word is refused."""
    scene = called()
    scene.department("water", DONE)
    told = scene.street(decision.Verified(holds=False, department="water", community="elm", note="it drips"))
    assert names(told) == ["Verified"]
    assert scene.owed().status == "resolved"
    assert names(scene.street(decision.Verified(holds=True, community="oak"))) == ["ActRefused"]


# --- extension and parking -------------------------------------------------------------------------------------------


def test_the_deadline_stands_until_an_extension_is_granted() -> None:
    """Asking moves nothing; granted, the deadline is the one asked for; denied, it is what it was."""
    for granted in (True, False):
        scene = called()
        scene.department("water", response.Acknowledged())
        scene.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="parts"))
        assert deadlines(scene) == {"survey": START + DAY, "resolve": START + 5 * DAY, "approve": START + DAY}
        if granted:
            scene.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
        else:
            scene.street(decision.Denied(department="water", request="extension", reason="no", by="responsible-leader"))
        expected = START + (9 if granted else 5) * DAY
        assert deadlines(scene) == {"survey": START + DAY, "resolve": expected}
        assert scene.owed().extensions == granted
        assert scene.owed().request is None


def test_an_extension_is_asked_for_in_time_and_asks_for_more() -> None:
    """Not at or after the deadline, not for an earlier one, and not while another request is undecided."""
    scene = called()
    scene.department("water", response.Acknowledged())

    def ask(until: datetime) -> list[str]:
        return names(scene.department("water", response.ExtensionRequested(until=until, reason="parts")))

    assert ask(START + 5 * DAY) == ["ActRefused"]
    late = scene.copy().later(5 * DAY)
    told = late.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="parts"))
    assert isinstance(told[-1], entries.ActRefused)
    assert ask(START + 9 * DAY) == ["Requested"]
    assert ask(START + 10 * DAY) == ["ActRefused"]
    assert names(scene.department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="x"))) == [
        "ActRefused"
    ]


def test_who_has_resolved_needs_no_more_time() -> None:
    """With the work, what was asked for is gone: nobody can grant it any more, nor is an approval owed."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="parts"))
    scene.department("water", DONE)
    assert names(scene.street(decision.Granted(department="water", request="extension"))) == ["ActRefused"]
    assert deadlines(scene) == {"confirm": START + 3 * DAY}


def test_parking_is_the_districts_to_approve_and_an_extension_the_streets() -> None:
    """A grant or denial by the other side is refused with the name of the approver, and nothing changes."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="frozen"))
    told = scene.street(decision.Granted(department="water", request="parking"))
    assert isinstance(told[0], entries.ActRefused)
    assert "supervision" in told[0].reason
    assert names(scene.supervision(action.Granted(department="water", request="parking"))) == ["Granted"]
    assert scene.owed().status == "parked"
    assert deadlines(scene) == {"review": START + 9 * DAY}
    past = called()
    past.department("water", response.Acknowledged())
    told = past.department("water", response.ParkingRequested(review_at=START - DAY, reason="frozen"))
    assert names(told) == ["ActRefused"]


# --- answer, rating, reopening ---------------------------------------------------------------------------------------


def answered(category: str = "water") -> Scene:
    """An incident that has its public answer."""
    scene = called(category)
    for owed in scene.now.obligations.values():
        scene.department(owed.department, DONE)
    scene.street(decision.Confirmed())
    if scene.now.status != "confirmed":
        scene.street(decision.Confirmed(community="elm"))
    scene.street(decision.Answered(answer="water is back"))
    return scene


def test_resolved_confirmed_answered_and_satisfied_are_separate_facts() -> None:
    """Each has an act and an instant of its own, and the last tells two things."""
    scene = answered()
    assert scene.history()[-4:] == ["Resolved", "WorkConfirmed", "Confirmed", "Answered"]
    scene.street(decision.Rated(community="elm", report=INCIDENT, solved=True, satisfied=False))
    assert (scene.now.solved, scene.now.satisfied, scene.now.status) == (True, False, "answered")


def test_not_solved_is_called_again_in_a_new_round_and_counted() -> None:
    """Whoever had done it owes it again, under a new overall deadline; whoever was withdrawn does not."""
    scene = called("river")
    scene.street(decision.Withdrawn(department="power", reason="not needed"))
    for department in ("water", "east-care"):
        scene.department(department, DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Confirmed(community="elm"))
    scene.street(decision.Answered(answer="clean again"))
    told = scene.later(DAY).street(NOT_SOLVED)
    assert names(told) == ["Rated", "Reopened", "Dispatched", "Dispatched"]
    assert (scene.now.status, scene.now.reopened) == ("called", 1)
    assert [(each.department, each.round, each.status, each.role) for each in scene.now.obligations.values()] == [
        ("water", 2, "dispatched", "lead"),
        ("power", 1, "withdrawn", "support"),
        ("east-care", 2, "dispatched", "support"),
    ]
    assert set(scene.now.clocks) == {"overall"}
    assert overall(scene) == START + 31 * DAY


def test_the_rating_window_ends_when_it_is_due() -> None:
    """At the very instant it closes, what is due comes before what is said."""
    scene = answered()
    in_time = scene.copy().later(7 * DAY - MINUTE)
    assert names(in_time.street(NOT_SOLVED))[:2] == ["Rated", "Reopened"]
    told = scene.later(7 * DAY).street(NOT_SOLVED)
    assert names(told) == ["Closed", "ActRefused"]
    assert told[0].who == "clock"


def test_only_a_reporter_of_the_incident_rates_it() -> None:
    """Its own report and each attached one may be rated; any other is refused."""
    scene = answered()
    stranger = decision.Rated(community="oak", report=OTHER, solved=True, satisfied=True)
    assert names(scene.street(stranger)) == ["ActRefused"]
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    assert names(scene.street(stranger)) == ["Rated"]


def test_a_refusal_can_be_objected_to_within_the_window() -> None:
    """Not solved by the reason given: the street owes the decision again; after the window, refused is refused."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Refused(reason="none of ours"))
    late = scene.copy().later(7 * DAY)
    assert names(late.street(NOT_SOLVED)) == ["ActRefused"]
    told = scene.later(7 * DAY - MINUTE).street(NOT_SOLVED)
    assert names(told) == ["Rated", "Reopened", "Returned"]
    assert (scene.now.status, scene.now.reopened, set(scene.now.clocks)) == ("received", 1, {"decide"})
    scene.street(CALL)
    assert overall(scene) == scene.at + 30 * DAY
    again = called()
    again.street(decision.Withdrawn(department="water", reason="wrong"))
    again.street(decision.Refused(reason="none of ours"))
    again.street(NOT_SOLVED)
    assert set(again.now.clocks) == {"decide", "overall"}


# --- attaching -------------------------------------------------------------------------------------------------------


def test_a_repeat_is_attached_once_and_only_to_what_lives() -> None:
    """Not twice, not to itself, not from another street's community."""
    scene = called()
    assert names(scene.street(decision.RepeatAttached(report=OTHER, community="oak"))) == ["RepeatAttached"]
    for report, community in ((OTHER, "oak"), (INCIDENT, "elm"), (UUID(int=9), "yew"), (UUID(int=9), "nobody")):
        told = scene.street(decision.RepeatAttached(report=report, community=community))
        assert names(told) == ["ActRefused"]
    assert [each.report for each in scene.now.repeats] == [OTHER]


def test_no_officer_ends_an_incident_in_one_that_may_not_know_of_it() -> None:
    """It would have neither a clock nor an answer: it ends once the other has taken its report, as a rule says then."""
    scene = Scene()
    scene.street(opened())
    [told] = scene.street(decision.Attached(to=OTHER))
    assert isinstance(told, entries.ActRefused)
    assert "attach it there" in told.reason
    assert set(scene.now.clocks) == {"decide"}
    assert names(scene.street(decision.Attached(by="rule:repeats", to=OTHER))) == ["Attached"]


def test_what_others_are_attached_to_is_not_attached_away() -> None:
    """Else two incidents could end in each other, or repeats be left without an answer; nor does one end in itself."""
    scene = Scene()
    scene.street(opened())
    assert names(scene.street(decision.Attached(by="rule:repeats", to=INCIDENT))) == ["ActRefused"]
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    assert names(scene.street(decision.Attached(by="rule:repeats", to=OTHER))) == ["ActRefused"]
    assert scene.next_due_at() == START + DAY


# --- authority -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fact",
    [
        CALL,
        decision.Withdrawn(department="water", reason="x"),
        decision.Confirmed(department="water"),
        decision.SentBack(department="water", reason="x"),
        decision.Refused(reason="x"),
        decision.Granted(department="water", request="extension"),
        NOT_SOLVED,
        decision.RepeatAttached(report=OTHER, community="yew"),
    ],
)
def test_another_street_decides_nothing(fact: Fact) -> None:
    """Whatever it says of an incident that is not its own is refused, and fires nobody's clock."""
    scene = called()
    scene.department("water", DONE)
    told = scene.later(9 * DAY).street(fact, "west")
    assert names(told) == ["ActRefused"]
    assert told[0].who == "street.west"


def test_a_street_opens_incidents_of_its_own_communities_only_and_only_once() -> None:
    """A report of another street's community is refused, and so is opening twice."""
    scene = Scene()
    assert names(scene.street(opened(), "west")) == ["ActRefused"]
    assert scene.now.status is None
    assert names(scene.street(opened())) == ["Opened"]
    assert names(scene.street(opened())) == ["ActRefused"]
    assert names(scene.street(opened(), "west")) == ["ActRefused"]


def test_a_department_that_was_never_dispatched_says_nothing_of_weight() -> None:
    """Its word waits, moves nothing, and is refused to it when the limit is over."""
    scene = called()
    before = scene.now
    assert scene.department("power", response.Resolved(note="done")) == []
    assert scene.now.obligations == before.obligations
    told = scene.pass_(HOUR)
    assert names(told) == ["ActRefused"]
    assert told[0].who == "department.power"
    assert scene.said[-1][0] == "department.power.dispatches"


def test_supervision_reminds_only_who_owes() -> None:
    """A department whose work is done, or that was never called, can't be reminded; the street can until the end."""
    scene = called()
    assert names(scene.supervision(action.Reminded(department="power"))) == ["ActRefused"]
    assert names(scene.supervision(action.Reminded(department="water"))) == ["RemindedByHand"]
    scene.department("water", DONE)
    scene.street(decision.Confirmed())
    assert names(scene.supervision(action.Reminded(department="water"))) == ["ActRefused"]
    assert names(scene.supervision(action.Reminded())) == ["RemindedByHand"]


# --- what is early ---------------------------------------------------------------------------------------------------


def test_what_is_said_too_early_is_heard_when_its_time_comes() -> None:
    """With a backlog, responses may be read before the call; each is heard then, in the order it was said."""
    scene = Scene()
    for fact in (response.Acknowledged(), response.Progressed(note="dug up"), DONE):
        assert scene.department("water", fact) == []
        scene.later(MINUTE)
    assert scene.now.version == 0
    scene.hear("street", "east", opened(), START)
    told = scene.hear("street", "east", CALL, START)
    assert names(told) == ["Called", "Dispatched", "Acknowledged", "Progressed", "Resolved"]
    assert [each.who for each in told] == ["street.east"] * 2 + ["department.water"] * 3
    assert len({each.cause for each in told}) == 4
    assert not scene.now.waiting


def test_the_instant_that_counts_is_when_it_was_said() -> None:
    """Heard late, an act has its own instant; a reader of the history comes to the same state."""
    scene = Scene()
    scene.hear("department", "water", DONE, START + 90 * MINUTE)
    scene.street(opened())
    told = scene.street(CALL)
    assert [each.happened_at for each in told] == [None, None, START + 90 * MINUTE, START + 90 * MINUTE]
    assert deadlines(scene) == {"confirm": START + 90 * MINUTE + 3 * DAY}
    assert scene.owed().late == ()


def test_what_waited_is_not_excused_from_being_late() -> None:
    """Said after the deadline and read before the call: the deadline passed all the same, and at its rank."""
    scene = Scene()
    scene.hear("department", "water", response.Acknowledged(), START + 3 * HOUR)
    scene.street(opened())
    told = scene.street(CALL)
    assert names(told) == ["Called", "Dispatched", "Reminded", "Acknowledged"]
    assert scene.owed().late == ("acknowledge",)


def test_nothing_is_heard_before_what_it_waited_for() -> None:
    """A word from before the whistle counts from the whistle on."""
    scene = Scene()
    scene.department("water", DONE)
    scene.later(30 * MINUTE)
    scene.street(opened())
    scene.street(CALL)
    assert deadlines(scene) == {"confirm": START + 30 * MINUTE + 3 * DAY}


def test_what_is_early_waits_only_so_long() -> None:
    """After the limit it is refused, to whoever said it, whether or not the sweeper was there before the call."""
    swept = Scene()
    swept.department("water", DONE)
    told = swept.pass_(HOUR)
    assert names(told) == ["ActRefused"]
    assert swept.now.status is None
    unswept = Scene()
    unswept.department("water", DONE)
    unswept.later(HOUR)
    for scene in (swept, unswept):
        scene.street(opened())
        assert names(scene.street(CALL)) == ["Called", "Dispatched"]
        scene.sweep()
        assert scene.owed().status == "dispatched"
        assert not scene.now.waiting
        assert scene.history().count("ActRefused") == 1


def test_a_streets_and_supervisions_early_words_wait_too() -> None:
    """Nothing is known of the incident yet: they wait, and what then doesn't fit is refused."""
    scene = Scene()
    assert scene.street(decision.RepeatAttached(report=OTHER, community="oak")) == []
    assert scene.supervision(action.Reminded()) == []
    assert scene.street(decision.Answered(answer="done")) == []
    told = scene.street(opened())
    assert names(told) == ["Opened", "RepeatAttached", "RemindedByHand", "ActRefused"]


def test_one_early_word_may_be_what_another_waited_for() -> None:
    """The department's word waits for the call, which itself waited for the opening: both are heard."""
    scene = Scene()
    scene.department("water", response.Acknowledged())
    scene.street(CALL)
    told = scene.street(opened())
    assert names(told) == ["Opened", "Called", "Dispatched", "Acknowledged"]


def test_a_stranger_can_not_fill_the_memory() -> None:
    """Beyond a number, what is early is refused at once."""
    scene = Scene()
    for _ in range(MOST_WAITING):
        assert scene.department("power", DONE) == []
    assert names(scene.department("power", DONE)) == ["ActRefused"]
    assert len(scene.now.waiting) == MOST_WAITING


# --- what is late ----------------------------------------------------------------------------------------------------


def test_what_is_late_stays_late() -> None:
    """A late act fires the deadline first; no later round, withdrawal or rating makes it punctual again."""
    scene = called()
    told = scene.later(2 * HOUR).department("water", DONE)
    assert names(told) == ["Reminded", "Acknowledged", "Resolved"]
    assert told[0].who == "clock"
    assert scene.owed().late == ("acknowledge",)
    scene.street(decision.SentBack(department="water", reason="no"))
    scene.later(6 * DAY).department("water", DONE)
    assert scene.owed().late == ("acknowledge", "survey", "resolve")
    scene.street(decision.Withdrawn(department="water", reason="wrong"))
    scene.street(decision.Called(kind="general", departments=("water",)))
    assert scene.owed().late == ("acknowledge", "survey", "resolve")


def test_a_moment_before_the_deadline_is_in_time() -> None:
    """The deadline itself is too late, the moment before it is not."""
    scene = called()
    scene.later(2 * HOUR - MINUTE / 60).department("water", DONE)
    assert scene.owed().late == ()


def test_the_street_is_late_too() -> None:
    """Its own decision, confirmation, approval and answer, given late, are late for good."""
    scene = Scene()
    scene.street(opened())
    assert names(scene.later(DAY).street(CALL)) == ["Reminded", "Called", "Dispatched"]
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ExtensionRequested(until=scene.at + 9 * DAY, reason="parts"))
    granted = decision.Granted(department="water", request="extension", by="responsible-leader")
    told = scene.later(DAY).street(granted)
    assert names(told) == ["Reminded", "Granted"]
    scene.department("water", DONE)
    assert names(scene.later(3 * DAY).street(decision.Confirmed())) == ["Reminded", "WorkConfirmed", "Confirmed"]
    assert names(scene.later(2 * DAY).street(decision.Answered(answer="done"))) == ["Reminded", "Answered"]
    assert scene.now.late == ("decide", "answer")
    assert scene.owed().late == ("approve", "survey", "confirm")


def test_the_community_and_the_district_are_late_too() -> None:
    """What the community owed to confirm, and the district to approve, is late for good although it came."""
    scene = called("care")
    scene.department("east-care", DONE)
    told = scene.later(3 * DAY).street(decision.Confirmed(community="elm"))
    assert names(told) == ["Reminded", "WorkConfirmed", "Confirmed"]
    assert isinstance(told[0], entries.Reminded)
    assert told[0].unit == "elm"
    other = called()
    other.department("water", response.Acknowledged())
    other.department("water", response.ParkingRequested(review_at=START + 20 * DAY, reason="frozen"))
    told = other.later(DAY).supervision(action.Granted(department="water", request="parking"))
    # Whether the survey, due at the same instant, was done in time may lie unread.
    assert names(told) == ["Reminded", "Granted", "PassedUnseen"]
    assert isinstance(told[0], entries.Reminded)
    assert told[0].unit == "hill"


def test_ones_own_act_fires_only_ones_own_clocks() -> None:
    """Whether others were late is left to the sweeper: what they said in time may not have been read yet."""
    scene = called()
    told = scene.later(3 * HOUR).street(decision.RepeatAttached(report=OTHER, community="oak"))
    assert names(told) == ["RepeatAttached"]
    told = scene.hear("department", "water", response.Acknowledged(), START + HOUR)
    assert names(told) == ["Acknowledged"]
    assert scene.owed().late == ()


# --- inspections and the fold ----------------------------------------------------------------------------------------


def test_an_inspection_is_passed_on_and_opens_nothing() -> None:
    """A round of a street's own community goes to the history as it is; another's is refused."""
    walked = Recorded(purpose="safety", grid_level=2, inspected_at=START)
    for community, expected in (("elm", "Inspected"), ("yew", "ActRefused")):
        fact = decision.Inspected(community=community, round=walked)
        decided = decide_said(None, OTHER, Said(INCIDENT, "street", "east", START, fact), CONFIGURATION)
        assert names(decided.entries) == [expected]
        assert decided.state is None


def test_a_gap_in_the_history_is_our_bug() -> None:
    """An entry that is not the next one is a `ValueError`, and never folded."""
    scene = called()
    _, first = scene.told[0]
    with pytest.raises(ValueError, match="does not follow"):
        evolve(scene.now, INCIDENT, first, START)
    assert evolve(None, INCIDENT, first, START).version == 1


def test_an_incident_of_which_only_an_early_word_is_known_has_no_status() -> None:
    """It waits for nothing but the end of the waiting."""
    scene = Scene()
    scene.department("water", DONE)
    assert (scene.now.status, scene.now.version, scene.now.ended) == (None, 0, False)
    assert [due.name for due in dues(scene.now, scene.configuration)] == ["wait"]
    assert Incident(INCIDENT).lead is None
