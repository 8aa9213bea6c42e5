"""Who is told what: the messages that follow from the entries of the history.

Every entry goes to the journal; what concerns a department goes on its own stream too, and what climbs a ladder to
supervision.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from schemas import dispatch, escalation
from schemas import incident as entries
from schemas.event import Fact
from schemas.incident import Entry
from schemas.topics import DISPATCHES, ESCALATIONS, JOURNAL
from services.domain.incident import Incident

Said = Iterator[tuple[str, Fact]]
"""(topic, fact) of each message."""


def messages(state: Incident | None, told: Entry) -> Said:
    """Yield (topic, fact) for one entry, given the state after the whole decision."""
    yield JOURNAL.name, told
    tellers = _TELLERS.get(type(told), ())
    if state is None or state.report is None:
        tellers = _WITHOUT_INCIDENT.get(type(told), ())
    for teller in tellers:
        yield from teller(state, told)


def _issued(state: Incident, told: entries.Dispatched) -> Said:
    report = state.report
    if report is None:
        raise TypeError("an incident without a report has no dispatch")
    lead = state.lead
    fact = dispatch.Issued(
        street=state.street,
        community=state.community,
        round=told.round,
        role=told.role,
        lead=lead.department if lead else told.department,
        call=state.call,
        rule=told.policy.rule,
        deadlines=told.deadlines,
        bound=told.bound,
        provisional=tuple(told.provisional) if told.provisional else None,
        kind=report.kind,
        category=report.category,
        severity=report.severity,
        description=report.description,
        place=report.place,
        note=told.note,
    )
    yield DISPATCHES.named(told.department), fact


def _lead_named(state: Incident, told: entries.LeadNamed) -> Said:
    for owed in state.obligations.values():
        if owed.open:
            fact = dispatch.LeadNamed(round=owed.round, lead=told.lead, bound=told.bound, reason=told.reason)
            yield DISPATCHES.named(owed.department), fact


def _reminded(state: Incident, told: entries.Reminded) -> Said:
    if told.post is not None:
        yield from _raised(state, told)
    # A deadline on its obligation may be the street's, the community's or the district's to keep, and so may a case's.
    elif told.unit in state.obligations and told.unit in {told.department, told.case}:
        fact = dispatch.Reminded(round=max(told.round, 1), deadline=told.deadline, due_at=told.due_at)
        yield DISPATCHES.named(told.unit), fact


def _reminded_by_hand(state: Incident, told: entries.RemindedByHand) -> Said:
    unit = told.department or told.case or told.community or state.street
    department = unit if unit in state.obligations else None
    if department:
        fact = dispatch.Reminded(
            round=state.cases[department].turn if told.case else state.obligations[department].round,
            deadline="by-hand",
            due_at=told.due_at,
            note=told.note,
            copies=told.copies,
        )
        yield DISPATCHES.named(department), fact
    for each in told.copies:
        copied = escalation.Copied(
            street=state.street,
            unit=unit,
            department=department,
            due_at=told.due_at,
            copy_to=each,
            note=told.note,
            summary=summary(state),
        )
        yield ESCALATIONS.name, copied


def _listed(_state: Incident | None, told: entries.BreachesListed) -> Said:
    if told.department:
        yield DISPATCHES.named(told.department), dispatch.BreachesListed(notice=told.notice)


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


def _changed(state: Incident, told: Any) -> Said:
    """Say how the obligation stands after this very entry; what has moved on since has the deadlines in its turn."""
    parked = isinstance(told, entries.Granted) and told.request == "parking"
    yield from _stands(state, told, "parked" if parked else _STATUS[type(told)])


def _arrived(state: Incident, told: entries.Arrived) -> Said:
    yield from _stands(state, told, "acknowledged", done="arrive")


def _progressed(state: Incident, told: entries.Progressed) -> Said:
    """Say that an interim step is done; how the work goes otherwise is the department's own word."""
    if told.step:
        yield from _stands(state, told, "acknowledged", done=told.step)


def _recomputed(state: Incident, told: entries.Recomputed) -> Said:
    if told.department:
        yield from _stands(state, told, state.obligations[told.department].status)
    elif told.case is not None and told.case in state.obligations:
        case = state.cases[told.case]
        fact = dispatch.Supervised(
            status=case.status,
            turn=case.turn,
            deadlines=told.deadlines if case.status == "asked" else {},
            reason=told.reason,
        )
        yield DISPATCHES.named(told.case), fact
    if told.post:
        yield ESCALATIONS.name, _asked_again(state, told, told.post)


def _asked_again(state: Incident, told: entries.Recomputed, post: str) -> escalation.Asked:
    """Return what the district is asked, by when it is certain to be due; why it was asked, it has been told."""
    fields: dict[str, Any] = {"unit": state.naming, "request": "lead", "deadline": "lead"}
    if told.case:
        department = told.case if told.case in state.obligations else None
        fields = {"unit": state.cases[told.case].judge, "request": "judge", "deadline": "judge"}
        fields["department"] = department
    elif told.department and (asked := state.obligations[told.department].request):
        fields = {"unit": asked.unit, "request": asked.request, "deadline": "approve"}
        fields |= {"department": told.department, "until": asked.until}
    return escalation.Asked(
        street=state.street,
        reason=told.reason,
        due_at=told.deadlines[fields["deadline"]],
        post=post,
        holder=told.holder,
        holder_unit=told.holder_unit,
        summary=summary(state),
        **fields,
    )


