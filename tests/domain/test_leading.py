"""Who leads: the department first called, until somebody with the power to do so names another (dispatching.py)."""

from dataclasses import replace
from datetime import date

import pytest

from schemas import action, decision, dispatch, response
from schemas import incident as entries
from services.domain.whistles import Whistle
from services.domain.working_time import Duration
from tests.domain.scene import CONFIGURATION, DAY, HOUR, START, Scene, durations, names, opened

DECLINE = response.Declined(reason="not ours")
DONE = response.Resolved(note="mended")


def called(*departments: str) -> Scene:
    """An incident for which departments were called at the start."""
    scene = Scene()
    scene.street(opened("other"))
    scene.street(decision.Called(kind="general", departments=departments))
    return scene


def roles(scene: Scene) -> dict[str, str]:
    """Who leads and who supports, of those who were not withdrawn."""
    return {each.department: each.role for each in scene.now.obligations.values() if each.status != "withdrawn"}


def test_what_all_decline_goes_to_the_district_and_the_first_called_leads_until_then() -> None:
    """The last refusal asks the district for a lead, by a deadline; whoever was called first owes it meanwhile."""
    scene = called("water", "power")
    scene.department("power", DECLINE)
    assert "lead" not in scene.now.clocks
    told = scene.later(HOUR).department("water", DECLINE)
    assert names(told) == ["Declined", "LeadSought", "Dispatched"]
    assert scene.now.clocks["lead"].due_at == START + HOUR + DAY
    owed = scene.owed("water")
    assert (owed.status, owed.round, owed.role, owed.bound) == ("dispatched", 2, "lead", "first")
    assert owed.clocks["resolve"].due_at == START + HOUR + 5 * DAY
    assert scene.owed("power").status == "declined"


def test_who_leads_until_a_lead_is_named_may_not_decline() -> None:
    """A second refusal is refused: while it is unclear whose it is, whoever got it first does it."""
    scene = called("water")
    scene.department("water", DECLINE)
    told = scene.department("water", DECLINE)
    assert names(told) == ["ActRefused"]
    assert isinstance(told[0], entries.ActRefused)
    assert "it can't decline" in told[0].reason


def test_the_naming_climbs_the_districts_ladder_when_nobody_names() -> None:
    """A lead that nobody names is a broken promise of the district, up to its top, again and again."""
    scene = called("water")
    scene.department("water", DECLINE)
    scene.department("water", response.Acknowledged())
    told = [each for each in scene.pass_(9 * DAY) if isinstance(each, entries.Escalated) and each.deadline == "lead"]
    assert {each.unit for each in told} == {"hill"}
    assert [each.post for each in told].count("supervision-office") >= 2


@pytest.mark.parametrize("named", ["water", "power", "fire"])
def test_whom_the_district_names_leads_and_may_not_decline(named: str) -> None:
    """The first, another of those called, or one nobody thought of: it leads, and who declined is let go."""
    scene = called("water", "power")
    for department in ("power", "water"):
        scene.department(department, DECLINE)
    scene.supervision(action.LeadNamed(department=named, reason="theirs"))
    assert roles(scene) == {named: "lead"}
    assert "lead" not in scene.now.clocks
    assert names(scene.department(named, DECLINE)) == ["ActRefused"]
    assert names(scene.department(named, DONE)) == ["Acknowledged", "Resolved"]


def test_who_is_at_work_goes_on_as_support_of_the_named_lead() -> None:
    """Naming a lead takes nothing from those who have taken it on."""
    scene = called("water", "power")
    scene.department("water", response.Acknowledged())
    scene.department("power", DECLINE)
    scene.supervision(action.LeadNamed(department="fire", reason="theirs"))
    assert roles(scene) == {"water": "support", "fire": "lead"}
    assert scene.owed("water").status == "acknowledged"


@pytest.mark.parametrize("named", ["nobody", "elm", "west-care"])
def test_only_who_could_do_it_is_named(named: str) -> None:
    """No unknown code, no community, no section of another street."""
    scene = called("water")
    scene.department("water", DECLINE)
    assert names(scene.supervision(action.LeadNamed(department=named, reason="theirs"))) == ["ActRefused"]
    assert "lead" in scene.now.clocks


def test_the_street_commands_its_own_sections() -> None:
    """What only sections of the street have declined does not go to the district: the street insists, or calls."""
    scene = called("east-care")
    assert names(scene.department("east-care", DECLINE)) == ["Declined"]
    assert names(scene.street(decision.Insisted(department="east-care", reason="yours"))) == ["Insisted", "Dispatched"]


def test_another_called_by_the_street_ends_the_search() -> None:
    """Once the street has found somebody else, nobody waits for the district, until that one declines too."""
    scene = called("water")
    scene.department("water", DECLINE)
    scene.street(decision.Called(kind="general", departments=("power",), by="section-head"))
    assert "lead" not in scene.now.clocks
    assert roles(scene) == {"power": "lead"}
    scene.later(HOUR).department("power", DECLINE)
    assert scene.now.clocks["lead"].due_at == START + HOUR + DAY


