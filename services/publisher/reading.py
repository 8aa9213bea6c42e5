"""Reports and inspections from JSON lines and CSV: pure, and never stopped by a line that is wrong.

A line is a report, or an inspection where it has `purpose` or `inspected_at`. Both may have `id` (a UUID; without one,
it is derived from the content), `community` (goes before the sender's) and `at` (when it was said; now by default).
In JSON the place is an object `place`, or its four fields stand beside the others. CSV has a header with any of
`COLUMNS`, in any order; an empty cell is an absent value; `links` are `rel=href`, `found` are ids, and `rechecks` are
`id=holds` or `id=fails`, with spaces between them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from schemas.event import Instant, Model, explain
from schemas.inspection import Recorded
from schemas.report import Place, Raised

MAX_LINE_BYTES = 256 * 1024
"""The longest valid line has a thousand ids, or twenty long links and a long description."""
COLUMNS = (
    "id", "community", "kind", "category", "severity", "description", "address", "estate", "latitude", "longitude",
    "channel", "grid_level", "happened_at", "reporter", "links", "purpose", "inspected_at", "found", "rechecks", "note",
    "at",
)  # fmt: skip
_PLACE = tuple(Place.model_fields)
_HEAD = ("id", "community", "at")
_NOT_UTF8 = "is not UTF-8 (GBK, perhaps?): save the file as UTF-8"
_TOO_LONG = f"is longer than {MAX_LINE_BYTES // 1024} KiB"


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says; `number` counts from 1, and `ignored` are fields that nobody knows."""

    number: int
    fact: Raised | Recorded
    id: UUID | None = None
    community: str | None = None
    at: datetime | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line says nothing; `number` is where it begins."""

    number: int
    what: str


class _Head(Model):
    id: UUID | None = None
    community: str | None = None
    at: Instant | None = None


def read_lines(lines: Iterable[bytes], *, csv_suffix: bool | None = None) -> Iterator[Line | Fault]:
    """Read lines as CSV or JSON, as the name of their file says or else as their first byte does."""
    rest = iter(lines)
    first = next(rest, b"")
    looks_like_csv = not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    read = read_csv if (looks_like_csv if csv_suffix is None else csv_suffix) else read_jsonl

    def again() -> Iterator[bytes]:
        yield first
        yield from rest

    return read(again())


def read_jsonl(lines: Iterable[bytes]) -> Iterator[Line | Fault]:
    """Read one JSON object per line; empty lines, a byte order mark and carriage returns don't matter."""
    for number, raw in enumerate(lines, start=1):
        text = (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).strip()
        if text:
            yield _read_json(number, text)


def _read_json(number: int, text: bytes) -> Line | Fault:
    if len(text) > MAX_LINE_BYTES:
        return Fault(number, _TOO_LONG)
    try:
        text.decode()
        content = from_json(text, allow_inf_nan=False)
    except UnicodeDecodeError:
        return Fault(number, _NOT_UTF8)
    except ValueError as error:
        return Fault(number, f"is not JSON: {str(error).replace(' at line 1 column', ' at column')}")
    if not isinstance(content, dict):
        return Fault(number, "is JSON, but no object with fields")
    return read_fields(content, number)


def read_csv(lines: Iterable[bytes]) -> Iterator[Line | Fault]:
    """Read a header and one line per report or inspection; a quoted cell may hold line breaks."""
    # Bytes that are no UTF-8 are carried along, so that only their own line is refused.
    rows = csv.reader((raw.decode("utf-8", "surrogateescape") for raw in _without_mark(lines)), strict=True)
    header: list[str] | None = None
    while True:
        number = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(number, f"is not CSV ({error}): is a quotation mark opened here and never closed?")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is not None:
            yield _read_cells(number, header, cells)
            continue
        header = [cell.strip().lower() for cell in cells]
        if problem := _judge_header(header):
            yield Fault(number, problem)
            return


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    for index, raw in enumerate(lines):
        yield raw.removeprefix(b"\xef\xbb\xbf") if index == 0 else raw


def _judge_header(header: list[str]) -> str | None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        return f"the header names {', '.join(twice)} twice"
    if not {"happened_at", "inspected_at"} & set(header):
        return f"is no header (of a CSV file with commas): it names the columns, any of {', '.join(COLUMNS)}"
    return None


def _read_cells(number: int, header: list[str], cells: list[str]) -> Line | Fault:
    if len(cells) > len(header):
        return Fault(
            number, f"has {len(cells)} cells, and the header has {len(header)}: put quotation marks round commas"
        )
    content: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        if any("\udc80" <= char <= "\udcff" for char in cell):
            return Fault(number, _NOT_UTF8)
        if name and (text := cell.strip()):
            try:
                content[name] = _CELLS.get(name, str)(text)
            except ValueError as error:
                return Fault(number, f"{name}: {error}")
    return read_fields(content, number)


def _links(text: str) -> list[dict[str, str]]:
    found = []
    for each in text.split():
        rel, equals, href = each.partition("=")
        if not equals:
            raise ValueError("is written rel=href, such as picture=https://…, with spaces between links")
        found.append({"rel": rel, "href": href})
    return found


def _rechecks(text: str) -> list[dict[str, object]]:
    results = {"holds": True, "fails": False}
    found: list[dict[str, object]] = []
    for each in text.split():
        report, _, result = each.partition("=")
        if result not in results:
            raise ValueError("is written id=holds or id=fails, with spaces between them")
        found.append({"report": report, "holds": results[result]})
    return found


def _whole(text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise ValueError(f"{text[:100]!r} is no whole number")
    return int(text[:20])


def _degrees(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:100]!r} is no number of degrees") from None


_CELLS: Mapping[str, Callable[[str], object]] = {
    "latitude": _degrees,
    "longitude": _degrees,
    "grid_level": _whole,
    "links": _links,
    "found": str.split,
    "rechecks": _rechecks,
}


def read_fields(content: Mapping[str, Any], number: int = 1) -> Line | Fault:
    """Read the fields of one report or inspection; what is null is absent."""
    fields = {name: value for name, value in content.items() if value is not None}
    inspection = "purpose" in fields or "inspected_at" in fields
    if inspection and "kind" in fields:
        return Fault(number, "has a kind, as reports have, and a purpose, as inspections have: make two lines of it")
    beside = {name: fields.pop(name) for name in _PLACE if name in fields}
    if beside:
        place = fields.setdefault("place", {})
        if not isinstance(place, dict):
            return Fault(number, "place: is an object with address, estate, latitude and longitude")
        fields["place"] = {**place, **beside}
    fact = Recorded if inspection else Raised
    try:
        head = _Head.model_validate({name: fields.pop(name) for name in _HEAD if name in fields})
        said: Raised | Recorded = fact.model_validate(fields)
    except ValidationError as error:
        return Fault(number, explain(error))
    # A CSV file that holds both has the other's columns, which are empty here or of no account.
    ignored = tuple(sorted(name for name in fields if name not in fact.model_fields))
    return Line(number, said, head.id, head.community, head.at, ignored)
