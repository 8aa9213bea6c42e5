"""Which past incidents the rules of another configuration would have sent elsewhere.

Judged is what rules do by themselves when a report comes in, as it was raised: whom they call, or that they leave it to
the street. Whom an officer called stays the officer's, where the rules would have left it to the street again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.story import labels_of
from services.domain.street import call_of


@dataclass(frozen=True, slots=True)
class Sent:
    """A department that was called, or would be: by which rule, of which version."""

    department: str
    rule: str
    version: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An incident that would have gone elsewhere: whom rules `was` sent to and `would` be, the lead first.

    Nobody means that it was left, or would be, to the street; `by` is the post that then called by hand, or empty.
    """

    incident: UUID
    category: str
    reported_at: datetime
    was: Sequence[Sent]
    would: Sequence[Sent]
    by: str = ""


def is_judged(state: Incident) -> bool:
    """Whether rules had a say in an incident at all: not where its report says that it repeats another."""
    return state.report is not None and state.report.repeats is None


def elsewhere(state: Incident, configuration: Configuration) -> Elsewhere | None:
    """Return what another configuration would have done otherwise with an incident; None where it is the same."""
    report, reported_at = state.as_raised, state.reported_at
    if report is None or reported_at is None:
        return None
    plan = configuration.plan(labels_of(report, state.community, state.street, call_of(report)))
    would = tuple(Sent(each.department, each.rule, configuration.version) for each in plan.assignments)
    called = _first_called(state)
    by_rule = state.called_by.startswith("rule:")
    if [each.department for each in would] == [each.department for each in called if by_rule]:
        return None
    # A rule that now calls whom an officer called then spares the officer, and sends nothing elsewhere.
    if not by_rule and [each.department for each in would] == [each.department for each in called]:
        return None
    by = "" if by_rule else state.called_by
    return Elsewhere(state.id, report.category, reported_at, called, would, by)


def _first_called(state: Incident) -> tuple[Sent, ...]:
    """Return who was called by the first whistle, or set to work first, the lead first."""
    return tuple(
        Sent(each.department, each.policy.rule, each.policy.version)
        for each in state.obligations.values()
        if each.dispatched_at == state.called_at
    )
