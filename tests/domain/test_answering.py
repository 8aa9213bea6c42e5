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
from services.domain.fold import evolve
from services.domain.incident import Incident
from services.domain.ladder import Ladder, Step
from services.domain.street import Said, hear_community, hear_history, owes, remarks
from services.domain.working_time import Duration
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, names, opened

ROUND = UUID("00000000-0000-7000-8000-000000000009")
DONE = response.Resolved(note="mended")
CALL = decision.Called(kind="general")
ASK = decision.Asked(question="on which floor?")
REPLY = decision.Replied(community="elm", report=INCIDENT, reply="on the third")


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
    return decision.Rated(
        community="elm", report=INCIDENT, solved=solved, satisfied=satisfied, fault=fault, note="they left a hole"
    )


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
    assert [(each.solved, each.satisfied, each.fault) for each in scene.now.ratings] == [
        (rating.solved, rating.satisfied, rating.fault)
    ]
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


@pytest.mark.parametrize(
    "said", [report.Rated(solved=False, satisfied=False, fault="handler"), report.Replied(reply="forget it")]
)
def test_no_community_speaks_for_the_reporter_of_another(said: Fact) -> None:
    """Whatever report it names, what a community says is of its own reporters: nothing reopens, no question ends."""
    scene = answered() if isinstance(said, report.Rated) else called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    if isinstance(said, report.Replied):
        scene.street(ASK)
    before = scene.now
    for community, of in (("oak", INCIDENT), ("elm", OTHER)):
        [(_, _, passed_on)] = hear_community(None, of, community, said, scene.at, CONFIGURATION)
        assert f"not of {community}" in reason(scene.street(passed_on))
        assert replace(scene.now, version=before.version) == before
    [(_, _, passed_on)] = hear_community(scene.now, INCIDENT, "elm", said, scene.at, CONFIGURATION)
    assert names(scene.street(passed_on))[0] == type(said).__name__


# --- what is repeated when it is done already ------------------------------------------------------------------------

BY_RULE = decision.RepeatAttached(by="rule:repeats", report=OTHER, community="oak")
BY_OFFICER = decision.RepeatAttached(report=OTHER, community="oak")


def reopened() -> Scene:
    """An incident that was answered once, and is at work again."""
    scene = answered()
    scene.street(rated(solved=False))
    return scene


@pytest.mark.parametrize("scene", [confirmed, answered])
def test_no_rule_gives_a_new_report_an_old_answer(scene: Any) -> None:
    """What is done may have broken again: nobody is told that it is settled until an officer has said so."""
    found = scene()
    assert "an officer" in reason(found.street(BY_RULE))
    assert (found.now.repeats, {of for _, of, _ in follow(found)} - {INCIDENT}) == ((), set())
    assert names(found.street(BY_OFFICER)) == ["RepeatAttached"]


@pytest.mark.parametrize("scene", [called, reopened])
def test_what_is_at_work_takes_repeats_by_rule(scene: Any) -> None:
    """The answer is still to come, for the first time or once more."""
    assert names(scene().street(BY_RULE)) == ["RepeatAttached"]


def test_who_is_told_an_old_answer_has_the_whole_window_to_object() -> None:
    """It is counted anew from then, for everybody, and a rating outside it is told when it closed."""
    scene = answered()
    scene.pass_(5 * DAY)
    scene.street(BY_OFFICER)
    assert answers(scene)[-1][1] == OTHER
    assert {name: clock.due_at for name, clock in scene.now.clocks.items()} == {"close": scene.at + 7 * DAY}
    scene.pass_(7 * DAY - MINUTE)
    objection = decision.Rated(community="oak", report=OTHER, solved=False, satisfied=False)
    assert "Reopened" in names(scene.copy().street(objection))
    scene.pass_(MINUTE)
    assert scene.now.status == "closed"
    assert "closed at 2021-03-13T02:00:00Z" in reason(scene.street(objection))


