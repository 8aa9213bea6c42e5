"""Promises whose deadline had passed before anybody looked, when somebody else's act ended the wait for them.

1. An act fires only the overdue clocks of whoever speaks (decision 0004): what others said in time may lie unread.
2. So where it ends such a clock of somebody else, the history says that it has passed unseen.
3. Whoever owed it has kept it if something is read afterwards that was said in time and would have ended it. What would
   have been refused would not: about another round, by somebody bound, or before being on the spot.
4. Once everything said up to the deadline has been read, what was not kept is late and broken, and stays so. Nobody is
   told: nobody waits for it any more.

Source: states.md, beside this file (clocks 5).
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from schemas import action, decision, response
from schemas import incident as entries
from schemas.event import Fact
from services.domain.broken import Broken
from services.domain.clocks import UNSEEN, Due, Running, by_itself, debtor, of, running
from services.domain.incident import Incident
from services.domain.story import Story

_KEPT_BY: Mapping[str, tuple[type[Fact], ...]] = MappingProxyType(
    {
        "acknowledge": (response.Acknowledged, response.Declined, response.Arrived, response.Resolved),
        "arrive": (response.Arrived,),
        "resolve": (response.Resolved,),
        "approve": (decision.Granted, decision.Denied, action.Granted, action.Denied),
        "decide": (decision.Called, decision.Refused, decision.Insisted, decision.Withdrawn, decision.Attached),
        "confirm": (decision.Confirmed, decision.SentBack),
        "answer": (decision.Answered,),
        "lead": (action.LeadNamed,),
        "explain": (response.Explained, decision.Explained),
        "judge": (action.CaseAccepted, action.CaseRejected),
    }
)
"""What keeps a promise; whatever else has a deadline is an interim step, and kept by reporting it."""


def note(story: Story, overdue: Sequence[Running], act: Fact) -> None:
    """Say which of what was overdue before an act runs no longer after it (rule 2)."""
    if not overdue:
        return
    runs = {(name, clock.since) for _, name, clock in running(story.now_is)}
    for owed, name, clock in overdue:
        if (name, clock.since) not in runs:
            story.tell(
                entries.PassedUnseen,
                deadline=name,
                due_at=clock.due_at,
                unit=debtor(story.now_is, owed, name),
                since=clock.since,
                act=act.type,
                **of(owed),
                **by_itself(owed),
            )


def hear(story: Story, speakers: Collection[str], act: Fact) -> None:
    """See whether something said in time has kept what passed unseen, whatever else became of it (rule 3)."""
    for each in story.now_is.unseen:
        # At one instant, what is due comes before what is said.
        if each.unit in speakers and story.at < each.due_at and _keeps(story.now_is, act, each):
            _say(story, each, kept=True)


def judge(story: Story, due: Due) -> None:
    """Say of a promise that nothing said in time has kept it; nothing happens where that is known already (rule 4)."""
    for each in story.now_is.unseen:
        of_it = (each.since, each.department or None, each.case or None) == (due.since, due.department, due.case)
        if of_it and due.name == f"{UNSEEN}{each.deadline}" and each.due_at <= story.at:
            _say(story, each, kept=False)


def _keeps(state: Incident, act: Fact, promise: Broken) -> bool:
    # What a street or the district owes on one obligation is not kept by what it says about another.
    about = vars(act).get("department")
    if promise.unit != promise.department and about not in {None, promise.department or None}:
        return False
    # A street relays what its communities explain, and each explains for itself.
    if isinstance(act, decision.Explained) and (act.community or state.street) != promise.unit:
        return False
    # What names another round, or another turn of a case, is about that one.
    if isinstance(act, response.Response) and act.round not in {None, promise.round}:
        return False
    if _would_be_refused(state, act, promise):
        return False
    kinds = _KEPT_BY.get(promise.deadline)
    if kinds is None:
        return isinstance(act, response.Progressed) and act.step == promise.deadline
    return isinstance(act, kinds)


def _would_be_refused(state: Incident, act: Fact, promise: Broken) -> bool:
    """Tell whether a department's act would have been refused in time too: it ends no wait."""
    owed = state.obligations.get(promise.department)
    if isinstance(act, response.Declined):
        return owed is not None and owed.bound is not None
    # Nobody resolves before they have been on the spot.
    return isinstance(act, response.Resolved) and any(
        each.deadline == "arrive" and each.department == promise.department for each in state.unseen
    )


def _say(story: Story, promise: Broken, *, kept: bool) -> None:
    story.tell(
        entries.SeenAfterwards,
        deadline=promise.deadline,
        due_at=promise.due_at,
        unit=promise.unit,
        department=promise.department or None,
        round=promise.round,
        case=promise.case or None,
        since=promise.since,
        kept=kept,
        who="clock",
        by="rule:unseen",
    )
