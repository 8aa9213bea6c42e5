"""What a community owes is told on its own stream: asked for, reminded of, and climbing, as everybody else's is."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import action, answer, decision, response
from schemas.event import Fact
from services.domain.street import hear_history
from tests.domain.scene import CONFIGURATION, DAY, HOUR, INCIDENT, OTHER, Scene, opened
from tests.domain.test_before import before

DONE = response.Resolved(note="mended")
STREAM = "community.elm.answers"


def scene(category: str = "care", community: str = "elm", **fields: Any) -> Scene:
    """A section of the street was set to work, a community's report was attached, and elm's own has a reporter."""
    ladders = {name: replace(each, steps=(before("1d"), *each.steps)) for name, each in CONFIGURATION.ladders.items()}
    found = Scene(replace(CONFIGURATION, ladders=ladders))
    found.street(opened(category, community, reporter="r-17", description="the woman in flat 3 fell", **fields))
    found.street(decision.RepeatAttached(report=OTHER, community="oak"))
    found.street(decision.Called(departments=("east-care",) if category == "care" else ()))
    return found


def since(found: Scene, first: int) -> list[tuple[str, object, Fact]]:
    """What the street says about the entries from a place on, to communities."""
    told = [each for _, entry in found.told[first:] for each in hear_history(found.now, entry)]
    return [each for each in told if each[0].endswith(".answers")]


def test_a_community_is_asked_to_confirm_what_a_section_has_resolved() -> None:
    """Whose work, which round, and by when: only the incident's own community, whose report it is."""
    found = scene()
    first = len(found.told)
    found.department("east-care", DONE)
    due_at = found.at + 3 * DAY
    asked = answer.ConfirmationAsked(department="east-care", round=1, due_at=due_at)
    assert since(found, first) == [(STREAM, INCIDENT, asked)]


def test_a_department_s_work_is_the_street_s_to_confirm() -> None:
    """The community is neither asked nor reminded of it."""
    found = scene("water")
    first = len(found.told)
    found.department("water", DONE)
    found.pass_(20 * DAY)
    assert since(found, first) == []


def test_a_community_hears_each_step_of_what_it_has_not_confirmed() -> None:
    """Reminded before the deadline and at it, then which post above it was told, over and over."""
    found = scene()
    found.department("east-care", DONE)
    due_at, first = found.at + 3 * DAY, len(found.told)
    found.pass_(8 * DAY)
    reminded = answer.Reminded(deadline="confirm", department="east-care", due_at=due_at)
    holder = {"post": "discipline-member", "holder": "elm's discipline-member", "holder_unit": "elm"}
    told = reminded.model_copy(update=holder)
    assert since(found, first) == [(STREAM, INCIDENT, each) for each in (reminded, reminded, told, told, told)]


def test_a_community_s_case_is_reminded_of_on_its_own_stream() -> None:
    """By the clock and by hand, with the note and the copies; another unit's case is none of its business."""
    found = scene("water")
    for unit in ("elm", "water", "east"):
        found.supervision(action.CaseOpened(unit=unit, reason="five days late"))
    due_at, first = found.now.cases["elm"].clocks["explain"].due_at, len(found.told)
    found.pass_(due_at - found.at)
    reminded = answer.Reminded(deadline="explain", due_at=due_at)
    assert since(found, first) == [(STREAM, INCIDENT, reminded)] * 2
    first = len(found.told)
    found.supervision(action.Reminded(department="elm", note="today", copies=("discipline-member",)))
    found.supervision(action.Reminded(department="water", note="today"))
    [(topic, key, by_hand)] = since(found, first)
    assert (topic, key) == (STREAM, INCIDENT)
    assert isinstance(by_hand, answer.Reminded)
    assert (by_hand.deadline, by_hand.due_at, by_hand.note) == ("by-hand", due_at, "today")
    assert [each.holder for each in by_hand.copies] == ["elm's discipline-member"]


@pytest.mark.parametrize("private", ["r-17", "flat 3"])
def test_nothing_of_the_reporter_is_told_to_whoever_is_reminded(private: str) -> None:
    """Neither the report's words nor who reported it go beside a deadline."""
    found = scene()
    found.supervision(action.CaseOpened(unit="elm", reason="late"))
    found.department("east-care", DONE)
    found.later(HOUR).pass_(20 * DAY)
    told = since(found, 0)
    assert {type(fact) for _, _, fact in told} == {answer.ExplanationAsked, answer.ConfirmationAsked, answer.Reminded}
    assert not [fact for _, _, fact in told if private in fact.model_dump_json()]
