"""Refusals, extensions and parking: three approvals of rising rank (approvals.py)."""

from dataclasses import replace

import pytest

from schemas import action, decision, response
from schemas import incident as entries
from services.domain.approvals import DEFAULT_APPROVALS, Approval
from services.domain.routing import Route
from tests.domain.scene import CONFIGURATION, DAY, HOUR, START, Scene, names, opened

LEADER = "responsible-leader"


def at_work(allow: tuple[Approval, ...] | None = None) -> Scene:
    """An incident that two departments were called for under a rule, the first of which has acknowledged it."""
    routes = replace(CONFIGURATION.routes, allow=allow, routes=())
    scene = Scene(replace(CONFIGURATION, routes=routes))
    scene.street(opened("other"))
    scene.street(decision.Called(kind="general", departments=("water", "power")))
    scene.department("water", response.Acknowledged())
    return scene


def more_time(days: int) -> response.ExtensionRequested:
    """A request for an extension until so many days from the start."""
    return response.ExtensionRequested(until=START + days * DAY, reason="parts")


def granted(by: str, request: decision.Request = "extension") -> decision.Granted:
    """The street grants what water asked for."""
    return decision.Granted(department="water", request=request, by=by)


def test_the_three_approvals_rise_in_rank() -> None:
    """Refusing needs the lowest rank, parking the highest (rule 1)."""
    ranks = [DEFAULT_APPROVALS.needed(each).post for each in ("decline", "extension", "parking")]
    assert ranks == ["section-head", "responsible-leader", "supervision-office"]


@pytest.mark.parametrize("by", ["officer", "section-head", "somebody"])
def test_a_lower_rank_grants_nothing(by: str) -> None:
    """Who hasn't the rank is refused with the name of the rank it takes, and the deadline stands (rule 3)."""
    scene = at_work()
    scene.department("water", more_time(9))
    told = scene.street(granted(by))
    assert isinstance(told[0], entries.ActRefused)
    assert told[0].reason == f"this extension is approved by the responsible-leader at least, not by {by}"
    assert scene.owed().clocks["resolve"].due_at == START + 5 * DAY


def test_a_higher_rank_may_do_what_a_lower_may() -> None:
    """The district may grant what the street's leader may (rule 3)."""
    scene = at_work()
    scene.department("water", more_time(9))
    assert names(scene.supervision(action.Granted(department="water", request="extension"))) == ["Granted"]


def test_a_second_extension_needs_one_rank_more() -> None:
    """The first is the street leader's, every later one the district's, in whatever round it is asked for (rule 2)."""
    scene = at_work()
    scene.department("water", more_time(9))
    assert names(scene.street(granted(LEADER))) == ["Granted"]
    scene.department("water", response.Resolved(note="done"))
    scene.street(decision.SentBack(department="water", reason="it drips"))
    scene.department("water", more_time(19))
    assert names(scene.street(granted(LEADER))) == ["ActRefused"]
    assert names(scene.supervision(action.Granted(department="water", request="extension"))) == ["Granted"]
    assert scene.owed().extensions == 2


def test_what_was_asked_for_under_other_ranks_needs_the_highest() -> None:
    """A rank that the configuration no longer has is no way around the others."""
    scene = at_work()
    scene.department("water", more_time(9))
    fewer = replace(DEFAULT_APPROVALS, ranks=(DEFAULT_APPROVALS.ranks[0], DEFAULT_APPROVALS.ranks[2]))
    scene.configuration = replace(scene.configuration, approvals=fewer)
    assert names(scene.street(granted(LEADER))) == ["ActRefused"]
    assert names(scene.supervision(action.Granted(department="water", request="extension"))) == ["Granted"]


@pytest.mark.parametrize(
    ("allow", "refused"), [((), 3), (("decline",), 2), (("extension", "parking"), 1), (None, 0)], ids=str
)
def test_only_what_a_rule_allows_is_asked_for(allow: tuple[Approval, ...] | None, refused: int) -> None:
    """A rule may forbid refusing, extending and parking, each by itself; without a word it forbids nothing."""
    scene = at_work(allow)
    told = [
        *scene.department("power", response.Declined(reason="not ours")),
        *scene.department("water", more_time(9)),
    ]
    scene.street(granted(LEADER))
    told += scene.department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="frozen"))
    reasons = [each.reason for each in told if isinstance(each, entries.ActRefused)]
    assert len(reasons) == refused
    assert all(each.startswith("the rule root allows no ") for each in reasons)


def test_a_refusal_comes_before_the_deadline_for_acknowledging() -> None:
    """Who has let the time pass can't give it back any more."""
    scene = at_work()
    in_time = scene.copy().later(4 * HOUR - HOUR / 60)
    assert names(in_time.department("power", response.Declined(reason="not ours"))) == ["Declined"]
    told = scene.later(4 * HOUR).department("power", response.Declined(reason="not ours"))
    assert names(told) == ["Reminded", "ActRefused"]


def test_parking_is_asked_for_before_the_deadline() -> None:
    """Like an extension."""
    told = (
        at_work().later(5 * DAY).department("water", response.ParkingRequested(review_at=START + 9 * DAY, reason="x"))
    )
    assert isinstance(told[-1], entries.ActRefused)


def test_a_frozen_policy_says_what_was_allowed() -> None:
    """What a new configuration forbids was allowed to whoever was dispatched to before."""
    scene = at_work()
    scene.configuration = replace(scene.configuration, routes=Route("root", allow=()))
    assert names(scene.department("water", more_time(9))) == ["Requested"]
    assert scene.owed().request is not None
