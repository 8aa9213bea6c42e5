"""Reading a configuration with its faults: whatever is wrong is noted with file, line and cure, and reading goes on."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol

from services.domain.working_time import Duration, Unit

Key = str | int
Path = tuple[Key, ...]

CODE: Final = re.compile(r"[a-z][a-z0-9-]*")
_TRUE: Final = frozenset({"true", "yes", "on", "y"})
# A calendar ends somewhere, and what is due behind its end could never be reckoned.
_LONGEST: Final[Mapping[Unit, int]] = MappingProxyType(
    {"m": 999_999, "h": 87_600, "d": 3_650, "wh": 17_500, "wd": 2_500}
)
_FALSE: Final = frozenset({"false", "no", "off", "n"})


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a configuration: an error stops a start, a warning doesn't."""

    file: str
    line: int
    level: Literal["error", "warning"]
    what: str
    cure: str

    def __str__(self) -> str:
        """One line, as compilers write it."""
        return f"{self.file}:{self.line}: {self.level}: {self.what}; {self.cure}"


class Fault(Protocol):
    """What was already wrong with a file before anybody looked at what it says."""

    @property
    def line(self) -> int: ...  # noqa: D102 (the protocol's docstring says it)
    @property
    def what(self) -> str: ...  # noqa: D102
    @property
    def cure(self) -> str: ...  # noqa: D102


class Document(Protocol):
    """A file that has been read: mappings, sequences, texts and booleans, and the line that each began on."""

    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def content(self) -> object: ...  # noqa: D102
    @property
    def faults(self) -> Sequence[Fault]: ...  # noqa: D102

    def line(self, path: Path) -> int:
        """The line, from 1, on which the value at a path begins, or the nearest above it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a document, and the list that takes what is wrong with it."""

    document: Document
    path: Path
    value: object
    problems: list[Problem] = field(repr=False)

    def error(self, what: str, cure: str) -> None:
        """Note something that stops a start."""
        self._note("error", what, cure)

    def warn(self, what: str, cure: str) -> None:
        """Note something that is likely a mistake."""
        self._note("warning", what, cure)

    def _note(self, level: Literal["error", "warning"], what: str, cure: str) -> None:
        self.problems.append(Problem(self.document.file, self.document.line(self.path), level, what, cure))

    def at(self, key: Key, value: object) -> "Place":
        """The place of a value inside this one."""
        return Place(self.document, (*self.path, key), value, self.problems)

    def keys(self, known: Iterable[str] | None = None) -> dict[str, "Place"]:
        """The values of a mapping by their keys, without what is empty; a key that isn't known is an error."""
        if not isinstance(self.value, Mapping):
            if self.value is not None:
                self.error(f"{self._named()} is no mapping", "write it as key: value")
            return {}
        places = {str(key): self.at(str(key), value) for key, value in self.value.items()}
        if known is not None:
            known = tuple(known)
            for key in [key for key in places if key not in known]:
                places.pop(key).error(f"unknown key {key!r}", f"use one of {', '.join(known)}")
        return {key: place for key, place in places.items() if place.value is not None}

    def items(self) -> Iterator["Place"]:
        """The values of a list."""
        if not isinstance(self.value, list | tuple):
            self.error(f"{self._named()} is no list", "write it as [one, two], or each on a line after a dash")
            return
        for index, value in enumerate(self.value):
            yield self.at(index, value)

    def text(self) -> str:
        """A text that isn't empty; otherwise an error, and an empty text."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value
        self.error(
            f"{self._named()} is no text", "write a text that isn't empty, in quotes if it looks like another thing"
        )
        return ""

    def code(self) -> str:
        """A code, which topics and commands are made of; otherwise an error, and an empty text."""
        if isinstance(self.value, str) and CODE.fullmatch(self.value):
            return self.value
        self.error(
            f"{self.value!r} is no code", "write small letters, digits and dashes, beginning with a letter, as in water"
        )
        return ""

    def flag(self) -> bool:
        """True or false; otherwise an error, and false."""
        said = str(self.value).lower()
        if said not in _TRUE | _FALSE:
            self.error(f"{self._named()} is {self.value!r}", "write true or false")
        return said in _TRUE

    def duration(self, *, zero: bool = False) -> Duration:
        """A duration, longer than nothing unless `zero`; otherwise an error, and no time at all."""
        try:
            duration = Duration.parse(str(self.value))
        except ValueError:
            self.error(f"{self.value!r} is no duration", "write one number and one unit, as in 30m, 2h, 7d, 4wh or 5wd")
            return Duration(0, "m")
        if not duration.value and not zero:
            self.error(f"{self._named()} is no time at all", "write at least 1m")
        if duration.value > _LONGEST[duration.unit]:
            self.error(
                f"{self._named()} lasts {duration}, which no calendar can count",
                f"write {_LONGEST[duration.unit]}{duration.unit} at most, which is about ten years",
            )
        return duration

    def _named(self) -> str:
        return repr(str(self.path[-1])) if self.path else "this file"
