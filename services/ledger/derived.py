"""What the ledger's columns hold of a state: pure, and the same for whoever asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from services.domain.clocks import BY_ITSELF, OF_THE_STREET, UNTAKEN, debtor
from services.domain.incident import Incident, Obligation


def clocks_of(state: Incident) -> list[tuple[str, str, str, datetime]]:
    """Return (department, name, who owes, due_at) of each clock that somebody breaks by letting it pass.

    A supervision case's stand under the unit it is addressed to.
    """
    own = [
        ("", name, debtor(state, None, name), clock.due_at)
        for name, clock in state.clocks.items()
        if name not in BY_ITSELF
    ]
    owed = [
        (each.department, name, debtor(state, each, name), clock.due_at)
        for each in state.obligations.values()
        for name, clock in each.clocks.items()
        if name not in BY_ITSELF
    ]
    asked = [
        (each.unit, name, debtor(state, each, name), clock.due_at)
        for each in state.cases.values()
        for name, clock in each.clocks.items()
    ]
    return [*own, *owed, *asked]


def promises_of(
    state: Incident,
) -> list[tuple[str, str, str, datetime, str | None, str, str | None, str | None, bool]]:
    """Return each of the clocks with the incident's community, category, status and lead, by which it is asked for.

    The last is whether somebody has taken on what is promised: what nobody has comes first.
    """
    lead = lead_of(state)
    category = state.report.category if state.report else None
    about = category, state.community, state.status, lead.department if lead else None
    return [(*clock, *about, clock[1] not in UNTAKEN) for clock in clocks_of(state)]


def obligations_of(state: Incident) -> list[tuple[str, str, str, int, bool, bool, datetime | None]]:
    """Return (department, role, status, round, owed, late, due_at) of each obligation.

    `due_at` is the first deadline that the department itself owes, None where it owes none; `late` is whether it ever
    let one pass, for what the street let pass about it is the street's lateness.
    """
    first: dict[str, datetime] = {}
    for department, _, unit, due_at in clocks_of(state):
        if unit == department:
            first[department] = min(due_at, first.get(department, due_at))
    return [
        (
            each.department,
            each.role,
            each.status,
            each.round,
            each.open,
            not OF_THE_STREET.issuperset(each.late),
            first.get(each.department),
        )
        for each in state.obligations.values()
    ]


def broken_of(state: Incident) -> list[tuple[Any, ...]]:
    """Return the row of each promise that was broken, in the order of the table's columns."""
    return [
        (
            each.since,
            each.deadline,
            each.unit,
            _side(state, each.unit),
            each.department or each.case,
            each.round,
            each.due_at,
            each.step,
            each.post,
            each.ended_at is None,
            each.ended_at,
            each.ended_by,
            case.status if (case := state.cases.get(each.unit)) else None,
        )
        for each in state.broken
    ]


def cases_of(state: Incident) -> list[tuple[Any, ...]]:
    """Return the row of each supervision case, in the order of the table's columns."""
    return [
        (
            each.unit,
            _side(state, each.unit),
            each.status,
            each.turn,
            each.opened_at,
            min((clock.due_at for clock in each.clocks.values()), default=None),
            bool(each.late),
        )
        for each in state.cases.values()
    ]


def _side(state: Incident, unit: str) -> str:
    """Return on whose side a unit stands; who has no part in the incident approves or judges for the district."""
    owed = state.obligations.get(unit)
    if owed:
        return "section" if owed.section else "department"
    return {state.street: "street", state.community: "community"}.get(unit, "district")


def repeats_of(state: Incident) -> list[tuple[UUID, str]]:
    """Return (report, community) of each report attached to it."""
    return [(each.report, each.community) for each in state.repeats]


def due_at_of(state: Incident) -> datetime | None:
    """Return the first deadline of all that run."""
    return min((due_at for *_, due_at in clocks_of(state)), default=None)


def late_of(state: Incident) -> bool:
    """Tell whether any deadline ever passed unkept."""
    return bool(state.late or state.broken) or any(each.late for each in state.obligations.values())


def lead_of(state: Incident) -> Obligation | None:
    """Return who leads, or led: an obligation that is done has an owner still."""
    kept = [each for each in state.obligations.values() if each.status != "withdrawn"]
    return next((each for each in kept if each.role == "lead"), kept[0] if kept else None)


def owners_of(state: Incident) -> str | None:
    """Return the people who answer for it at whoever leads."""
    lead = lead_of(state)
    return f"{lead.owner.leader} · {lead.owner.section} · {lead.owner.officer}" if lead else None


def place_of(state: Incident) -> str | None:
    """Return where it is, in words."""
    place = state.report.place if state.report else None
    return (place.estate or place.address) if place else None
