"""What a street may decide about an incident, and what follows.

Every function takes the story so far and the fact, tells what follows, and returns why it refuses, or None.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from schemas import decision
from schemas import incident as entries
from schemas.event import LATEST, isoformat, visible
from services.domain import answering, supervising
from services.domain.dispatching import (
    dispatch,
    hasten,
    hastened,
    in_bounds,
    keep_led,
    never_took_it_on,
    redispatch,
    seek_lead,
    send_back,
)
from services.domain.incident import Incident, Obligation
from services.domain.story import Refusal, Story, Unknown, Verdict


def decide(story: Story, street: str, fact: Any) -> Verdict:
    """Decide about what a street said."""
    if isinstance(fact, decision.Opened):
        return _open(story, street, fact)
    if story.state is None or story.state.status is None:
        return Unknown()
    if story.state.street != street:
        return Refusal(f"the incident belongs to the street {story.state.street}, not to {street}")
    return _ACTS[type(fact)](story, story.state, fact)


def _open(story: Story, street: str, fact: decision.Opened) -> Verdict:
    if story.state is not None and story.state.status is not None:
        return Refusal("the incident has been opened already")
    if story.configuration.directory.street_of(fact.community) != street:
        return Refusal(f"{fact.community} is no community of the street {street}")
    # From the report, whenever the street got to it; a street can't have time by saying that one is still to come.
    since = min(fact.reported_at, story.at)
    kind = Incident(story.incident, report=fact.report).kind
    story.tell(
        entries.Opened,
        street=street,
        community=fact.community,
        report=fact.report,
        reported_at=fact.reported_at,
        deadlines=story.deadlines(street, since, decide=story.configuration.deciding(kind)),
    )
    return None


# --- calling ---------------------------------------------------------------------------------------------------------


def _call(story: Story, state: Incident, fact: decision.Called) -> Verdict:
    if state.status not in {"received", "called", "responding"}:
        return Refusal(f"an incident that is {state.status} is not called for")
    labels = story.labels(fact.kind)
    plan = story.configuration.plan(labels)
    named = tuple(dict.fromkeys(fact.departments)) or tuple(each.department for each in plan.assignments)
    policies = {each: story.configuration.policy_for(labels, each) for each in named}
    hurried = [
        owed
        for name, owed in state.obligations.items()
        if name in policies and hastened(story, owed, policies[name], fact.kind)
    ]
    new = _not_called_yet(story, state, fact, named, hurried)
    refused = [each for each in state.obligations.values() if new and never_took_it_on(each)]
    overall = _overall(story, state, fact)
    refusal = (
        (_callable(story, state, new or named) if new or not hurried else None)
        or (_approved(story) if refused else None)
        or _within(story, fact.resolve_by, overall)
    )
    if refusal:
        return refusal
    for owed in refused:
        reason = f"declined, and {', '.join(new)} called instead"
        story.tell_of(entries.Withdrawn, owed.department, reason=reason)
    keep_led(story)
    rules = tuple(dict.fromkeys(policy.rule for policy in policies.values()))
    story.tell(entries.Called, kind=fact.kind, rules=rules, departments=named, deadlines=overall, note=fact.note)
    for owed in hurried:
        hasten(story, owed, policies[owed.department], fact.kind)
    # A milder whistle in an emergency has its own limits for whom it calls.
    call = fact.kind or story.now_is.call
    for department in new:
        dispatch(story, department, policies[department], call, note=fact.note, resolve_by=fact.resolve_by)
    return None


def _not_called_yet(
    story: Story, state: Incident, fact: decision.Called, named: tuple[str, ...], hurried: list[Obligation]
) -> tuple[str, ...]:
    """Return whom a whistle calls anew: not those it only hurries, nor, where rules name them, any with a part in it.

    Rules name whom they would name from the start; an officer who names somebody twice has made a mistake.
    """
    going_on = {each.department for each in hurried}
    if not fact.departments or story.by.startswith("rule:"):
        parts = state.obligations.values()
        going_on |= {each.department for each in parts if each.status != "withdrawn" and not never_took_it_on(each)}
    return tuple(each for each in named if each not in going_on)


def _overall(story: Story, state: Incident, fact: decision.Called) -> dict[str, datetime]:
    """Return the incident's own deadline, from the whistle: of the first, or of a later one by which it ends sooner.

    A rule blows for a report the instant it is made.
    """
    if state.called_at and not fact.kind:
        return {}
    since = story.at
    if story.by.startswith("rule:") and state.reported_at and not state.called_at:
        since = min(state.reported_at, since)
    # What is critical is an emergency, whatever is blown for it first.
    kind = "emergency" if state.kind == "emergency" and not state.called_at else fact.kind
    found = story.deadlines(state.street, since, overall=story.configuration.whistle(kind).overall)
    stands = state.clocks.get("overall")
    if state.called_at and (stands is None or found["overall"] >= stands.due_at):
        return {}
    return found


def _within(story: Story, term: datetime | None, overall: Mapping[str, datetime]) -> Refusal | None:
    """Whether a term of one's own lies between now and the incident's own deadline."""
    if term is None:
        return None
    clock = story.now_is.clocks.get("overall")
    latest = overall.get("overall") or (clock.due_at if clock else LATEST)
    if story.at < term <= latest:
        return None
    return Refusal(f"the term {isoformat(term)} does not lie between now and {isoformat(latest)}")


def _approved(story: Story) -> Refusal | None:
    """Whether the speaker has the rank to let somebody off who declined."""
    needed = story.configuration.approvals.needed("decline")
    if story.configuration.approvals.suffices("street", story.by, needed):
        return None
    return Refusal(
        f"a department's refusal is accepted by the {needed.post} at least, not by {story.by}: they call, or insist"
    )


def _reclassify(story: Story, state: Incident, fact: decision.Reclassified) -> Verdict:
    if state.status not in {"received", "called", "responding"} or state.report is None:
        return Refusal(f"an incident that is {state.status} is not classified again")
    now = {"category": state.report.category, "kind": state.report.kind, "severity": state.report.severity}
    then = now | {name: value for name in now if (value := vars(fact)[name]) is not None}
    if then == now:
        return Refusal("it is classified like that already")
    deadlines = _decided_sooner(story, state, then) if state.status == "received" else None
    story.tell(entries.Reclassified, reason=fact.reason, **then, deadlines=deadlines or None)
    return None


def _decided_sooner(story: Story, state: Incident, then: Mapping[str, Any]) -> dict[str, datetime]:
    """Return by when the street has to decide about what is of another kind now, where that is sooner."""
    report = state.report.model_copy(update=then) if state.report else None
    kind = replace(state, report=report).kind
    found = story.deadlines(decide=story.configuration.deciding(kind)) if kind != state.kind else {}
    return {name: due_at for name, due_at in found.items() if due_at < state.clocks[name].due_at}


def _callable(story: Story, state: Incident, named: tuple[str, ...]) -> Refusal | None:
    if not named:
        return Refusal("no rule names a department for it: name the departments to call")
    for department in named:
        unit = story.configuration.directory.units.get(department)
        owed = state.obligations.get(department)
        if unit is None or unit.level not in {"department", "section"}:
            return Refusal(f"there is no department {department} in the directory")
        if unit.level == "section" and unit.street != state.street:
            return Refusal(f"{department} is a section of another street")
        if owed and owed.status == "declined":
            return Refusal(f"{department} has declined: insist, or call another")
        if owed and owed.status != "withdrawn":
            return Refusal(f"{department} has been called already")
    return None


def _insist(story: Story, state: Incident, fact: decision.Insisted) -> Verdict:
    owed = state.obligations.get(fact.department)
    if owed is None or not never_took_it_on(owed):
        return Refusal(f"{fact.department} has not declined, so there is nothing to insist on")
    story.tell_of(entries.Insisted, fact.department, reason=fact.reason)
    redispatch(story, owed, note=fact.reason, bound="named" if owed.bound == "named" else "insisted")
    return None


def _withdraw(story: Story, state: Incident, fact: decision.Withdrawn) -> Verdict:
    owed = state.obligations.get(fact.department)
    if owed is None or not owed.open:
        return Refusal(f"{fact.department} owes nothing that could be withdrawn")
    if owed.bound == "named":
        return Refusal(f"the district named {fact.department} the lead, and only the district names another")
    refusal = _approved(story) if owed.refused else None
    if refusal:
        return refusal
    story.tell_of(entries.Withdrawn, fact.department, reason=fact.reason)
    keep_led(story)
    if any(each.open for each in story.now_is.obligations.values()):
        seek_lead(story)
    _settle(story)
    return None


# --- refusing and attaching ------------------------------------------------------------------------------------------


def _refuse(story: Story, state: Incident, fact: decision.Refused) -> Verdict:
    if state.status != "received":
        return Refusal(f"an incident that is {state.status} can't be refused any more")
    story.tell(entries.Refused, reason=fact.reason, proved=fact.proved, note=fact.note)
    return None


def _attach(story: Story, state: Incident, fact: decision.Attached) -> Verdict:
    if state.status != "received":
        return Refusal(f"an incident that is {state.status} can't be attached to another")
    if fact.to == story.incident:
        return Refusal("an incident does not repeat itself")
    # One incident can't see whether another exists, let alone whether it answers this report too: the street's room,
    # which reads that it has taken the report, says so by rule.
    if not story.by.startswith("rule:"):
        return Refusal(f"it ends in {fact.to} only once that one has taken its report: attach it there")
    if state.repeats:
        return Refusal("other reports are attached to this incident, and would be left without an answer")
    story.tell(entries.Attached, to=fact.to)
    return None


def _attach_repeat(story: Story, state: Incident, fact: decision.RepeatAttached) -> Verdict:
    if state.ended:
        return Refusal(f"the incident is {state.status}: nothing can be attached to it any more")
    if fact.report == story.incident:
        return Refusal("a report does not repeat itself")
    if any(each.report == fact.report for each in state.repeats):
        return Refusal("the report is attached already")
    if story.configuration.directory.street_of(fact.community) != state.street:
        return Refusal(f"{fact.community} is no community of the street {state.street}")
    # It may have broken again since: that the old answer is theirs too takes somebody who says so.
    if state.status in {"confirmed", "answered"} and story.by.startswith("rule:"):
        return Refusal(f"the incident is {state.status}: whether a new report repeats it is for an officer to say")
    told = {"deadlines": story.deadlines(close=story.configuration.street.close)} if state.status == "answered" else {}
    story.tell(entries.RepeatAttached, report=fact.report, community=fact.community, **told)
    return None


# --- verifying, confirming, sending back -----------------------------------------------------------------------------


def _resolved(state: Incident, department: str | None) -> list[Obligation]:
    return [
        each
        for each in state.obligations.values()
        if each.status == "resolved" and department in {None, each.department}
    ]


def _verify(story: Story, state: Incident, fact: decision.Verified) -> Verdict:
    if fact.community not in {None, state.community}:
        return Refusal(f"the incident belongs to the community {state.community}, not to {fact.community}")
    if not _resolved(state, fact.department):
        return Refusal(f"{fact.department or 'nobody'} has resolved nothing that could be verified")
    story.tell(entries.Verified, department=fact.department, holds=fact.holds, proved=fact.proved, note=fact.note)
    return None


def _confirm(story: Story, state: Incident, fact: decision.Confirmed) -> Verdict:
    resolved = _resolved(state, fact.department)
    if not resolved:
        return Refusal(f"{fact.department or 'nobody'} has resolved nothing that could be confirmed")
    refusal = _may_judge(state, fact.community, resolved)
    if isinstance(refusal, Refusal):
        return refusal
    failing = ", ".join(each.department for each in refusal if each.holds is False)
    if failing and not visible(fact.note):
        return Refusal(
            f"what was found on the spot is that the work of {failing} does not hold: "
            "send it back, or say in a note why it is confirmed all the same"
        )
    for owed in refusal:
        story.tell_of(entries.WorkConfirmed, owed.department, proved=fact.proved, note=fact.note)
    _settle(story)
    return None


def _may_judge(state: Incident, community: str | None, resolved: list[Obligation]) -> list[Obligation] | Refusal:
    """Return what the speaker may confirm: the community judges the street's sections, the street all others."""
    if community not in {None, state.community}:
        return Refusal(f"the incident belongs to the community {state.community}, not to {community}")
    by_community = community is not None
    mine = [each for each in resolved if each.section == by_community]
    if mine:
        return mine
    return Refusal(
        "the work of a department is confirmed by the street, not by the community"
        if by_community
        else "the work of the street's own section is confirmed by the community, not by the street"
    )


