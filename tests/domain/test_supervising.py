"""Supervision by hand: copies of reminders, and cases that need a written explanation, row by row and as told."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from schemas import action, answer, decision, dispatch, escalation, report, response
from schemas.escalation import Copy
from schemas.event import Fact
from schemas.incident import ActRefused, CaseOpened, Entry, Escalated, RemindedByHand
from services.domain.clocks import debtor, ladder_of
from services.domain.incident import Case
from services.domain.street import hear_community, hear_history, owes
from tests.domain.scene import DAY, HOUR, INCIDENT, OTHER, START, Scene, names, opened

Act = tuple[str, str | None, Fact]
UNITS = {"water": "supervision-office", "east": "discipline-committee", "elm": "discipline-member"}


def supervision(fact: Fact) -> Act:
    """Supervision does something."""
    return "supervision", None, fact


def explained(unit: str, turn: int | None = None) -> Act:
    """A unit explains itself, by the way its word comes."""
    if unit == "water":
        return "department", "water", response.Explained(explanation="the part came late", round=turn)
    community = unit if unit == "elm" else None
    return "street", "east", decision.Explained(explanation="nobody was in", community=community)


def open_(unit: str) -> Act:
    """Supervision wants an explanation of a unit."""
    return supervision(action.CaseOpened(unit=unit, reason="five days late"))


def accept(unit: str) -> Act:
    """Supervision is content."""
    return supervision(action.CaseAccepted(unit=unit))


def reject(unit: str) -> Act:
    """Supervision is not."""
    return supervision(action.CaseRejected(unit=unit, reason="that is no reason"))


def scene(*acts: Act) -> Scene:
    """The water bureau was called, and some acts were heard, an hour ago."""
    found = Scene()
    found.street(opened())
    found.street(decision.Called(kind="general", departments=("water",)))
    for act in acts:
        assert "ActRefused" not in names(found.hear(*act))
    return found.later(HOUR)


def done(*acts: Act) -> Scene:
    """The same, and all is settled and answered."""
    return scene(
        *acts,
        ("department", "water", response.Resolved(note="mended")),
        ("street", "east", decision.Confirmed()),
        ("street", "east", decision.Answered(answer="there is water again")),
    )


# --- the row of a case -----------------------------------------------------------------------------------------------

CASES: Mapping[str, Callable[[str], Scene]] = {
    "none": lambda _unit: scene(),
    "asked": lambda unit: scene(open_(unit)),
    "explained": lambda unit: scene(open_(unit), explained(unit)),
    "asked again": lambda unit: scene(open_(unit), explained(unit), reject(unit)),
    "accepted": lambda unit: scene(open_(unit), explained(unit), accept(unit)),
}
ACTS: Mapping[str, Callable[[str], Act]] = {"open": open_, "explain": explained, "accept": accept, "reject": reject}
ROWS: Mapping[str, Mapping[str, str]] = {
    "none": {"open": "CaseOpened"},
    "asked": {"explain": "Explained"},
    "explained": {"accept": "CaseAccepted", "reject": "CaseRejected"},
    "asked again": {"explain": "Explained"},
    "accepted": {"open": "CaseOpened"},
}
# Each state's clock, and its turn.
CLOCKS: Mapping[str, tuple[set[str], int]] = {
    "asked": ({"explain"}, 1),
    "explained": ({"judge"}, 1),
    "asked again": ({"explain"}, 2),
    "accepted": (set(), 1),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", CASES)
@pytest.mark.parametrize("unit", UNITS)
def test_a_case_takes_the_acts_of_its_row_and_refuses_all_others(unit: str, state: str, act: str) -> None:
    """Each allowed act is told as it should be; every other is refused with a reason and changes nothing else."""
    found = CASES[state](unit)
    before = found.now
    told = found.hear(*ACTS[act](unit))
    expected = ROWS[state].get(act, "ActRefused")
    assert names(told) == [expected]
    if isinstance(told[0], ActRefused):
        assert told[0].reason
        assert replace(found.now, version=before.version) == before


@pytest.mark.parametrize("state", CLOCKS)
@pytest.mark.parametrize("unit", UNITS)
def test_a_case_waits_under_the_clock_of_its_row(unit: str, state: str) -> None:
    """The explanation is owed by the unit up its own ladder, the judgement by the district."""
    found = CASES[state](unit)
    case = found.now.cases[unit]
    assert (set(case.clocks), case.turn) == CLOCKS[state]
    for name in case.clocks:
        assert debtor(found.now, case, name) == (unit if name == "explain" else "hill")
        top = ladder_of(found.now, case, name, found.configuration).steps[-1].post
        assert top == (UNITS[unit] if name == "explain" else "supervision-office")


@pytest.mark.parametrize("unit", UNITS)
def test_an_explanation_nobody_gives_climbs_the_ladder_of_its_unit_to_the_top(unit: str) -> None:
    """The clock alone reaches the top and keeps saying so, and what was late stays late when it is given at last."""
    found = scene(open_(unit))
    told = [each for each in found.pass_(20 * DAY) if isinstance(each, Escalated) and each.case == unit]
    assert told[-1].post == told[-2].post == UNITS[unit]
    assert {(each.deadline, each.unit, each.department, each.round) for each in told} == {("explain", unit, None, 1)}
    found.hear(*explained(unit))
    found.hear(*accept(unit))
    assert found.now.cases[unit] == Case(unit, "accepted", 1, START, "hill", late=("explain",))


def test_what_was_late_in_one_case_stays_late_in_the_next() -> None:
    """A new case against the same unit forgets nothing."""
    found = scene(open_("water")).later(4 * DAY)
    for act in (explained("water"), accept("water"), open_("water"), explained("water")):
        found.hear(*act)
    assert found.now.cases["water"].late == ("explain",)


def test_what_is_explained_too_late_was_late_even_if_nobody_looked() -> None:
    """At one instant, what is due comes before what is said."""
    found = scene(open_("water")).later(4 * DAY)
    assert "Escalated" in names(found.hear(*explained("water")))
    assert found.now.cases["water"].late == ("explain",)


def test_a_case_that_was_over_is_opened_again_in_a_turn_of_its_own() -> None:
    """Turns go on counting, so that an explanation of an earlier one does not answer a later one."""
    found = scene(open_("water"), explained("water"), accept("water"), open_("water"))
    assert found.now.cases["water"].turn == 2
    assert names(found.hear(*explained("water", turn=1))) == ["ActRefused"]
    assert names(found.hear(*explained("water", turn=2))) == ["Explained"]


@pytest.mark.parametrize("unit", ["power", "west", "oak", "nobody", "hill"])
def test_only_who_has_a_part_in_the_incident_is_asked(unit: str) -> None:
    """A case against a stranger is refused, and so is a stranger's explanation."""
    assert names(scene().hear(*open_(unit))) == ["ActRefused"]
    found = scene(open_("elm"))
    assert names(found.street(decision.Explained(explanation="we", community="oak"))) == ["ActRefused"]


