"""The rates by which both sides are appraised; the rules carry the numbers of services/domain/rates.py."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import decision, response
from services.domain.rates import Appraised, Rates, Share, Span, appraised, as_json, count
from services.domain.working_time import Calendar, between
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, OTHER, START, Scene, opened

ACKNOWLEDGED = response.Acknowledged()
RESOLVED = response.Resolved(note="mended")
SURVEYED = response.Progressed(note="measured", step="survey")
CONFIRMED = decision.Confirmed()
ANSWERED = decision.Answered(answer="mended")


def calendar_of(_: str) -> Calendar:
    """Everybody's office hours."""
    return CONFIGURATION.calendar


def called(*departments: str) -> Scene:
    """A report that departments have been called for."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Called(kind="general", departments=departments))
    return scene


def rated(scene: Scene, *, solved: bool, satisfied: bool = True) -> Scene:
    """The reporter rates."""
    scene.street(decision.Rated(community="elm", report=INCIDENT, solved=solved, satisfied=satisfied))
    return scene


def rated_by_the_other(scene: Scene, *, solved: bool, satisfied: bool = True) -> Scene:
    """The reporter of the repeat rates."""
    scene.street(decision.Rated(community="oak", report=OTHER, solved=solved, satisfied=satisfied))
    return scene


def settled(scene: Scene) -> Scene:
    """Everybody who owes resolves, and the street confirms and answers."""
    for owed in [each for each in scene.now.obligations.values() if each.open]:
        scene.department(owed.department, RESOLVED)
    scene.street(CONFIRMED)
    scene.street(ANSWERED)
    return scene


def of(scene: Scene, department: str = "") -> Rates:
    """The rates of one obligation alone, or of the incident as a whole."""
    return count([each for each in appraised(scene.now) if each.department == department], calendar_of)


def test_nothing_has_no_rate() -> None:
    """Where the denominator is 0 there is no rate, and no time."""
    rates = count([], calendar_of)
    assert rates == Rates()
    assert rates.response.rate is None
    assert as_json(rates.response, 10) == {"rate": None, "many": 0, "of": 0, "small": False}
    assert as_json(rates.handling, 10) == {"median_h": None, "p90_h": None, "of": 0, "small": False}


def test_what_nobody_decided_about_counts_nowhere() -> None:
    """Rule 11: until the street calls or refuses, there is nothing to appraise."""
    scene = Scene()
    scene.street(opened())
    assert appraised(scene.now) == []


def test_a_response_is_an_acknowledgement() -> None:
    """Rules 3 and 4: asked from the dispatch on; to resolve acknowledges too, and to decline does not."""
    scene = called("water", "power", "fire")
    assert of(scene, "water").response == Share(0, 1)
    scene.department("water", RESOLVED)
    scene.department("power", response.Declined(reason="not ours"))
    scene.department("fire", ACKNOWLEDGED)
    assert [of(scene, each).response.many for each in ("water", "power", "fire")] == [1, 0, 1]


def test_late_to_acknowledge_stays_late() -> None:
    """Rules 2 and 5: whoever acknowledges after the deadline has responded, and not in time, in whatever round."""
    scene = called("water")
    assert of(scene, "water").prompt == Share(0, 0)
    scene.pass_(3 * HOUR)
    assert of(scene, "water").prompt == Share(0, 1)
    scene.department("water", ACKNOWLEDGED)
    settled(scene)
    rated(scene, solved=False)
    for _ in range(2):
        for whom in ("water", ""):
            assert (of(scene, whom).response, of(scene, whom).prompt) == (Share(1, 1), Share(0, 1))
        scene.department("water", ACKNOWLEDGED)


def test_late_on_the_spot_or_with_an_interim_step_is_late() -> None:
    """Rules 2 and 7: whoever arrives hours late, or surveys a day late, was not on time, however soon it resolves."""
    scene = Scene()
    scene.street(opened("other", severity="critical"))
    scene.street(decision.Called(kind="emergency", departments=("fire",)))
    scene.department("fire", ACKNOWLEDGED)
    scene.pass_(5 * HOUR)
    scene.department("fire", response.Arrived())
    scene.department("fire", RESOLVED)
    assert scene.owed("fire").late == ("arrive",)
    for whom in ("fire", ""):
        assert (of(scene, whom).prompt, of(scene, whom).on_time) == (Share(1, 1), Share(0, 1))
    scene = called("water")
    scene.department("water", ACKNOWLEDGED)
    scene.pass_(DAY + HOUR)
    assert of(scene, "water").on_time == Share(0, 1)
    scene.department("water", SURVEYED)
    settled(scene)
    assert (scene.owed("water").late, of(scene, "water").on_time) == (("survey",), Share(0, 1))


def test_no_department_is_late_by_what_others_owe_on_its_part() -> None:
    """Rule 2: a judgement or a decision that somebody else is late with is no lateness of whoever did the work."""
    scene = called("water")
    scene.department("water", RESOLVED)
    scene.pass_(20 * DAY)
    assert scene.owed("water").late == ("confirm",)
    for whom in ("water", ""):
        assert (of(scene, whom).prompt, of(scene, whom).on_time.of) == (Share(1, 1), 1)
    assert of(scene, "water").on_time == Share(1, 1)


def test_what_was_withdrawn_counts_for_what_it_had_become() -> None:
    """Rule 3: withdrawn in time it counts nowhere; withdrawn late, or after it was acknowledged, that stays."""
    scene = called("water", "power", "fire")
    scene.department("fire", ACKNOWLEDGED)
    scene.street(decision.Withdrawn(department="water", reason="not needed"))
    scene.street(decision.Withdrawn(department="fire", reason="not needed"))
    assert of(scene, "water") == Rates()
    assert (of(scene, "fire").response, of(scene, "fire").prompt) == (Share(1, 1), Share(1, 1))
    scene.pass_(6 * DAY)
    scene.street(decision.Withdrawn(department="power", reason="not needed"))
    found = of(scene, "power")
    assert (found.response, found.prompt, found.on_time) == (Share(0, 1), Share(0, 1), Share(0, 1))


def test_the_last_rating_counts() -> None:
    """Rule 6: solved and satisfied are two questions, and what was rated once more has its new rating."""
    scene = rated(settled(called("water")), solved=False, satisfied=False)
    assert (of(scene, "water").solution, of(scene, "water").satisfaction) == (Share(0, 1), Share(0, 1))
    rated(settled(scene), solved=True, satisfied=False)
    for whom in ("water", ""):
        assert (of(scene, whom).solution, of(scene, whom).satisfaction) == (Share(1, 1), Share(0, 1))


def test_nobody_is_appraised_by_what_was_said_before_they_were_called() -> None:
    """Rules 6 and 9: who objects to a refusal has not rated the department that is called for it afterwards."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Refused(reason="not ours"))
    rated(scene, solved=False)
    scene.later(HOUR)
    scene.street(decision.Called(kind="general", departments=("water",)))
    assert (of(scene, "water").solution, of(scene, "water").reopen) == (Share(), Share())
    assert (of(scene).solution, of(scene).reopen) == (Share(0, 1), Share(1, 1))
    scene.later(HOUR)
    settled(scene)
    assert (of(scene, "water").solution, of(scene, "water").reopen) == (Share(), Share(0, 1))


