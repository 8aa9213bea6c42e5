"""The seal of a folder of configuration: its files with their SHA-256, as `sha256sum` writes them, written last.

Where there is one, nothing else in the folder is believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

NAME: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_CURE: Final = "wait until all files are there, or check them and seal them: whistle config seal"


def digest(content: bytes) -> str:
    """What a seal says of a file."""
    return sha256(content).hexdigest()


def is_sealed(path: Path) -> bool:
    """Whether a folder has a seal."""
    return (path / NAME).is_file()


class Broken(NamedTuple):
    """What is otherwise in a folder than its seal says: in which line of the seal."""

    line: int
    what: str
    cure: str = _CURE


def broken(path: Path, found: Mapping[str, str]) -> Broken | None:
    """Tell what is otherwise in a folder than its seal says; None where nothing is, or where it has no seal.

    `found` has the digest of each file by its name, which has been read before the seal is; one that can't be read is
    an `OSError`.
    """
    if not is_sealed(path):
        return None
    sealed: dict[str, str] = {}
    for number, line in enumerate((path / NAME).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        written = _LINE.fullmatch(line)
        if written is None:
            return Broken(number, f"{line[:80]!r} is no line of sha256sum")
        name = written[2]
        sealed[name] = written[1]
        if found.get(name) != written[1]:
            return Broken(number, f"{name} is {'not here' if name not in found else 'not as it was sealed'}")
    stranger = next((name for name in found if name not in sealed), None)
    return Broken(1, f"{stranger} is not in it") if stranger else None


def write(path: Path, found: Mapping[str, str]) -> None:
    """Seal a folder: the whole seal, at once."""
    fresh = path / f".{NAME}"
    fresh.write_text("".join(f"{each}  {name}\n" for name, each in found.items()), encoding="utf-8")
    fresh.replace(path / NAME)
