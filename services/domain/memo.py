"""Remembers answers that are asked for again and again and never change."""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

A = TypeVar("A")
P = ParamSpec("P")
V = TypeVar("V")

_AT_MOST: Final = 10_000
_OBJECTS_AT_MOST: Final = 1_000
"""Fewer, for each of them is kept too: a frozen ladder takes some KiB."""


def remembered(answer: Callable[Concatenate[Any, P], V]) -> cached_property[Callable[P, V]]:
    """Return a method that answers the same question once, of the 10,000 asked last.

    The answers are kept in the object that they depend on. A question that fails is asked again.
    """
    return cached_property(lambda owner: cast("Callable[P, V]", lru_cache(maxsize=_AT_MOST)(partial(answer, owner))))


def remembered_of_each(answer: Callable[[A], V]) -> Callable[[A], V]:
    """Return a function that answers once about the very same object, which it never compares with another.

    It keeps the objects it has answered about, up to 1,000, and then begins anew.
    """
    answers: dict[int, tuple[A, V]] = {}

    def answered(asked: A) -> V:
        found = answers.get(id(asked))
        if found is None:
            if len(answers) >= _OBJECTS_AT_MOST:
                answers.clear()
            # The object is kept beside the answer, or another could come to have its id.
            found = answers[id(asked)] = asked, answer(asked)
        return found[1]

    return answered
