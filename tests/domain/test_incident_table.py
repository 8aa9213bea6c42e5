"""Both tables of services/domain/states.md, row by row: what each state lets happen, refuses, and waits for."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from schemas import action, decision, response
from schemas.event import Fact
from schemas.incident import ActRefused
from services.domain.clocks import debtor, ladder_of
from tests.domain.scene import DAY, HOUR, INCIDENT, OTHER, START, Scene, names, opened

Act = tuple[str, str | None, Fact]
ENDS = {"closed", "refused", "attached"}


def street(fact: Fact) -> Act:
    """The incident's own street says something."""
    return "street", "east", fact


def water(fact: Fact) -> Act:
    """The water department says something."""
    return "department", "water", fact


def supervision(fact: Fact) -> Act:
    """Supervision does something."""
    return "supervision", None, fact


def scene(*acts: Act, category: str = "water") -> Scene:
    """An incident of which some acts have been heard, an hour ago at the latest."""
    found = Scene()
    found.street(opened(category))
    for act in acts:
        assert "ActRefused" not in names(found.hear(*act))
    return found.later(HOUR)


# --- the acts --------------------------------------------------------------------------------------------------------

OPEN = street(opened())
CALL = street(decision.Called(kind="general"))
CALL_BOTH = street(decision.Called(kind="general", departments=("water", "power")))
CALL_WATER = street(decision.Called(kind="general", departments=("water",)))
CALL_FIRE = street(decision.Called(kind="enforcement", departments=("fire",), by="section-head"))
CALL_FIRE_BY_OFFICER = street(decision.Called(kind="enforcement", departments=("fire",)))
RECLASSIFY = street(decision.Reclassified(category="river", reason="it is the river's"))
ATTACH = street(decision.Attached(by="rule:repeats", to=OTHER))
REPEAT = street(decision.RepeatAttached(report=OTHER, community="oak"))
REFUSE = street(decision.Refused(reason="no business of the street"))
ANSWER = street(decision.Answered(answer="there is water again"))
SOLVED = street(decision.Rated(community="elm", report=INCIDENT, solved=True, satisfied=False))
NOT_SOLVED = street(decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False))
NOT_SATISFIED = street(decision.Rated(community="elm", report=INCIDENT, solved=True, satisfied=False, fault="handler"))
INTERIM = street(decision.InterimAnswered(answer="the pipe is dug up"))
ASK = street(decision.Asked(question="on which floor?"))
REPLY = street(decision.Replied(community="elm", report=INCIDENT, reply="on the third"))
CONTACT = street(decision.Contacted(contacted_at=START, channel="phone", reached=True))
HOLDS = street(decision.Reinspected(community="elm", inspection=OTHER, report=INCIDENT, holds=True))
HOLDS_NO_MORE = street(decision.Reinspected(community="elm", inspection=OTHER, report=INCIDENT, holds=False))
INSIST = street(decision.Insisted(department="water", reason="it is yours"))
WITHDRAW = street(decision.Withdrawn(department="water", reason="not needed", by="section-head"))
WITHDRAW_BY_OFFICER = street(decision.Withdrawn(department="water", reason="not needed"))
VERIFY = street(decision.Verified(department="water", holds=True))
CONFIRM = street(decision.Confirmed(department="water"))
CONFIRM_ALL = street(decision.Confirmed())
CONFIRM_BY_ELM = street(decision.Confirmed(department="water", community="elm"))
SEND_BACK = street(decision.SentBack(department="water", reason="it drips"))
SEND_BACK_BY_ELM = street(decision.SentBack(department="water", reason="it drips", community="elm"))
GRANT_TIME = street(decision.Granted(department="water", request="extension", by="responsible-leader"))
DENY_TIME = street(decision.Denied(department="water", request="extension", reason="no", by="responsible-leader"))
GRANT_PARKING = supervision(action.Granted(department="water", request="parking"))
DENY_PARKING = supervision(action.Denied(department="water", request="parking", reason="no"))
NAME_WATER = supervision(action.LeadNamed(department="water", reason="its pipe"))
NAME_POWER = supervision(action.LeadNamed(department="power", reason="its cable"))
REMIND = supervision(action.Reminded(department="water"))
REMIND_STREET = supervision(action.Reminded())
ACKNOWLEDGE = water(response.Acknowledged())
DECLINE = water(response.Declined(reason="not ours"))
ARRIVE = water(response.Arrived())
PROGRESS = water(response.Progressed(note="dug up"))
SURVEY = water(response.Progressed(note="measured", step="survey"))
RESOLVE = water(response.Resolved(note="mended"))
ASK_TIME = water(response.ExtensionRequested(until=START + 9 * DAY, reason="a part is missing"))
ASK_MORE_TIME = water(response.ExtensionRequested(until=START + 19 * DAY, reason="another part is missing"))
ASK_PARKING = water(response.ParkingRequested(review_at=START + 20 * DAY, reason="frozen ground"))

