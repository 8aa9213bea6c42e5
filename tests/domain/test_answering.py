"""What reporters are told and asked, what they say to it, and what reopens what was done."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from schemas import answer, decision, incident, report, response
from schemas.event import Fact
from schemas.incident import ActRefused, Policy, Returned
from schemas.inspection import Recheck, Recorded
from schemas.report import Link
from schemas.topics import ANSWERS
from services.domain.incident import Incident, evolve
from services.domain.ladder import Ladder, Step
from services.domain.street import Said, hear_community, hear_history
from services.domain.working_time import Duration
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, names, opened

ROUND = UUID("00000000-0000-7000-8000-000000000009")
DONE = response.Resolved(note="mended")
CALL = decision.Called(kind="general")
ASK = decision.Asked(question="on which floor?")
REPLY = decision.Replied(report=INCIDENT, reply="on the third")


def called(category: str = "water", **fields: Any) -> Scene:
    """An incident for which the whistle was blown at the start."""
    scene = Scene()
    scene.street(opened(category, **fields))
    scene.street(CALL)
    return scene


def confirmed(category: str = "water", **fields: Any) -> Scene:
    """An incident of which all work is confirmed."""
    scene = called(category, **fields)
    for owed in scene.now.obligations.values():
        scene.department(owed.department, DONE)
        scene.street(decision.Confirmed(department=owed.department, community="elm" if owed.section else None))
    return scene


def answered(category: str = "water", **fields: Any) -> Scene:
    """An incident that has its public answer."""
    scene = confirmed(category, **fields)
    scene.street(decision.Answered(answer="water is back"))
    return scene


def follow(scene: Scene) -> list[Said]:
    """What the street says about the whole history of a scene, as it reads it entry by entry."""
    state: Incident | None = None
    found: list[Said] = []
    for at, entry in scene.told:
        state = evolve(state, scene.incident, entry, at)
        found += hear_history(state, entry)
    return found


def answers(scene: Scene) -> list[Said]:
    """What of it reaches reporters."""
    return [each for each in follow(scene) if each[0].endswith(".answers")]


def reason(told: list[Any]) -> str:
    """Why an act was refused."""
    assert isinstance(told[-1], ActRefused)
    return told[-1].reason


# --- rating ----------------------------------------------------------------------------------------------------------


def rated(fault: Any = None, *, solved: bool = True, satisfied: bool = False) -> decision.Rated:
    """A rating by the reporter."""
    return decision.Rated(report=INCIDENT, solved=solved, satisfied=satisfied, fault=fault, note="they left a hole")


@pytest.mark.parametrize(
    ("rating", "reopens"),
    [
        (rated("handler"), True),
        (rated("handler", solved=False), True),
        (rated("other", solved=False), True),
        (rated("other"), False),
        (rated(), False),
        (rated(satisfied=True), False),
    ],
)
def test_not_solved_or_not_satisfied_through_the_handlers_fault_reopens(
    rating: decision.Rated,
    reopens: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Whoever had done it has a new round with deadlines from that instant, counted; any other rating changes none."""
    scene = answered()
    scene.later(DAY).street(rating)
    assert (scene.now.solved, scene.now.satisfied, scene.now.fault) == (rating.solved, rating.satisfied, rating.fault)
    assert scene.now.reopened == reopens
    assert scene.now.status == ("called" if reopens else "answered")
    if reopens:
        assert scene.owed().round == 2
        assert {name: clock.due_at - scene.at for name, clock in scene.owed().clocks.items()} == {
            "acknowledge": 2 * HOUR,
            "survey": DAY,
            "resolve": 5 * DAY,
        }


def test_each_reopening_is_counted() -> None:
    """Rated badly again and again, it is as many times that it was done again."""
    scene = answered()
    for times in (1, 2, 3):
        scene.street(rated("handler"))
        assert scene.now.reopened == times
        scene.department("water", DONE)
        scene.street(decision.Confirmed())
        scene.street(decision.Answered(answer="filled in"))


def test_a_rating_outside_the_window_is_told_when_it_closed() -> None:
    """After the answer as after a refusal; before there is an answer, there is nothing to rate."""
    late = answered().later(7 * DAY)
    assert "closed at 2021-03-08T02:00:00Z" in reason(late.street(rated("handler")))
    refused = Scene()
    refused.street(opened())
    refused.street(decision.Refused(reason="none of ours"))
    in_time = refused.copy().later(7 * DAY - MINUTE)
    assert isinstance(in_time.street(rated("handler"))[-1], Returned)
    assert "closed at 2021-03-08T02:00:00Z" in reason(refused.later(7 * DAY).street(rated("handler")))
    assert "called is not open" in reason(called().street(rated()))