def test_a_bad_rating_stays_with_whose_work_it_was() -> None:
    """Rules 3 and 6: it was confirmed and stood when it was rated, and no later withdrawal takes that back."""
    scene = rated(settled(called("water")), solved=False, satisfied=False)
    scene.later(HOUR)
    scene.street(decision.Called(departments=("power",)))
    scene.street(decision.Withdrawn(department="water", reason="another does it"))
    for whom in ("water", ""):
        assert (of(scene, whom).solution, of(scene, whom).reopen) == (Share(0, 1), Share(1, 1))
    assert (of(scene, "power").solution, of(scene, "power").reopen) == (Share(), Share())
    rated(settled(scene), solved=True)
    assert [of(scene, whom).solution for whom in ("water", "power", "")] == [Share(0, 1), Share(1, 1), Share(1, 1)]


def test_who_was_withdrawn_before_has_no_part_in_what_others_did() -> None:
    """Rules 6, 8 and 9: called once more, it is rated by its own work, and its time begins with that call."""
    scene = called("water", "power")
    scene.later(HOUR).street(decision.Withdrawn(department="water", reason="a mistake"))
    scene.later(HOUR)
    rated(settled(scene), solved=False, satisfied=False)
    scene.later(HOUR).street(decision.Called(departments=("water",)))
    assert (of(scene, "water").solution, of(scene, "water").reopen) == (Share(), Share())
    scene.later(HOUR)
    settled(scene)
    assert (of(scene, "water").solution, of(scene, "water").reopen) == (Share(), Share(0, 1))
    # From 13:00 on; the office opens at 13:00 again.
    assert (of(scene, "water").handling.median, of(scene, "power").handling.median) == (HOUR, 3 * HOUR)


def test_no_withdrawal_shortens_the_time_of_who_had_begun() -> None:
    """Rule 8: who had acknowledged, or was late to, before the withdrawal, has the time since the first call."""
    for begin, lasts in ((lambda scene: scene.department("water", ACKNOWLEDGED), HOUR), (lambda _: None, 3 * HOUR)):
        scene = called("water", "power")
        begin(scene)
        scene.pass_(lasts)
        scene.street(decision.Withdrawn(department="water", reason="for now"))
        scene.street(decision.Called(departments=("water",)))
        settled(scene)
        assert of(scene, "water").handling.median == between(CONFIGURATION.calendar, START, scene.at) > timedelta()