# --- an obligation ---------------------------------------------------------------------------------------------------

# Two departments are called, so that what the first does ends nothing else.
OBLIGATIONS: Mapping[str, Callable[[], Scene]] = {
    "dispatched": lambda: scene(CALL_BOTH),
    "acknowledged": lambda: scene(CALL_BOTH, ACKNOWLEDGE),
    "extension asked for": lambda: scene(CALL_BOTH, ACKNOWLEDGE, ASK_TIME),
    "second extension asked for": lambda: scene(CALL_BOTH, ACKNOWLEDGE, ASK_TIME, GRANT_TIME, ASK_MORE_TIME),
    "parking asked for": lambda: scene(CALL_BOTH, ACKNOWLEDGE, ASK_PARKING),
    "parked": lambda: scene(CALL_BOTH, ACKNOWLEDGE, ASK_PARKING, GRANT_PARKING),
    "declined": lambda: scene(CALL_BOTH, DECLINE),
    "leading until a lead is named": lambda: scene(CALL_WATER, DECLINE),
    "named the lead": lambda: scene(CALL_BOTH, NAME_WATER),
    "resolved": lambda: scene(CALL_BOTH, RESOLVE),
    "confirmed": lambda: scene(CALL_BOTH, RESOLVE, CONFIRM),
    "withdrawn": lambda: scene(CALL_BOTH, WITHDRAW),
}
OBLIGATION_ACTS: Mapping[str, Act] = {
    "acknowledge": ACKNOWLEDGE,
    "decline": DECLINE,
    "arrive": ARRIVE,
    "progress": PROGRESS,
    "survey": SURVEY,
    "resolve": RESOLVE,
    "ask for time": ASK_TIME,
    "ask for parking": ASK_PARKING,
    "insist": INSIST,
    "withdraw": WITHDRAW,
    "verify": VERIFY,
    "confirm": CONFIRM,
    "confirm all": CONFIRM_ALL,
    "confirm by the community": CONFIRM_BY_ELM,
    "send back": SEND_BACK,
    "send back by the community": SEND_BACK_BY_ELM,
    "withdraw by an officer": WITHDRAW_BY_OFFICER,
    "call another by an officer": CALL_FIRE_BY_OFFICER,
    "name it the lead": NAME_WATER,
    "name another the lead": NAME_POWER,
    "grant time by an officer": street(decision.Granted(department="water", request="extension")),
    "grant time": GRANT_TIME,
    "deny time": DENY_TIME,
    "grant time by supervision": supervision(action.Granted(department="water", request="extension")),
    "deny time by supervision": supervision(action.Denied(department="water", request="extension", reason="no")),
    "grant parking": GRANT_PARKING,
    "deny parking": DENY_PARKING,
    "grant parking by the street": street(decision.Granted(department="water", request="parking")),
    "deny parking by the street": street(decision.Denied(department="water", request="parking", reason="no")),
    "call it": CALL_WATER,
    "call another": CALL_FIRE,
    "remind": REMIND,
    "answer": ANSWER,
    "rate": NOT_SOLVED,
    "refuse": REFUSE,
    "attach": ATTACH,
    "open": OPEN,
}
# The first of two was called first and leads; without it the other one does.
_NAMED = {"name it the lead": "LeadNamed", "name another the lead": "LeadNamed"}
_ANYHOW = _NAMED | {
    "withdraw": "Withdrawn LeadNamed",
    "withdraw by an officer": "Withdrawn LeadNamed",
    "call another": "Called Dispatched",
    "call another by an officer": "Called Dispatched",
}
# Nobody is reminded of what others owe, or of what ends by itself.
_OWES = _ANYHOW | {"remind": "RemindedByHand"}
_TIME_GRANTED = {"grant time by supervision": "Granted", "deny time by supervision": "Denied"}
_AT_WORK = _OWES | {"arrive": "Arrived", "progress": "Progressed", "survey": "Progressed", "resolve": "Resolved"}
# What follows, by state and act; every act that isn't here is refused.
OBLIGATION_ROWS: Mapping[str, Mapping[str, str]] = {
    "dispatched": _OWES
    | {
        "acknowledge": "Acknowledged",
        "decline": "Declined",
        "arrive": "Acknowledged Arrived",
        "resolve": "Acknowledged Resolved",
    },
    "acknowledged": _AT_WORK | {"ask for time": "Requested", "ask for parking": "Requested"},
    "extension asked for": _AT_WORK | _TIME_GRANTED | {"grant time": "Granted", "deny time": "Denied"},
    "second extension asked for": _AT_WORK | _TIME_GRANTED,
    "parking asked for": _AT_WORK | {"grant parking": "Granted", "deny parking": "Denied"},
    "parked": _ANYHOW,
    "declined": {
        "withdraw": "Withdrawn LeadNamed",
        "insist": "Insisted Dispatched",
        "call another": "Withdrawn LeadNamed Called Dispatched",
        "name it the lead": "LeadNamed Dispatched",
        "name another the lead": "LeadNamed Withdrawn",
    },
    "leading until a lead is named": {
        "acknowledge": "Acknowledged",
        "arrive": "Acknowledged Arrived",
        "resolve": "Acknowledged Resolved",
        "insist": "Insisted Dispatched",
        "withdraw": "Withdrawn Returned",
        "call another": "Withdrawn Called Dispatched",
        "name it the lead": "LeadNamed",
        "name another the lead": "LeadNamed Withdrawn Dispatched",
        "remind": "RemindedByHand",
    },
    "named the lead": _NAMED
    | {
        "acknowledge": "Acknowledged",
        "arrive": "Acknowledged Arrived",
        "resolve": "Acknowledged Resolved",
        "call another": "Called Dispatched",
        "call another by an officer": "Called Dispatched",
        "remind": "RemindedByHand",
    },
    "resolved": _ANYHOW
    | {"verify": "Verified", "confirm": "WorkConfirmed", "confirm all": "WorkConfirmed", "send back": "SentBack"},
    "confirmed": {
        "call another": "Called Dispatched",
        "call another by an officer": "Called Dispatched",
        "name another the lead": "LeadNamed",
    },
    "withdrawn": {
        "call another": "Called Dispatched",
        "call another by an officer": "Called Dispatched",
        "call it": "Called Dispatched",
        "name it the lead": "LeadNamed Dispatched",
        "name another the lead": "LeadNamed",
    },
}
# Each state's clocks, with the unit that owes and the post at the top of its ladder.
OBLIGATION_CLOCKS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "dispatched": dict.fromkeys(("acknowledge", "survey", "resolve"), ("water", "supervision-office")),
    "acknowledged": dict.fromkeys(("survey", "resolve"), ("water", "supervision-office")),
    "extension asked for": {
        "survey": ("water", "supervision-office"),
        "resolve": ("water", "supervision-office"),
        "approve": ("east", "discipline-committee"),
    },
    "second extension asked for": {
        "survey": ("water", "supervision-office"),
        "resolve": ("water", "supervision-office"),
        "approve": ("hill", "supervision-office"),
    },
    "parking asked for": {
        "survey": ("water", "supervision-office"),
        "resolve": ("water", "supervision-office"),
        "approve": ("hill", "supervision-office"),
    },
    "parked": {"review": ("water", "supervision-office")},
    "declined": {"decide": ("east", "discipline-committee")},
    "leading until a lead is named": dict.fromkeys(
        ("acknowledge", "survey", "resolve"), ("water", "supervision-office")
    ),
    "named the lead": dict.fromkeys(("acknowledge", "survey", "resolve"), ("water", "supervision-office")),
    "resolved": {"confirm": ("east", "discipline-committee")},
    "confirmed": {},
    "withdrawn": {},
}
# What an allowed act makes of the obligation, where it isn't left as it was.
BECOMES = {
    "Acknowledged": "acknowledged",
    "Declined": "declined",
    "Resolved": "resolved",
    "Insisted": "dispatched",
    "SentBack": "acknowledged",
    "WorkConfirmed": "confirmed",
    "Withdrawn": "withdrawn",
}


