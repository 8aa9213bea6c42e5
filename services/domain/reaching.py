"""Which rules of a tree no labels can reach, because their matchers exclude each other or others take everything first.

What is called unreachable is: whatever can't be decided, such as what two regular expressions have in common, is taken
for possible. A label's values are told apart by the literals that matchers name, and all others by which regular
expressions they match, in any combination.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from services.domain.matchers import Matcher

Value = str | frozenset[str]
"""A literal, or any other text that matches these of the regular expressions and no others."""
Rule = Sequence[Matcher]

# Without any of these a regular expression is a text, or several with bars between.
_SPECIAL: Final = frozenset("\\.+*?()[]{}^$")
# No label's value has a line break in it, and none of the values that these stand beside is empty.
_ANYTHING: Final = frozenset({".*", ".+"})
_MOST_PATTERNS: Final = 5
_MOST_STEPS: Final = 20_000


class _UndecidedError(Exception):
    """There are too many ways to try them all."""


def literals(pattern: str) -> tuple[str, ...] | None:
    """The texts that a regular expression is made of, as in `a|b`; None where it is more than that."""
    return None if set(pattern) & _SPECIAL else tuple(pattern.split("|"))


@dataclass(slots=True)
class Reach:
    """Judges rules; `known` has the values that a label has at all, where that is known: an absent one is empty."""

    known: Mapping[str, Iterable[str]] = field(default_factory=dict)
    _steps: int = 0

    def possible(self, path: Rule) -> bool:
        """Whether some labels satisfy all of these matchers."""
        return self._escapes(path, ())

    def takers(self, path: Rule, earlier: Sequence[Rule]) -> list[int]:
        """Which of the earlier rules leave nothing to a rule that has these matchers; none if it can be reached.

        Fewer of them would leave something.
        """
        if self._escapes(path, earlier):
            return []
        taking = list(range(len(earlier)))
        for index in range(len(earlier)):
            fewer = [each for each in taking if each != index]
            if not self._escapes(path, [earlier[each] for each in fewer]):
                taking = fewer
        return taking

    def _escapes(self, path: Rule, takers: Sequence[Rule]) -> bool:
        """Whether some labels satisfy the path and none of the takers; True where that can't be decided."""
        # Most rules are about another category, which needs no search.
        fixed = {each.label: each.value for each in path if each.op == "="}
        takers = [rule for rule in takers if all(each.label not in fixed or each.matches(fixed) for each in rule)]
        matchers = [*path, *(matcher for taker in takers for matcher in taker)]
        self._steps = 0
        try:
            values = {label: self._values(label, matchers, path) for label in {each.label for each in matchers}}
            return all(values.values()) and self._search(takers, values)
        except _UndecidedError:
            return True

    def _values(self, label: str, matchers: Iterable[Matcher], path: Rule) -> list[Value]:
        """Every value of a label that the matchers can tell from others, and that the path admits."""
        texts: dict[str, None] = dict.fromkeys(self.known.get(label, ("",)))
        patterns: dict[str, None] = {}
        # What a label is never, such as a street that is misspelt, is left out: else another would seem to take less.
        for each in matchers:
            if each.label == label and label not in self.known:
                named = literals(each.value) if each.op in {"=~", "!~"} else (each.value,)
                if named is not None:
                    texts |= dict.fromkeys(named)
                elif each.value not in _ANYTHING:
                    patterns[each.value] = None
        if len(patterns) > _MOST_PATTERNS:
            raise _UndecidedError
        found: list[Value] = list(texts)
        if label not in self.known:
            found += [frozenset(some) for many in range(len(patterns) + 1) for some in combinations(patterns, many)]
        mine = [each for each in path if each.label == label]
        return [value for value in found if all(_holds(each, value) for each in mine)]

    def _search(self, takers: Sequence[Rule], values: Mapping[str, Sequence[Value]]) -> bool:
        """Whether the labels can be chosen so that each taker fails by one of them."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _UndecidedError
        for index, taker in enumerate(takers):
            for matcher in taker:
                failing = [each for each in values[matcher.label] if not _holds(matcher, each)]
                if failing and self._search(takers[index + 1 :], {**values, matcher.label: failing}):
                    return True
            return False
        return True


def _holds(matcher: Matcher, value: Value) -> bool:
    if isinstance(value, str):
        return matcher.matches({matcher.label: value})
    if matcher.op in {"=", "!="}:
        return matcher.op == "!="
    return (matcher.value in value or matcher.value in _ANYTHING) is (matcher.op == "=~")