def test_of_several_reporters_the_worst_rating_counts() -> None:
    """Rule 6: nobody's word erases another's; it is solved where all who rated say so, and each may say so anew."""
    scene = called("water")
    scene.street(decision.RepeatAttached(report=OTHER, community="oak"))
    settled(scene)
    rated(scene, solved=True, satisfied=False)
    rated_by_the_other(scene, solved=True)
    for whom in ("water", ""):
        assert (of(scene, whom).solution, of(scene, whom).satisfaction) == (Share(1, 1), Share(0, 1))
    rated_by_the_other(scene, solved=False)
    rated(settled(scene), solved=True)
    for whom in ("water", ""):
        assert (of(scene, whom).solution, of(scene, whom).satisfaction) == (Share(0, 1), Share(1, 1))
    rated_by_the_other(scene, solved=True)
    for whom in ("water", ""):
        assert (of(scene, whom).solution, of(scene, whom).satisfaction) == (Share(1, 1), Share(1, 1))


def test_late_to_resolve_stays_late() -> None:
    """Rules 2 and 7: past due it counts as not on time, resolved afterwards or not, and so does its incident."""
    scene = called("water")
    assert of(scene, "water").on_time == Share()
    scene.pass_(6 * DAY)
    assert (of(scene, "water").on_time, of(scene).on_time) == (Share(0, 1), Share(0, 1))
    settled(scene)
    assert (of(scene, "water").on_time, of(scene).on_time) == (Share(0, 1), Share(0, 1))


def test_an_extension_keeps_what_is_in_time() -> None:
    """Rule 7: a deadline moved before it passed was not missed."""
    scene = called("water")
    scene.department("water", ACKNOWLEDGED)
    scene.department("water", SURVEYED)
    until = START + 20 * DAY
    scene.department("water", response.ExtensionRequested(until=until, reason="rain"))
    scene.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
    scene.pass_(10 * DAY)
    scene.department("water", RESOLVED)
    assert of(scene, "water").on_time == Share(1, 1)


def test_work_sent_back_is_not_resolved() -> None:
    """Rules 7 and 8: it counts again once it is resolved again, with all the time since the first dispatch."""
    scene = called("water")
    scene.department("water", RESOLVED)
    assert of(scene, "water").handling == Span(1, timedelta(), timedelta())
    scene.street(decision.SentBack(department="water", reason="it leaks"))
    assert (of(scene, "water").on_time, of(scene, "water").handling) == (Share(), Span())
    scene.department("water", SURVEYED)
    # Monday 10:00 to Tuesday 10:00.
    scene.pass_(DAY)
    scene.department("water", RESOLVED)
    assert (of(scene, "water").on_time, of(scene, "water").handling.median) == (Share(1, 1), 7 * HOUR)


def test_handling_goes_on_through_a_new_round() -> None:
    """Rule 8: nothing begins it anew, and nights don't count."""
    scene = settled(called("water"))
    scene.pass_(DAY)
    rated(scene, solved=False)
    assert of(scene, "water").handling == Span()
    scene.pass_(DAY)
    settled(scene)
    assert of(scene, "water").handling.median == of(scene).handling.median == 14 * HOUR


def test_reopened_is_of_whose_work_it_was() -> None:
    """Rule 9: a department called later has nothing reopened, and whoever was withdrawn before was not answered."""
    scene = called("water", "power")
    scene.street(decision.Withdrawn(department="power", reason="not needed"))
    settled(scene)
    assert (of(scene, "water").reopen, of(scene, "power").reopen, of(scene).reopen) == (
        Share(0, 1),
        Share(0, 0),
        Share(0, 1),
    )
    scene.later(HOUR)
    rated(scene, solved=False)
    scene.later(HOUR)
    scene.street(decision.Called(kind="general", departments=("fire",)))
    assert (of(scene, "water").reopen, of(scene, "fire").reopen, of(scene).reopen) == (
        Share(1, 1),
        Share(0, 0),
        Share(1, 1),
    )


def test_reopened_stays_reopened() -> None:
    """Rules 3 and 9: whoever is withdrawn after the work was called for again had it reopened all the same."""
    scene = rated(settled(called("water", "power")), solved=False)
    scene.street(decision.Withdrawn(department="water", reason="not needed"))
    assert of(scene, "water").reopen == Share(1, 1)