def test_the_next_answer_has_a_window_of_its_own_again() -> None:
    """Who was told an old answer once moves no window but that of this answer."""
    scene = answered()
    scene.street(BY_OFFICER)
    scene.later(DAY).street(rated(solved=False))
    scene.department("water", DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="for good"))
    scene.pass_(7 * DAY)
    assert "closed at 2021-03-09T02:00:00Z" in reason(scene.street(rated()))


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
    told = scene.later(DAY).street(decision.Replied(community="oak", report=OTHER, reply="on the third"))
    assert names(told) == ["Replied"]
    assert (scene.now.status, scene.now.asked, "reply" in scene.now.clocks) == (status, (), False)
    assert "asked nothing" in reason(
        scene.street(decision.Replied(community="oak", report=OTHER, reply="on the third"))
    )


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


def who_is_asked(scene: Scene) -> list[UUID]:
    """The reports whose reporters were asked and have not replied."""
    return [each.report for each in scene.now.asked]


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
    assert (who_is_asked(first), first.now.clocks["reply"]) == ([OTHER], reply_by)
    assert "asked nothing" in reason(first.street(REPLY)), "once is enough"
    assert names(first.street(decision.Replied(community="oak", report=OTHER, reply="on the ninth")))[-1] == "Replied"
    assert (first.now.asked, "reply" in first.now.clocks) == ((), False)
    told = [each.report for each in silent.pass_(6 * DAY) if isinstance(each, incident.Unreplied)]
    assert (told, who_is_asked(silent)) == ([OTHER], [INCIDENT, OTHER])
    assert names(silent.street(decision.Replied(community="oak", report=OTHER, reply="on the ninth")))[-1] == "Replied"
    assert names(silent.street(REPLY))[-1] == "Replied"


def test_who_is_asked_again_is_the_one_that_is_waited_for() -> None:
    """Whoever else has not replied yet may still, and the time-out names the one whose time it was."""
    scene = called()
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    for each_report in (INCIDENT, OTHER, INCIDENT):
        scene.street(decision.Asked(question="on which floor?", report=each_report))
        told = [each.report for each in scene.pass_(6 * DAY) if isinstance(each, incident.Unreplied)]
        assert told == [each_report]
    assert who_is_asked(scene) == [OTHER, INCIDENT]


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


def asked_and_done() -> Scene:
    """An incident whose reporter was asked for more at the start, and that is answered at once."""
    scene = called()
    scene.department("water", DONE)
    scene.street(ASK)
    scene.street(decision.Confirmed())
    assert "reply" not in scene.now.clocks
    scene.street(decision.Answered(answer="water is back"))
    return scene


def asked_and_refused() -> Scene:
    """The same, of one that is not taken on."""
    scene = Scene()
    scene.street(opened())
    scene.street(ASK)
    scene.street(decision.Refused(reason="none of ours"))
    return scene


@pytest.mark.parametrize("scene", [asked_and_done, asked_and_refused])
def test_who_was_given_a_time_to_reply_is_heard_until_then(scene: Any) -> None:
    """Answered or refused meanwhile, no clock waits for it, and the answer stands; but nobody is promised in vain."""
    found = scene()
    found.pass_(5 * DAY - MINUTE)
    before, late = found.now, found.copy().later(MINUTE)
    [told] = found.street(REPLY)
    assert (type(told), told.reply) == (incident.Replied, "on the third")
    assert (found.now.status, found.now.answer, found.now.clocks) == (before.status, before.answer, before.clocks)
    assert "until 2021-03-06T02:00:00Z" in reason(late.street(REPLY))
    assert "asked nothing" in reason(found.street(REPLY)), "once is enough"


def test_a_reply_is_heard_in_time_also_after_the_end() -> None:
    """Closed before the reporter's time is over, the history still takes what they say."""
    policy = replace(CONFIGURATION.street, close=Duration(1, "d"))
    scene = called()
    scene.department("water", DONE)
    scene.street(ASK)
    scene.street(decision.Confirmed())
    scene.configuration = replace(CONFIGURATION, street=policy)
    scene.street(decision.Answered(answer="water is back"))
    scene.pass_(2 * DAY)
    assert (scene.now.status, names(scene.street(REPLY))) == ("closed", ["Replied"])


