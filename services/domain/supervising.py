"""Supervision by hand: reminders with copies (催办、抄送), and cases that need a written explanation (督办).

A case is addressed to a unit with a part in the incident: its street, its community, or a department it was dispatched
to. It goes on whatever becomes of the incident, and the incident does not close before it is over.

Source: states.md, beside this file.
"""

from typing import Any

from schemas import action
from schemas import incident as entries
from schemas.escalation import Copy
from services.domain.incident import Case, Incident
from services.domain.story import Refusal, Story, Unknown, Verdict

READS_COPIES = "responsible-leader"
"""The post that gets a copy where only a unit is named."""
ACTS = (action.CaseOpened, action.CaseAccepted, action.CaseRejected)


def remind(story: Story, fact: action.Reminded) -> Verdict:
    """Remind a department that owes, the street, or whom a case asks; copies go to whoever holds the posts named.

    A case goes on whatever becomes of the incident, and so do reminders of it.
    """
    state = story.now_is
    reminded = fact.department or state.street
    owed, case = state.obligations.get(reminded), state.cases.get(reminded)
    owes = not state.ended and (fact.department is None or (owed is not None and owed.open))
    if not owes and (case is None or case.status != "asked"):
        return Refusal(f"the incident is {state.status}" if state.ended else f"{reminded} owes nothing here")
    directory = story.configuration.directory
    named = [
        (each, READS_COPIES) if each in directory.units else (reminded, each) for each in dict.fromkeys(fact.copies)
    ]
    copies = tuple(Copy(unit=unit, post=post, **story.holding(unit, post)) for unit, post in named)
    for each in copies:
        if each.holder is None:
            return Refusal(f"nobody holds the post {each.post} for {each.unit}: name a post, or a unit's code")
    whom = {"department": fact.department} if owes else {"case": reminded}
    story.tell(entries.RemindedByHand, **whom, note=fact.note, copies=copies)
    return None


def decide(story: Story, fact: Any) -> Verdict:
    """Decide about what supervision said of a case."""
    state = story.now_is
    case = state.cases.get(fact.unit)
    if isinstance(fact, action.CaseOpened):
        return _open(story, state, case, fact)
    if case is None or case.status != "explained":
        return Refusal(f"{fact.unit} has given no explanation that waits for a judgement")
    if isinstance(fact, action.CaseRejected):
        deadlines = story.deadlines(fact.unit, explain=story.configuration.street.explain)
        story.tell(entries.CaseRejected, unit=fact.unit, turn=case.turn + 1, reason=fact.reason, deadlines=deadlines)
        return None
    story.tell(entries.CaseAccepted, unit=fact.unit, turn=case.turn, note=fact.note)
    _let_go(story)
    return None


def _open(story: Story, state: Incident, case: Case | None, fact: action.CaseOpened) -> Verdict:
    if state.status in {"closed", "attached"}:
        return Refusal(f"the incident is {state.status}")
    if fact.unit not in {state.street, state.community, *state.obligations}:
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
