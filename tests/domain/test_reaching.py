"""What is called unreachable is, and what literals alone decide is always found."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.matchers import Matcher, parse_matchers
from services.domain.reaching import Reach, literals

LABELS = ("a", "b")
# Every text that some matcher below tells from others, with one that only the expressions do.
TEXTS = ("", "x", "y", "xy", "xz", "z")
MATCHERS = st.builds(
    Matcher, st.sampled_from(LABELS), st.sampled_from(("=", "!=")), st.sampled_from(("", "x", "y", "xy"))
) | st.builds(
    Matcher,
    st.sampled_from(LABELS),
    st.sampled_from(("=~", "!~")),
    st.sampled_from(("x|y", "x.*", ".*", ".+", "x?", "")),
)
RULES = st.lists(MATCHERS, max_size=3)


def read(*texts: str) -> tuple[Matcher, ...]:
    """The matchers of some texts."""
    return tuple(each for text in texts for each in parse_matchers(text))


def met(path: list[Matcher], earlier: list[list[Matcher]]) -> bool:
    """Whether some labels satisfy a rule and none of the earlier ones, tried out."""
    for values in product(TEXTS, repeat=len(LABELS)):
        labels = dict(zip(LABELS, values, strict=True))
        if all(each.matches(labels) for each in path) and not any(
            all(each.matches(labels) for each in rule) for rule in earlier
        ):
            return True
    return False


@given(RULES, st.lists(RULES, max_size=4))
def test_nothing_that_labels_reach_is_called_unreachable(path: list[Matcher], earlier: list[list[Matcher]]) -> None:
    """No warning is a false alarm, with regular expressions too; and the rules named leave nothing indeed."""
    reach = Reach()
    takers = reach.takers(path, earlier)
    if met(path, earlier):
        assert takers == []
    if takers:
        assert not met(path, [earlier[each] for each in takers])


@given(RULES, st.lists(RULES, max_size=4))
def test_whatever_literals_decide_is_decided(path: list[Matcher], earlier: list[list[Matcher]]) -> None:
    """Where every matcher names its texts, what no labels reach is found, and no rule is named that isn't needed."""
    if not all(each.op in {"=", "!="} or literals(each.value) for rule in (path, *earlier) for each in rule):
        return
    reach = Reach()
    possible = met(path, [])
    assert reach.possible(path) is possible
    takers = reach.takers(path, earlier)
    if possible and not met(path, earlier):
        assert takers
        assert all(met(path, [earlier[each] for each in takers if each != one]) for one in takers)


@pytest.mark.parametrize(
    ("path", "earlier"),
    [
        (["a=x"], [["a=~x|y"]]),
        (["a=~x|y"], [["a=x"], ["a=y"]]),
        (["b=x"], [["a=x"], ["a!=x"]]),
        (["b=x"], [["a=~x.*"], ["a!~x.*"]]),
        (["a=~x.*"], [["a=~x.*", "b=x"], ["b!=x"]]),
        (["b=x"], [["a=~.*"]]),
        (["a=~x.+"], [["a!="]]),
        (["kind=demand"], [["kind=demand", "call=~.+"], ["call=~general|", "kind!=hazard"]]),
        ([], [["kind=~demand|hazard"], ["kind=dispute"]]),
    ],
)
def test_several_rules_together_may_take_everything(path: list[str], earlier: list[list[str]]) -> None:
    """Complements, alternations and known values are seen through; with one of the rules less, something is left."""
    reach = Reach({"kind": ("demand", "hazard", "dispute")})
    rules = [read(*each) for each in earlier]
    assert reach.takers(read(*path), rules)
    assert reach.takers(read(*path), rules[:-1]) == []


def test_what_is_too_much_to_try_is_left_alone() -> None:
    """A tree that would take for ever is not judged, rather than judged wrongly or for ever."""
    reach = Reach()
    many = [read(f'a=~"x{each}.*"', f'b=~"y{each}.*"') for each in range(40)]
    assert reach.takers(read("c=x"), many) == []
    pairs = [read(f"{one}=x", f"{other}=x") for one in "abcdefghijkl" for other in "mnopqrstuvwx"]
    assert reach.takers(read("z=x"), [*pairs, *(read(f"{one}!=x") for one in "abcdefghijkl")]) in ([], [0])