def test_who_is_satisfied_finds_no_fault() -> None:
    """A rating that says both is refused, so that nothing reopens by a slip."""
    scene = answered()
    assert "no fault" in reason(scene.street(rated("handler", satisfied=True)))
    assert scene.now.satisfied is None


# --- interim answers -------------------------------------------------------------------------------------------------


def test_an_interim_answer_reaches_everyone_who_reported_it_and_changes_nothing() -> None:
    """It goes to each report's own community as `interim`; no state changes, and no clock ends or moves."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    before = scene.now
    told = scene.later(HOUR).street(decision.InterimAnswered(answer="the pipe is dug up"))
    assert names(told) == ["InterimAnswered"]
    assert (scene.now.status, scene.now.clocks, scene.now.obligations, scene.now.answer) == (
        before.status,
        before.clocks,
        before.obligations,
        "",
    )
    assert answers(scene) == [
        (
            f"community.{code}.answers",
            each,
            answer.Given(report=each, incident=INCIDENT, outcome="interim", answer=text),
        )
        for code, each, text in (("elm", INCIDENT, "the pipe is dug up"), ("oak", OTHER, "the pipe is dug up"))
    ]


# --- asking for more -------------------------------------------------------------------------------------------------


def test_asking_moves_no_deadline_of_the_street() -> None:
    """The street can't buy time: its decision is due when it was, and late when it was, question or not."""
    asked, silent = Scene(), Scene()
    for scene in (asked, silent):
        scene.street(opened("other"))
    asked.street(ASK)
    assert {name: clock.due_at - START for name, clock in asked.now.clocks.items()} == {"decide": DAY, "reply": 5 * DAY}
    for scene in (asked, silent):
        scene.pass_(3 * DAY)
    assert asked.now.clocks["decide"].fired == silent.now.clocks["decide"].fired > 1
    assert asked.now.late == silent.now.late == ("decide",)
    assert asked.now.escalations == silent.now.escalations


def test_a_question_reaches_the_reporter_it_is_put_to_and_the_reply_ends_the_wait() -> None:
    """Of a repeat, on the stream of the repeat's own community; the reply is in the history, and nothing waits."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    status = scene.now.status
    scene.street(decision.Asked(question="on which floor?", report=OTHER))
    [asked] = answers(scene)
    assert asked == (
        "community.oak.answers",
        OTHER,
        answer.Asked(report=OTHER, incident=INCIDENT, question="on which floor?", reply_by=START + 5 * DAY),
    )
    assert "asked nothing" in reason(scene.street(REPLY))
    told = scene.later(DAY).street(decision.Replied(report=OTHER, reply="on the third"))
    assert names(told) == ["Replied"]
    assert (scene.now.status, scene.now.asked, "reply" in scene.now.clocks) == (status, (), False)
    assert "asked nothing" in reason(scene.street(decision.Replied(report=OTHER, reply="on the third")))


def test_an_unanswered_question_ends_by_itself_and_a_late_reply_is_heard_still() -> None:
    """At its time-out the wait is over, nobody is blamed for it, and another question may be asked."""
    scene = called()
    scene.street(ASK)
    assert "may reply until 2021-03-06" in reason(scene.street(ASK))
    told = [each for each in scene.pass_(6 * DAY) if isinstance(each, incident.Unreplied)]
    assert [(each.report, each.who) for each in told] == [(INCIDENT, "clock")]
    assert "reply" not in scene.now.clocks
    assert "reply" not in scene.now.late
    late, again = scene.copy(), scene.copy()
    assert names(late.street(REPLY))[-1] == "Replied"
    assert names(again.street(ASK))[-1] == "Asked"
    assert again.now.clocks["reply"].due_at == again.at + 5 * DAY


def test_everybody_who_was_asked_may_reply_late_whoever_was_asked_since() -> None:
    """A late reply takes nobody else's time, and nobody else's time-out or question takes it away."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    scene.street(ASK)
    scene.pass_(6 * DAY)
    scene.street(decision.Asked(question="and you?", report=OTHER))
    reply_by = scene.now.clocks["reply"]
    first, silent = scene.copy(), scene.copy()
    assert names(first.later(HOUR).street(REPLY))[-1] == "Replied"
    assert (first.now.asked, first.now.clocks["reply"]) == ((OTHER,), reply_by)
    assert "asked nothing" in reason(first.street(REPLY)), "once is enough"
    assert names(first.street(decision.Replied(report=OTHER, reply="on the ninth")))[-1] == "Replied"
    assert (first.now.asked, "reply" in first.now.clocks) == ((), False)
    told = [each.report for each in silent.pass_(6 * DAY) if isinstance(each, incident.Unreplied)]
    assert (told, silent.now.asked) == ([OTHER], (INCIDENT, OTHER))
    assert names(silent.street(decision.Replied(report=OTHER, reply="on the ninth")))[-1] == "Replied"
    assert names(silent.street(REPLY))[-1] == "Replied"