def test_an_incident_stands_for_all_of_its_obligations() -> None:
    """Rule 10: the last to acknowledge and the last to resolve decide, and one that is late makes it late."""
    scene = called("water", "power")
    scene.department("water", ACKNOWLEDGED)
    assert of(scene).response == Share(0, 1)
    scene.department("power", RESOLVED)
    assert (of(scene).response, of(scene).handling) == (Share(1, 1), Span())
    scene.department("water", SURVEYED)
    scene.pass_(DAY)
    scene.department("water", RESOLVED)
    assert (of(scene).on_time, of(scene).handling.median) == (Share(1, 1), 7 * HOUR)
    late = called("water", "power")
    late.department("power", RESOLVED)
    late.pass_(6 * DAY)
    late.department("water", RESOLVED)
    assert [of(late, each).on_time.many for each in ("water", "power", "")] == [0, 1, 0]


def test_the_overall_deadline_makes_an_incident_late() -> None:
    """Rule 10: the departments were in time, and the whole was not."""
    scene = called("water")
    scene.department("water", RESOLVED)
    scene.pass_(31 * DAY)
    assert (of(scene, "water").on_time, of(scene).on_time) == (Share(1, 1), Share(0, 1))


@pytest.mark.parametrize(
    ("departments", "whistled"), [(("east-care",), 0), (("water",), 1), (("east-care", "water"), 1)]
)
def test_a_whistle_calls_the_district(departments: tuple[str, ...], whistled: int) -> None:
    """Rule 11: what the street solves with a section of its own is decided without a whistle."""
    scene = called(*departments)
    assert of(scene).whistle == Share(whistled, 1)
    assert all(of(scene, each).whistle == Share() for each in departments)


def test_a_refusal_is_decided_and_answered() -> None:
    """Rules 9, 11 and 12: it needs no whistle, its reason is an answer, and it took from the report to that."""
    scene = Scene()
    scene.street(opened())
    scene.pass_(2 * HOUR)
    scene.street(decision.Refused(reason="not ours"))
    found = of(scene)
    assert (found.whistle, found.reopen, found.answering.median) == (Share(0, 1), Share(0, 1), 2 * HOUR)
    assert found.response == Share()


def test_an_answer_counts_while_it_stands() -> None:
    """Rule 12: a reopened incident has no answer until it has a new one, which took from the report on."""
    scene = settled(called("water"))
    scene.pass_(DAY)
    rated(scene, solved=False)
    assert of(scene).answering == Span()
    settled(scene)
    assert of(scene).answering.median == 7 * HOUR
    assert of(scene, "water").answering == Span()


def test_a_repeat_counts_with_the_other() -> None:
    """Rule 13: what was attached is nobody's to decide about any more."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Attached(by="rule:repeats", to=UUID(int=7)))
    assert appraised(scene.now) == []


def item(hours: int) -> Appraised:
    """An obligation that took so many hours of one office day after another."""
    (_, duty) = appraised(called("water").now)
    return duty._replace(resolved_at=START + timedelta(days=hours // 7, hours=hours % 7))


def test_percentiles_are_times_really_taken() -> None:
    """Rule 14: of ten, the fifth and the ninth; of one, that one."""
    # From 10:00 each: 0, 1 and 2 hours, and the noon hour is nobody's.
    taken = [item(each) for each in (0, 1, 2, 7, 14, 21, 28)]
    found = count(reversed(taken), calendar_of).handling
    assert (found.of, found.median, found.ninetieth) == (7, 7 * HOUR, 28 * HOUR)
    assert count(taken[1:2], calendar_of).handling == Span(1, HOUR, HOUR)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 30))
def test_small_numbers_are_marked(many: int, of: int, below: int) -> None:
    """From fewer than so many a number is marked as small, and a rate is never below 0 or above 1."""
    many = min(many, of)
    written = as_json(Share(many, of), below)
    assert written["small"] == (of < below)
    assert 0 <= written["rate"] <= 1
    assert as_json(Span(of, HOUR, 90 * timedelta(minutes=1)), below) == {
        "median_h": 1.0,
        "p90_h": 1.5,
        "of": of,
        "small": of < below,
    }


def test_nothing_is_more_than_all() -> None:
    """Whatever combination of facts an item has, it counts in no numerator without its denominator."""
    (matter, duty) = appraised(rated(settled(called("water")), solved=True).now)
    for each in (matter, duty):
        flags = [name for name in each._fields if isinstance(getattr(each, name), bool)]
        for chosen in range(2 ** len(flags)):
            flipped: dict[str, Any] = {name: bool(chosen >> place & 1) for place, name in enumerate(flags)}
            forged = each._replace(**flipped)
            rates = count([forged], calendar_of)
            for field in fields(rates):
                found = getattr(rates, field.name)
                assert not isinstance(found, Share) or found.many <= found.of
    assert replace(Share(1, 3), many=2).rate == 0.6667