def _hastened(state: Incident, told: entries.Hastened) -> Said:
    yield from _stands(state, told, state.obligations[told.department].status)


def _stands(state: Incident, told: Any, status: dispatch.Status, done: str | None = None) -> Said:
    owed = state.obligations[told.department]
    clocks = owed.clocks if (owed.status, owed.round) == (status, told.round) else {}
    fact = dispatch.Changed(
        status=status,
        round=told.round,
        deadlines={name: clock.due_at for name, clock in clocks.items()},
        provisional=tuple([name for name, clock in clocks.items() if clock.provisional]) or None,
        done=done,
        reason=vars(told).get("reason", ""),
    )
    yield DISPATCHES.named(told.department), fact


_CASE_STATUS: Mapping[type, dispatch.CaseStatus] = MappingProxyType(
    {
        entries.CaseOpened: "asked",
        entries.Explained: "explained",
        entries.CaseRejected: "asked",
        entries.CaseAccepted: "accepted",
    }
)


def _supervised(state: Incident, told: Any) -> Said:
    if told.unit not in state.obligations:
        return
    fields = vars(told)
    fact = dispatch.Supervised(
        status=_CASE_STATUS[type(told)],
        turn=told.turn,
        # The judgement is owed by supervision.
        deadlines={} if isinstance(told, entries.Explained) else fields.get("deadlines", {}),
        provisional=("explain",) if may_move(told, "explain") else None,
        reason=fields.get("reason") or fields.get("note", ""),
    )
    yield DISPATCHES.named(told.unit), fact


def _asked_to_judge(state: Incident, told: entries.Explained) -> Said:
    fact = escalation.Asked(
        street=state.street,
        unit=told.judge,
        department=told.unit if told.unit in state.obligations else None,
        request="judge",
        reason=told.explanation,
        deadline="judge",
        due_at=told.deadlines["judge"],
        provisional=may_move(told, "judge"),
        post=told.post,
        holder=told.holder,
        holder_unit=told.holder_unit,
        summary=summary(state),
    )
    yield ESCALATIONS.name, fact


def _raised(state: Incident, told: Any) -> Said:
    fact = escalation.Raised(
        street=state.street,
        unit=told.unit,
        department=told.department,
        case=told.case,
        round=told.round,
        deadline=told.deadline,
        due_at=told.due_at,
        step=told.step,
        post=told.post,
        holder=told.holder,
        holder_unit=told.holder_unit,
        vacant=told.vacant,
        summary=summary(state),
    )
    yield ESCALATIONS.name, fact


def _asked(state: Incident, told: entries.Requested) -> Said:
    """Ask the district, which hears of nothing else before it is late; the street sees what it owes in its history."""
    if told.approver.party == "supervision":
        fact = escalation.Asked(
            street=state.street,
            unit=told.unit,
            department=told.department,
            request=told.request,
            until=told.until,
            reason=told.reason,
            deadline="approve",
            due_at=told.deadlines["approve"],
            provisional=may_move(told, "approve"),
            post=told.approver.post,
            holder=told.holder,
            holder_unit=told.holder_unit,
            summary=summary(state),
        )
        yield ESCALATIONS.name, fact


def _asked_for_a_lead(state: Incident, told: entries.LeadSought) -> Said:
    fact = escalation.Asked(
        street=state.street,
        unit=told.unit,
        request="lead",
        deadline="lead",
        due_at=told.deadlines["lead"],
        provisional=may_move(told, "lead"),
        post=told.post,
        holder=told.holder,
        holder_unit=told.holder_unit,
        summary=summary(state),
    )
    yield ESCALATIONS.name, fact


def may_move(told: Entry, name: str) -> Literal[True] | None:
    """Tell whether a deadline that an entry sets is provisional, as messages that have just one say it."""
    return True if told.provisional and name in told.provisional else None


def summary(state: Incident) -> str:
    """Return one line about the incident, for whoever is told of it."""
    report = state.report
    if report is None:
        return str(state.id)
    where = report.place.estate or report.place.address or state.community
    return f"{report.category} · {where} · {report.description[:80]}"


def _refused(_state: Incident | None, told: entries.ActRefused) -> Said:
    party, _, code = told.who.partition(".")
    if party == "department":
        yield DISPATCHES.named(code), dispatch.Refused(act=told.act, reason=told.reason)


_Teller = Callable[[Any, Any], Said]
_TELLERS: Mapping[type, tuple[_Teller, ...]] = MappingProxyType(
    {
        **dict.fromkeys(_STATUS, (_changed,)),
        entries.Dispatched: (_issued,),
        entries.LeadSought: (_asked_for_a_lead,),
        entries.Hastened: (_hastened,),
        entries.LeadNamed: (_lead_named,),
        entries.Arrived: (_arrived,),
        entries.Progressed: (_progressed,),
        entries.Requested: (_changed, _asked),
        entries.Reminded: (_reminded,),
        entries.Escalated: (_raised,),
        entries.RemindedByHand: (_reminded_by_hand,),
        **dict.fromkeys(_CASE_STATUS, (_supervised,)),
        entries.Explained: (_supervised, _asked_to_judge),
        entries.Recomputed: (_recomputed,),
        entries.ActRefused: (_refused,),
    }
)
# What is about no incident that anybody reported.
_WITHOUT_INCIDENT: Mapping[type, tuple[_Teller, ...]] = MappingProxyType(
    {entries.ActRefused: (_refused,), entries.BreachesListed: (_listed,)}
)
