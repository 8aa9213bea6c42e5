"""Cases: what a report is, when it is called, and who must then owe it, by which rules, by when and up which ladder.

What a case doesn't name is not compared. A deadline is expected as a duration, or as the instant it comes to: the
rule's, or the whistle's where that is stricter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from schemas.decision import CallKind
from services.domain.configuration import Configuration
from services.domain.routing import Assignment, Plan
from services.domain.whistles import stricter
from services.domain.working_time import Duration, add

_NOBODY: Final = "owes nothing"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; of `departments` and `rules`, None expects nothing, and of the other two what isn't in them.

    `deadlines` and `ladders` are by department.
    """

    name: str
    file: str
    line: int
    labels: Mapping[str, str]
    at: datetime
    departments: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None
    deadlines: Mapping[str, Mapping[str, Duration | datetime]] = field(default_factory=dict)
    ladders: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise than a case expects."""

    what: str
    expected: str
    got: str


def with_limits(plan: Plan, labels: Mapping[str, str], at: datetime, configuration: Configuration) -> list[Assignment]:
    """Who owes, with the deadlines that each is dispatched with: the whistle's own where the rule is not stricter.

    Without a `call` it is the whistle that a rule blows by itself.
    """
    limits = configuration.whistle(_blown(plan, labels, configuration)).deadlines
    return [
        replace(each, deadlines=stricter(each.deadlines, limits, configuration.calendar_of(each.department), at))
        for each in plan.assignments
    ]


def _blown(plan: Plan, labels: Mapping[str, str], configuration: Configuration) -> CallKind | None:
    """Which whistle it is; none where a street only sets its own sections to work."""
    if "call" in labels:
        return next((kind for kind in configuration.whistles if kind == labels["call"]), None)
    street = labels.get("street", "")
    if all(configuration.directory.is_section(each.department, street) for each in plan.assignments):
        return None
    return "emergency" if labels.get("severity") == "critical" else "general"


def differences(case: Case, configuration: Configuration) -> Iterator[Difference]:
    """Everything that is otherwise than a case expects, in the order of its fields."""
    plan = configuration.plan(case.labels)
    owing = {each.department: each for each in with_limits(plan, case.labels, case.at, configuration)}
    if case.departments is not None and case.departments != tuple(owing):
        yield Difference("departments", _listed(case.departments), _listed(tuple(owing)))
    if case.rules is not None and case.rules != plan.rules:
        yield Difference("rules", _listed(case.rules), _listed(plan.rules))
    for department, deadlines in case.deadlines.items():
        yield from _late(case, deadlines, department, owing.get(department), configuration)
    for department, ladder in case.ladders.items():
        got = owing[department].ladder if department in owing else _NOBODY
        if got != ladder:
            yield Difference(f"ladder of {department}", ladder, got)


def _late(
    case: Case,
    deadlines: Mapping[str, Duration | datetime],
    department: str,
    owes: Assignment | None,
    configuration: Configuration,
) -> Iterator[Difference]:
    for name, expected in deadlines.items():
        got = owes.deadlines.get(name) if owes else None
        what = f"{name} of {department}"
        if got is None:
            yield Difference(what, _told(expected, configuration), f"no {name}" if owes else _NOBODY)
        elif isinstance(expected, Duration) and got != expected:
            yield Difference(what, str(expected), str(got))
        elif isinstance(expected, datetime):
            due_at = add(configuration.calendar_of(department), case.at, got)
            if due_at != expected:
                told = f"{_told(due_at, configuration)} ({got})"
                yield Difference(what, _told(expected, configuration), told)


def _told(expected: Duration | datetime, configuration: Configuration) -> str:
    if isinstance(expected, Duration):
        return str(expected)
    return expected.astimezone(configuration.calendar.zone).isoformat(timespec="minutes")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nobody"