# --- a case and its incident -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_an_incident_does_not_close_before_its_case_is_over(unit: str) -> None:
    """The rating window ends without closing it; the acceptance closes it at once."""
    found = done(open_(unit))
    assert "HeldOpen" in names(found.pass_(7 * DAY))
    assert (found.now.status, found.now.clocks) == ("answered", {})
    assert found.next_due_at()
    found.hear(*explained(unit))
    assert names(found.hear(*reject(unit))) == ["CaseRejected"]
    found.hear(*explained(unit))
    told = found.hear(*accept(unit))
    assert names(told) == ["CaseAccepted", "Closed"]
    assert (told[1].who, told[1].by) == ("clock", "rule:street-policy")
    assert (found.now.status, found.next_due_at()) == ("closed", None)


def test_all_cases_have_to_be_over() -> None:
    """Two cases: the first to be accepted closes nothing."""
    found = done(open_("water"), open_("east"))
    found.pass_(7 * DAY)
    found.hear(*explained("water"))
    found.hear(*explained("east"))
    assert names(found.hear(*accept("water"))) == ["CaseAccepted"]
    assert names(found.hear(*accept("east"))) == ["CaseAccepted", "Closed"]


def test_a_case_that_is_over_in_time_holds_nothing_open() -> None:
    """The rating window goes on, and closes the incident by itself."""
    found = done(open_("water"), explained("water"))
    assert names(found.hear(*accept("water"))) == ["CaseAccepted"]
    assert names(found.pass_(7 * DAY)) == ["Closed"]


def test_who_was_held_open_can_still_be_reopened() -> None:
    """Until it closes the reporter may say that nothing is solved; a new round has its own clocks, beside the case."""
    found = done(open_("water"))
    found.pass_(7 * DAY)
    told = found.street(decision.Rated(report=INCIDENT, solved=False, satisfied=False))
    assert names(told) == ["Rated", "Reopened", "Dispatched"]
    assert found.now.supervised
    assert names(found.hear(*explained("water"))) == ["Explained"]


