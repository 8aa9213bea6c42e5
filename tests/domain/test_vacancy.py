"""Who is told is looked up when a rung fires, and a post that nobody holds is passed at once, never in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas import decision, escalation, response
from schemas.incident import Entry, Escalated, Reminded
from services.domain.configuration import Configuration
from services.domain.directory import Directory
from services.domain.ladder import Step
from services.domain.roster import Roster
from services.domain.working_time import Duration
from tests.domain.scene import CONFIGURATION, DAY, DIRECTORY, HOUR, START, Scene, opened

SHANGHAI = ZoneInfo("Asia/Shanghai")


def holding(**posts: Mapping[str, str | Roster]) -> Configuration:
    """The small district, where some units (`_` for a hyphen) hold other posts."""
    changed = {code.replace("_", "-"): held for code, held in posts.items()}
    units = {code: replace(unit, posts=changed.get(code, unit.posts)) for code, unit in DIRECTORY.units.items()}
    return replace(CONFIGURATION, directory=Directory(units))


def called(configuration: Configuration, category: str = "water") -> Scene:
    """The whistle was blown at the start, and whoever is called has acknowledged; the survey is due in a day."""
    scene = Scene(configuration)
    scene.street(opened(category))
    scene.street(decision.Called(kind="general"))
    for department in scene.now.obligations:
        scene.department(department, response.Acknowledged())
    return scene


def climbed(told: Sequence[Entry], deadline: str = "survey") -> list[tuple[int, str | None, Any, Any]]:
    """What was fired of one deadline: (step, post, who held it, vacant posts)."""
    return [
        (each.step, each.post, each.holder, each.vacant)
        for each in told
        if isinstance(each, Reminded | Escalated) and each.deadline == deadline
    ]


def test_a_vacant_post_is_passed_at_once_and_that_is_said() -> None:
    """The next above is told at that very instant; its own step has fired with it, and the one above comes in time."""
    scene = called(holding(water={"responsible-leader": "the leader"}))
    assert climbed(scene.pass_(2 * DAY)) == [
        (0, None, None, None),
        (2, "responsible-leader", "the leader", ("section-head",)),
    ]
    assert climbed(scene.pass_(DAY)) == []
    assert climbed(scene.pass_(DAY)) == [(3, "supervision-office", "hill's supervision-office", None)]
    raised = [fact for topic, fact in scene.said if isinstance(fact, escalation.Raised) and fact.deadline == "survey"]
    assert [(each.post, each.holder, each.holder_unit, each.vacant) for each in raised] == [
        ("responsible-leader", "the leader", "water", ("section-head",)),
        ("supervision-office", "hill's supervision-office", "hill", None),
    ]


def test_where_all_above_are_vacant_the_districts_office_is_told() -> None:
    """A section's top is its street's; where nobody holds that, the district's office hears of it, again and again."""
    configuration = holding(east={}, east_care={})
    scene = called(configuration, "care")
    vacant = ("section-head", "responsible-leader", "discipline-committee")
    told = climbed(scene.pass_(10 * DAY), "resolve")
    assert told[:2] == [
        (0, None, None, None),
        (3, "supervision-office", "hill's supervision-office", vacant),
    ]
    assert told[2:] == [(4, "supervision-office", "hill's supervision-office", ("discipline-committee",))]
    assert scene.next_due_at() is not None


def test_where_nobody_is_left_the_top_is_told_as_vacant() -> None:
    """Never silent: the post is named, nobody holds it, and it repeats."""
    scene = called(holding(water={}, hill={}))
    vacant = ("section-head", "responsible-leader", "supervision-office")
    assert climbed(scene.pass_(6 * DAY))[:3] == [
        (0, None, None, None),
        (3, "supervision-office", None, vacant),
        (4, "supervision-office", None, ("supervision-office",)),
    ]
    raised = [fact for topic, fact in scene.said if isinstance(fact, escalation.Raised)]
    assert raised
    assert all((each.post, each.holder) == ("supervision-office", None) for each in raised)


def test_the_holder_is_who_holds_the_post_when_its_rung_fires() -> None:
    """Neither who held it at dispatch, nor who holds it when somebody reads of it."""
    roster = Roster(("before", "after"), timedelta(days=2), datetime(2021, 3, 1), SHANGHAI)  # noqa: DTZ001
    scene = called(holding(water={"section-head": roster, "officer": roster}))
    assert scene.owed().owner.officer == "before"
    told = climbed(scene.pass_(2 * DAY))
    assert told[1] == (1, "section-head", "after", None)
    scene.configuration = holding(water={"responsible-leader": "somebody new"})
    assert climbed(scene.pass_(DAY)) == [(2, "responsible-leader", "somebody new", None)]


def test_an_empty_stretch_of_a_roster_is_a_vacancy() -> None:
    """Until the roster begins nobody is on duty; from then on the post is told."""
    roster = Roster(("late",), timedelta(days=1), datetime(2021, 3, 4), SHANGHAI)  # noqa: DTZ001
    scene = called(holding(water={"section-head": roster, "responsible-leader": "the leader"}))
    assert scene.owed().owner.section == "water:section-head"
    told = scene.pass_(7 * DAY)
    assert climbed(told)[1] == (2, "responsible-leader", "the leader", ("section-head",))
    assert climbed(told, "resolve")[1] == (1, "section-head", "late", None)


def test_after_an_outage_it_is_who_holds_the_post_now() -> None:
    """The highest rung that is due is told to whoever holds it when somebody looks."""
    roster = Roster(("early", "late"), timedelta(days=3), datetime(2021, 3, 1), SHANGHAI)  # noqa: DTZ001
    scene = called(holding(water={"section-head": roster}))
    told = scene.later(2 * DAY + HOUR).sweep()
    assert climbed(told) == [(1, "section-head", "early", None)]
    scene = called(holding(water={"responsible-leader": roster}))
    assert climbed(scene.later(3 * DAY + HOUR).sweep()) == [(2, "responsible-leader", "late", None)]


def test_a_vacant_post_before_the_deadline_does_not_use_up_what_comes_after_it() -> None:
    """Whoever owes is reminded in its place, and the deadline itself is still said."""
    configuration = holding(water={"section-head": "the head"})
    early = Step(Duration(1, "h"), "responsible-leader", before=True)
    ladders = {name: replace(ladder, steps=(early, *ladder.steps)) for name, ladder in configuration.ladders.items()}
    scene = called(replace(configuration, ladders=ladders))
    assert climbed(scene.pass_(2 * DAY)) == [
        (0, None, None, ("responsible-leader",)),
        (1, None, None, None),
        (2, "section-head", "the head", None),
    ]
    assert scene.at == START + 2 * DAY


def test_who_owes_is_who_is_on_duty_when_it_is_dispatched() -> None:
    """By the roster of the department, or of whoever stands in for it above."""
    night = Roster(("day", "night"), timedelta(hours=12), datetime(2021, 3, 1, 8), SHANGHAI)  # noqa: DTZ001
    configuration = holding(water={"officer": night})
    morning, evening = START, datetime(2021, 3, 1, 13, tzinfo=UTC)
    assert [configuration.owner_of("water", at).officer for at in (morning, evening)] == ["day", "night"]
    assert configuration.owner_of("power", morning) is configuration.owner_of("power", evening)
