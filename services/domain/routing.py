"""Who owes an incident, by which rule: Prometheus Alertmanager's route tree, as a pure function of labels.

Depth first; a matching child ends the scan of its siblings unless it has `continue`; a node counts itself only when no
child matched, or, after its children, with `always`. The first department of all that matched leads; each counts once.

Source: Alertmanager's `dispatch/route.go`; `always` and the order of departments are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from services.domain.approvals import Approval
from services.domain.matchers import Matcher, parse_matchers
from services.domain.working_time import Duration

__all__ = ["Assignment", "Matcher", "Plan", "Policy", "Route", "match", "parse_matchers", "plan", "policy_for"]

Role = Literal["lead", "support"]
Deadlines = Mapping[str, Duration]

_WITH_ACTS: Final = frozenset({"acknowledge", "arrive", "resolve"})
"""Deadlines of a rule that are kept by an act of their own; any other is an interim step, of its own name."""


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree, with everything it inherits filled in.

    An empty `ladder` stands for the ladder of whoever owes. `allow` names the approvals that may be asked for; None is
    all of them.
    """

    name: str
    departments: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    always: bool = False
    deadlines: Deadlines = field(default_factory=dict, hash=False)
    ladder: str = ""
    allow: tuple[Approval, ...] | None = None
    routes: tuple["Route", ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher of this node alone is satisfied; without any, it is."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule asks of whoever owes: frozen on the obligation when it is dispatched."""

    rule: str
    deadlines: Deadlines = field(hash=False)
    ladder: str
    allow: tuple[Approval, ...] | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One department's part in an incident, and the policy of the first rule that named it."""

    department: str
    role: Role
    rule: str
    deadlines: Deadlines = field(hash=False)
    ladder: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tree says about an incident: the rules that count, in order, and each department once, the lead first.

    Without assignments, nobody has been named: the incident waits for the street's decision.
    """

    rules: tuple[str, ...]
    assignments: tuple[Assignment, ...]


def match(tree: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The nodes that count for these labels, in order; empty when the tree's own matchers fail."""
    if not tree.matches(labels):
        return ()
    found: list[Route] = []
    for child in tree.routes:
        matched = match(child, labels)
        found.extend(matched)
        if matched and not child.continue_:
            break
    if tree.always or not found:
        found.append(tree)
    return tuple(found)


def plan(tree: Route, labels: Mapping[str, str]) -> Plan:
    """Who leads and who supports, by which rules, under which deadlines."""
    matched = match(tree, labels)
    assignments: dict[str, Assignment] = {}
    for node in matched:
        for department in node.departments:
            role: Role = "support" if assignments else "lead"
            assignments.setdefault(department, Assignment(department, role, node.name, node.deadlines, node.ladder))
    return Plan(tuple(node.name for node in matched), tuple(assignments.values()))


def policy_for(tree: Route, labels: Mapping[str, str], department: str) -> Policy:
    """The policy under which a department owes: that of the rule that named it, or else of the first that matched.

    So a department that an officer called, and the tree did not, has a policy too; but interim steps are for those whom
    their rule names, if it names anybody.
    """
    matched = match(tree, labels) or (tree,)
    node = next((each for each in matched if department in each.departments), matched[0])
    deadlines = node.deadlines
    if node.departments and department not in node.departments:
        deadlines = {name: duration for name, duration in deadlines.items() if name in _WITH_ACTS}
    return Policy(node.name, deadlines, node.ladder, node.allow)