def test_a_case_goes_on_when_the_street_ends_the_incident() -> None:
    """Refusing a matter, or attaching it, ends no case; but none is opened about what is closed or attached."""
    for end in (decision.Refused(reason="no business of ours"), decision.Attached(to=OTHER)):
        found = Scene()
        found.street(opened())
        found.hear(*open_("east"))
        found.street(end)
        assert found.now.ended
        assert found.next_due_at()
        assert names(found.hear(*explained("east"))) == ["Explained"]
        assert names(found.hear(*accept("east"))) == ["CaseAccepted"]
        assert found.next_due_at() is None
        refused = isinstance(end, decision.Refused)
        assert names(found.hear(*open_("east"))) == ["CaseOpened" if refused else "ActRefused"]


# --- who is told -----------------------------------------------------------------------------------------------------


def last(found: Scene, topic: str) -> Fact:
    """The last thing said on a topic."""
    return [fact for each, fact in found.said if each == topic][-1]


def test_a_department_sees_on_its_stream_how_its_case_stands() -> None:
    """Asked with the deadline and the reason; explained; asked again; accepted; and reminded when it is due."""
    found = scene(open_("water"))
    stream = "department.water.dispatches"
    due_at = found.now.cases["water"].clocks["explain"].due_at
    asked = dispatch.Supervised(status="asked", turn=1, deadlines={"explain": due_at}, reason="five days late")
    assert last(found, stream) == asked
    found.pass_(due_at - found.at)
    reminded = dispatch.Reminded(round=1, deadline="explain", due_at=due_at)
    assert reminded in [fact for topic, fact in found.said if topic == stream]
    found.hear(*explained("water"))
    assert last(found, stream) == dispatch.Supervised(status="explained", turn=1, deadlines={})
    found.hear(*reject("water"))
    again = last(found, stream)
    assert isinstance(again, dispatch.Supervised)
    assert (again.status, again.turn, again.reason, set(again.deadlines)) == (
        "asked",
        2,
        "that is no reason",
        {"explain"},
    )
    found.hear(*explained("water"))
    found.hear(*accept("water"))
    assert last(found, stream) == dispatch.Supervised(status="accepted", turn=2, deadlines={})


def test_a_street_finds_its_case_in_its_inbox() -> None:
    """It owes the explanation by the case's deadline, and nothing of it once it was given."""
    found = done(open_("east"))
    due_at = found.now.cases["east"].clocks["explain"].due_at
    assert owes(found.now) == ("explain", due_at)
    found.hear(*explained("east"))
    assert owes(found.now) is None
    assert owes(scene(open_("water")).now) is None


def test_a_community_is_told_by_its_street_and_answers_through_it() -> None:
    """What supervision asks of a community goes on its own topic, and its word comes back as the street's decision."""
    found = scene(open_("elm"))
    entry = found.told[-1][1]
    assert isinstance(entry, CaseOpened)
    asked = answer.ExplanationAsked(turn=1, reason="five days late", due_at=entry.deadlines["explain"])
    assert list(hear_history(found.now, entry)) == [("community.elm.answers", INCIDENT, asked)]
    said = report.Explained(explanation="nobody was in")
    passed = list(hear_community(found.now, INCIDENT, "elm", said, found.at, found.configuration))
    fact = decision.Explained(by="elm", community="elm", explanation="nobody was in")
    assert passed == [("street.east.decisions", INCIDENT, fact)]
    told = found.street(fact)
    assert (names(told), told[0].who, told[0].by) == (["Explained"], "street.east", "elm")
    assert list(hear_history(found.now, told[0])) == []
    for unit in ("water", "east"):
        (opened_case,) = found.hear(*open_(unit))
        assert list(hear_history(found.now, opened_case)) == [], "the community is not asked"


# --- reminders with copies -------------------------------------------------------------------------------------------


def copies(told: list[Entry]) -> tuple[Copy, ...]:
    """Who gets a copy, as the history says."""
    (entry,) = told
    assert isinstance(entry, RemindedByHand)
    return entry.copies


def copy_to(unit: str, post: str, holder_unit: str) -> Copy:
    """A copy for a unit's post, which a unit's holder has."""
    return Copy(unit=unit, post=post, holder=f"{holder_unit}'s {post}", holder_unit=holder_unit)


def test_a_reminder_is_copied_to_posts_and_units() -> None:
    """A post is one of whoever is reminded, a unit's copy goes to its leader; all are named on every stream."""
    found = scene()
    wanted = ("responsible-leader", "east", "responsible-leader")
    told = found.supervision(action.Reminded(department="water", note="today", copies=wanted))
    leaders = tuple(copy_to(unit, "responsible-leader", unit) for unit in ("water", "east"))
    assert copies(told) == leaders
    reminded = last(found, "department.water.dispatches")
    assert isinstance(reminded, dispatch.Reminded)
    assert (reminded.note, reminded.copies) == ("today", leaders)
    copied = [fact for _, fact in found.said if isinstance(fact, escalation.Copied)]
    assert [each.copy_to for each in copied] == list(leaders)
    first = min(each.due_at for each in found.owed().clocks.values())
    assert {(each.unit, each.department, each.note, each.due_at) for each in copied} == {
        ("water", "water", "today", first)
    }


