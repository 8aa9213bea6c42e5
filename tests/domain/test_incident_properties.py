"""What holds of every incident, whoever says what in whatever order, and whenever anybody looks.

Every step of a scene is checked by the scene itself: versions follow each other, the fold of the entries is the state
that was decided, everything survives JSON, and nothing waits without a clock.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas import action, decision, response
from schemas.event import Fact
from schemas.incident import ActRefused, Closed, Escalated, Reminded, Unparked, Unreplied
from schemas.report import ContactChannel, Fault
from services.domain.clocks import BY_ITSELF, Due, debtor, dues, identity, ladder_of
from services.domain.incident import Case, Incident, Obligation
from tests.domain.oracle import kept_as_broken
from tests.domain.scene import DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, names, opened

DEPARTMENTS = ("water", "power", "fire", "east-care", "west-care", "nobody")
COMMUNITIES = ("elm", "oak", "yew")
WORDS = st.just("because")
ROUNDS = st.none() | st.integers(1, 4)
UNTIL = st.integers(-2, 40).map(lambda days: START + days * DAY)

departments = st.sampled_from(DEPARTMENTS)
units = st.sampled_from((*DEPARTMENTS, *COMMUNITIES, "east", "west"))
communities = st.none() | st.sampled_from(COMMUNITIES)
posts = st.sampled_from(["officer", "section-head", "responsible-leader"])
requests = st.sampled_from(get_args(decision.Request))
decisions = st.one_of(
    st.builds(
        opened, st.sampled_from(["water", "river", "care", "other"]), severity=st.sampled_from(["normal", "critical"])
    ),
    st.builds(
        decision.Called,
        kind=st.none() | st.sampled_from(get_args(decision.CallKind)),
        departments=st.lists(departments, max_size=3).map(tuple),
        resolve_by=st.none() | UNTIL,
        by=posts,
    ),
    st.builds(
        decision.Reclassified,
        reason=WORDS,
        category=st.none() | st.sampled_from(["water", "river", "care"]),
        severity=st.none() | st.sampled_from(["normal", "critical"]),
    ),
    st.builds(
        decision.Attached, to=st.sampled_from([INCIDENT, OTHER]), by=st.sampled_from(["rule:repeats", "officer"])
    ),
    st.builds(
        decision.RepeatAttached, report=st.sampled_from([INCIDENT, OTHER]), community=st.sampled_from(COMMUNITIES)
    ),
    st.builds(decision.Refused, reason=WORDS),
    st.builds(decision.Insisted, department=departments, reason=WORDS),
    st.builds(decision.Withdrawn, department=departments, reason=WORDS, by=posts),
    st.builds(decision.Verified, holds=st.booleans(), department=st.none() | departments, community=communities),
    st.builds(decision.Confirmed, department=st.none() | departments, community=communities),
    st.builds(decision.SentBack, department=departments, reason=WORDS, community=communities),
    st.builds(decision.Granted, department=departments, request=requests, by=posts),
    st.builds(decision.Denied, department=departments, request=requests, reason=WORDS),
    st.builds(decision.Answered, answer=WORDS),
    st.builds(
        decision.Rated,
        community=st.sampled_from(COMMUNITIES),
        report=st.sampled_from([INCIDENT, OTHER]),
        solved=st.booleans(),
        satisfied=st.booleans(),
        fault=st.none() | st.sampled_from(get_args(Fault)),
    ),
    st.builds(decision.InterimAnswered, answer=WORDS),
    st.builds(decision.Asked, question=WORDS, report=st.sampled_from([None, INCIDENT, OTHER])),
    st.builds(
        decision.Replied,
        community=st.sampled_from(COMMUNITIES),
        report=st.sampled_from([INCIDENT, OTHER]),
        reply=WORDS,
    ),
    st.builds(
        decision.Contacted,
        contacted_at=st.none() | UNTIL,
        channel=st.sampled_from(get_args(ContactChannel)),
        reached=st.booleans(),
        community=communities,
    ),
    st.builds(
        decision.Reinspected,
        community=st.sampled_from(COMMUNITIES),
        inspection=st.just(OTHER),
        report=st.sampled_from([INCIDENT, OTHER]),
        holds=st.booleans(),
    ),
    st.builds(decision.Explained, explanation=WORDS, community=communities),
)
responses = st.one_of(
    st.builds(response.Acknowledged, round=ROUNDS),
    st.builds(response.Declined, reason=WORDS, round=ROUNDS),
    st.builds(response.Arrived, round=ROUNDS),
    st.builds(
        response.Progressed, note=WORDS, step=st.sampled_from([None, "survey", "resolve", "review"]), round=ROUNDS
    ),
    st.builds(response.Resolved, note=WORDS, round=ROUNDS),
    st.builds(response.ExtensionRequested, until=UNTIL, reason=WORDS, round=ROUNDS),
    st.builds(response.ParkingRequested, review_at=UNTIL, reason=WORDS, round=ROUNDS),
    st.builds(response.Explained, explanation=WORDS, round=ROUNDS),
)
actions = st.one_of(
    st.builds(action.LeadNamed, department=departments, reason=WORDS),
    st.builds(
        action.Reminded,
        department=st.none() | departments,
        copies=st.lists(st.sampled_from(["responsible-leader", "oak", "nobody"]), max_size=2).map(tuple),
    ),
    st.builds(action.CaseOpened, unit=units, reason=WORDS),
    st.builds(action.CaseAccepted, unit=units),
    st.builds(action.CaseRejected, unit=units, reason=WORDS),
    st.builds(action.Granted, department=departments, request=requests),
    st.builds(action.Denied, department=departments, request=requests, reason=WORDS),
)
moments = st.integers(0, 48).map(lambda hours: hours * HOUR) | st.integers(0, 90).map(lambda few: few * MINUTE)

Act = tuple[str, str | None, Fact]


def sensible(state: Incident | None, now: datetime) -> Iterator[Act]:
    """What would move things on: mere chance hardly ever comes far."""
    if state is None or state.status is None:
        yield "street", "east", opened("river")
        return
    match state.status:
        case "received":
            yield "street", "east", decision.Called(kind="general")
            yield "street", "east", decision.Called(departments=("east-care",))
        case "confirmed":
            yield "street", "east", decision.Answered(answer="done")
        case "answered" | "refused":
            yield "street", "east", decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False)
            yield (
                "street",
                "east",
                decision.Rated(community="elm", report=INCIDENT, solved=True, satisfied=False, fault="handler"),
            )
    if state.status in {"received", "called", "responding"}:
        yield "street", "east", decision.Asked(question="where?")
    of = {state.id: state.community} | {each.report: each.community for each in state.repeats}
    for each in state.asked:
        yield "street", "east", decision.Replied(community=of[each.report], report=each.report, reply="there")
    if "lead" in state.clocks:
        yield "supervision", None, action.LeadNamed(department="power", reason="theirs")
    for owed in state.obligations.values():
        yield from sensible_of(owed, now)
        yield "supervision", None, action.CaseOpened(unit=owed.department, reason="late")
    yield "supervision", None, action.CaseOpened(unit=state.community, reason="late")
    for case in state.cases.values():
        yield from sensible_of_case(state, case)


def sensible_of_case(state: Incident, case: Case) -> Iterator[Act]:
    """What would move a supervision case on."""
    if case.status == "asked" and case.unit in state.obligations:
        yield "department", case.unit, response.Explained(explanation="so")
    elif case.status == "asked":
        community = case.unit if case.unit == state.community else None
        yield "street", "east", decision.Explained(explanation="so", community=community)
    elif case.status == "explained":
        yield "supervision", None, action.CaseAccepted(unit=case.unit)
        yield "supervision", None, action.CaseRejected(unit=case.unit, reason="no")


def sensible_of(owed: Obligation, now: datetime) -> Iterator[Act]:
    """What would move one obligation on."""
    name = owed.department
    community = "elm" if owed.section else None
    match owed.status:
        case "dispatched":
            yield "department", name, response.Acknowledged()
            yield "department", name, response.Declined(reason="no")
        case "acknowledged":
            yield "department", name, response.Resolved(note="done")
            yield "department", name, response.ExtensionRequested(until=now + 9 * DAY, reason="late")
            yield "department", name, response.ParkingRequested(review_at=now + 9 * DAY, reason="later")
        case "declined":
            yield "street", "east", decision.Insisted(department=name, reason="yes")
            yield "street", "east", decision.Called(kind="general", departments=("fire",), by="section-head")
        case "resolved":
            yield "street", "east", decision.Confirmed(department=name, community=community)
            yield "street", "east", decision.SentBack(department=name, reason="no", community=community)
    if owed.request:
        asked = owed.request.request
        yield "street", "east", decision.Granted(department=name, request=asked, by="responsible-leader")
        yield "supervision", None, action.Granted(department=name, request=owed.request.request)


class Life(RuleBasedStateMachine):
    """One incident, about which anybody says anything at any time, while the sweeper comes when it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.heard: list[Act] = []

    @initialize(early=st.booleans(), category=st.sampled_from(["water", "river", "care", "other"]))
    def begin(self, early: bool, category: str) -> None:  # noqa: FBT001 - a strategy fills it
        """Mostly, somebody reports something first."""
        if not early:
            self.scene.street(opened(category))

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        """Somebody does what is expected of them."""
        acts = list(sensible(self.scene.state, self.scene.at))
        assume(acts)
        act = data.draw(st.sampled_from(acts))
        self.heard.append(act)
        self.scene.hear(*act)

    @rule(data=st.data())
    def go_on_quickly(self, data: st.DataObject) -> None:
        """The same, twice as often."""
        self.go_on(data)

    @rule(fact=decisions, street=st.sampled_from(["east", "east", "east", "west"]), ago=moments)
    def a_street_speaks(self, fact: Fact, street: str, ago: timedelta) -> None:
        """Any street decides anything, and its word may reach us late."""
        self._hear("street", street, fact, ago)

    @rule(fact=responses, department=departments, ago=moments)
    def a_department_speaks(self, fact: Fact, department: str, ago: timedelta) -> None:
        """Any department says anything, and its word may reach us late."""
        self._hear("department", department, fact, ago)

    @rule(fact=actions, ago=moments)
    def supervision_acts(self, fact: Fact, ago: timedelta) -> None:
        """Supervision does anything."""
        self._hear("supervision", None, fact, ago)

    @rule(data=st.data(), ago=moments)
    def somebody_repeats_themselves(self, data: st.DataObject, ago: timedelta) -> None:
        """What was said is said again, whatever has become of it since."""
        assume(self.heard)
        self._hear(*data.draw(st.sampled_from(self.heard)), ago)

    def _hear(self, party: str, code: str | None, fact: Fact, ago: timedelta) -> None:
        self.heard.append((party, code, fact))
        at = max(START, self.scene.at - ago)
        refused_before = self.scene.state
        told = self.scene.hear(party, code, fact, at)
        acted = [each for each in told if each.who != "clock"]
        if acted and isinstance(acted[0], ActRefused) and len(told) == 1 and refused_before is not None:
            assert self.scene.now.obligations == refused_before.obligations
            assert self.scene.now.status == refused_before.status
            assert self.scene.now.cases == refused_before.cases

    @rule(time=moments)
    def time_passes(self, time: timedelta) -> None:
        """Nobody looks."""
        self.scene.later(time)

    @rule(time=moments | st.integers(1, 30).map(lambda days: days * DAY))
    def the_clock_runs(self, time: timedelta) -> None:
        """Everything fires when it is due."""
        self.scene.sweep()
        self.scene.pass_(time)
        self._compare()

    @rule()
    def the_sweeper_comes(self) -> None:
        """Everything that is due fires, however late."""
        self.scene.sweep()
        self._compare()

    def _compare(self) -> None:
        """What was broken is what was not done in time, by whoever and whenever anybody looked."""
        if self.scene.state is not None:
            assert kept_as_broken(self.scene.state) == self.scene.oracle.broken(self.scene.at)

    @precondition(lambda self: self.scene.state is not None)
    @rule(data=st.data())
    def an_old_firing_comes_again(self, data: st.DataObject) -> None:
        """A clock that has fired, or no longer runs, does nothing: a firing happens only once."""
        assume(self.scene.fired)
        due = data.draw(st.sampled_from(sorted(self.scene.fired.values(), key=repr)))
        if due.name != "wait":
            before = self.scene.state
            assert not self.scene._due(due).entries
            assert self.scene._due(due).state == before

    @precondition(lambda self: self.scene.state is not None)
    @invariant()
    def no_two_running_clocks_share_an_id(self) -> None:
        """Each clock's next firing has an id of its own, and none that has been used."""
        ids = [identity(INCIDENT, due) for due in dues(self.scene.now, self.scene.configuration)]
        assert len(ids) == len(set(ids))
        assert not self.scene.fired.keys() & set(ids)

    def teardown(self) -> None:
        """Whatever state was reached: with nobody acting, the clock alone climbs to the top and stays there."""
        if self.scene.state is not None:
            let_the_clock_run(self.scene.copy())


