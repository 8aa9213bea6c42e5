"""How the state of an incident follows from its history: the fold, entry by entry.

The router folds what it decides, and the street and the ledger fold what they read, so all see the same state.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from schemas import incident as entries
from schemas.action import BreachesListed
from schemas.decision import Inspected
from schemas.dispatch import CaseStatus
from schemas.incident import Entry, Provisional, Status
from services.domain.broken import Broken, climbed
from services.domain.broken import ended as no_longer_awaited
from services.domain.incident import (
    Case,
    Clock,
    Incident,
    Obligation,
    Pending,
    Question,
    Rating,
    Repeat,
)


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
    at = entry.happened_at or at
    changes = fold(before, entry, at) if fold else {}
    if vars(entry).get("deadlines"):
        changes["set_at"] = {**before.set_at, entry.version: at}
    after = _changed(before, version=entry.version, **changes)
    return _no_longer_awaited(after, entry, at) if after.broken else after


def about_inspection(entry: Entry) -> bool:
    """Tell whether an entry is about a refused round of inspection or notice: no incidents, and without versions."""
    return isinstance(entry, entries.ActRefused) and entry.act in {Inspected.type, BreachesListed.type}


# --- what each entry changes, by the names of the state's fields -----------------------------------------------------

S = TypeVar("S", Incident, Obligation, Case)
Changes = dict[str, Any]


def _changed(before: S, **changes: Any) -> S:
    """Do what `dataclasses.replace` does, without setting the fields one by one: there is no other place as busy."""
    after = object.__new__(type(before))
    object.__setattr__(after, "__dict__", before.__dict__ | changes)
    return after


def _clocks(
    before: Mapping[str, Clock],
    *ends: str,
    sets: Mapping[str, datetime],
    since: int,
    provisional: Mapping[str, Provisional] | None = None,
) -> Mapping[str, Clock]:
    kept = {} if "*" in ends else {name: clock for name, clock in before.items() if name not in ends}
    if provisional is None:
        return kept | {name: Clock(due_at, since) for name, due_at in sets.items()}
    return kept | {name: Clock(due_at, since, 0, provisional.get(name)) for name, due_at in sets.items()}


def _set(state: Incident, entry: Any, status: Status, *ends: str, **changes: Any) -> Changes:
    """Move the incident to a status, ending some of its own clocks and setting those of the entry."""
    said = vars(entry)
    deadlines, provisional = said.get("deadlines", {}), said["provisional"]
    clocks = _clocks(state.clocks, *ends, sets=deadlines, since=entry.version, provisional=provisional)
    return {"status": status, "clocks": clocks, **changes}


def _oblige(state: Incident, entry: Any, *ends: str, **changes: Any) -> Changes:
    """Change one obligation, ending some of its clocks (`*` means all) and setting those of the entry."""
    owed = state.obligations[entry.department]
    said = vars(entry)
    deadlines, provisional = said.get("deadlines", {}), said["provisional"]
    clocks = _clocks(owed.clocks, *ends, sets=deadlines, since=entry.version, provisional=provisional)
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
        "lead",
        # An emergency that more are called for, by a milder whistle, is one still.
        call="emergency" if state.call == "emergency" else entry.kind or state.call,
        called_at=state.called_at or at,
        called_by=state.called_by or entry.by,
        replied=None,
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
        anew_at=_anew_at(state, before, at) if before else None,
        extensions=before.extensions if before else 0,
        bound=entry.bound,
        term=entry.term,
        refused=before.refused if before else False,
        clocks=_clocks({}, sets=entry.deadlines, since=entry.version, provisional=entry.provisional),
        late=before.late if before else (),
        acknowledged_at=before.acknowledged_at if before else None,
        # What was confirmed is dispatched again only where it was found not to be done.
        reopened=before.reopened + (before.status == "confirmed") if before else 0,
        ratings=before.ratings if before else (),
    )
    return _with(state, owed)


def _anew_at(state: Incident, before: Obligation, at: datetime) -> datetime | None:
    # Whether or not what passed unseen is found to be kept, it had begun.
    unseen = {each.deadline for each in state.unseen if each.department == before.department}
    began = before.acknowledged_at or "acknowledge" in {*before.late, *unseen}
    return before.anew_at if began or before.status != "withdrawn" else at


def _reclassified(state: Incident, entry: entries.Reclassified, _at: datetime) -> Changes:
    if state.report is None:
        return {}
    changes = {"category": entry.category, "kind": entry.kind, "severity": entry.severity}
    raised = state.raised or {name: getattr(state.report, name) for name in changes}
    after: Changes = {"report": state.report.model_copy(update=changes), "raised": raised}
    if state.report.severity == "critical" != entry.severity and state.call == "emergency":
        after["call"] = "general"
    if entry.deadlines:
        after["clocks"] = _clocks(
            state.clocks, sets=entry.deadlines, since=entry.version, provisional=entry.provisional
        )
    return after


def _lead_sought(state: Incident, entry: entries.LeadSought, _at: datetime) -> Changes:
    clocks = _clocks(state.clocks, sets=entry.deadlines, since=entry.version, provisional=entry.provisional)
    return {"naming": entry.unit, "clocks": clocks}


def _lead_named(state: Incident, entry: entries.LeadNamed, _at: datetime) -> Changes:
    obligations = {name: _led(owed, entry) for name, owed in state.obligations.items()}
    # One that only keeps the lead until it is named ends no search for it.
    ends = () if entry.by.startswith("rule:") else ("lead",)
    return {"obligations": obligations, "clocks": _clocks(state.clocks, *ends, sets={}, since=entry.version)}


def _led(owed: Obligation, entry: entries.LeadNamed) -> Obligation:
    if owed.department == entry.lead:
        return _changed(owed, role="lead", bound=entry.bound or owed.bound)
    if owed.role == "support":
        return owed
    return _changed(owed, role="support", bound="insisted" if owed.bound == "insisted" else None)


def _acknowledged(state: Incident, entry: entries.Acknowledged, at: datetime) -> Changes:
    first_at = state.obligations[entry.department].acknowledged_at or at
    after = _oblige(
        state, entry, "acknowledge", status="acknowledged", owner=entry.owner, acknowledged_at=first_at, refused=False
    )
    return {**after, "status": "responding"}


def _declined(state: Incident, entry: entries.Declined, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="declined", refused=True)


def _arrived(state: Incident, entry: entries.Arrived, _at: datetime) -> Changes:
    return _oblige(state, entry, "arrive", arrived=True)


def _progressed(state: Incident, entry: entries.Progressed, _at: datetime) -> Changes:
    return _oblige(state, entry, entry.step) if entry.step else {}


def _resolved(state: Incident, entry: entries.Resolved, at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="resolved", request=None, resolved_at=at)


def _requested(state: Incident, entry: entries.Requested, _at: datetime) -> Changes:
    return _oblige(state, entry, request=Pending(entry.request, entry.until, entry.unit, entry.approver))


def _granted(state: Incident, entry: entries.Granted, _at: datetime) -> Changes:
    if entry.request == "parking":
        return _oblige(state, entry, "*", status="parked", request=None)
    owed = state.obligations[entry.department]
    term = entry.deadlines["resolve"] if owed.term else None
    return _oblige(state, entry, "approve", request=None, extensions=owed.extensions + 1, term=term)


def _denied(state: Incident, entry: entries.Denied, _at: datetime) -> Changes:
    return _oblige(state, entry, "approve", request=None)


def _unparked(state: Incident, entry: entries.Unparked, _at: datetime) -> Changes:
    return _oblige(state, entry, "review", status="acknowledged")


def _hastened(state: Incident, entry: entries.Hastened, _at: datetime) -> Changes:
    if state.obligations[entry.department].status == "parked":
        return _oblige(state, entry, "review", status="acknowledged", policy=entry.policy)
    return _oblige(state, entry, policy=entry.policy)


def _insisted(state: Incident, entry: entries.Insisted, _at: datetime) -> Changes:
    after = _oblige(state, entry, "decide")
    # Who leads only until the district names somebody is the street's choice from now on: nobody is sought any more.
    if state.obligations[entry.department].bound == "first":
        after["clocks"] = _clocks(state.clocks, "lead", sets={}, since=entry.version)
    return after


def _withdrawn(state: Incident, entry: entries.Withdrawn, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="withdrawn", request=None)


def _sent_back(state: Incident, entry: entries.SentBack, _at: datetime) -> Changes:
    return _oblige(state, entry, "*", status="acknowledged", round=entry.round, holds=None)


def _proved(entry: Any) -> Changes:
    return {"proved": entry.proved} if entry.proved else {}


def _verified(state: Incident, entry: entries.Verified, _at: datetime) -> Changes:
    return {"obligations": _looked_at(state, entry.holds, entry.department), **_proved(entry)}


def _looked_at(state: Incident, holds: bool, department: str | None = None) -> Mapping[str, Obligation]:  # noqa: FBT001 - what was found
    """Keep what was found on the spot of resolved work, of one department or of all."""
    return {
        name: _changed(owed, holds=holds) if owed.status == "resolved" and department in {None, name} else owed
        for name, owed in state.obligations.items()
    }


def _work_confirmed(state: Incident, entry: entries.WorkConfirmed, _at: datetime) -> Changes:
    after = {**_oblige(state, entry, "*", status="confirmed"), **_proved(entry)}
    # Whose the lead's part was is not asked any more once it is done.
    if "lead" in state.clocks and state.obligations[entry.department].role == "lead":
        after["clocks"] = _clocks(state.clocks, "lead", sets={}, since=entry.version)
    return after


def _confirmed(state: Incident, entry: entries.Confirmed, at: datetime) -> Changes:
    return _set(state, entry, "confirmed", "*", confirmed_at=at)


def _returned(state: Incident, entry: entries.Returned, _at: datetime) -> Changes:
    # The overall deadline goes on: it runs from the whistle, and no withdrawal moves it.
    return _set(state, entry, "received", "lead")


def _attached(state: Incident, entry: entries.Attached, _at: datetime) -> Changes:
    return _set(state, entry, "attached", "*", attached_to=entry.to)


def _repeat_attached(state: Incident, entry: entries.RepeatAttached, at: datetime) -> Changes:
    after: Changes = {"repeats": (*state.repeats, Repeat(entry.report, entry.community))}
    if entry.deadlines is None:
        return after
    clocks = _clocks(state.clocks, sets=entry.deadlines, since=entry.version, provisional=entry.provisional)
    return {**after, "clocks": clocks, "told_at": at}


def _refused(state: Incident, entry: entries.Refused, at: datetime) -> Changes:
    said = {"answer": entry.reason, "answered_at": at, "overall": state.clocks.get("overall"), "replied": None}
    return _set(state, entry, "refused", "*", **said, **_proved(entry))


def _answered(state: Incident, entry: entries.Answered, at: datetime) -> Changes:
    return _set(state, entry, "answered", "*", answer=entry.answer, answered_at=at, replied=None, **_proved(entry))


def _asked(state: Incident, entry: entries.Asked, _at: datetime) -> Changes:
    clocks = _clocks(state.clocks, sets=entry.deadlines, since=entry.version, provisional=entry.provisional)
    question = Question(entry.report, entry.deadlines["reply"])
    return {"asked": (*_but(state.asked, entry.report), question), "replied": None, "clocks": clocks}


def _replied(state: Incident, entry: entries.Replied, _at: datetime) -> Changes:
    # A reply that comes late leaves whoever was asked since their time.
    awaited = [each.report for each in state.asked[-1:]] == [entry.report]
    after = _no_question(state, entry) if awaited else {}
    return {**after, "asked": _but(state.asked, entry.report), "replied": True}


def _but(asked: tuple[Question, ...], report: UUID) -> tuple[Question, ...]:
    return tuple(each for each in asked if each.report != report)


def _unreplied(state: Incident, entry: entries.Unreplied, _at: datetime) -> Changes:
    return {**_no_question(state, entry), "replied": False}


def _no_question(state: Incident, entry: Entry) -> Changes:
    return {"clocks": _clocks(state.clocks, "reply", sets={}, since=entry.version)}


def _interim_answered(_state: Incident, _entry: entries.InterimAnswered, _at: datetime) -> Changes:
    return {"replied": None}


def _contacted(state: Incident, entry: entries.Contacted, _at: datetime) -> Changes:
    reached_at = max(state.reached_at or entry.contacted_at, entry.contacted_at) if entry.reached else state.reached_at
    return {"contacts": state.contacts + 1, "reached_at": reached_at}


def _rated(state: Incident, entry: entries.Rated, _at: datetime) -> Changes:
    rating = Rating(entry.report, entry.solved, entry.satisfied, entry.fault)
    # It is about the work that stands, whatever becomes of that later.
    obligations = {
        name: _changed(owed, ratings=_last_of_each(owed.ratings, rating)) if owed.status == "confirmed" else owed
        for name, owed in state.obligations.items()
    }
    return {"ratings": _last_of_each(state.ratings, rating), "obligations": obligations}


def _last_of_each(ratings: tuple[Rating, ...], rating: Rating) -> tuple[Rating, ...]:
    return (*(each for each in ratings if each.report != rating.report), rating)


def _reinspected(state: Incident, entry: entries.Reinspected, _at: datetime) -> Changes:
    return {"holds": entry.holds, "obligations": _looked_at(state, entry.holds)}


def _reopened(state: Incident, entry: entries.Reopened, _at: datetime) -> Changes:
    return _set(state, entry, "called", "*", reopened=entry.times, confirmed_at=None, overall=None)


def _closed(state: Incident, entry: entries.Closed, _at: datetime) -> Changes:
    return _set(state, entry, "closed", "*")


def _recomputed(state: Incident, entry: entries.Recomputed, _at: datetime) -> Changes:
    if entry.case is not None:
        case = state.cases[entry.case]
        return {"cases": {**state.cases, entry.case: _changed(case, clocks=_firm(state, case.clocks, entry))}}
    if entry.department is None:
        after: Changes = {"clocks": _firm(state, state.clocks, entry)}
        if "reply" in entry.deadlines:
            *others, last = state.asked
            after["asked"] = (*others, replace(last, until=entry.deadlines["reply"]))
        return after
    owed = state.obligations[entry.department]
    return _with(state, _changed(owed, clocks=_firm(state, owed.clocks, entry)))


def _firm(state: Incident, clocks: Mapping[str, Clock], entry: entries.Recomputed) -> Mapping[str, Clock]:
    """Set clocks that have become certain; what has fired of them has, and one that stays where it was is the same."""
    firm = {}
    for name, due_at in entry.deadlines.items():
        clock = replace(clocks[name], provisional=None)
        if clock.due_at != due_at:
            clock = replace(clock, due_at=due_at, since=entry.version, set_at=state.set_at.get(clock.since))
        firm[name] = clock
    return {**clocks, **firm}


def _case_opened(state: Incident, entry: entries.CaseOpened, at: datetime) -> Changes:
    before = state.cases.get(entry.unit)
    clocks = _clocks({}, sets=entry.deadlines, since=entry.version, provisional=entry.provisional)
    case = Case(entry.unit, "asked", entry.turn, at, entry.judge, clocks, before.late if before else ())
    return {"cases": {**state.cases, entry.unit: case}}


def _of_case(state: Incident, entry: Any, status: CaseStatus) -> Changes:
    """Change one case, ending its clocks and setting those of the entry."""
    said = vars(entry)
    clocks = _clocks({}, sets=said.get("deadlines", {}), since=entry.version, provisional=said["provisional"])
    case = _changed(state.cases[entry.unit], status=status, turn=entry.turn, clocks=clocks)
    return {"cases": {**state.cases, entry.unit: case}}


def _explained(state: Incident, entry: entries.Explained, _at: datetime) -> Changes:
    return _of_case(state, entry, "explained")


def _case_rejected(state: Incident, entry: entries.CaseRejected, _at: datetime) -> Changes:
    return _of_case(state, entry, "asked")


def _case_accepted(state: Incident, entry: entries.CaseAccepted, _at: datetime) -> Changes:
    return _of_case(state, entry, "accepted")


def _held_open(state: Incident, _entry: entries.HeldOpen, _at: datetime) -> Changes:
    return {"clocks": _clocks(state.clocks, "close", sets={}, since=0)}


def _fired(state: Incident, entry: Any, at: datetime) -> Changes:
    """One more rung was climbed; the first that isn't before the deadline makes it late, for good."""
    escalated = state.escalations + isinstance(entry, entries.Escalated)
    holder = _holder(state, entry)
    clocks, late = _climb(holder.clocks, entry), _late(holder.late, entry, at)
    after = _with_holder(state, holder, clocks=clocks, late=late)
    clock = clocks.get(entry.deadline)
    if clock and clock.due_at <= at:
        after["broken"] = climbed(state.broken, entry, clock.since)
    return {**after, "escalations": escalated}


