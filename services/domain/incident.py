"""The state of an incident: the fold of its history, entry by entry.

The router folds what it decides, and the street and the ledger fold what they read, so all see the same state.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from schemas import incident as entries
from schemas.decision import CallKind, Inspected, Request
from schemas.dispatch import Role
from schemas.dispatch import Status as ObligationStatus
from schemas.incident import Entry, Policy, Status
from schemas.report import Fault, Proved, Raised
from schemas.response import Owner

ENDED: frozenset[Status] = frozenset({"closed", "refused", "attached"})
DONE: frozenset[ObligationStatus] = frozenset({"confirmed", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline that runs: `fired` rungs of its ladder have been climbed; `since` is the version that set it."""

    due_at: datetime
    since: int
    fired: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for approval, and the instant it asks for."""

    request: Request
    until: datetime


@dataclass(frozen=True)
class Obligation:
    """What one department owes (责任); each `round` is one turn of work, with deadlines of its own.

    `late` names the deadlines that passed unkept: what was late stays late.
    """

    department: str
    role: Role
    section: bool
    status: ObligationStatus
    round: int
    owner: Owner
    policy: Policy
    dispatched_at: datetime
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    request: Pending | None = None
    extensions: int = 0
    arrived: bool = False
    late: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether anybody still waits for something about it."""
        return self.status not in DONE


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something said about what is not known yet, kept as it was said, until an instant."""

    cause: UUID
    party: str
    code: str | None
    at: datetime
    until: datetime
    type: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A report attached to the incident."""

    report: UUID
    community: str


