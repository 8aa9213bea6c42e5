"""Rounds of inspection as tables on a terminal, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from rich.table import Table
from rich.text import Text

from services.ledger.names import Names
from services.ledger.rounds import Finding, Level, Round
from services.ledger.words import FINDINGS, KINDS, PURPOSES, both, plain

_COUNTS = (
    ("发现", "found", "found"),
    ("已整改", "rectified", "rectified"),
    ("复查合格", "of these held", "reinspected"),
    ("复查不合格", "did not hold", "failing"),
    ("不予受理", "refused", "refused"),
    ("未整改", "still open", "open"),
)
_ID = 13


def levels_table(levels: Sequence[Level]) -> Table:
    """Return what the rounds of each grid level came to."""
    table = _table("排查 rounds of inspection", ("网格", "grid level"))
    _numbers(table, ("次数", "rounds"), *((zh, en) for zh, en, _ in _COUNTS))
    for each in levels:
        table.add_row(f"{each.grid_level} 级", str(each.rounds), *_counted(each))
    return table


def rounds_table(rounds: Sequence[Round], names: Names) -> Table:
    """Return rounds, each with what became of what it found."""
    headings = (("排查", "round"), ("时间", "when"), ("社区", "community"), ("内容", "purpose"))
    table = _table(f"排查 rounds: {len(rounds)}", *headings)
    _numbers(table, *((zh, en) for zh, en, _ in _COUNTS), ("复查", "looked again"))
    for each in rounds:
        table.add_row(
            Text(str(each.id)[:_ID], style="cyan"),
            names.local(each.inspected_at),
            names.unit(each.community),
            both(PURPOSES, each.purpose),
            *_counted(each),
            str(each.rechecked),
        )
    return table


def findings_table(findings: Sequence[Finding], inspection: UUID) -> Table:
    """Return what became of each report that a round found or looked at again."""
    headings = (("事件", "incident"), ("类别", "kind"), ("内容", "what"), ("结果", "what became of it"))
    table = _table(f"排查 round {inspection}", *headings, ("本次复查", "held then"), ("最近复查", "held last"))
    for each in findings:
        table.add_row(
            Text(str(each.report)[:_ID], style="cyan"),
            both(KINDS, each.kind) if each.kind else "尚未立案 not heard of yet",
            Text(plain(each.description or "")),
            both(FINDINGS, each.fate),
            _held(each.rechecked),
            _held(each.holds),
        )
    return table


def _table(title: str, *headings: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for chinese, english in headings:
        table.add_column(f"{chinese} {english}", overflow="fold")
    return table


def _numbers(table: Table, *headings: tuple[str, str]) -> None:
    for chinese, english in headings:
        table.add_column(f"{chinese} {english}", justify="right", overflow="fold")


def _counted(each: Level | Round) -> list[str]:
    return [str(getattr(each, name)) for _, _, name in _COUNTS]


def _held(holds: bool | None) -> str:  # noqa: FBT001 - it is the cell's own value
    return {None: "", True: "到位 holds", False: "不到位 does not hold"}[holds]
