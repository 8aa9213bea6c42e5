"""What deadlines are counted from, and what may move or end them: not that somebody was slow to get to it."""

from datetime import timedelta

import pytest

from schemas import decision
from schemas.incident import ActRefused, Entry
from services.domain.street import hear_community
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, START, Scene, opened, report


def refusals(told: list[Entry]) -> list[str]:
    """The reasons for which what was said is refused."""
    return [entry.reason for entry in told if isinstance(entry, ActRefused)]


# --- from when --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("down", [timedelta(), 2 * HOUR, 2 * DAY, 40 * DAY])
def test_a_report_waits_for_the_street_from_when_it_was_reported(down: timedelta) -> None:
    """However long nobody at the street's got to it: a day after it is late, and stays so."""
    scene = Scene().later(down)
    scene.street(opened("unheard-of"))
    assert scene.now.clocks["decide"].due_at == START + DAY
    scene.sweep()
    assert scene.now.late == (("decide",) if down > DAY else ())


def test_a_street_gains_no_time_by_a_report_that_is_still_to_come() -> None:
    """Not later than from when it says that there is one."""
    scene = Scene()
    scene.street(opened("unheard-of").model_copy(update={"reported_at": START + 9 * DAY}))
    assert scene.now.clocks["decide"].due_at == START + DAY


def test_a_whistle_that_a_rule_blows_is_counted_from_the_report() -> None:
    """A rule takes no time. What departments owe is counted from their dispatch, of which they knew nothing before."""
    scene = Scene().later(2 * DAY)
    for _, _, fact in hear_community(None, INCIDENT, "elm", report("water"), START, CONFIGURATION):
        scene.street(fact)
    assert scene.now.clocks["overall"].due_at == START + 30 * DAY
    assert scene.owed().clocks["acknowledge"].due_at == scene.at + 2 * HOUR


def test_a_whistle_that_an_officer_blows_is_counted_from_that() -> None:
    """It took the officer so long, under the street's own deadline."""
    scene = Scene()
    scene.street(opened())
    scene.later(2 * HOUR).street(decision.Called(kind="general", by="officer"))
    assert scene.now.clocks["overall"].due_at == START + 2 * HOUR + 30 * DAY
