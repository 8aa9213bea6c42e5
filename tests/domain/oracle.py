"""Follows every deadline of a scene from outside, by when its clock was seen running and no longer, and nothing else.

A promise is broken if its clock still ran at its deadline: that is said by no rule of the house, but by what the word
means. What the house keeps of it is compared with this.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from schemas.incident import Called, Entry, Escalated, Reclassified, Recomputed, Reminded, Reopened, SeenAfterwards
from services.domain.clocks import BY_ITSELF
from services.domain.incident import Case, Clock, Incident, Obligation


class Promise(NamedTuple):
    """A clock as it was set: by which version, of a department, a case, or (both empty) the incident itself."""

    department: str
    case: str
    name: str
    since: int


@dataclass
class Oracle:
    """What has been seen so far: each promise with its deadline, and when its clock was first seen to run no longer."""

    due_at: dict[Promise, datetime] = field(default_factory=dict)
    ended_at: dict[Promise, datetime] = field(default_factory=dict)
    fired: set[Promise] = field(default_factory=set)
    kept: set[Promise] = field(default_factory=set)

    def see(self, before: Incident | None, after: Incident | None, told: Iterable[Entry], at: datetime) -> None:
        """Look at the state before and after something at an instant (UTC), and at what was told of it."""
        was = _running(before)
        # What is set and ended in one breath never ran.
        now = _running(after)
        for promise, clock in now.items():
            self.due_at[promise] = clock.due_at
        for promise in was.keys() - now.keys():
            self.ended_at.setdefault(promise, at)
        for entry in told:
            if isinstance(entry, Reminded | Escalated) and at >= entry.due_at:
                self.fired |= {each for each in was if _is_about(each, entry) and was[each].due_at == entry.due_at}
            elif isinstance(entry, SeenAfterwards) and entry.kept:
                self.kept.add(Promise(entry.department or "", entry.case or "", entry.deadline, entry.since))
        self._check_overall(before, after, told)

    def broken(self, now: datetime) -> set[Promise]:
        """Return every promise that was broken by an instant (UTC)."""
        return self.fired | {
            promise
            for promise, due_at in self.due_at.items()
            if due_at <= self.ended_at.get(promise, now) and promise not in self.kept
        }

    def _check_overall(self, before: Incident | None, after: Incident | None, told: Iterable[Entry]) -> None:
        """Only a new round, another calendar, or a whistle by which it ends sooner moves the incident's deadline."""
        was, now = (each.clocks.get("overall") if each else None for each in (before, after))
        if was and now and was.due_at != now.due_at:
            names = {type(each) for each in told}
            sooner = now.due_at < was.due_at and names & {Called, Reclassified}
            assert sooner or names & {Reopened, Recomputed}, "the overall deadline was moved"


def kept_as_broken(state: Incident) -> set[Promise]:
    """Return what the house says was broken."""
    return {Promise(each.department, each.case, each.deadline, each.since) for each in state.broken}


def _is_about(promise: Promise, entry: Reminded | Escalated) -> bool:
    return (promise.department, promise.case, promise.name) == (
        entry.department or "", entry.case or "", entry.deadline,
    )  # fmt: skip


def _running(state: Incident | None) -> dict[Promise, Clock]:
    if state is None:
        return {}
    holders: list[tuple[str, str, Incident | Obligation | Case]] = [("", "", state)]
    holders += [(name, "", each) for name, each in state.obligations.items()]
    holders += [("", name, each) for name, each in state.cases.items()]
    return {
        Promise(department, case, name, clock.since): clock
        for department, case, holder in holders
        for name, clock in holder.clocks.items()
        if name not in BY_ITSELF
    }