def test_who_is_asked_again_is_the_one_that_is_waited_for() -> None:
    """Whoever else has not replied yet may still, and the time-out names the one whose time it was."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    for each_report in (INCIDENT, OTHER, INCIDENT):
        scene.street(decision.Asked(question="on which floor?", report=each_report))
        told = [each.report for each in scene.pass_(6 * DAY) if isinstance(each, incident.Unreplied)]
        assert told == [each_report]
    assert scene.now.asked == (OTHER, INCIDENT)


def test_a_question_ends_at_its_time_whatever_ladder_the_street_has() -> None:
    """Its time-out is no broken promise: it climbs nothing, and does not wait for a post's rung."""
    steps = (Step(Duration(0, "d"), None), Step(Duration(3, "d"), "discipline-committee"))
    late = Ladder("street", steps, Duration(1, "d"))
    scene = Scene(replace(CONFIGURATION, ladders={**CONFIGURATION.ladders, "street": late}))
    scene.street(opened("other"))
    scene.street(ASK)
    told = scene.pass_(5 * DAY)
    assert "Unreplied" in names(told)
    assert {each.deadline for each in told if isinstance(each, incident.Escalated)} == {"decide"}


def test_the_answer_ends_a_question_that_is_open() -> None:
    """Confirmed, answered or refused: no clock of a question runs on, and a reply comes too late."""
    scene = called()
    scene.department("water", DONE)
    scene.street(ASK)
    scene.street(decision.Confirmed())
    assert "reply" not in scene.now.clocks
    assert names(scene.copy().street(REPLY)) == ["Replied"]
    scene.street(decision.Answered(answer="water is back"))
    assert "no reply is waited for" in reason(scene.street(REPLY))


def test_only_reporters_of_the_incident_are_asked() -> None:
    """A report that isn't part of it has no reporter to ask."""
    assert "not part" in reason(called().street(decision.Asked(question="where?", report=OTHER)))


# --- contact, and whether it proved true -----------------------------------------------------------------------------


def contacted(at: datetime = START, *, reached: bool = True, community: str | None = None) -> decision.Contacted:
    """The citizen was contacted."""
    return decision.Contacted(contacted_at=at, channel="phone", reached=reached, community=community)


def test_each_try_to_reach_the_citizen_is_kept() -> None:
    """By the street or the community, also after the end: how often, and when the citizen was last reached."""
    scene = answered()
    scene.later(HOUR).street(contacted(START + MINUTE, reached=False))
    assert (scene.now.contacts, scene.now.reached_at) == (1, None)
    scene.street(contacted(START + 2 * MINUTE, community="elm"))
    scene.pass_(8 * DAY)
    assert scene.now.status == "closed"
    scene.street(contacted(START + DAY, reached=False))
    assert (scene.now.contacts, scene.now.reached_at) == (3, START + 2 * MINUTE)
    scene.street(decision.Contacted(channel="message", reached=True))
    assert scene.now.reached_at == scene.at


def test_nobody_was_contacted_in_the_future_or_by_a_stranger() -> None:
    """Both are refused with the reason."""
    scene = called()
    assert "still to come" in reason(scene.street(contacted(START + MINUTE)))
    assert "oak" in reason(scene.street(contacted(community="oak")))
    assert scene.now.contacts == 0


def test_whether_a_report_proved_true_is_what_was_said_last() -> None:
    """At the verification, the confirmation, the answer or the refusal; who says nothing of it leaves it as it was."""
    scene = called("care")
    scene.department("east-care", DONE)
    found = []
    for fact in (
        decision.Verified(holds=True, proved="unclear", community="elm"),
        decision.Verified(holds=True),
        decision.Confirmed(proved="true", community="elm"),
        decision.Answered(answer="done", proved="not-true"),
    ):
        scene.street(fact)
        found.append(scene.now.proved)
    assert found == ["unclear", "unclear", "true", "not-true"]
    refused = Scene()
    refused.street(opened())
    refused.street(decision.Refused(reason="nothing is there", proved="not-true"))
    assert refused.now.proved == "not-true"