def _passed_unseen(state: Incident, entry: entries.PassedUnseen, at: datetime) -> Changes:
    unseen = Broken(
        unit=entry.unit,
        deadline=entry.deadline,
        due_at=entry.due_at,
        since=entry.since,
        # Nobody was told, not even who owed it.
        step=-1,
        department=entry.department or "",
        case=entry.case or "",
        round=entry.round,
        ended_at=at,
        ended_by=entry.act.split(".")[2],
    )
    return {"unseen": (*state.unseen, unseen)}


def _seen_afterwards(state: Incident, entry: entries.SeenAfterwards, at: datetime) -> Changes:
    """What was not kept is late and broken as if somebody had looked in time."""
    about = (entry.since, entry.deadline)
    found = next(each for each in state.unseen if (each.since, each.deadline) == about)
    changes: Changes = {"unseen": tuple(each for each in state.unseen if each is not found)}
    if entry.kept:
        return changes
    holder = _holder(state, entry)
    late = _late(holder.late, entry, at)
    return {**changes, **_with_holder(state, holder, late=late), "broken": (*state.broken, found)}


def _with_holder(state: Incident, holder: Incident | Obligation | Case, **changes: Any) -> Changes:
    """Change whatever a clock belongs to."""
    if isinstance(holder, Obligation):
        return _with(state, _changed(holder, **changes))
    if isinstance(holder, Case):
        return {"cases": {**state.cases, holder.unit: _changed(holder, **changes)}}
    return changes