def _send_back(story: Story, state: Incident, fact: decision.SentBack) -> Verdict:
    resolved = _resolved(state, fact.department)
    if not resolved:
        return Refusal(f"{fact.department} has resolved nothing that could be sent back")
    judged = _may_judge(state, fact.community, resolved)
    if isinstance(judged, Refusal):
        return judged
    for owed in judged:
        send_back(story, owed, fact.reason)
    return None


def _settle(story: Story) -> None:
    """See whether the last open obligation has just gone."""
    state = story.now_is
    if any(each.open for each in state.obligations.values()):
        return
    if state.owned:
        story.tell(entries.Confirmed, deadlines=story.deadlines(answer=story.configuration.street.answer))
    else:
        story.tell(entries.Returned, deadlines=story.deadlines(decide=story.configuration.deciding(state.kind)))


# --- approving -------------------------------------------------------------------------------------------------------


def _grant(story: Story, _state: Incident, fact: decision.Granted) -> Verdict:
    return grant(story, "street", fact)


def _deny(story: Story, _state: Incident, fact: decision.Denied) -> Verdict:
    return deny(story, "street", fact)


def grant(story: Story, party: str, fact: Any) -> Verdict:
    """Grant a request, if one is pending and the speaker has the rank for it."""
    refusal = _pending(story, party, fact)
    if refusal:
        return refusal
    request = story.owed_by(fact.department).request
    if request is None:
        return Refusal("nothing was asked for")
    beyond = in_bounds(story, fact.request, request.until)
    if beyond:
        return beyond
    name = "review" if fact.request == "parking" else "resolve"
    story.tell_of(
        entries.Granted, fact.department, request=fact.request, deadlines={name: request.until}, note=fact.note
    )
    return None


