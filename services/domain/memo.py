"""Remembers answers that are asked for again and again and never change."""

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
V = TypeVar("V")


def remembered(answer: Callable[Concatenate[Any, P], V]) -> cached_property[Callable[P, V]]:
    """Return a method that answers the same question once, of the 10,000 asked last.

    The answers are kept in the object that they depend on. A question that fails is asked again.
    """
    return cached_property(lambda owner: cast("Callable[P, V]", lru_cache(maxsize=10_000)(partial(answer, owner))))
