"""Who is told what: the messages that follow from the entries of the history.

Every entry goes to the journal; what concerns a department goes on its own stream too, and what climbs a ladder to
supervision.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from schemas import dispatch, escalation
from schemas import incident as entries
from schemas.event import Fact
from schemas.incident import Entry
from schemas.topics import DISPATCHES, ESCALATIONS, JOURNAL
from services.domain.incident import Incident, Obligation


def messages(state: Incident | None, told: Entry) -> Iterator[tuple[str, Fact]]:
    """Yield (topic, fact) for one entry, given the state after the whole decision."""
    yield JOURNAL.name, told
    if state is None or state.report is None:
        yield from _without_incident(told)
        return
    match told:
        case entries.Dispatched():
            yield DISPATCHES.named(told.department), _issued(state, told)
        case entries.Reminded():
            yield from _reminded(state, told)
        case entries.Escalated():
            yield ESCALATIONS.name, _raised(state, told)
        case entries.ActRefused():
            yield from _refused(told)
        case entries.OfDepartment(department=department) if type(told) in _STATUS:
            yield DISPATCHES.named(department), _changed(state.obligations[department], told)
        case entries.RemindedByHand():
            yield from _reminded_by_hand(state, told)
        case entries.OfCase(unit=unit) if unit in state.obligations:
            yield DISPATCHES.named(unit), _supervised(told)


def _reminded(state: Incident, told: entries.Reminded) -> Iterator[tuple[str, Fact]]:
    # A deadline on its obligation may be the street's, the community's or the district's to keep, and so may a case's.
    if told.unit in state.obligations and told.unit in {told.department, told.case}:
        fact = dispatch.Reminded(round=max(told.round, 1), deadline=told.deadline, due_at=told.due_at)
        yield DISPATCHES.named(told.unit), fact


def _reminded_by_hand(state: Incident, told: entries.RemindedByHand) -> Iterator[tuple[str, Fact]]:
    due_at = _next_due_at(state, told)
    if told.department:
        fact = dispatch.Reminded(
            round=state.obligations[told.department].round,
            deadline="by-hand",
            due_at=due_at,
            note=told.note,
            copies=told.copies,
        )
        yield DISPATCHES.named(told.department), fact
    for each in told.copies:
        copied = escalation.Copied(
            street=state.street,
            unit=told.department or state.street,
            department=told.department,
            due_at=due_at,
            copy_to=each,
            note=told.note,
            summary=summary(state),
        )
        yield ESCALATIONS.name, copied


def _without_incident(told: Entry) -> Iterator[tuple[str, Fact]]:
    match told:
        case entries.ActRefused():
            yield from _refused(told)
        case entries.BreachesListed(department=str(department)):
            yield DISPATCHES.named(department), dispatch.BreachesListed(notice=told.notice)


def _issued(state: Incident, told: entries.Dispatched) -> dispatch.Issued:
    report = state.report
    if report is None:
        raise TypeError("an incident without a report has no dispatch")
    lead = state.lead
    return dispatch.Issued(
        street=state.street,
        community=state.community,
        round=told.round,
        role=told.role,
        lead=lead.department if lead else told.department,
        call=state.call,
        rule=told.policy.rule,
        deadlines=told.deadlines,
        kind=report.kind,
        category=report.category,
        severity=report.severity,
        description=report.description,
        place=report.place,
        note=told.note,
    )


_STATUS: Mapping[type, dispatch.Status] = MappingProxyType(
    {
        entries.Acknowledged: "acknowledged",
        entries.Declined: "declined",
        entries.Resolved: "resolved",
        entries.Requested: "acknowledged",
        entries.Granted: "acknowledged",
        entries.Denied: "acknowledged",
        entries.Unparked: "acknowledged",
        entries.Withdrawn: "withdrawn",
        entries.SentBack: "acknowledged",
        entries.WorkConfirmed: "confirmed",
    }
)


def _changed(owed: Obligation, told: Any) -> dispatch.Changed:
    """Say how the obligation stands after this very entry; what has moved on since has the deadlines in its turn."""
    parked = isinstance(told, entries.Granted) and told.request == "parking"
    status = "parked" if parked else _STATUS[type(told)]
    stands = (owed.status, owed.round) == (status, told.round)
    return dispatch.Changed(
        status=status,
        round=told.round,
        deadlines={name: clock.due_at for name, clock in owed.clocks.items()} if stands else {},
        reason=vars(told).get("reason", ""),
    )


_CASE_STATUS: Mapping[type, dispatch.CaseStatus] = MappingProxyType(
    {
        entries.CaseOpened: "asked",
        entries.Explained: "explained",
        entries.CaseRejected: "asked",
        entries.CaseAccepted: "accepted",
    }
)


def _supervised(told: Any) -> dispatch.Supervised:
    fields = vars(told)
    return dispatch.Supervised(
        status=_CASE_STATUS[type(told)],
        turn=told.turn,
        # The judgement is owed by supervision.
        deadlines={} if isinstance(told, entries.Explained) else fields.get("deadlines", {}),
        reason=fields.get("reason") or fields.get("note", ""),
    )


def _next_due_at(state: Incident, told: entries.RemindedByHand) -> datetime:
    """Return the next deadline of whoever is reminded; where none runs, when they got the matter."""
    owed = state.obligations[told.department] if told.department else state
    got = owed.dispatched_at if isinstance(owed, Obligation) else owed.reported_at
    first = min((each.due_at for each in owed.clocks.values()), default=got)
    if first is None:
        raise TypeError("an incident without a report reminds nobody")
    return first


def _raised(state: Incident, told: entries.Escalated) -> escalation.Raised:
    return escalation.Raised(
        street=state.street,
        unit=told.unit,
        department=told.department,
        round=told.round,
        deadline=told.deadline,
        due_at=told.due_at,
        step=told.step,
        post=told.post,
        summary=summary(state),
    )


def summary(state: Incident) -> str:
    """Return one line about the incident, for whoever is told of it."""
    report = state.report
    if report is None:
        return str(state.id)
    where = report.place.estate or report.place.address or state.community
    return f"{report.category} · {where} · {report.description[:80]}"


def _refused(told: entries.ActRefused) -> Iterator[tuple[str, Fact]]:
    party, _, code = told.who.partition(".")
    if party == "department":
        yield DISPATCHES.named(code), dispatch.Refused(act=told.act, reason=told.reason)