@dataclass(frozen=True)
class Incident:
    """An incident (事件); one of which only something premature has been heard has no status yet.

    `solved`, `satisfied` and `fault` are the last rating's; `proved` is what was last found of the report; `asked` is
    the report whose reporter has not replied yet; `contacts` counts the tries to reach the citizen, and the last that
    succeeded was at `reached_at`; `holds` is what the last re-inspection found.
    """

    id: UUID
    version: int = 0
    status: Status | None = None
    street: str = ""
    community: str = ""
    report: Raised | None = None
    reported_at: datetime | None = None
    call: CallKind | None = None
    called_at: datetime | None = None
    rules: tuple[str, ...] = ()
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    obligations: Mapping[str, Obligation] = field(default_factory=dict)
    repeats: tuple[Repeat, ...] = ()
    attached_to: UUID | None = None
    answer: str = ""
    answered_at: datetime | None = None
    confirmed_at: datetime | None = None
    reopened: int = 0
    escalations: int = 0
    late: tuple[str, ...] = ()
    solved: bool | None = None
    satisfied: bool | None = None
    fault: Fault | None = None
    proved: Proved | None = None
    asked: UUID | None = None
    contacts: int = 0
    reached_at: datetime | None = None
    holds: bool | None = None
    waiting: tuple[Waiting, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nobody waits for anything any more."""
        return self.status in ENDED

    @property
    def lead(self) -> Obligation | None:
        """The obligation of the department that leads (主办), or led to the end; None where it was withdrawn."""
        for each in self.obligations.values():
            if each.role == "lead" and each.status != "withdrawn":
                return each
        return None

    @property
    def owned(self) -> bool:
        """Whether some department owes it, or has done it."""
        return any(each.status != "withdrawn" for each in self.obligations.values())


def evolve(state: Incident | None, incident: UUID, entry: Entry, at: datetime) -> Incident:
    """Return the state after one more entry of the history; `at` is its event's time (UTC), unless it has its own.

    Raises:
        ValueError: the entry is not the next one, or is about a department that owes nothing there.

    """
    before = state or Incident(incident)
    if entry.version != before.version + 1:
        raise ValueError(f"entry {entry.version} of incident {incident} does not follow version {before.version}")
    # Asking the model for what its class doesn't have costs more than the fold.
    department = vars(entry).get("department")
    if department and department not in before.obligations and not isinstance(entry, entries.Dispatched):
        raise ValueError(
            f"entry {entry.version} of incident {incident} is about {department}, which owes nothing there"
        )
    fold = _FOLDS.get(type(entry))
    changes = fold(before, entry, entry.happened_at or at) if fold else {}
    return _changed(before, version=entry.version, **changes)


def about_inspection(entry: Entry) -> bool:
    """Tell whether an entry is about a refused round of inspection, which is no incident and has no versions."""
    return isinstance(entry, entries.ActRefused) and entry.act == Inspected.type


# --- what each entry changes, by the names of the state's fields -----------------------------------------------------

S = TypeVar("S", Incident, Obligation)
Changes = dict[str, Any]


def _changed(before: S, **changes: Any) -> S:
    """Do what `dataclasses.replace` does, without setting the fields one by one: there is no other place as busy."""
    after = object.__new__(type(before))
    after.__dict__.update(before.__dict__, **changes)
    return after


def _clocks(before: Mapping[str, Clock], *ends: str, sets: Mapping[str, datetime], since: int) -> Mapping[str, Clock]:
    kept = {} if "*" in ends else {name: clock for name, clock in before.items() if name not in ends}
    return kept | {name: Clock(due_at, since) for name, due_at in sets.items()}


def _set(state: Incident, entry: Any, status: Status, *ends: str, **changes: Any) -> Changes:
    """Move the incident to a status, ending some of its own clocks and setting those of the entry."""
    deadlines = vars(entry).get("deadlines", {})
    clocks = _clocks(state.clocks, *ends, sets=deadlines, since=entry.version)
    return {"status": status, "clocks": clocks, **changes}


def _oblige(state: Incident, entry: Any, *ends: str, **changes: Any) -> Changes:
    """Change one obligation, ending some of its clocks (`*` means all) and setting those of the entry."""
    owed = state.obligations[entry.department]
    deadlines = vars(entry).get("deadlines", {})
    clocks = _clocks(owed.clocks, *ends, sets=deadlines, since=entry.version)
    return _with(state, _changed(owed, clocks=clocks, **changes))


def _with(state: Incident, owed: Obligation) -> Changes:
    return {"obligations": {**state.obligations, owed.department: owed}}


def _opened(state: Incident, entry: entries.Opened, _at: datetime) -> Changes:
    return _set(
        state,
        entry,
        "received",
        street=entry.street,
        community=entry.community,
        report=entry.report,
        reported_at=entry.reported_at,
    )


def _called(state: Incident, entry: entries.Called, at: datetime) -> Changes:
    first = state.status == "received"
    return _set(
        state,
        entry,
        "called" if first else (state.status or "called"),
        "decide",
        call=entry.kind or state.call,
        called_at=state.called_at or at,
        rules=tuple(dict.fromkeys([*state.rules, *entry.rules])),
    )


def _dispatched(state: Incident, entry: entries.Dispatched, at: datetime) -> Changes:
    before = state.obligations.get(entry.department)
    owed = Obligation(
        department=entry.department,
        role=entry.role,
        section=entry.section,
        status="dispatched",
        round=entry.round,
        owner=entry.owner,
        policy=entry.policy,
        dispatched_at=before.dispatched_at if before else at,
        clocks=_clocks({}, sets=entry.deadlines, since=entry.version),
        late=before.late if before else (),
    )
    return _with(state, owed)


def _acknowledged(state: Incident, entry: entries.Acknowledged, _at: datetime) -> Changes:
    after = _oblige(state, entry, "acknowledge", status="acknowledged", owner=entry.owner)
    return {**after, "status": "responding"}


def _declined(state: Incident, entry: entries.Declined, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="declined")


def _arrived(state: Incident, entry: entries.Arrived, _at: datetime) -> Changes:
    return _oblige(state, entry, "arrive", arrived=True)


def _progressed(state: Incident, entry: entries.Progressed, _at: datetime) -> Changes:
    return _oblige(state, entry, entry.step) if entry.step else {}


def _resolved(state: Incident, entry: entries.Resolved, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="resolved", request=None)


def _requested(state: Incident, entry: entries.Requested, _at: datetime) -> Changes:
    return _oblige(state, entry, request=Pending(entry.request, entry.until))


def _granted(state: Incident, entry: entries.Granted, _at: datetime) -> Changes:
    if entry.request == "parking":
        return _oblige(state, entry, "*", status="parked", request=None)
    extensions = state.obligations[entry.department].extensions + 1
    return _oblige(state, entry, "approve", request=None, extensions=extensions)


def _denied(state: Incident, entry: entries.Denied, _at: datetime) -> Changes:
    return _oblige(state, entry, "approve", request=None)


def _unparked(state: Incident, entry: entries.Unparked, _at: datetime) -> Changes:
    return _oblige(state, entry, "review", status="acknowledged")


def _insisted(state: Incident, entry: entries.Insisted, _at: datetime) -> Changes:
    return _oblige(state, entry, "decide")


def _withdrawn(state: Incident, entry: entries.Withdrawn, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="withdrawn", request=None)


def _sent_back(state: Incident, entry: entries.SentBack, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="acknowledged", round=entry.round)


def _proved(entry: Any) -> Changes:
    return {"proved": entry.proved} if entry.proved else {}


def _verified(_state: Incident, entry: entries.Verified, _at: datetime) -> Changes:
    return _proved(entry)


def _work_confirmed(state: Incident, entry: entries.WorkConfirmed, _at: datetime) -> Changes:
    return {**_oblige(state, entry, "*", status="confirmed"), **_proved(entry)}


def _confirmed(state: Incident, entry: entries.Confirmed, at: datetime) -> Changes:
    return _set(state, entry, "confirmed", "*", confirmed_at=at)


def _returned(state: Incident, entry: entries.Returned, _at: datetime) -> Changes:
    # The overall deadline goes on: it runs from the whistle, and no withdrawal moves it.
    return _set(state, entry, "received")


def _attached(state: Incident, entry: entries.Attached, _at: datetime) -> Changes:
    return _set(state, entry, "attached", "*", attached_to=entry.to)


def _repeat_attached(state: Incident, entry: entries.RepeatAttached, _at: datetime) -> Changes:
    return {"repeats": (*state.repeats, Repeat(entry.report, entry.community))}


def _refused(state: Incident, entry: entries.Refused, at: datetime) -> Changes:
    return _set(state, entry, "refused", "*", answer=entry.reason, answered_at=at, **_proved(entry))


def _answered(state: Incident, entry: entries.Answered, at: datetime) -> Changes:
    return _set(state, entry, "answered", "*", answer=entry.answer, answered_at=at, **_proved(entry))


def _asked(state: Incident, entry: entries.Asked, _at: datetime) -> Changes:
    clocks = _clocks(state.clocks, sets=entry.deadlines, since=entry.version)
    return {"asked": entry.report, "clocks": clocks}


def _replied(state: Incident, entry: entries.Replied, at: datetime) -> Changes:
    return {**_unreplied(state, entry, at), "asked": None}


def _unreplied(state: Incident, entry: entries.Replied | entries.Unreplied, _at: datetime) -> Changes:
    return {"clocks": _clocks(state.clocks, "reply", sets={}, since=entry.version)}


def _contacted(state: Incident, entry: entries.Contacted, _at: datetime) -> Changes:
    reached = {"reached_at": entry.contacted_at} if entry.reached else {}
    return {"contacts": state.contacts + 1, **reached}


def _rated(_state: Incident, entry: entries.Rated, _at: datetime) -> Changes:
    return {"solved": entry.solved, "satisfied": entry.satisfied, "fault": entry.fault}


def _reinspected(_state: Incident, entry: entries.Reinspected, _at: datetime) -> Changes:
    return {"holds": entry.holds}


def _reopened(state: Incident, entry: entries.Reopened, _at: datetime) -> Changes:
    return _set(state, entry, "called", "*", reopened=entry.times, confirmed_at=None)


def _closed(state: Incident, entry: entries.Closed, _at: datetime) -> Changes:
    return _set(state, entry, "closed", "*")


def _fired(state: Incident, entry: Any, _at: datetime) -> Changes:
    """One more rung was climbed; no rung comes before the deadline, so the first makes it late, for good."""
    escalated = state.escalations + isinstance(entry, entries.Escalated)
    if entry.department:
        owed = state.obligations[entry.department]
        after = _with(state, _changed(owed, clocks=_climb(owed.clocks, entry), late=_late(owed.late, entry)))
    else:
        after = {"clocks": _climb(state.clocks, entry), "late": _late(state.late, entry)}
    return {**after, "escalations": escalated}


def _climb(clocks: Mapping[str, Clock], entry: Any) -> Mapping[str, Clock]:
    clock = clocks.get(entry.deadline)
    # A reminder by hand is about no clock of its own.
    return (
        clocks if clock is None else {**clocks, entry.deadline: replace(clock, fired=max(clock.fired, entry.step + 1))}
    )


def _late(late: tuple[str, ...], entry: Any) -> tuple[str, ...]:
    return late if entry.deadline in late else (*late, entry.deadline)


_FOLDS: Mapping[type[Entry], Callable[[Incident, Any, datetime], Changes]] = MappingProxyType(
    {
        entries.Opened: _opened,
        entries.Called: _called,
        entries.Dispatched: _dispatched,
        entries.Acknowledged: _acknowledged,
        entries.Declined: _declined,
        entries.Arrived: _arrived,
        entries.Progressed: _progressed,
        entries.Resolved: _resolved,
        entries.Requested: _requested,
        entries.Granted: _granted,
        entries.Denied: _denied,
        entries.Unparked: _unparked,
        entries.Insisted: _insisted,
        entries.Withdrawn: _withdrawn,
        entries.SentBack: _sent_back,
        entries.Verified: _verified,
        entries.WorkConfirmed: _work_confirmed,
        entries.Confirmed: _confirmed,
        entries.Returned: _returned,
        entries.Attached: _attached,
        entries.RepeatAttached: _repeat_attached,
        entries.Refused: _refused,
        entries.Answered: _answered,
        entries.Asked: _asked,
        entries.Replied: _replied,
        entries.Unreplied: _unreplied,
        entries.Contacted: _contacted,
        entries.Rated: _rated,
        entries.Reinspected: _reinspected,
        entries.Reopened: _reopened,
        entries.Closed: _closed,
        entries.Reminded: _fired,
        entries.Escalated: _fired,
    }
)