# --- the internal note -----------------------------------------------------------------------------------------------

INTERNAL = "INTERNAL"


def test_no_internal_note_reaches_a_reporter() -> None:
    """Every note and reason of a whole life is internal but that of a refusal; none is on a community's stream."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    scene.street(decision.Called(kind="general", note=INTERNAL))
    scene.street(decision.InterimAnswered(answer="we are at it"))
    scene.street(ASK)
    scene.department("water", response.Acknowledged())
    scene.department("water", response.Progressed(note=INTERNAL))
    scene.department("water", response.Resolved(note=INTERNAL, answer=f"{INTERNAL} draft"))
    scene.street(decision.Verified(holds=True, note=INTERNAL))
    scene.street(decision.Confirmed(note=INTERNAL))
    scene.street(decision.Answered(answer="water is back", note=INTERNAL))
    scene.street(decision.Rated(report=OTHER, solved=False, satisfied=False, note=INTERNAL))
    scene.street(decision.Withdrawn(department="water", reason=INTERNAL))
    scene.street(decision.Refused(reason="none of ours", note=INTERNAL))
    assert not any(isinstance(entry, ActRefused) for _, entry in scene.told)
    assert sum(INTERNAL in entry.model_dump_json() for _, entry in scene.told) >= 8
    found = answers(scene)
    assert [fact.type.split(".")[2] for _, _, fact in found] == ["given"] * 2 + ["asked"] + ["given"] * 4
    assert not any(INTERNAL in fact.model_dump_json() for _, _, fact in found)


def test_what_a_reporter_reads_has_no_place_for_a_note() -> None:
    """What is for a reporter has no field for a note, a reason or a post: nothing internal can be put there."""
    assert {answer.Given, answer.Asked} <= set(ANSWERS.facts)
    fields = {*answer.Given.model_fields, *answer.Asked.model_fields}
    assert fields == {"report", "incident", "outcome", "answer", "question", "reply_by", "provisional"}


# --- re-inspections --------------------------------------------------------------------------------------------------


def again(*, holds: bool, community: str = "elm", of: UUID = INCIDENT) -> decision.Reinspected:
    """A later round looked at it."""
    return decision.Reinspected(community=community, inspection=ROUND, report=of, holds=holds, note="boxes again")


def test_a_round_is_passed_on_with_what_it_found_again() -> None:
    """The round under its own id, and each recheck under its report's incident, in the community's name."""
    walked = Recorded(
        purpose="safety",
        grid_level=3,
        inspected_at=START,
        rechecks=(Recheck(report=INCIDENT, holds=False, note="boxes again"), Recheck(report=OTHER, holds=True)),
    )
    topic = "street.east.decisions"
    assert list(hear_community(None, ROUND, "elm", walked, START, CONFIGURATION)) == [
        (topic, ROUND, decision.Inspected(by="rule:inspections", community="elm", round=walked)),
        (
            topic,
            INCIDENT,
            decision.Reinspected(
                by="elm", community="elm", inspection=ROUND, report=INCIDENT, holds=False, note="boxes again"
            ),
        ),
        (topic, OTHER, decision.Reinspected(by="elm", community="elm", inspection=ROUND, report=OTHER, holds=True)),
    ]


@pytest.mark.parametrize("scene", [confirmed, answered])
def test_what_does_not_hold_is_done_again(scene: Any) -> None:
    """Confirmed or answered, it reopens in a new round, counted; what holds is only kept."""
    holds, fails = scene(kind="hazard"), scene(kind="hazard")
    status = holds.now.status
    assert names(holds.street(again(holds=True))) == ["Reinspected"]
    assert (holds.now.status, holds.now.holds, holds.now.reopened) == (status, True, 0)
    assert names(fails.street(again(holds=False))) == ["Reinspected", "Reopened", "Dispatched"]
    assert (fails.now.status, fails.now.holds, fails.now.reopened, fails.owed().round) == ("called", False, 1, 2)


def test_a_sections_resolved_work_that_does_not_hold_is_sent_back() -> None:
    """The community judges the street's sections; of a department's work it is evidence for the street."""
    scene = called("river", kind="hazard")
    scene.department("east-care", DONE)
    scene.department("water", DONE)
    assert names(scene.street(again(holds=False))) == ["Reinspected", "SentBack"]
    assert (scene.owed("east-care").status, scene.owed("east-care").round) == ("acknowledged", 2)
    assert (scene.owed("water").status, set(scene.owed("water").clocks)) == ("resolved", {"confirm"})


def test_after_the_window_only_what_holds_is_kept() -> None:
    """What doesn't hold long after the answer is a hazard of its own, and whoever says so is told."""
    scene = answered(kind="hazard")
    scene.pass_(7 * DAY)
    assert names(scene.street(again(holds=True))) == ["Reinspected"]
    assert "raise the hazard anew" in reason(scene.street(again(holds=False)))
    assert (scene.now.status, scene.now.holds) == ("closed", True)