def _holder(state: Incident, of: Any) -> Incident | Obligation | Case:
    """Return what a clock belongs to, as an entry or a broken promise names it."""
    if of.department:
        return state.obligations[of.department]
    return state.cases[of.case] if of.case else state


def _no_longer_awaited(state: Incident, entry: Entry, at: datetime) -> Incident:
    def runs(each: Broken) -> bool:
        clock = _holder(state, each).clocks.get(each.deadline)
        return clock is not None and clock.since == each.since

    if all(each.ended_at or runs(each) for each in state.broken):
        return state
    return _changed(state, broken=no_longer_awaited(state.broken, runs, at, entry.type.split(".")[2]))


def _climb(clocks: Mapping[str, Clock], entry: Any) -> Mapping[str, Clock]:
    clock = clocks.get(entry.deadline)
    # A reminder by hand is about no clock of its own.
    return (
        clocks if clock is None else {**clocks, entry.deadline: replace(clock, fired=max(clock.fired, entry.step + 1))}
    )


def _late(late: tuple[str, ...], entry: Any, at: datetime) -> tuple[str, ...]:
    return late if at < entry.due_at or entry.deadline in late else (*late, entry.deadline)


_FOLDS: Mapping[type[Entry], Callable[[Incident, Any, datetime], Changes]] = MappingProxyType(
    {
        entries.Opened: _opened,
        entries.Called: _called,
        entries.Reclassified: _reclassified,
        entries.LeadSought: _lead_sought,
        entries.LeadNamed: _lead_named,
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
        entries.Hastened: _hastened,
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
        entries.InterimAnswered: _interim_answered,
        entries.Asked: _asked,
        entries.Replied: _replied,
        entries.Unreplied: _unreplied,
        entries.Contacted: _contacted,
        entries.Rated: _rated,
        entries.Reinspected: _reinspected,
        entries.Reopened: _reopened,
        entries.Closed: _closed,
        entries.CaseOpened: _case_opened,
        entries.Explained: _explained,
        entries.CaseRejected: _case_rejected,
        entries.CaseAccepted: _case_accepted,
        entries.HeldOpen: _held_open,
        entries.Reminded: _fired,
        entries.Escalated: _fired,
        entries.PassedUnseen: _passed_unseen,
        entries.SeenAfterwards: _seen_afterwards,
        entries.Recomputed: _recomputed,
    }
)
