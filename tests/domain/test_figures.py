"""The figures count what became of reports; the rules carry the numbers of services/domain/figures.py."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.incident import Status
from schemas.report import Kind
from services.domain.figures import Figures, Row, count, fates

KINDS: tuple[Kind, ...] = ("demand", "suggestion", "hazard", "dispute", "instability")
STATUSES: tuple[Status, ...] = (
    "received",
    "called",
    "responding",
    "confirmed",
    "answered",
    "closed",
    "refused",
    "attached",
)


def row(number: int, kind: Kind = "demand", status: Status = "received", *, owned: bool = False) -> Row:
    """A report with an incident of its own."""
    return Row(UUID(int=number), kind, "elm", status, owned=owned)


def counted(*rows: Row) -> Figures:
    """The figures of these rows, with nothing else collected."""
    return count(rows, inspections=0, lost=0)


def test_nothing_is_nothing() -> None:
    """A ledger without a row has every figure at 0, and passes on what others counted."""
    figures = count([], inspections=7, lost=None).as_json()
    assert figures.pop("collected") == dict.fromkeys(KINDS, 0) | {"inspections": 7}
    assert figures.pop("lost") is None
    assert figures.pop("unowned") == {"demand_or_suggestion": 0, "hazard": 0}
    assert figures.pop("hazards") == {"found": 0, "rectified": 0, "rectifying": 0}
    assert set(figures.values()) == {0}


@pytest.mark.parametrize("status", STATUSES[:6])
def test_a_demand_is_solved_once_it_is_confirmed(status: Status) -> None:
    """Rules 1 and 2: with an owner it is assigned, and solved from the street's confirmation on, else in progress."""
    figures = counted(row(1, "demand", status, owned=True), row(2, "suggestion", status, owned=True))
    solved = 2 if status in {"confirmed", "answered", "closed"} else 0
    assert (figures.assigned, figures.solved, figures.in_progress) == (2, solved, 2 - solved)
    assert figures.unowned.demand_or_suggestion == 0


def test_nothing_is_solved_without_an_owner() -> None:
    """Rules 1 and 2: what nobody owns is neither assigned nor solved, whatever its status."""
    figures = counted(*(row(number, "demand", status) for number, status in enumerate(STATUSES[:6])))
    assert (figures.assigned, figures.solved, figures.unowned.demand_or_suggestion) == (0, 0, 6)


@pytest.mark.parametrize(("status", "answered"), [("confirmed", 0), ("answered", 1), ("closed", 1), ("refused", 1)])
def test_a_refusal_is_answered_too(status: Status, answered: int) -> None:
    """Rule 3: everybody gets an answer, and the reason of a refusal is one."""
    assert counted(row(1, "demand", status, owned=status != "refused")).answered == answered


def test_what_was_refused_is_not_what_nobody_owns() -> None:
    """Rule 4: the street has decided about it."""
    figures = counted(row(1, "demand", "refused"), row(2, "hazard", "refused"), row(3, "demand"))
    assert figures.refused == 2
    assert (figures.unowned.demand_or_suggestion, figures.unowned.hazard) == (1, 0)


def test_hazards_stand_in_their_columns() -> None:
    """Found is rectified, being rectified, and in neither column."""
    rows = [row(1, "hazard", "closed", owned=True), row(2, "hazard", "responding", owned=True), row(3, "hazard")]
    figures = counted(*rows)
    assert (figures.hazards.found, figures.hazards.rectified, figures.hazards.rectifying) == (3, 1, 1)
    assert figures.unowned.hazard == 1
    assert figures.assigned == 0


def test_disputes_and_instabilities_are_counted_apart() -> None:
    """Each kind has its own figure for what was settled."""
    rows = [
        row(1, "dispute", "confirmed", owned=True),
        row(2, "dispute", "called", owned=True),
        row(3, "instability", "answered", owned=True),
    ]
    figures = counted(*rows)
    assert (figures.disputes_settled, figures.instabilities_handled) == (1, 1)


