"""Promises that were broken: each deadline that passed unkept, how far it climbed, and when the wait was over.

Late is frozen: once here, a promise stays, whatever is done about it afterwards.

Source: states.md, beside this file (clocks 5).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Broken:
    """One deadline that passed unkept: `unit` owed it, and `since` is the version of the entry that had set it.

    `department` or `case` names the obligation or the supervision case it belongs to, and `round` its turn; both are
    empty where it is the incident's own. `step` is the highest rung that was climbed, and `post` who was told there,
    empty as long as only a reminder fired. `ended_by` names the entry that ended the wait; empty while it goes on.
    """

    unit: str
    deadline: str
    due_at: datetime
    since: int
    step: int
    department: str = ""
    case: str = ""
    round: int = 0
    post: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""


def climbed(broken: tuple[Broken, ...], entry: Any, since: int) -> tuple[Broken, ...]:
    """Return what is broken after a rung was climbed, of a clock that was set in version `since`."""
    post = vars(entry).get("post") or ""
    for place, each in enumerate(broken):
        if (each.since, each.deadline) == (since, entry.deadline):
            after = replace(each, step=max(each.step, entry.step), post=post or each.post)
            return (*broken[:place], after, *broken[place + 1 :])
    new = Broken(
        unit=entry.unit,
        deadline=entry.deadline,
        due_at=entry.due_at,
        since=since,
        step=entry.step,
        department=entry.department or "",
        case=entry.case or "",
        round=entry.round,
        post=post,
    )
    return (*broken, new)


def ended(broken: tuple[Broken, ...], runs: Callable[[Broken], bool], at: datetime, by: str) -> tuple[Broken, ...]:
    """Return what is broken after an entry, at an instant (UTC): who waits no longer for what has ended the wait."""
    return tuple(each if each.ended_at or runs(each) else replace(each, ended_at=at, ended_by=by) for each in broken)