def test_a_stranger_re_inspects_nothing() -> None:
    """Neither a community that reported nothing of it, nor a report that isn't part of it."""
    scene = answered()
    assert "oak" in reason(scene.street(again(holds=False, community="oak")))
    assert "not part" in reason(scene.street(again(holds=False, of=OTHER)))
    assert scene.now.reopened == 0


def test_a_re_inspection_of_a_repeat_is_that_of_the_incident_it_lives_in() -> None:
    """The history of the repeat has it, and the street says it of the other incident too, which reopens."""
    repeat = Scene(incident=OTHER)
    repeat.street(opened(community="oak"))
    repeat.street(decision.Attached(to=INCIDENT))
    repeat.street(again(holds=False, community="oak", of=OTHER))
    [passed_on] = follow(repeat)[-1:]
    assert passed_on[:2] == ("street.east.decisions", INCIDENT)
    assert isinstance(passed_on[2], decision.Reinspected)
    scene = answered()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    assert names(scene.street(passed_on[2])) == ["Reinspected", "Reopened", "Dispatched"]


# --- hazards ---------------------------------------------------------------------------------------------------------


def test_a_hazard_from_a_round_has_the_same_owner_deadlines_and_ladder() -> None:
    """Found on any of the four grid levels, it is owed by the same people, as soon, up the same posts as a demand."""
    link = Link(rel="inspection", href=f"urn:uuid:{ROUND}")
    scenes = [called(), *(called(kind="hazard", grid_level=level, links=(link,)) for level in (1, 2, 3, 4))]

    def promise(scene: Scene) -> tuple[Any, ...]:
        owed = scene.owed()
        policy: Policy = owed.policy
        return owed.owner, policy, {name: clock.due_at for name, clock in owed.clocks.items()}, scene.now.clocks

    assert len({str(promise(scene)) for scene in scenes}) == 1
    for scene in scenes:
        scene.pass_(9 * DAY)
    assert len({str([_told(entry) for _, entry in scene.told[1:]]) for scene in scenes}) == 1
    assert scenes[-1].now.escalations > 3


def _told(entry: BaseModel) -> dict[str, Any]:
    return entry.model_dump(exclude={"cause"})


# --- what communities say --------------------------------------------------------------------------------------------

AT = START - timedelta(minutes=5)
COMMUNITY_SAYS: list[tuple[Fact, Fact]] = [
    (report.Replied(reply="on the third"), decision.Replied(by="elm", report=INCIDENT, reply="on the third")),
    (
        report.Contacted(contacted_at=AT, channel="visit", reached=False),
        decision.Contacted(by="elm", community="elm", contacted_at=AT, channel="visit", reached=False),
    ),
    (
        report.Rated(solved=True, satisfied=False, fault="handler"),
        decision.Rated(by="elm", report=INCIDENT, solved=True, satisfied=False, fault="handler"),
    ),
    (
        report.Verified(holds=True, proved="not-true"),
        decision.Verified(by="elm", community="elm", holds=True, proved="not-true"),
    ),
    (
        report.Confirmed(department="east-care", proved="true"),
        decision.Confirmed(by="elm", community="elm", department="east-care", proved="true"),
    ),
]


@pytest.mark.parametrize(("said", "passed_on"), COMMUNITY_SAYS)
def test_a_communitys_word_is_passed_on_whole(said: Fact, passed_on: Fact) -> None:
    """Under the incident that the report lives in, with everything that was said."""
    attached = Incident(INCIDENT, version=2, status="attached", attached_to=OTHER)
    for state, where in ((None, INCIDENT), (attached, OTHER)):
        found = list(hear_community(state, INCIDENT, "elm", said, START, CONFIGURATION))
        assert found == [("street.east.decisions", where, passed_on)]