def let_the_clock_run(scene: Scene) -> None:
    """Nobody acts any more: every wait reaches the top of its ladder and keeps saying so, or ends by itself."""
    scene.sweep()
    assert kept_as_broken(scene.now) == scene.oracle.broken(scene.at)
    while any(due.name == "wait" for due in dues(scene.now, scene.configuration)):
        scene.pass_(HOUR)
    holders: list[Incident | Obligation | Case] = [
        scene.now,
        *scene.now.obligations.values(),
        *scene.now.cases.values(),
    ]
    clocks = [clock for holder in holders for clock in holder.clocks.values()]
    # What was parked has five days from its review, and every ladder's top is reached in three.
    scene.told.clear()
    scene.pass_(max([scene.at, *(each.due_at for each in clocks)]) - scene.at + 9 * DAY)
    climbed = [entry for _, entry in scene.told if isinstance(entry, Escalated)]
    assert not any(each.skipped for each in climbed), "who always looks climbs rung by rung"
    scene.told.clear()
    scene.pass_(4 * DAY)
    told = [entry for _, entry in scene.told]
    assert all(isinstance(entry, Escalated) for entry in told), names(told)
    loud = {(each.department, each.case, each.deadline) for each in told if isinstance(each, Escalated)}
    running = {(due.department, due.case, due.name) for due in dues(scene.now, scene.configuration)}
    assert loud == running
    assert (not running) == ((scene.now.ended and not scene.now.supervised) or scene.now.status is None)
    for department, unit, name in running:
        assert name not in BY_ITSELF
        owed = scene.now.obligations[department] if department else scene.now.cases[unit] if unit else None
        top = ladder_of(scene.now, owed, name, scene.configuration).steps[-1].post
        posts = {each.post for each in told if isinstance(each, Escalated) and each.deadline == name}
        assert top in posts
        assert debtor(scene.now, owed, name) in scene.configuration.directory.units


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestLife = Life.TestCase


