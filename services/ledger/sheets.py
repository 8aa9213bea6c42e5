"""The rates as JSON, and as a sheet with a row for each group: CSV and XLSX, with the same numbers and marks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.domain.rates import Rates, as_json
from services.ledger.names import Names
from services.ledger.rates import Answer, By, Group
from services.ledger.words import CATEGORIES, Both, plain

Cell = str | int | float | None
Kind = Literal["text", "rate", "hours", "number"]

FIGURES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "response": ("响应率", "response rate"),
        "prompt": ("按时响应率", "responded in time"),
        "solution": ("解决率", "solution rate"),
        "satisfaction": ("满意率", "satisfaction rate"),
        "on_time": ("按时办结率", "on-time rate"),
        "reopen": ("重办率", "reopen rate"),
        "whistle": ("吹哨率", "whistle rate"),
        "handling": ("办理用时", "handling time"),
        "answering": ("答复用时", "answering time"),
    }
)
OF_INCIDENTS: Final = frozenset({"whistle", "answering"})
"""Figures that obligations don't have."""
GROUPS: Final[Mapping[By, Both]] = MappingProxyType(
    {
        "department": ("部门", "department"),
        "section": ("科室", "section"),
        "community": ("社区", "community"),
        "category": ("类别", "category"),
        "month": ("月份", "month"),
    }
)
PARTS: Final[Mapping[str, tuple[str, str, Kind]]] = MappingProxyType(
    {
        "rate": ("", "", "rate"),
        "many": ("：件数", ": how many", "number"),
        "median_h": ("中位数（工作小时）", ", median (working hours)", "hours"),
        "p90_h": ("第90百分位（工作小时）", ", 90th percentile (working hours)", "hours"),
        "of": ("：基数", ": of how many", "number"),
        "small": ("：小样本", ": small", "text"),
    }
)
"""What each figure is written as, by the names in its JSON."""
SMALL: Final = "小样本 small"
TOTAL: Final = "合计 total"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_NUMBERS: Final[Mapping[Kind, str]] = MappingProxyType({"rate": "0.0%", "hours": "0.0", "number": "0"})


def figures_of(answer: Answer) -> list[str]:
    """Return the names of the figures that what was counted has."""
    return [name for name in FIGURES if not (answer.question.of_obligations and name in OF_INCIDENTS)]


def as_data(answer: Answer, names: Names, small_below: int) -> dict[str, Any]:
    """Return the rates as JSON has them; numbers from fewer than `small_below` are marked."""
    question, figures = answer.question, figures_of(answer)
    return {
        "by": list(question.by),
        "from": question.since.isoformat() if question.since else None,
        "to": question.until.isoformat() if question.until else None,
        "of": "obligations" if question.of_obligations else "incidents",
        "small_below": small_below,
        "groups": [
            {
                "codes": dict(zip(question.by, group.codes, strict=True)),
                "names": dict(zip(question.by, names_of_group(answer, group, names), strict=True)),
                "rates": _written(group.rates, figures, small_below),
            }
            for group in answer.groups
        ],
        "total": _written(answer.total, figures, small_below),
    }


def names_of_group(answer: Answer, group: Group, names: Names) -> list[str]:
    """Return what the codes of a group are called, in the order of the question."""
    return [_name(by, code, names) for by, code in zip(answer.question.by, group.codes, strict=True)]


def _name(by: By, code: str, names: Names) -> str:
    if by == "month":
        return code
    return CATEGORIES.get(code, code) if by == "category" else names.unit(code)


def _written(rates: Rates, figures: Sequence[str], small_below: int) -> dict[str, dict[str, Any]]:
    return {name: as_json(getattr(rates, name), small_below) for name in figures}


# --- the sheet -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what stands above it, and what its cells are."""

    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A header, and a row for each group; the last is of all together. `labels` columns name the group."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    labels: int


def sheet(data: Mapping[str, Any]) -> Sheet:
    """Lay out what `as_data` returned."""
    labels = list(_labels(data["by"])) or [Column("")]
    figures = [
        Column(f"{FIGURES[name][0]}{zh} {FIGURES[name][1]}{en}", kind)
        for name, parts in data["total"].items()
        for zh, en, kind in (PARTS[part] for part in parts)
    ]
    rows = [[*_names(group), *_cells(group["rates"])] for group in data["groups"]]
    total = [TOTAL, *[""] * (len(labels) - 1), *_cells(data["total"])]
    return Sheet([*labels, *figures], [*rows, total], len(labels))


def _labels(by: Sequence[By]) -> Iterator[Column]:
    for each in by:
        zh, en = GROUPS[each]
        yield Column(f"{zh} {en}")
        if each != "month":
            yield Column(f"{zh}名称 name")


def _names(group: Mapping[str, Any]) -> Iterator[str]:
    for by, code in group["codes"].items():
        yield code
        if by != "month":
            yield group["names"][by]


def _cells(rates: Mapping[str, Mapping[str, Any]]) -> Iterator[Cell]:
    for parts in rates.values():
        for part, value in parts.items():
            yield (SMALL if value else "") if part == "small" else value


def as_csv(laid: Sheet) -> bytes:
    """Write a sheet as CSV in UTF-8 with its mark, without which Excel in China takes it for another encoding."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([column.title for column in laid.columns])
    writer.writerows([cell(value) for value in row] for row in laid.rows)
    return written.getvalue().encode("utf-8-sig")


def cell(value: Any) -> str:
    """Write a cell of CSV; text that a spreadsheet would take for a formula stays text."""
    if value is None:
        return ""
    if isinstance(value, str):
        safe = plain(value)
        return f"'{safe}" if safe.startswith(("=", "+", "-", "@")) else safe
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_xlsx(laid: Sheet) -> bytes:
    """Write a sheet as a workbook: numbers are numbers, text is never a formula, and the header stays in sight."""
    written = io.BytesIO()
    book = Workbook(written, {"in_memory": True})
    page = book.add_worksheet("三率 rates")
    page.freeze_panes(1, laid.labels)
    header = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    page.set_row(0, 60)
    for place, column in enumerate(laid.columns):
        page.write_string(0, place, column.title, header)
        page.set_column(place, place, 24 if place < laid.labels else 12)
    formats, last = _formats(book, last=False), _formats(book, last=True)
    for number, row in enumerate(laid.rows, 1):
        _write(page, number, row, laid.columns, last if number == len(laid.rows) else formats)
    if len(laid.rows) > 1:
        page.autofilter(0, 0, len(laid.rows) - 1, len(laid.columns) - 1)
    book.close()
    return written.getvalue()


_Formats = Mapping[tuple[Kind, bool], Format]


def _formats(book: Workbook, *, last: bool) -> _Formats:
    """Return the format of each kind of cell, of a small number too; the last row is of all together."""
    style = {"bold": True, "top": 1} if last else {}
    pale = {"italic": True, "font_color": "#7f7f7f"}
    return {
        (kind, small): book.add_format({**style, **(pale if small else {}), "num_format": _NUMBERS.get(kind, "@")})
        for kind in ("text", "rate", "hours", "number")
        for small in (False, True)
    }


def _write(page: Worksheet, number: int, row: Sequence[Cell], columns: Sequence[Column], formats: _Formats) -> None:
    # The mark is the last of a figure's cells, and what it marks stands before it.
    small = False
    for place in reversed(range(len(row))):
        value, kind = row[place], columns[place].kind
        if kind == "text":
            small = value == SMALL
            page.write_string(number, place, plain(str(value)), formats[kind, small])
        elif value is None:
            page.write_blank(number, place, None, formats[kind, small])
        else:
            page.write_number(number, place, value, formats[kind, small])
