"""How text is found by a part of it, in a language that puts no spaces between its words.

Every two characters that stand side by side are a gram, and a gram is a number, so that an index of numbers finds what
has all grams of what is looked for. Two grams may share a number, and grams say nothing of where they stand: what was
found is compared with the text itself.
"""

from collections.abc import Iterable
from itertools import pairwise
from zlib import crc32

LEAST = 2
"""A single character has no gram."""
_SPREAD = 65_599
_MOST = 0x7FFF_FFFF


def folded(*texts: str | None) -> str:
    """Return texts as they are compared: in small letters, each on a line of its own."""
    return "\n".join(text.casefold() for text in texts if text)


def grams(text: str) -> list[int]:
    """Return the grams of a folded text, sorted, each once; every one fits a positive 32-bit integer."""
    return sorted({(ord(one) * _SPREAD + ord(other)) & _MOST for one, other in pairwise(text)})


def marks(*codes: tuple[str, str]) -> list[int]:
    """Return numbers for facts that never change, such as `("kind", "hazard")`; negative, so that none is a gram."""
    return sorted(-1 - (crc32(f"{name}:{code}".encode()) & _MOST) for name, code in codes)


def words_of(looked_for: str) -> list[str]:
    """Return the words that all have to be there, as they are compared: what spaces part.

    Raises:
        ValueError: a word has a single character, or there is none.

    """
    words = looked_for.casefold().split()
    if not words or min(map(len, words)) < LEAST:
        raise ValueError("查找的词至少两个字 a search needs words of two characters or more")
    return words


def grams_of(words: Iterable[str]) -> list[int]:
    """Return the grams that whatever has these words has."""
    return sorted({gram for word in words for gram in grams(word)})
