"""A category that no rule names is told apart from one that some rule does."""

from pathlib import Path

import pytest

from services.configured import load
from services.domain.categories import judge_category
from services.domain.routing import Route, parse_matchers

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"


def tree(*matchers: str) -> Route:
    """A tree of one rule for each of these matchers, one under the other."""
    found = Route("last")
    for index, each in enumerate(reversed(matchers)):
        found = Route(f"rule {index}", matchers=tuple(parse_matchers(each)), routes=(found,))
    return Route("root", routes=(found,))


@pytest.mark.parametrize(
    "matcher", ['category="gas"', 'category=~"gas|water"', 'category=~"ga.+"', 'category!="gas"', 'category!~"gas|x"']
)
def test_what_a_rule_names_is_known(matcher: str) -> None:
    """Wherever in the tree, by itself, among others, or as one of a pattern; also where it is left out."""
    assert judge_category(tree('kind="demand"', matcher), "gas") is None


@pytest.mark.parametrize("matcher", ['category=~".*"', 'category=~".+"', 'kind="gas"', 'category="water"'])
def test_what_no_rule_names_is_told(matcher: str) -> None:
    """A rule for whatever there is names nothing."""
    assert judge_category(tree(matcher), "gas") == "no rule names the category 'gas'"


def test_the_nearest_is_named() -> None:
    """As the configuration of Dongsheng has it, where a name was mistyped."""
    routes = load(SHIPPED).routes
    assert judge_category(routes, "lighting") is None
    assert judge_category(routes, "lightning") == "no rule names the category 'lightning'; did you mean lighting?"
    assert judge_category(routes, "dinosaurs") == "no rule names the category 'dinosaurs'"
