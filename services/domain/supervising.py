"""Supervision by hand: reminders with copies (催办、抄送), and cases that need a written explanation (督办).

A case is addressed to a unit with a part in the incident: its street, its community, or a department it was dispatched
to. It goes on whatever becomes of the incident, and the incident does not close before it is over.

Source: states.md, beside this file.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas import action
from schemas import incident as entries
from schemas.escalation import Copy
from schemas.event import isoformat
from schemas.notice import Breach, Notice
from services.domain.clocks import next_owed_at
from services.domain.incident import Case, Incident
from services.domain.story import Refusal, Story, Unknown, Verdict

READS_COPIES = "responsible-leader"
"""The post that gets a copy where only a unit is named."""
ACTS = (action.CaseOpened, action.CaseAccepted, action.CaseRejected)


def remind(story: Story, fact: action.Reminded) -> Verdict:
    """Remind whoever owes, the street where nobody is named; copies go to whoever holds the posts named.

    A case goes on whatever becomes of the incident, and so do reminders of it.
    """
    state = story.now_is
    reminded = fact.department or state.street
    due_at = next_owed_at(state, reminded)
    if due_at is None or reminded not in _parties(state):
        return Refusal(f"the incident is {state.status}" if state.ended else f"{reminded} owes nothing here now")
    directory = story.configuration.directory
    named = [
        (each, READS_COPIES) if each in directory.units else (reminded, each) for each in dict.fromkeys(fact.copies)
    ]
    copies = tuple(Copy(unit=unit, post=post, **story.holding(unit, post)) for unit, post in named)
    for each in copies:
        if each.holder is None:
            return Refusal(f"nobody holds the post {each.post} for {each.unit}: name a post, or a unit's code")
    whom = _addressed(state, reminded)
    story.tell(entries.RemindedByHand, **whom, due_at=due_at, note=fact.note, copies=copies)
    return None


def _parties(state: Incident) -> set[str]:
    """Return the units that have a part in an incident."""
    return {state.street, state.community, *state.obligations}


def _addressed(state: Incident, unit: str) -> Mapping[str, str]:
    """Return how a reminder names whom it is for; nobody is named where it is the street."""
    if next_owed_at(state, unit, of_cases=False) is None:
        return {"case": unit}
    if unit == state.street:
        return {}
    return {"community": unit} if unit == state.community else {"department": unit}


def wrong_with(notice: Notice, at: datetime) -> str | None:
    """Return what can't be true of a notice that is given at an instant (UTC), as far as it shows by itself, or None.

    Whether there are such incidents, and whether they broke these promises, no single history could tell.
    """
    if notice.ends <= notice.begins:
        return f"from {isoformat(notice.begins)} to {isoformat(notice.ends)} is no time at all"
    wrong = next(filter(None, (_wrong_with_line(each, notice, at) for each in notice.breaches)), None)
    if wrong:
        return wrong
    twice = next((each for each, many in Counter(notice.breaches).items() if many > 1), None)
    if twice:
        return f"it lists the deadline {twice.deadline} of {twice.incident} twice: name the department of each"
    still_open = sum(each.ended_at is None for each in notice.breaches)
    if (
        notice.total != len(notice.breaches) + (notice.unlisted or 0)
        or not still_open <= notice.still_open <= notice.total
    ):
        return "it counts other breaches than it lists"
    return None


def _wrong_with_line(each: Breach, notice: Notice, at: datetime) -> str | None:
    if not notice.begins <= each.due_at < notice.ends:
        return f"the deadline {each.deadline} of {each.incident} is not in the period of the notice"
    if each.due_at > at:
        return f"the deadline {each.deadline} of {each.incident} is still to come"
    if each.ended_at and each.ended_at < each.due_at:
        return f"the wait for {each.deadline} of {each.incident} ended before its deadline, so it was kept"
    return None


def decide(story: Story, fact: Any) -> Verdict:
    """Decide about what supervision said of a case."""
    state = story.now_is
    case = state.cases.get(fact.unit)
    if isinstance(fact, action.CaseOpened):
        return _open(story, state, case, fact)
    if case and case.status == "asked" and isinstance(fact, action.CaseAccepted):
        if not fact.note:
            return Refusal(f"{fact.unit} has not explained itself yet: say in a note why it need not any more")
    elif case is None or case.status != "explained":
        return Refusal(f"{fact.unit} has given no explanation that waits for a judgement")
    if isinstance(fact, action.CaseRejected):
        deadlines = story.deadlines(fact.unit, explain=story.configuration.street.explain)
        story.tell(entries.CaseRejected, unit=fact.unit, turn=case.turn + 1, reason=fact.reason, deadlines=deadlines)
        return None
    story.tell(entries.CaseAccepted, unit=fact.unit, turn=case.turn, note=fact.note)
    _let_go(story)
    return None


def _open(story: Story, state: Incident, case: Case | None, fact: action.CaseOpened) -> Verdict:
    if state.status == "attached":
        return Refusal(f"the incident is attached to {state.attached_to}: open the case there")
    if fact.unit not in _parties(state):
        return Refusal(f"{fact.unit} has no part in the incident")
    if case and case.open:
        return Refusal(f"a case against {fact.unit} is open already")
    turn = case.turn + 1 if case else 1
    story.tell(
        entries.CaseOpened,
        unit=fact.unit,
        turn=turn,
        reason=fact.reason,
        judge=story.above,
        deadlines=story.deadlines(fact.unit, explain=story.configuration.street.explain),
    )
    return None


def explain(story: Story, unit: str, explanation: str, turn: int | None = None) -> Verdict:
    """Take a unit's explanation; `turn` is the one it speaks of, None for the current one."""
    if story.state is None or story.state.status is None:
        return Unknown()
    case = story.state.cases.get(unit)
    if case is None or case.status != "asked":
        return Refusal(f"no explanation is asked of {unit}")
    if turn is not None and turn != case.turn:
        return Refusal(f"this was said of turn {turn}, and the current one is {case.turn}")
    post = story.configuration.approvals.top.post
    story.tell(
        entries.Explained,
        unit=unit,
        turn=case.turn,
        explanation=explanation,
        judge=case.judge,
        post=post,
        **story.holding(case.judge, post),
        deadlines=story.deadlines(case.judge, judge=story.configuration.street.judge),
    )
    return None


def _let_go(story: Story) -> None:
    """Close the incident that only waited for its cases."""
    state = story.now_is
    if state.status == "answered" and "close" not in state.clocks and not state.supervised:
        story.tell(entries.Closed, who="clock", by="rule:street-policy")