def test_who_was_asked_before_the_report_was_attached_replies_where_the_question_was_put() -> None:
    """The other incident has asked nothing, and would not hear it."""
    repeat = Scene(incident=OTHER)
    repeat.street(opened("other", community="oak"))
    repeat.street(ASK)
    repeat.street(decision.Attached(by="rule:repeats", to=INCIDENT))
    said = report.Replied(reply="on the third")
    [(topic, where, passed_on)] = hear_community(repeat.now, OTHER, "oak", said, repeat.at, CONFIGURATION)
    assert (topic, where) == ("street.east.decisions", OTHER)
    assert names(repeat.street(passed_on)) == ["Replied"]
    [(_, where, _)] = hear_community(repeat.now, OTHER, "oak", said, repeat.at, CONFIGURATION)
    assert where == INCIDENT


def test_the_street_sees_that_a_reporter_has_replied_or_has_not() -> None:
    """In its inbox though it is others' turn, by the incident's own deadline, until it has acted on it."""
    scene = called()
    overall = scene.now.clocks["overall"].due_at
    scene.street(ASK)
    assert (owes(scene.now), remarks(scene.now)) == (None, ())
    replied, silent = scene.copy(), scene.copy()
    replied.later(HOUR).street(REPLY)
    assert (owes(replied.now), remarks(replied.now)) == (("read the reply", overall), ("replied",))
    silent.pass_(5 * DAY)
    assert (owes(silent.now), remarks(silent.now)) == (("go on without a reply", overall), ("not replied",))
    for act in (
        decision.InterimAnswered(answer="we are on the third floor"),
        ASK,
        decision.Called(departments=("power",)),
    ):
        for read in (replied.copy(), silent.copy()):
            assert "ActRefused" not in names(read.street(act))
            assert (owes(read.now), remarks(read.now)) == (None, ())


def test_a_reply_after_the_answer_reaches_the_street_too() -> None:
    """Until the window closes, and beside what the street owes anyway."""
    scene = asked_and_done()
    scene.later(DAY).street(REPLY)
    assert owes(scene.now) == ("read the reply", scene.now.clocks["close"].due_at)
    scene.pass_(7 * DAY)
    assert (scene.now.status, owes(scene.now), remarks(scene.now)) == ("closed", None, ())
    waits = Scene()
    waits.street(opened("other"))
    waits.street(ASK)
    waits.street(REPLY)
    assert (owes(waits.now), remarks(waits.now)) == (("decide", START + DAY), ("replied",))


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


def test_contacts_are_written_down_in_any_order() -> None:
    """When the citizen was last reached is the latest of them, not the one that was entered last."""
    scene = called().later(5 * HOUR)
    for hours in (1, 4, 2):
        scene.street(contacted(START + hours * HOUR))
    assert (scene.now.contacts, scene.now.reached_at) == (3, START + 4 * HOUR)


def test_nobody_was_contacted_before_the_report_in_the_future_or_by_a_stranger() -> None:
    """All are refused with the reason."""
    scene = called()
    assert "before it was reported" in reason(scene.street(contacted(START - MINUTE)))
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


# --- what was found on the spot --------------------------------------------------------------------------------------


def resolved(category: str = "water") -> Scene:
    """An incident all of whose work is said to be done."""
    scene = called(category)
    for owed in scene.now.obligations.values():
        scene.department(owed.department, DONE)
    return scene


FAILS = decision.Verified(holds=False, community="elm", note="it leaks still")


def test_what_was_found_failing_is_confirmed_only_with_a_reason() -> None:
    """The word of who was on the spot is not passed over: whoever confirms against it says why, in a note."""
    scene = resolved()
    scene.street(FAILS)
    told = scene.street(decision.Confirmed())
    assert "the work of water does not hold" in reason(told)
    assert "say in a note why" in reason(told)
    assert scene.owed().status == "resolved"
    assert names(scene.copy().street(decision.Confirmed(note="another pipe, seen myself"))) == [
        "WorkConfirmed",
        "Confirmed",
    ]
    scene.street(decision.Verified(holds=True, community="elm"))
    assert names(scene.street(decision.Confirmed())) == ["WorkConfirmed", "Confirmed"], "the last look counts"


