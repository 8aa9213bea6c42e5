"""Configuration files: YAML read with the line of every value, and nothing executed.

Plain scalars stay text, apart from true, false and null: YAML would read the office hour 13:00 as 780 and the
department `no` as false.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from services.runtime import seal
from services.runtime.public_holidays import public_holidays, source

__all__ = ["Document", "Fault", "raw", "read", "sealed_as"]

Key = str | int

_WORDS: Final[dict[str, bool | None]] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
}  # fmt: skip
_PLAIN_TAG: Final = re.compile(r"tag:yaml\.org,2002:[a-z]+")
_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_DEPTH: Final = 60
# Aliases of aliases would otherwise make a small file an endless one.
_MAX_VALUES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a file as YAML."""

    line: int
    what: str
    cure: str


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name as given, what it says, and what is wrong with it as YAML.

    `content` is mappings with text keys, lists, texts, booleans and nothing; nothing at all where it couldn't be read.
    `digest` is what a seal would say of it, empty where it is no file.
    """

    file: str
    content: object
    lines: dict[tuple[Key, ...], int]
    faults: Sequence[Fault] = ()
    digest: str = ""

    def line(self, path: tuple[Key, ...]) -> int:
        """The line, from 1, on which the value at a path begins, or the nearest above it that is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(path: Path) -> list[Document]:
    """Every `*.yaml` and `*.yml` of a folder, by name, or one file; a path that can't be read is an `OSError`.

    Behind them comes the table of the public holidays that they count with, as one more document: it is data like any
    file's, and with another table it is another configuration.
    """
    documents = [_read_file(each) for each in _files(path)]
    table = public_holidays([each.content for each in documents]) if documents else {}
    return [*documents, Document(source(), table, {})] if table else documents


def sealed_as(documents: Sequence[Document]) -> dict[str, str]:
    """What a seal of the folder that these were read from would say of each file, by its name."""
    return {Path(each.file).name: each.digest for each in documents if each.digest}


def raw(path: Path) -> list[tuple[str, bytes]]:
    """The name of each file that `read` would read, and what is in it, as far as it would look."""
    return [(each.name, _bytes(each)) for each in _files(path)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [each for each in sorted(path.iterdir()) if each.suffix in {".yaml", ".yml"}]


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES + 1)


def _read_file(path: Path) -> Document:
    written = _bytes(path)
    lines: dict[tuple[Key, ...], int] = {}
    faults: list[Fault] = []
    try:
        node = yaml.compose(_decoded(written), Loader=yaml.SafeLoader)
        content = None if node is None else _plain(node, (), lines, faults)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        faults.append(
            Fault(line, f"this is no YAML ({error.problem})", "mend the indentation, quotes or brackets here")
        )
        content = None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        faults.append(Fault(1, f"this file can't be read ({what})", "write it as YAML in UTF-8"))
        content = None
    return Document(str(path), content, lines, tuple(faults), seal.digest(written))


def _decoded(written: bytes) -> str:
    if len(written) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES >> 20} MiB")
    return written.decode("utf-8-sig")


def _plain(node: yaml.Node, path: tuple[Key, ...], lines: dict[tuple[Key, ...], int], faults: list[Fault]) -> object:
    """A node as plain data with text keys; aliases are followed, so depth and number are bounded."""
    if len(path) > _MAX_DEPTH or len(lines) > _MAX_VALUES:
        raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels or says more than {_MAX_VALUES} things")
    lines.setdefault(path, node.start_mark.line + 1)
    if not _PLAIN_TAG.fullmatch(node.tag) or not isinstance(node, yaml.ScalarNode | yaml.CollectionNode):
        raise ValueError(f"has a {node.tag}, which nobody needs here")
    if isinstance(node, yaml.ScalarNode):
        plain = node.style is None and node.tag != "tag:yaml.org,2002:str"
        return _WORDS.get(node.value, node.value) if plain else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, index), lines, faults) for index, each in enumerate(node.value)]
    return dict(_pairs(node.value, path, lines, faults))


def _pairs(
    pairs: list[tuple[yaml.Node, yaml.Node]],
    path: tuple[Key, ...],
    lines: dict[tuple[Key, ...], int],
    faults: list[Fault],
) -> Iterator[tuple[str, object]]:
    seen: dict[str, int] = {}
    for key, value in pairs:
        line = key.start_mark.line + 1
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if not name or name == "<<":
            faults.append(Fault(line, "a key is no plain text", "write key: value"))
        elif name in seen:
            faults.append(Fault(line, f"{name!r} is here twice, first on line {seen[name]}", "keep one of them"))
        else:
            seen[name] = line
            lines[*path, name] = line
            yield name, _plain(value, (*path, name), lines, faults)