@given(st.lists(decisions | responses | actions, max_size=12), st.permutations(range(12)))
@settings(max_examples=40)
def test_whatever_is_said_is_heard_or_refused_but_never_lost(facts: list[Fact], order: list[int]) -> None:
    """Every fact leads to an entry of its cause, or waits; after the limit, none waits any more."""
    scene = Scene()
    for index, fact in sorted(zip(order, facts, strict=False), key=lambda each: each[0]):
        party = type(fact).__module__.rpartition(".")[2]
        scene.at = START + index * MINUTE
        match party:
            case "decision":
                scene.street(fact)
            case "response":
                scene.department("water", fact)
            case _:
                scene.supervision(fact)
    if scene.state is None:
        return
    scene.pass_(2 * HOUR)
    assert not scene.now.waiting
    causes = {entry.cause for _, entry in scene.told}
    assert len([each for each in causes if each not in scene.fired]) == len(facts)


@given(st.integers(0, 200).map(lambda hours: hours * HOUR), st.sampled_from(["water", "river", "care", "other"]))
@settings(max_examples=40)
def test_looking_late_makes_nobody_punctual_and_moves_no_deadline(silence: timedelta, category: str) -> None:
    """After an outage, the same deadlines are late and the same rungs are reached as if somebody had always looked."""
    scene = Scene()
    scene.street(opened(category))
    scene.street(decision.Called(kind="general"))
    watched, unwatched = scene.copy(), scene.copy()
    watched.pass_(silence)
    unwatched.later(silence).sweep()
    for one, other in zip(watched.now.obligations.values(), unwatched.now.obligations.values(), strict=True):
        assert (one.late, _rungs(one.clocks)) == (other.late, _rungs(other.clocks))
    assert _rungs(watched.now.clocks) == _rungs(unwatched.now.clocks)
    assert watched.next_due_at() == unwatched.next_due_at()


