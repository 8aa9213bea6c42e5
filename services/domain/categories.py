"""Which categories the rules name: any other is taken, and waits for an officer, but may be a slip of the pen.

Nothing but the rules says which categories there are, and what no rule catches is a matter like any other.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from services.domain.matchers import Matcher
from services.domain.reaching import literals
from services.domain.routing import Route


def judge_category(tree: Route, category: str) -> str | None:
    """Say in one sentence that no rule names a category, and which one is near; None if a rule does."""
    matchers = [each for each in _matchers(tree) if each.label == "category"]
    named = {value for each in matchers for value in _named(each)}
    if category in named or any(_catches(each, category) for each in matchers):
        return None
    near = get_close_matches(category, sorted(named), n=1)
    return f"no rule names the category {category!r}" + (f"; did you mean {near[0]}?" if near else "")


def _matchers(tree: Route) -> Iterator[Matcher]:
    yield from tree.matchers
    for child in tree.routes:
        yield from _matchers(child)


def _named(matcher: Matcher) -> tuple[str, ...]:
    return (literals(matcher.value) or ()) if matcher.op in {"=~", "!~"} else (matcher.value,)


def _catches(matcher: Matcher, category: str) -> bool:
    """Whether it is a pattern for some categories, and this is one of them; one for all of them names none."""
    return matcher.op == "=~" and matcher.value not in {".*", ".+"} and matcher.matches({"category": category})