def test_letting_go_who_declined_needs_a_rank() -> None:
    """An officer can't take a department's refusal for good, by calling another or by withdrawing it."""
    scene = called("water")
    scene.department("water", DECLINE)
    for fact in (
        decision.Called(kind="general", departments=("power",)),
        decision.Withdrawn(department="water", reason="let it go"),
    ):
        told = scene.street(fact)
        assert isinstance(told[0], entries.ActRefused)
        assert "section-head at least, not by officer" in told[0].reason


def test_somebody_leads_what_goes_on_without_its_lead() -> None:
    """Where the lead is withdrawn, the first of the others leads, and all who are left are told."""
    scene = called("water", "power", "fire")
    scene.said.clear()
    told = scene.street(decision.Withdrawn(department="water", reason="not needed"))
    assert names(told) == ["Withdrawn", "LeadNamed"]
    assert roles(scene) == {"power": "lead", "fire": "support"}
    told_to = [topic for topic, fact in scene.said if isinstance(fact, dispatch.LeadNamed)]
    assert told_to == ["department.power.dispatches", "department.fire.dispatches"]


# --- joint handling --------------------------------------------------------------------------------------------------


def test_who_is_called_later_may_have_a_term_of_its_own() -> None:
    """A unit added later owes by its own instant, and the others by theirs."""
    scene = called("water")
    term = START + 3 * DAY
    scene.later(DAY).street(decision.Called(kind="general", departments=("power",), resolve_by=term))
    assert scene.owed("power").clocks["resolve"].due_at == term
    assert scene.owed("water").clocks["resolve"].due_at == START + 5 * DAY
    assert roles(scene) == {"water": "lead", "power": "support"}


@pytest.mark.parametrize("days", [-1, 0, 31])
def test_a_term_lies_between_now_and_the_incidents_own_deadline(days: int) -> None:
    """Neither past nor beyond the deadline that nothing moves."""
    scene = called("water")
    told = scene.street(decision.Called(kind="general", departments=("power",), resolve_by=START + days * DAY))
    assert names(told) == ["ActRefused"]
    assert "power" not in scene.now.obligations


def test_the_lead_closes_nothing_of_the_others() -> None:
    """What the lead has done is its own part: the others still owe theirs, whatever becomes of the lead."""
    scene = called("water", "power")
    scene.department("water", DONE)
    scene.street(decision.Confirmed(department="water"))
    assert scene.owed("power").status == "dispatched"
    assert scene.now.status == "responding"


# --- the three whistles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "days"), [("general", 30), ("enforcement", 20), ("emergency", 10)])
def test_each_whistle_has_an_overall_deadline_of_its_own(kind: decision.CallKind, days: int) -> None:
    """From the whistle, by its kind."""
    scene = Scene()
    scene.street(opened("other"))
    scene.later(HOUR).street(decision.Called(kind=kind, departments=("water",)))
    assert scene.now.clocks["overall"].due_at == START + HOUR + days * DAY


def test_an_emergency_hurries_whoever_is_called() -> None:
    """Acknowledged and on the spot in thirty minutes, whatever the rule that names the department allows."""
    scene = Scene()
    scene.street(opened("river"))
    scene.street(decision.Called(kind="emergency", departments=("water",)))
    clocks = {name: clock.due_at - START for name, clock in scene.owed("water").clocks.items()}
    assert clocks["acknowledge"] == clocks["arrive"] == HOUR / 2
    assert clocks["resolve"] == DAY
    assert scene.owed("water").policy.durations["arrive"] == "30m"


def test_a_stricter_rule_stays_stricter() -> None:
    """A whistle's limit never gives more time than the rule."""
    routes = replace(CONFIGURATION.routes, deadlines=durations(acknowledge="10m", resolve="2h"), routes=())
    scene = Scene(replace(CONFIGURATION, routes=routes))
    scene.street(opened("other"))
    scene.street(decision.Called(kind="emergency", departments=("power",)))
    assert scene.owed("power").policy.durations == {"acknowledge": "10m", "resolve": "2h", "arrive": "30m"}


# --- classified again ------------------------------------------------------------------------------------------------


def test_classifying_again_moves_no_deadline_and_names_whom_the_rules_now_name() -> None:
    """The next call follows the new classification; every clock goes on as it was."""
    scene = called("power")
    clocks = scene.now.clocks, scene.owed("power").clocks
    assert names(scene.later(HOUR).street(decision.Reclassified(category="water", reason="a pipe"))) == ["Reclassified"]
    assert (scene.now.clocks, scene.owed("power").clocks) == clocks
    scene.street(decision.Called(kind="general"))
    assert set(scene.now.obligations) == {"power", "water"}


def test_classifying_as_it_was_is_refused() -> None:
    """Nothing is told that changes nothing."""
    scene = called("water")
    assert names(scene.street(decision.Reclassified(category="other", reason="as before"))) == ["ActRefused"]


# --- what was found at the seams -------------------------------------------------------------------------------------