@pytest.mark.parametrize("act", OBLIGATION_ACTS)
@pytest.mark.parametrize("state", OBLIGATIONS)
def test_an_obligation_takes_the_acts_of_its_row_and_refuses_all_others(state: str, act: str) -> None:
    """Each allowed act is told as it should be; every other is refused with a reason and changes nothing else."""
    found = OBLIGATIONS[state]()
    expected = OBLIGATION_ROWS[state].get(act, "ActRefused")
    before = found.now
    told = found.hear(*OBLIGATION_ACTS[act])
    assert " ".join(names(told)) == expected
    if expected == "ActRefused":
        _changed_nothing(found, OBLIGATION_ACTS[act], told[0])
        assert replace(found.now, version=before.version) == before
    elif act == "grant parking":
        assert found.owed().status == "parked"
    elif act in {"call it", "name it the lead"} and "Dispatched" in expected:
        assert found.owed().status == "dispatched"
    else:
        became = [BECOMES[name] for name in expected.split() if name in BECOMES]
        assert found.owed().status == (became[-1] if became else before.obligations["water"].status)


def _changed_nothing(found: Scene, act: Act, told: object) -> None:
    assert isinstance(told, ActRefused)
    assert told.act == act[2].type
    assert told.reason
    party, code, _ = act
    assert told.who == (f"{party}.{code}" if code else party)
    if party == "department":
        assert found.said[-1][0] == f"department.{code}.dispatches"