def test_a_repeat_has_the_others_incident() -> None:
    """Rule 5: the repeat has the owner, the status and the answer of the incident it was attached to."""
    first = replace(row(1, "demand", "closed", owned=True), repeats=(UUID(int=2),))
    repeat = replace(row(2, "demand", "attached"), attached_to=first.id)
    figures = counted(first, repeat)
    assert (figures.collected.demand, figures.assigned, figures.solved, figures.answered) == (2, 2, 2, 2)
    assert figures.duplicates == 0


def test_a_repeat_of_a_repeat_ends_where_the_first_does() -> None:
    """Rule 5: attachments are followed to their end."""
    rows = [
        replace(row(1, "demand", "answered", owned=True), repeats=(UUID(int=2),)),
        replace(row(2, "demand", "attached"), attached_to=UUID(int=1), repeats=(UUID(int=3),)),
        replace(row(3, "demand", "attached"), attached_to=UUID(int=2)),
    ]
    assert [fate.home and fate.home.id for fate in fates(rows)] == [UUID(int=1)] * 3


def test_a_repeat_the_other_does_not_know_has_no_owner() -> None:
    """Rule 5: nobody would answer it, so it is shown as what nobody owns."""
    first = row(1, "demand", "closed", owned=True)
    figures = counted(first, replace(row(2, "demand", "attached"), attached_to=first.id))
    assert (figures.assigned, figures.answered, figures.unowned.demand_or_suggestion) == (1, 1, 1)


def test_repeats_in_a_circle_have_no_owner() -> None:
    """Rule 5: two that are attached to each other end nowhere."""
    one = replace(row(1, status="attached"), attached_to=UUID(int=2), repeats=(UUID(int=2),))
    two = replace(row(2, status="attached"), attached_to=UUID(int=1), repeats=(UUID(int=1),))
    assert counted(one, two).unowned.demand_or_suggestion == 2


def test_a_report_in_two_incidents_is_a_duplicate() -> None:
    """It has its own incident and is a repeat elsewhere, or it is a repeat of two."""
    both = [replace(row(1), repeats=(UUID(int=2),)), row(2)]
    assert counted(*both).duplicates == 1
    attached = replace(row(3, status="attached"), attached_to=UUID(int=1))
    two = [replace(row(1), repeats=(UUID(int=3),)), replace(row(2), repeats=(UUID(int=3),)), attached]
    assert counted(*two).duplicates == 1


def test_escalations_count_incidents() -> None:
    """An incident that climbed ten times counts once."""
    assert counted(replace(row(1), escalations=10), replace(row(2), escalations=1), row(3)).escalated == 2


ROWS = st.lists(
    st.builds(
        Row,
        id=st.integers(0, 12).map(lambda number: UUID(int=number)),
        kind=st.sampled_from(KINDS),
        community=st.just("elm"),
        status=st.sampled_from(STATUSES),
        owned=st.booleans(),
        escalations=st.integers(0, 3),
        attached_to=st.none() | st.integers(0, 12).map(lambda number: UUID(int=number)),
        repeats=st.lists(st.integers(0, 12).map(lambda number: UUID(int=number)), max_size=3).map(tuple),
    ),
    unique_by=lambda each: each.id,
)


@given(ROWS)
def test_the_figures_add_up(rows: list[Row]) -> None:
    """Whatever the rows: everything collected is owned, refused or without an owner, and no part exceeds its whole."""
    figures = counted(*rows)
    listed = figures.collected.demand + figures.collected.suggestion
    refused = [fate for fate in fates(rows) if fate.status == "refused" and not fate.owned]
    in_lists = sum(fate.row.kind in {"demand", "suggestion"} for fate in refused)
    hazards = sum(fate.row.kind == "hazard" for fate in refused)
    assert listed == figures.assigned + figures.unowned.demand_or_suggestion + in_lists
    assert figures.assigned == figures.solved + figures.in_progress
    parts = figures.hazards.rectified + figures.hazards.rectifying + figures.unowned.hazard + hazards
    assert figures.hazards.found == parts
    assert figures.disputes_settled <= figures.collected.dispute
    assert figures.instabilities_handled <= figures.collected.instability
    assert figures.answered <= len(rows)


@given(ROWS, st.randoms())
def test_order_does_not_matter(rows: list[Row], random: object) -> None:
    """The same rows in another order are the same figures."""
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert counted(*shuffled) == counted(*rows)