def test_the_street_does_not_undo_whom_the_district_named() -> None:
    """A named lead is no department that declined: calling a supporter leaves it, and the street can't withdraw it."""
    scene = called("water", "power")
    for department in ("power", "water"):
        scene.department(department, DECLINE)
    scene.supervision(action.LeadNamed(department="fire", reason="theirs"))
    told = scene.street(decision.Called(kind="general", departments=("east-care",)))
    assert names(told) == ["Called", "Dispatched"]
    assert roles(scene) == {"fire": "lead", "east-care": "support"}
    scene.department("fire", response.Acknowledged())
    told = scene.street(decision.Withdrawn(department="fire", reason="we prefer another", by="responsible-leader"))
    assert names(told) == ["ActRefused"]


def test_insisting_first_is_no_way_around_the_rank() -> None:
    """Who has declined is let go by the rank for it, in whatever round, until it has acknowledged."""
    scene = called("water", "power")
    scene.department("water", DECLINE)
    scene.street(decision.Insisted(department="water", reason="yours"))
    withdrawn = decision.Withdrawn(department="water", reason="let it go")
    assert names(scene.street(withdrawn)) == ["ActRefused"]
    scene.department("water", response.Acknowledged())
    assert names(scene.street(withdrawn)) == ["Withdrawn", "LeadNamed"]


def test_somebody_leads_what_is_reopened() -> None:
    """Where the lead was withdrawn when nothing was open any more, the first who had done it leads the new round."""
    scene = called("water", "power")
    scene.department("power", DONE)
    scene.street(decision.Confirmed(department="power"))
    scene.street(decision.Withdrawn(department="water", reason="not needed"))
    scene.street(decision.Answered(answer="done"))
    scene.street(decision.Rated(community="elm", report=scene.incident, solved=False, satisfied=False))
    assert roles(scene) == {"power": "lead"}


def test_whom_the_district_named_stays_bound_in_every_round() -> None:
    """Reopened, it may not decline either."""
    scene = called("water")
    scene.department("water", DECLINE)
    scene.supervision(action.LeadNamed(department="power", reason="theirs"))
    scene.department("power", DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="done"))
    scene.street(decision.Rated(community="elm", report=scene.incident, solved=False, satisfied=False))
    assert names(scene.department("power", DECLINE)) == ["ActRefused"]


def test_nobody_is_late_with_naming_a_lead_whose_work_is_confirmed() -> None:
    """Once the part of whoever led is done and confirmed, it is not asked any more whose it was."""
    scene = called("water", "power")
    for department in ("power", "water"):
        scene.department(department, DECLINE)
    scene.department("water", DONE)
    scene.street(decision.Confirmed(department="water"))
    assert "lead" not in scene.now.clocks


def test_the_district_gets_no_longer_for_what_it_was_asked() -> None:
    """Whatever the street does meanwhile, the deadline for naming a lead stays the one of the first time."""
    scene = called("water", "power")
    for department in ("power", "water"):
        scene.department(department, DECLINE)
    due_at = scene.now.clocks["lead"].due_at
    scene.later(HOUR)
    told = scene.street(decision.Withdrawn(department="water", reason="not theirs", by="section-head"))
    assert names(told) == ["Withdrawn", "LeadNamed", "Dispatched"]
    assert scene.owed("power").bound == "first"
    assert scene.now.clocks["lead"].due_at == due_at


def test_the_stricter_limit_is_found_by_the_calendar_of_whoever_owes() -> None:
    """Eight office hours end before thirty by the clock at an open department, and after them at a closed one."""
    closed = frozenset({date(2021, 3, 2), date(2021, 3, 3), date(2021, 3, 4)})
    units = {**CONFIGURATION.directory.units}
    units["fire"] = replace(units["fire"], calendar="closed")
    configuration = replace(
        CONFIGURATION,
        directory=replace(CONFIGURATION.directory, units=units),
        routes=replace(CONFIGURATION.routes, deadlines=durations(acknowledge="8wh", resolve="5d"), routes=()),
        whistles={**CONFIGURATION.whistles, "emergency": Whistle(Duration(10, "d"), durations(acknowledge="30h"))},
        calendars={"closed": replace(CONFIGURATION.calendar, holidays=closed)},
    )
    scene = Scene(configuration)
    scene.street(opened("other"))
    scene.street(decision.Called(kind="emergency", departments=("fire", "power")))
    assert scene.owed("fire").policy.durations["acknowledge"] == "30h"
    assert scene.owed("power").policy.durations["acknowledge"] == "8wh"


def test_the_street_insists_on_the_only_one_it_called_and_nobody_is_sought_any_more() -> None:
    """Most rules name one department: its refusal asks the district at once, and the street may still have it do it."""
    found = Scene()
    found.street(opened())
    found.street(decision.Called(kind="general"))
    found.department("water", response.Declined(reason="not our pipe"))
    assert "lead" in found.now.clocks
    assert names(found.street(decision.Insisted(department="water", reason="it is"))) == ["Insisted", "Dispatched"]
    assert "lead" not in found.now.clocks
    assert (found.owed().bound, found.owed().role) == ("insisted", "lead")
    assert names(found.department("water", response.Declined(reason="it is not"))) == ["ActRefused"]
    refused = found.street(decision.Insisted(department="water", reason="again"))
    assert names(refused) == ["ActRefused"], "there is nothing to insist on"
