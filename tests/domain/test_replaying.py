"""Which past incidents other rules would have sent elsewhere: judged is what rules do, not what officers did."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import decision
from schemas.report import Link, Raised
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.matchers import parse_matchers
from services.domain.replaying import Elsewhere, elsewhere, is_judged
from services.domain.routing import Route
from tests.domain.scene import CONFIGURATION, HOUR, OTHER, ROUTES, START, Scene


def ruled(*routes: Route) -> Configuration:
    """The scene's configuration with these rules before all others, as another version."""
    return replace(CONFIGURATION, version="second", routes=replace(ROUTES, routes=(*routes, *ROUTES.routes)))


def rule(name: str, matcher: str, *departments: str) -> Route:
    """A rule that calls departments."""
    return Route(name, departments, tuple(parse_matchers(matcher)), deadlines=ROUTES.deadlines)


def told(state: Incident, configuration: Configuration) -> tuple[list[Any], list[Any], str] | None:
    """What was, what would have been, and by which post."""
    found = elsewhere(state, configuration)
    if found is None:
        return None
    assert isinstance(found, Elsewhere)
    assert found.incident == state.id
    return (
        [(each.department, each.rule, each.version) for each in found.was],
        [(each.department, each.rule, each.version) for each in found.would],
        found.by,
    )


def reported(*calls: decision.Called, severity: Any = "normal", category: str = "water", **more: Any) -> Incident:
    """An incident as it is after its report and these whistles."""
    scene = Scene()
    report = Raised(
        kind="demand",
        category=category,
        severity=severity,
        channel="visit",
        description="漏水",
        happened_at=START,
        **more,
    )
    scene.street(decision.Opened(community="elm", report=report, reported_at=START))
    for call in calls:
        scene.later(HOUR).street(call)
    assert scene.state is not None
    return scene.state


BY_RULE = decision.Called(by="rule:pipes", kind="general", departments=("water",))
BY_HAND = decision.Called(by="section-head", kind="general", departments=("power",))


def test_what_the_same_rules_would_do_again_is_nowhere_else() -> None:
    """The configuration by which everything went sends nothing elsewhere, by rule, by hand or not at all."""
    for state in (
        reported(BY_RULE),
        reported(BY_RULE, BY_HAND),
        reported(BY_HAND, category="other"),
        reported(category="other"),
        reported(decision.Called(by="rule:urgent", departments=("east-safety",)), severity="critical"),
    ):
        assert told(state, CONFIGURATION) is None


def test_what_a_rule_called_may_go_elsewhere() -> None:
    """Another department, another lead, or nobody at all; each was, and would be, by a rule of a version."""
    was = [("water", "pipes", "first")]
    state = reported(BY_RULE, BY_HAND)
    new = rule("new", 'category="water"', "fire", "water")
    assert told(state, ruled(new)) == (was, [("fire", "new", "second"), ("water", "new", "second")], "")
    assert told(state, ruled(rule("new", 'category="water"'))) == (was, [], "")
    assert told(state, ruled(rule("new", 'category="water"', "water"))) is None
    assert told(state, ruled(rule("other", 'category="power"', "fire"))) is None


def test_what_was_left_to_the_street_may_be_called_by_rule() -> None:
    """An officer's own whistle is no difference where the new rules call the same or leave it to the officer again."""
    by_hand = reported(BY_HAND, category="other")
    fire = ruled(rule("new", 'category="other"', "fire"))
    assert told(by_hand, fire) == ([("power", "root", "first")], [("fire", "new", "second")], "section-head")
    assert told(by_hand, ruled(rule("new", 'category="other"', "power"))) is None
    assert told(reported(category="other"), fire) == ([], [("fire", "new", "second")], "")


def test_the_kind_of_whistle_is_the_rules_own() -> None:
    """A critical report blows the emergency whistle by itself, whatever kind an officer blew later."""
    emergency = rule("new", 'call="emergency"', "fire")
    state = reported(decision.Called(by="rule:urgent", departments=("east-safety",)), severity="critical")
    found = told(state, ruled(emergency))
    assert found is not None
    assert found[1] == [("fire", "new", "second")]
    assert told(reported(BY_RULE, decision.Called(kind="emergency", departments=("fire",))), ruled(emergency)) is None


@pytest.mark.parametrize("repeats", [True, False])
def test_a_report_that_repeats_another_is_not_judged(repeats: bool) -> None:  # noqa: FBT001 - a case of the test
    """No rule had a say in it: it was attached."""
    links = (Link(rel="repeats", href=f"urn:uuid:{OTHER}"),) if repeats else ()
    assert is_judged(reported(links=links)) is not repeats
    assert not is_judged(Incident(OTHER))
    assert told(Incident(OTHER), CONFIGURATION) is None


@pytest.mark.parametrize("then", [("river",), ("river", "other"), ("river", "water")])
def test_what_was_reclassified_since_is_judged_as_it_was_raised(then: tuple[str, ...]) -> None:
    """Rules saw only what the report said; whatever it was found to be since is no doing of theirs."""
    scene = Scene()
    scene.state = reported(BY_RULE)
    for category in then:
        scene.later(HOUR).street(decision.Reclassified(reason="found on the spot", category=category))
    assert scene.state is not None
    assert scene.state.report is not None
    assert scene.state.report.category == then[-1]
    assert told(scene.state, CONFIGURATION) is None
    fire = told(scene.state, ruled(rule("new", 'category="water"', "fire")))
    assert fire == ([("water", "pipes", "first")], [("fire", "new", "second")], "")
    assert told(scene.state, ruled(rule("new", 'category="river"', "fire"))) is None
    found = elsewhere(scene.state, ruled(rule("new", 'category="water"', "fire")))
    assert found is not None
    assert found.category == "water"