def test_a_look_on_the_spot_is_about_the_work_of_that_round_and_department() -> None:
    """Once it is sent back, whatever was found is over; and what was found of one says nothing of another."""
    scene = resolved("river")
    scene.street(FAILS.model_copy(update={"department": "water"}))
    assert {name: each.holds for name, each in scene.now.obligations.items()} == {
        "water": False,
        "power": None,
        "east-care": None,
    }
    assert names(scene.copy().street(decision.Confirmed(department="power"))) == ["WorkConfirmed"]
    scene.street(decision.SentBack(department="water", reason="it leaks"))
    scene.department("water", DONE)
    assert names(scene.street(decision.Confirmed(department="water"))) == ["WorkConfirmed"]


def test_a_re_inspection_that_fails_is_evidence_like_a_verification() -> None:
    """Of a department's resolved work: the street confirms it with a reason, or sends it back."""
    scene = resolved()
    scene.street(again(holds=False))
    assert "does not hold" in reason(scene.street(decision.Confirmed()))


def test_the_community_confirms_a_section_against_its_own_look_only_with_a_reason() -> None:
    """It is the same rule for everybody who judges."""
    scene = resolved("care")
    scene.street(FAILS)
    confirmation = decision.Confirmed(community="elm", department="east-care")
    assert "does not hold" in reason(scene.street(confirmation))
    assert "WorkConfirmed" in names(scene.street(confirmation.model_copy(update={"note": "mended while we looked"})))


def test_the_street_sees_what_was_found_before_it_confirms() -> None:
    """Of each department whose work it has to judge: that nobody has looked, or that it does not hold."""
    scene = resolved("river")
    assert remarks(scene.now) == ("water: not verified", "power: not verified")
    scene.street(decision.Verified(holds=False, community="elm", department="water"))
    scene.street(decision.Verified(holds=True, community="elm", department="power"))
    assert remarks(scene.now) == ("water: does not hold",)
    scene.street(decision.SentBack(department="water", reason="it leaks"))
    assert remarks(scene.now) == ()


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
    scene.street(decision.Rated(community="oak", report=OTHER, solved=False, satisfied=False, note=INTERNAL))
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


@pytest.mark.parametrize("note", ["", "\u200b"])
def test_what_does_not_hold_is_sent_back_with_a_reason_whatever_the_round_says(note: str) -> None:
    """Whoever has to do it again reads why, though the round has written nothing that can be read."""
    scene = called("care", kind="hazard")
    scene.department("east-care", DONE)
    sent_back = scene.street(again(holds=False).model_copy(update={"note": note}))[-1]
    assert isinstance(sent_back, incident.SentBack)
    assert "re-inspection" in sent_back.reason


def test_confirmed_work_that_does_not_hold_is_done_again_while_others_are_still_at_work() -> None:
    """Whose was confirmed has a new round; who is at work goes on, and nothing is answered until all of it is done."""
    scene = called("river", kind="hazard")
    scene.department("water", DONE)
    scene.street(decision.Confirmed(department="water"))
    assert names(scene.street(again(holds=True))) == ["Reinspected"]
    power = scene.owed("power")
    assert names(scene.street(again(holds=False))) == ["Reinspected", "Dispatched"]
    assert (scene.owed().status, scene.owed().round, scene.owed().reopened) == ("dispatched", 2, 1)
    assert (scene.owed("power"), scene.now.status, scene.now.reopened) == (power, "responding", 0)
    for department in ("power", "east-care"):
        scene.department(department, DONE)
        scene.street(decision.Confirmed(department=department, community="elm" if department == "east-care" else None))
    assert scene.now.status == "responding"
    assert names(scene.street(again(holds=False))) == ["Reinspected", "Dispatched", "Dispatched"]
    assert scene.owed().round == 2


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
    repeat.street(decision.Attached(by="rule:repeats", to=INCIDENT))
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
    (
        report.Replied(reply="on the third"),
        decision.Replied(by="elm", community="elm", report=INCIDENT, reply="on the third"),
    ),
    (
        report.Contacted(contacted_at=AT, channel="visit", reached=False),
        decision.Contacted(by="elm", community="elm", contacted_at=AT, channel="visit", reached=False),
    ),
    (
        report.Rated(solved=True, satisfied=False, fault="handler"),
        decision.Rated(by="elm", community="elm", report=INCIDENT, solved=True, satisfied=False, fault="handler"),
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