def _rungs(clocks: Any) -> dict[str, tuple[Any, int]]:
    return {name: (clock.due_at, clock.fired) for name, clock in clocks.items()}


def test_a_firing_that_comes_before_its_time_has_no_effect() -> None:
    """A clock does not fire before it is due, nor one that was never set."""
    scene = Scene()
    scene.street(opened())
    due = scene.next_due()
    assert due is not None
    assert not scene._due(due).entries
    scene.later(2 * DAY)
    for other in (
        Due(due.at, None, "overall", 1, 0),
        Due(due.at, "water", "resolve", 1, 0),
        Due(due.at, None, "x", 1, 0),
    ):
        assert not scene._due(other).entries


def test_clocks_only_remind_escalate_unpark_and_end_waits() -> None:
    """What the clock says by itself is one of five things, and never that anything was done."""
    scene = Scene()
    scene.street(opened("river"))
    scene.street(decision.Asked(question="where?"))
    scene.street(decision.Called(kind="general"))
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="frozen"))
    scene.supervision(action.Granted(department="water", request="parking"))
    told = scene.pass_(30 * DAY)
    assert {type(each) for each in told} == {Reminded, Escalated, Unparked, Unreplied}
    assert all(each.who == "clock" and each.by.startswith("rule:") for each in told)
    assert not any(isinstance(each, Closed) for each in told)