def test_a_reminder_of_the_street_is_copied_too() -> None:
    """A post is then the street's own, or of the district above it."""
    found = scene()
    told = found.supervision(action.Reminded(copies=("discipline-committee", "supervision-office")))
    assert copies(told) == (
        copy_to("east", "discipline-committee", "east"),
        copy_to("east", "supervision-office", "hill"),
    )
    assert [type(fact) for topic, fact in found.said if topic == "supervision.escalations"] == [escalation.Copied] * 2


def test_a_copy_to_a_post_that_nobody_holds_is_refused() -> None:
    """Nobody is reminded, and the sentence names the post."""
    (told,) = scene().supervision(action.Reminded(department="water", copies=("emperor",)))
    assert isinstance(told, ActRefused)
    assert "emperor" in told.reason


@pytest.mark.parametrize("unit", UNITS)
def test_whoever_owes_nothing_but_an_explanation_is_reminded_of_it(unit: str) -> None:
    """After all work is confirmed, of the case and by its deadline; once it has explained itself, no more."""
    found = done(open_(unit))
    found.pass_(7 * DAY)
    named = None if unit == "east" else unit
    (told,) = found.supervision(action.Reminded(department=named, note="today", copies=("responsible-leader",)))
    assert isinstance(told, RemindedByHand)
    due_at = found.now.cases[unit].clocks["explain"].due_at
    copied = last(found, "supervision.escalations")
    assert isinstance(copied, escalation.Copied)
    of_case = (None, None) if unit == "east" else (None, unit)
    assert (told.department, told.case) == of_case
    assert (copied.unit, copied.department, copied.due_at) == (unit, "water" if unit == "water" else None, due_at)
    if unit == "water":
        reminded = dispatch.Reminded(round=1, deadline="by-hand", due_at=due_at, note="today", copies=told.copies)
        assert last(found, "department.water.dispatches") == reminded
    found.hear(*explained(unit))
    told_again = found.supervision(action.Reminded(department=named))
    assert names(told_again) == ["RemindedByHand" if unit == "east" else "ActRefused"]


def test_a_case_is_reminded_of_although_its_incident_has_ended() -> None:
    """It goes on whatever becomes of the incident, and so do reminders of it, and no others."""
    found = Scene()
    found.street(opened())
    found.hear(*open_("elm"))
    found.street(decision.Refused(reason="no business of ours"))
    (told,) = found.supervision(action.Reminded(department="elm", note="today"))
    assert isinstance(told, RemindedByHand)
    assert told.case == "elm"
    for other in (None, "oak", "water"):
        (refused,) = found.supervision(action.Reminded(department=other))
        assert isinstance(refused, ActRefused)
        assert refused.reason == "the incident is refused"
    found.hear(*open_("east"))
    (told,) = found.supervision(action.Reminded())
    assert isinstance(told, RemindedByHand)
    assert told.case == "east"


def test_who_owes_the_work_too_is_reminded_of_whatever_is_due_first() -> None:
    """One reminder, with the earlier of both deadlines."""
    found = scene(open_("water"), ("department", "water", response.Acknowledged()))
    found.supervision(action.Reminded(department="water"))
    reminded = last(found, "department.water.dispatches")
    assert isinstance(reminded, dispatch.Reminded)
    assert reminded.due_at == START + DAY == found.owed().clocks["survey"].due_at
    found.department("water", response.Progressed(note="measured", step="survey"))
    found.supervision(action.Reminded(department="water"))
    reminded = last(found, "department.water.dispatches")
    assert isinstance(reminded, dispatch.Reminded)
    assert reminded.due_at == found.now.cases["water"].clocks["explain"].due_at


def test_the_district_is_asked_to_judge_as_soon_as_somebody_has_explained() -> None:
    """It hears of nothing else before it is late: who explained what, and by when it is to be judged."""
    found = scene(open_("water"))
    found.said.clear()
    found.hear(*explained("water"))
    [asked] = [fact for topic, fact in found.said if topic == "supervision.escalations"]
    assert isinstance(asked, escalation.Asked)
    assert (asked.request, asked.unit, asked.department, asked.post) == ("judge", "hill", "water", "supervision-office")
    assert asked.due_at == found.now.cases["water"].clocks["judge"].due_at