def deny(story: Story, party: str, fact: Any) -> Verdict:
    """Deny a request, if one is pending and the speaker has the rank for it."""
    refusal = _pending(story, party, fact)
    if refusal:
        return refusal
    story.tell_of(entries.Denied, fact.department, request=fact.request, reason=fact.reason)
    return None


def _pending(story: Story, party: str, fact: Any) -> Refusal | None:
    owed = story.now_is.obligations.get(fact.department)
    if owed is None or owed.request is None or owed.request.request != fact.request:
        return Refusal(f"{fact.department} has asked for no {fact.request}")
    approver = owed.request.approver
    if story.configuration.approvals.suffices(party, story.by, approver):
        return None
    return Refusal(f"this {fact.request} is approved by the {approver.post} at least, not by {story.by}")


# --- explaining ------------------------------------------------------------------------------------------------------


def _explain(story: Story, state: Incident, fact: decision.Explained) -> Verdict:
    if fact.community not in {None, state.community}:
        return Refusal(f"the incident belongs to the community {state.community}, not to {fact.community}")
    return supervising.explain(story, fact.community or state.street, fact.explanation)


_ACTS: Mapping[type, Callable[[Story, Incident, Any], Verdict]] = MappingProxyType(
    {
        decision.Called: _call,
        decision.Reclassified: _reclassify,
        decision.Insisted: _insist,
        decision.Withdrawn: _withdraw,
        decision.Refused: _refuse,
        decision.Attached: _attach,
        decision.RepeatAttached: _attach_repeat,
        decision.Verified: _verify,
        decision.Confirmed: _confirm,
        decision.SentBack: _send_back,
        decision.Granted: _grant,
        decision.Denied: _deny,
        decision.Explained: _explain,
        **answering.ACTS,
    }
)