@pytest.mark.parametrize("state", OBLIGATIONS)
def test_an_obligation_waits_under_the_clocks_of_its_row(state: str) -> None:
    """Each state has exactly its own clocks, and each runs against whoever owes, up that unit's own ladder."""
    found = OBLIGATIONS[state]()
    owed = found.owed()
    clocks = {
        name: (
            debtor(found.now, owed, name),
            ladder_of(found.now, owed, name, found.configuration).steps[-1].post,
        )
        for name in owed.clocks
    }
    assert clocks == OBLIGATION_CLOCKS[state]


def test_the_review_date_ends_parking() -> None:
    """On its review date a parked obligation is acknowledged again, with a resolve deadline from that date on."""
    found = OBLIGATIONS["parked"]()
    assert names(found.pass_(20 * DAY))[-1] == "Unparked"
    owed = found.owed()
    assert owed.status == "acknowledged"
    assert {name: clock.due_at for name, clock in owed.clocks.items()} == {"resolve": START + 25 * DAY}


# --- an incident -----------------------------------------------------------------------------------------------------

_DONE = (CALL, RESOLVE, CONFIRM)


def _closed() -> Scene:
    found = scene(*_DONE, ANSWER)
    assert names(found.pass_(7 * DAY)) == ["Closed"]
    return found


INCIDENTS: Mapping[str, Callable[[], Scene]] = {
    "received": scene,
    "called": lambda: scene(CALL),
    "lead sought": lambda: scene(CALL, DECLINE),
    "responding": lambda: scene(CALL, ACKNOWLEDGE),
    "returned": lambda: scene(CALL, ACKNOWLEDGE, WITHDRAW),
    "asked": lambda: scene(CALL, ACKNOWLEDGE, ASK),
    "confirmed": lambda: scene(*_DONE),
    "answered": lambda: scene(*_DONE, ANSWER),
    "closed": _closed,
    "refused": lambda: scene(REFUSE),
    "attached": lambda: scene(ATTACH),
}
INCIDENT_ACTS: Mapping[str, Act] = {
    "open": OPEN,
    "call": CALL,
    "call another": CALL_FIRE,
    "classify again": RECLASSIFY,
    "attach": ATTACH,
    "attach a repeat": REPEAT,
    "refuse": REFUSE,
    "answer": ANSWER,
    "rate as solved": SOLVED,
    "rate as not solved": NOT_SOLVED,
    "rate as the handler's fault": NOT_SATISFIED,
    "answer meanwhile": INTERIM,
    "ask": ASK,
    "reply": REPLY,
    "contact": CONTACT,
    "re-inspect, it holds": HOLDS,
    "re-inspect, it doesn't": HOLDS_NO_MORE,
    "remind the street": REMIND_STREET,
}
_REMIND = {"remind the street": "RemindedByHand"}
_EVER = {"contact": "Contacted", "re-inspect, it holds": "Reinspected"}
_LIVES = _REMIND | _EVER | {"attach a repeat": "RepeatAttached"}
_WORK = _LIVES | {"answer meanwhile": "InterimAnswered", "ask": "Asked", "re-inspect, it doesn't": "Reinspected"}
_WAITS = _WORK | {
    "classify again": "Reclassified",
    "call": "Called Dispatched",
    "call another": "Called Dispatched",
    "attach": "Attached",
    "refuse": "Refused",
}
INCIDENT_ROWS: Mapping[str, Mapping[str, str]] = {
    "received": _WAITS,
    "called": _WORK | {"call another": "Called Dispatched", "classify again": "Reclassified"},
    "lead sought": _WORK | {"call another": "Withdrawn Called Dispatched", "classify again": "Reclassified"},
    "responding": _WORK | {"call another": "Called Dispatched", "classify again": "Reclassified"},
    "returned": _WAITS,
    "asked": {each: told for each, told in _WORK.items() if each != "ask"}
    | {"call another": "Called Dispatched", "classify again": "Reclassified", "reply": "Replied"},
    "confirmed": _WORK | {"answer": "Answered", "re-inspect, it doesn't": "Reinspected Reopened Dispatched"},
    "answered": _EVER
    | {
        "attach a repeat": "RepeatAttached",
        "rate as solved": "Rated",
        "rate as not solved": "Rated Reopened Dispatched",
        "rate as the handler's fault": "Rated Reopened Dispatched",
        "re-inspect, it doesn't": "Reinspected Reopened Dispatched",
    },
    "closed": _EVER,
    "refused": _EVER
    | {
        "rate as solved": "Rated",
        "rate as not solved": "Rated Reopened Returned",
        "rate as the handler's fault": "Rated Reopened Returned",
        "re-inspect, it doesn't": "Reinspected Reopened Returned",
    },
    # What is attached is passed on: see test_answering.py.
    "attached": {"re-inspect, it holds": "Reinspected", "re-inspect, it doesn't": "Reinspected"},
}
INCIDENT_CLOCKS: Mapping[str, set[str]] = {
    "received": {"decide"},
    "called": {"overall"},
    "lead sought": {"overall", "lead"},
    "responding": {"overall"},
    "returned": {"decide", "overall"},
    "asked": {"overall", "reply"},
    "confirmed": {"answer"},
    "answered": {"close"},
    "closed": set(),
    "refused": set(),
    "attached": set(),
}


