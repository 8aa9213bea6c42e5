"""Remembers answers that are asked for again and again and never change."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Answers by question, at most `most` of them; when they are that many, all are forgotten.

    It is kept beside the value that its answers depend on, so that it goes when the value goes. A question that fails
    is asked again.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._answers: dict[K, V] = {}

    def __call__(self, question: K, answer: Callable[[], V]) -> V:
        """Return the answer to a question, found by `answer` the first time."""
        found = self._answers.get(question)
        if found is None:
            if len(self._answers) >= self._most:
                self._answers.clear()
            found = self._answers[question] = answer()
        return found
