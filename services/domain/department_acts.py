"""What a department may say about its obligation, and what follows.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from schemas import incident as entries
from schemas import response
from schemas.decision import Request
from schemas.event import isoformat
from services.domain import supervising
from services.domain.approvals import Approval
from services.domain.clocks import debtor
from services.domain.dispatching import in_bounds, seek_lead
from services.domain.incident import Obligation
from services.domain.story import Refusal, Story, Unknown, Verdict


def decide(story: Story, department: str, fact: Any) -> Verdict:
    """Decide about what a department said."""
    owed = story.state.obligations.get(department) if story.state else None
    if owed is None:
        return Unknown()
    if isinstance(fact, response.Explained):
        return supervising.explain(story, department, fact.explanation, fact.round)
    if story.now_is.ended:
        return Refusal(f"the incident is {story.now_is.status}")
    if fact.round is not None and fact.round != owed.round:
        return Refusal(f"this was said of round {fact.round}, and the current one is {owed.round}")
    allowed, act = _ACTS[type(fact)]
    if owed.status not in allowed:
        return Refusal(f"the obligation is {owed.status}: {_INSTEAD[owed.status]}")
    return act(story, owed, fact)


def _acknowledge(story: Story, owed: Obligation, fact: response.Acknowledged) -> Verdict:
    story.tell_of(entries.Acknowledged, owed.department, owner=fact.owner or owed.owner)
    return None


def _decline(story: Story, owed: Obligation, fact: response.Declined) -> Verdict:
    if owed.bound == "insisted":
        return Refusal("the street has insisted on it: it can't be declined again, only taken back by the street")
    if owed.bound:
        return Refusal("the lead was named, or is being named, and until then this department leads: it can't decline")
    refusal = _allowed(owed, "decline") or _in_time(story, owed, "acknowledge")
    if refusal:
        return refusal
    deadlines = story.deadlines(decide=story.configuration.deciding(story.now_is.kind))
    story.tell_of(entries.Declined, owed.department, reason=fact.reason, deadlines=deadlines)
    seek_lead(story)
    return None


def _allowed(owed: Obligation, what: Approval) -> Refusal | None:
    if owed.policy.allow is None or what in owed.policy.allow:
        return None
    return Refusal(f"the rule {owed.policy.rule} allows no {_NOUNS[what]}")


def _in_time(story: Story, owed: Obligation, deadline: str) -> Refusal | None:
    clock = owed.clocks.get(deadline)
    if clock is None or story.at < clock.due_at:
        return None
    return Refusal(f"it comes before the deadline, and {deadline} was due at {isoformat(clock.due_at)}")


_NOUNS: Mapping[Approval, str] = MappingProxyType(
    {"decline": "refusal", "extension": "extension", "parking": "parking"}
)


def _arrive(story: Story, owed: Obligation, fact: response.Arrived) -> Verdict:
    if owed.arrived:
        return Refusal("the department is on the spot already")
    _take_on(story, owed)
    story.tell_of(entries.Arrived, owed.department, note=fact.note)
    return None


def _progress(story: Story, owed: Obligation, fact: response.Progressed) -> Verdict:
    if fact.step in {"acknowledge", "arrive", "resolve", "approve"}:
        return Refusal(f"{fact.step} is not an interim step: it has an act of its own")
    if fact.step and fact.step not in owed.clocks:
        return Refusal(f"there is no interim step {fact.step} that is still owed")
    story.tell_of(entries.Progressed, owed.department, note=fact.note, step=fact.step)
    return None


def _take_on(story: Story, owed: Obligation) -> None:
    """Acknowledge for whoever sets to work without a word."""
    if owed.status == "dispatched":
        story.tell_of(entries.Acknowledged, owed.department, owner=owed.owner)


def _resolve(story: Story, owed: Obligation, fact: response.Resolved) -> Verdict:
    if "arrive" in owed.clocks:
        return Refusal("the department has to be on the spot first, and has not said that it is: arrive, then resolve")
    _take_on(story, owed)
    judge = debtor(story.now_is, owed, "confirm")
    deadlines = story.deadlines(judge, confirm=story.configuration.street.confirm)
    story.tell_of(entries.Resolved, owed.department, note=fact.note, answer=fact.answer, deadlines=deadlines)
    return None


def _request_extension(story: Story, owed: Obligation, fact: response.ExtensionRequested) -> Verdict:
    resolve = owed.clocks.get("resolve")
    if resolve and fact.until <= resolve.due_at:
        return Refusal("the new deadline is not later than the one that stands")
    refusal = in_bounds(story, "extension", fact.until)
    if refusal:
        return refusal
    return _request(story, owed, "extension", fact.until, fact.reason)


def _request_parking(story: Story, owed: Obligation, fact: response.ParkingRequested) -> Verdict:
    refusal = in_bounds(story, "parking", fact.review_at)
    if refusal:
        return refusal
    latest = story.after(story.configuration.street.park)
    if fact.review_at > latest:
        return Refusal(f"nothing is parked beyond {isoformat(latest)} at once: ask for a review by then")
    return _request(story, owed, "parking", fact.review_at, fact.reason)


def _request(story: Story, owed: Obligation, request: Request, until: datetime, reason: str) -> Verdict:
    if owed.request:
        return Refusal(f"the {owed.request.request} asked for before is not decided yet")
    refusal = _allowed(owed, request) or _in_time(story, owed, "resolve")
    if refusal:
        return refusal
    approver = story.configuration.approvals.needed(request, owed.extensions)
    unit = story.above if approver.party == "supervision" else story.now_is.street
    story.tell_of(
        entries.Requested,
        owed.department,
        request=request,
        until=until,
        reason=reason,
        unit=unit,
        approver=approver,
        **story.holding(unit, approver.post),
        deadlines=story.deadlines(unit, approve=story.configuration.street.approve),
    )
    return None


_Act = Callable[[Story, Obligation, Any], Verdict]
_INSTEAD: Mapping[str, str] = MappingProxyType(
    {
        "dispatched": "acknowledge it first",
        "acknowledged": "it has been taken on already",
        "parked": "it waits for its review",
        "declined": "the street decides whether it insists or calls another",
        "resolved": "the street confirms it or sends it back",
        "confirmed": "nothing is owed any more",
        "withdrawn": "nothing is owed any more",
    }
)
"""What is to be done, or waited for, where an act doesn't fit how an obligation stands."""
_ACTS: Mapping[type, tuple[frozenset[str], _Act]] = MappingProxyType(
    {
        response.Acknowledged: (frozenset({"dispatched"}), _acknowledge),
        response.Declined: (frozenset({"dispatched"}), _decline),
        response.Arrived: (frozenset({"dispatched", "acknowledged"}), _arrive),
        response.Progressed: (frozenset({"acknowledged"}), _progress),
        response.Resolved: (frozenset({"dispatched", "acknowledged"}), _resolve),
        response.ExtensionRequested: (frozenset({"acknowledged"}), _request_extension),
        response.ParkingRequested: (frozenset({"acknowledged"}), _request_parking),
    }
)
