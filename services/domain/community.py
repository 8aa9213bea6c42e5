"""What a community's officers are told on its own stream: what it owes, each reminder of it, and who above was told.

Nothing of the report or its reporter is part of it: they have the report, and whoever else is told needs none of it.

Source: states.md, beside this file (clocks 2).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from schemas import answer
from schemas import incident as entries
from schemas.event import Fact
from services.domain.announce import may_move
from services.domain.incident import Incident


def told_to_officers(after: Incident, entry: entries.Entry) -> Fact | None:
    """Return what the incident's community is told of an entry, given the state after it; None where that is nothing.

    What is for its reporters is not among it.
    """
    teller = _TELLERS.get(type(entry))
    return teller(after, entry) if teller else None


def _explanation(after: Incident, entry: entries.CaseOpened | entries.CaseRejected) -> Fact | None:
    if entry.unit != after.community:
        return None
    return answer.ExplanationAsked(
        turn=entry.turn,
        reason=entry.reason,
        due_at=entry.deadlines["explain"],
        provisional=may_move(entry, "explain"),
    )


def _confirmation(after: Incident, entry: entries.Resolved) -> Fact | None:
    if not after.obligations[entry.department].section:
        return None
    return answer.ConfirmationAsked(
        department=entry.department,
        round=entry.round,
        due_at=entry.deadlines["confirm"],
        provisional=may_move(entry, "confirm"),
    )


def _reminded(after: Incident, entry: entries.Reminded | entries.Escalated) -> Fact | None:
    if entry.unit != after.community:
        return None
    told = entry.model_dump(include={"deadline", "due_at", "department", "post", "holder", "holder_unit"})
    return answer.Reminded(**told)


def _reminded_by_hand(after: Incident, entry: entries.RemindedByHand) -> Fact | None:
    if entry.case is None or entry.case != after.community:
        return None
    due_at = after.cases[entry.case].clocks["explain"].due_at
    return answer.Reminded(deadline="by-hand", due_at=due_at, note=entry.note, copies=entry.copies)


def _recomputed(after: Incident, entry: entries.Recomputed) -> Fact | None:
    name = "explain" if entry.case else "confirm"
    owed = after.obligations.get(entry.department or "")
    if name not in entry.deadlines or not (entry.case == after.community or (owed and owed.section)):
        return None
    return answer.Recomputed(
        deadline=name, due_at=entry.deadlines[name], department=entry.department, reason=entry.reason
    )


_TELLERS: Mapping[type, Callable[[Incident, Any], Fact | None]] = MappingProxyType(
    {
        entries.CaseOpened: _explanation,
        entries.CaseRejected: _explanation,
        entries.Resolved: _confirmation,
        entries.Reminded: _reminded,
        entries.Escalated: _reminded,
        entries.RemindedByHand: _reminded_by_hand,
        entries.Recomputed: _recomputed,
    }
)
