"""What is said to the reporters and by them, and what reopens an incident: answers, questions, ratings, re-inspections.

Every function takes the story so far and the fact, tells what follows, and returns why it refuses, or None.

Source: states.md, beside this file.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from schemas import decision
from schemas import incident as entries
from schemas.event import isoformat, visible
from schemas.incident import Status
from services.domain.dispatching import lead_again, redispatch, send_back
from services.domain.incident import Incident
from services.domain.story import Refusal, Story, Verdict

AT_WORK: frozenset[Status | None] = frozenset({"received", "called", "responding", "confirmed"})
"""While an answer is still owed."""


# --- answering and asking --------------------------------------------------------------------------------------------


def _answer(story: Story, state: Incident, fact: decision.Answered) -> Verdict:
    if state.status != "confirmed":
        return Refusal(f"an incident that is {state.status} is not ready for the public answer")
    deadlines = story.deadlines(close=story.configuration.street.close)
    story.tell(entries.Answered, answer=fact.answer, deadlines=deadlines, proved=fact.proved, note=fact.note)
    return None


def _answer_meanwhile(story: Story, state: Incident, fact: decision.InterimAnswered) -> Verdict:
    if state.status not in AT_WORK:
        return Refusal(f"an incident that is {state.status} has no work going on to tell of")
    story.tell(entries.InterimAnswered, answer=fact.answer)
    return None


def _ask(story: Story, state: Incident, fact: decision.Asked) -> Verdict:
    if state.status not in AT_WORK:
        return Refusal(f"of an incident that is {state.status} nobody is asked for more")
    report = fact.report or story.incident
    if report not in _reports(state):
        return Refusal(f"the report {report} is not part of the incident")
    if open_until := state.clocks.get("reply"):
        return Refusal(f"a reporter has been asked already, and may reply until {isoformat(open_until.due_at)}")
    deadlines = story.deadlines(reply=story.configuration.street.reply)
    story.tell(entries.Asked, report=report, question=fact.question, deadlines=deadlines)
    return None


def _reply(story: Story, state: Incident, fact: decision.Replied) -> Verdict:
    refusal = _not_theirs(state, fact.report, fact.community)
    if refusal:
        return refusal
    # Whoever replies after the time-out is heard still; who was never asked, or has replied, raises another report.
    until = next((each.until for each in state.asked if each.report == fact.report), None)
    if until is None:
        return Refusal(f"the reporter of {fact.report} was asked nothing that is still without a reply")
    if state.status not in AT_WORK and story.at >= until:
        return Refusal(f"the incident is {state.status}, and the reply was waited for until {isoformat(until)}")
    story.tell(entries.Replied, report=fact.report, reply=fact.reply)
    return None


def _contact(story: Story, state: Incident, fact: decision.Contacted) -> Verdict:
    if state.status == "attached":
        return Refusal(f"the incident is attached to {state.attached_to}: say it of that one")
    if fact.community and fact.community not in _communities(state):
        return Refusal(f"nothing of the incident was reported by {fact.community}")
    contacted_at = fact.contacted_at or story.at
    if contacted_at > story.at:
        return Refusal(f"nobody can have been contacted at {isoformat(contacted_at)}, which is still to come")
    if state.reported_at and contacted_at < state.reported_at:
        return Refusal(f"nobody was contacted about it at {isoformat(contacted_at)}, before it was reported")
    story.tell(
        entries.Contacted,
        contacted_at=contacted_at,
        channel=fact.channel,
        reached=fact.reached,
        community=fact.community,
    )
    return None


# --- rating and reopening --------------------------------------------------------------------------------------------


def _rate(story: Story, state: Incident, fact: decision.Rated) -> Verdict:
    if state.status not in {"answered", "closed", "refused"}:
        return Refusal(f"an incident that is {state.status} is not open for a rating")
    closed_at = _closed_at(story, state)
    if closed_at:
        return Refusal(f"the window for ratings closed at {isoformat(closed_at)}: raise the matter anew")
    refusal = _not_theirs(state, fact.report, fact.community)
    if refusal:
        return refusal
    if fact.satisfied and fact.fault:
        return Refusal("a reporter who is satisfied finds no fault: leave one of the two out")
    story.tell(
        entries.Rated,
        report=fact.report,
        solved=fact.solved,
        satisfied=fact.satisfied,
        fault=fact.fault,
        note=fact.note,
    )
    if not fact.solved or fact.fault == "handler":
        _reopen(story, state, fact.note)
    return None


def _reinspect(story: Story, state: Incident, fact: decision.Reinspected) -> Verdict:
    if fact.community not in _communities(state):
        return Refusal(f"nothing of the incident was reported by {fact.community}")
    if fact.report not in _reports(state):
        return Refusal(f"the report {fact.report} is not part of the incident")
    closed_at = _closed_at(story, state)
    if closed_at and not fact.holds:
        return Refusal(f"the window in which it reopens closed at {isoformat(closed_at)}: raise the hazard anew")
    story.tell(
        entries.Reinspected,
        community=fact.community,
        inspection=fact.inspection,
        report=fact.report,
        holds=fact.holds,
        note=fact.note,
    )
    # What is attached has no work of its own: the street says it of the other incident too.
    if not fact.holds:
        _undo(story, state, fact.note if visible(fact.note) else "it does not hold, says a re-inspection")
    return None


def _undo(story: Story, state: Incident, reason: str) -> None:
    """Begin a new round where work that is done does not hold; what is not done yet is owed anyway."""
    if state.status in {"confirmed", "answered", "refused"}:
        _reopen(story, state, reason)
        return
    for owed in state.obligations.values():
        if owed.status == "confirmed":
            redispatch(story, owed, note=reason)
        # Of a department's work it is evidence, on which the street owes its judgement.
        elif owed.status == "resolved" and owed.section:
            send_back(story, owed, reason)


def _closed_at(story: Story, state: Incident) -> datetime | None:
    """Return when the window closed in which the reporter could object; None where it is open, or yet to open."""
    if state.status not in {"closed", "refused"} or state.answered_at is None:
        return None
    told_at = max(state.answered_at, state.told_at or state.answered_at)
    closes_at = story.after(story.configuration.street.close, since=told_at)
    return closes_at if state.status == "closed" or story.at >= closes_at else None


def _reopen(story: Story, state: Incident, note: str) -> None:
    """Call again whoever had done it; where nobody had, the street owes the decision once more."""
    done = [each for each in state.obligations.values() if each.status == "confirmed"]
    story.tell(entries.Reopened, times=state.reopened + 1, deadlines=_overall_anew(story, state))
    lead_again(story, done)
    for owed in done:
        redispatch(story, story.owed_by(owed.department), note=note)
    if not done:
        story.tell(entries.Returned, deadlines=story.deadlines(decide=story.configuration.deciding(state.kind)))


def _overall_anew(story: Story, state: Incident) -> dict[str, datetime]:
    """Return the overall deadline of what is reopened: a new one for work that was done, else the one that ran."""
    if state.overall is not None:
        if state.overall.provisional:
            story.uncertain["overall"] = state.overall.due_at, state.overall.provisional
        return {"overall": state.overall.due_at}
    # A whistle that was never blown has no overall deadline yet.
    return story.deadlines(overall=story.configuration.whistle(state.kind).overall) if state.called_at else {}


def _not_theirs(state: Incident, report: UUID, community: str) -> Refusal | None:
    """Whether a community speaks for a reporter who is not its own: it could reopen any matter of its street's."""
    of = _reports(state).get(report)
    if of is None:
        return Refusal(f"the report {report} is not part of the incident")
    return None if of == community else Refusal(f"the report {report} is one of {of}, not of {community}")


def _reports(state: Incident) -> Mapping[UUID, str]:
    """Return the reports that live in the incident, with the community of each."""
    return {state.id: state.community, **{each.report: each.community for each in state.repeats}}


def _communities(state: Incident) -> set[str]:
    return set(_reports(state).values())


ACTS: Mapping[type, Callable[[Story, Incident, Any], Verdict]] = MappingProxyType(
    {
        decision.Answered: _answer,
        decision.InterimAnswered: _answer_meanwhile,
        decision.Asked: _ask,
        decision.Replied: _reply,
        decision.Contacted: _contact,
        decision.Rated: _rate,
        decision.Reinspected: _reinspect,
    }
)
