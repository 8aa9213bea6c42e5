"""What a department may say about its obligation, and what follows.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from schemas import incident as entries
from schemas import response
from services.domain import cases
from services.domain.incident import Obligation
from services.domain.story import Refusal, Story, Unknown, Verdict


def decide(story: Story, department: str, fact: Any) -> Verdict:
    """Decide about what a department said."""
    owed = story.state.obligations.get(department) if story.state else None
    if owed is None:
        return Unknown()
    if isinstance(fact, response.Explained):
        return cases.explain(story, department, fact.explanation, fact.round)
    if story.now_is.ended:
        return Refusal(f"the incident is {story.now_is.status}")
    if fact.round is not None and fact.round != owed.round:
        return Refusal(f"this was said of round {fact.round}, and the current one is {owed.round}")
    allowed, act = _ACTS[type(fact)]
    if owed.status not in allowed:
        return Refusal(f"the obligation is {owed.status}, where this does not fit")
    return act(story, owed, fact)


def _acknowledge(story: Story, owed: Obligation, fact: response.Acknowledged) -> Verdict:
    story.tell_of(entries.Acknowledged, owed.department, owner=fact.owner or owed.owner)
    return None


def _decline(story: Story, owed: Obligation, fact: response.Declined) -> Verdict:
    deadlines = story.deadlines(decide=story.configuration.street.decide)
    story.tell_of(entries.Declined, owed.department, reason=fact.reason, deadlines=deadlines)
    return None


def _arrive(story: Story, owed: Obligation, fact: response.Arrived) -> Verdict:
    if owed.arrived:
        return Refusal("the department is on the spot already")
    story.tell_of(entries.Arrived, owed.department, note=fact.note)
    return None


def _progress(story: Story, owed: Obligation, fact: response.Progressed) -> Verdict:
    if fact.step in {"acknowledge", "arrive", "resolve", "approve"}:
        return Refusal(f"{fact.step} is not an interim step: it has an act of its own")
    if fact.step and fact.step not in owed.clocks:
        return Refusal(f"there is no interim step {fact.step} that is still owed")
    story.tell_of(entries.Progressed, owed.department, note=fact.note, step=fact.step)
    return None


def _resolve(story: Story, owed: Obligation, fact: response.Resolved) -> Verdict:
    if owed.status == "dispatched":
        story.tell_of(entries.Acknowledged, owed.department, owner=owed.owner)
    deadlines = story.deadlines(confirm=story.configuration.street.confirm)
    story.tell_of(entries.Resolved, owed.department, note=fact.note, answer=fact.answer, deadlines=deadlines)
    return None


def _request_extension(story: Story, owed: Obligation, fact: response.ExtensionRequested) -> Verdict:
    resolve = owed.clocks.get("resolve")
    if resolve and story.at >= resolve.due_at:
        return Refusal("an extension is asked for before the deadline, and this one has passed")
    if resolve and fact.until <= resolve.due_at:
        return Refusal("the new deadline is not later than the one that stands")
    return _request(story, owed, "extension", fact.until, fact.reason)


def _request_parking(story: Story, owed: Obligation, fact: response.ParkingRequested) -> Verdict:
    if fact.review_at <= story.at:
        return Refusal("the review date has passed")
    return _request(story, owed, "parking", fact.review_at, fact.reason)


def _request(story: Story, owed: Obligation, request: str, until: Any, reason: str) -> Verdict:
    if owed.request:
        return Refusal(f"the {owed.request.request} asked for before is not decided yet")
    story.tell_of(
        entries.Requested,
        owed.department,
        request=request,
        until=until,
        reason=reason,
        deadlines=story.deadlines(approve=story.configuration.street.approve),
    )
    return None


_Act = Callable[[Story, Obligation, Any], Verdict]
_ACTS: Mapping[type, tuple[frozenset[str], _Act]] = MappingProxyType(
    {
        response.Acknowledged: (frozenset({"dispatched"}), _acknowledge),
        response.Declined: (frozenset({"dispatched"}), _decline),
        response.Arrived: (frozenset({"acknowledged"}), _arrive),
        response.Progressed: (frozenset({"acknowledged"}), _progress),
        response.Resolved: (frozenset({"dispatched", "acknowledged"}), _resolve),
        response.ExtensionRequested: (frozenset({"acknowledged"}), _request_extension),
        response.ParkingRequested: (frozenset({"acknowledged"}), _request_parking),
    }
)