@pytest.mark.parametrize("act", INCIDENT_ACTS)
@pytest.mark.parametrize("state", INCIDENTS)
def test_an_incident_takes_the_acts_of_its_row_and_refuses_all_others(state: str, act: str) -> None:
    """Each allowed act is told as it should be; every other is refused with a reason and changes nothing else."""
    found = INCIDENTS[state]()
    before = found.now
    told = found.hear(*INCIDENT_ACTS[act])
    assert " ".join(names(told)) == INCIDENT_ROWS[state].get(act, "ActRefused")
    if act not in INCIDENT_ROWS[state]:
        _changed_nothing(found, INCIDENT_ACTS[act], told[0])
        assert replace(found.now, version=before.version) == before


@pytest.mark.parametrize("act", [ACKNOWLEDGE, DECLINE, ARRIVE, PROGRESS, RESOLVE, ASK_TIME, ASK_PARKING, CONFIRM])
@pytest.mark.parametrize("state", ["confirmed", "answered", "closed"])
def test_no_work_is_taken_on_for_what_is_done(state: str, act: Act) -> None:
    """Once all work is confirmed, a department has nothing more to say, nor the street to confirm."""
    assert names(INCIDENTS[state]().hear(*act)) == ["ActRefused"]


@pytest.mark.parametrize("state", INCIDENTS)
def test_an_incident_waits_under_the_clocks_of_its_row(state: str) -> None:
    """Each state has its own clocks, all against the street but the naming of a lead; only an end has none."""
    found = INCIDENTS[state]()
    assert set(found.now.clocks) == INCIDENT_CLOCKS[state]
    assert found.now.ended == (state in ENDS)
    assert (found.next_due_at() is None) == found.now.ended
    for name in found.now.clocks:
        unit, ladder = ("hill", "district") if name == "lead" else ("east", "street")
        assert debtor(found.now, None, name) == unit
        assert ladder_of(found.now, None, name, found.configuration).name == ladder


def test_the_incident_moves_as_its_table_says() -> None:
    """From the report to the end, each act leads to the state of the next row."""
    found = Scene()
    statuses = []
    for act in (OPEN, CALL, ACKNOWLEDGE, RESOLVE, CONFIRM, ANSWER):
        found.hear(*act)
        statuses.append(found.now.status)
    found.pass_(7 * DAY)
    assert [*statuses, found.now.status] == [
        "received",
        "called",
        "responding",
        "responding",
        "confirmed",
        "answered",
        "closed",
    ]
