"""The rates as a table on a terminal, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from services.ledger.sheets import FIGURES, GROUPS, TOTAL
from services.ledger.words import plain

NONE = "–"
SMALL_MARK = "小"
OF = {"obligations": "责任 obligations", "incidents": "事件 incidents"}


def rates_table(data: Mapping[str, Any]) -> Table:
    """Return what `services.ledger.sheets.as_data` returned as a table."""
    table = Table(
        title=f"三率及办理用时 rates and times · {OF[data['of']]}{_days(data)}",
        title_justify="left",
        title_style="bold",
        caption=f"{SMALL_MARK} = 小样本，不足 {data['small_below']} 件 small: from fewer than {data['small_below']} · "
        "用时为工作小时 times in working hours: 中位数 median / 第90百分位 90th percentile",
        caption_justify="left",
        header_style="dim",
    )
    for by in data["by"] or [""]:
        table.add_column("\n".join(GROUPS[by]) if by else "", overflow="fold")
    for name in data["total"]:
        table.add_column("\n".join(FIGURES[name]), justify="right", overflow="fold")
    for group in data["groups"]:
        table.add_row(*(Text(plain(group["names"][by])) for by in data["by"]), *_cells(group["rates"]))
    table.add_section()
    labels: Sequence[str] = [TOTAL, *[""] * (len(data["by"]) - 1)]
    table.add_row(*labels, *_cells(data["total"]), style="bold")
    return table


def _days(data: Mapping[str, Any]) -> str:
    if not data["from"] and not data["to"]:
        return ""
    return f" · 上报于 reported {data['from'] or '…'} – {data['to'] or '…'}"


def _cells(rates: Mapping[str, Mapping[str, Any]]) -> list[Text]:
    return [_cell(each) for each in rates.values()]


def _cell(figure: Mapping[str, Any]) -> Text:
    """Write a figure with what it comes from below it; small ones are pale and marked."""
    if not figure["of"]:
        return Text(NONE, style="dim")
    if "rate" in figure:
        value, of = f"{_rounded(figure['rate'] * 100)}%", f"{figure['many']}/{figure['of']}"
    else:
        value, of = f"{_rounded(figure['median_h'])} / {_rounded(figure['p90_h'])} h", str(figure["of"])
    mark = f" {SMALL_MARK}" if figure["small"] else ""
    return Text(f"{value}\n{of}{mark}", style="dim italic" if mark else "")


def _rounded(number: float) -> Decimal:
    """Return a number with one digit, what lies exactly between two rounded up as the page's `toFixed` does."""
    return Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP)
