"""The ledger as tables on a terminal, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.ledger.audit import Step
from services.ledger.broken import Promise
from services.ledger.cases import Supervised
from services.ledger.lists import Item, Overdue
from services.ledger.names import Names
from services.ledger.notices import Notice
from services.ledger.queries import Line
from services.ledger.summary import Counts, Summary
from services.ledger.words import (
    CASES,
    DEADLINES,
    ENTRIES,
    KINDS,
    POSTS,
    SIDES,
    STATUSES,
    both,
    category,
    entry_name,
    late,
    plain,
    spoken,
    told,
)

MOST_OF_TEXT = 60
FIGURES = (
    ("collected.demand", "收集民生诉求", "demands collected"),
    ("collected.suggestion", "收集意见建议", "suggestions collected"),
    ("assigned", "明确责任的诉求建议", "demands and suggestions with an owner"),
    ("solved", "已解决", "of these solved"),
    ("in_progress", "正在办理", "of these in progress"),
    ("unowned.demand_or_suggestion", "无人负责的诉求建议", "demands and suggestions nobody owns"),
    ("collected.inspections", "开展排查（次）", "rounds of inspection"),
    ("hazards.found", "发现隐患", "hazards found"),
    ("hazards.rectified", "完成整改", "of these rectified"),
    ("hazards.rectifying", "正在整改", "of these being rectified"),
    ("unowned.hazard", "无人负责的隐患", "hazards nobody owns"),
    ("collected.dispute", "收集矛盾纠纷", "disputes collected"),
    ("disputes_settled", "化解矛盾纠纷", "disputes settled"),
    ("collected.instability", "收集不稳定因素", "factors of instability collected"),
    ("instabilities_handled", "处置不稳定因素", "factors of instability dealt with"),
    ("escalated", "升级督办的事件", "incidents escalated"),
    ("answered", "已有答复", "reports answered"),
    ("refused", "不予受理", "reports refused, with a reason"),
    ("lost", "丢失", "reports lost"),
    ("duplicates", "重复立案", "reports with more than one incident"),
)


def figure(summary: Summary, path: str) -> int | None:
    """Return one figure by its path in the JSON."""
    found = summary.figures.as_json()
    for key in path.split("."):
        found = found[key]
    return found  # type: ignore[return-value]  # a path ends at a figure


def render(summary: Summary, console: Console) -> None:
    """Print the ledger: what nobody owns and what is overdue first."""
    clock = "样例时间 sample time" if summary.sample else "时间 time"
    console.print(Text(f"台账 ledger · {clock} {summary.names.local(summary.at)}", style="bold"))
    console.print(_unowned(summary))
    _more(console, len(summary.unowned), summary.unowned_total, "unowned")
    console.print(_overdue(summary))
    _more(console, len(summary.overdue), summary.overdue_total, "overdue")
    for counts in summary.lists:
        console.print(_counts(counts, summary.names))
    console.print(_burdens(summary))
    console.print(_figures(summary))
    if summary.trouble:
        console.print(Text(f"丢失未知 what was lost is not known: {plain(summary.trouble)}", style="yellow"))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        number = column.startswith("#")
        table.add_column(column.removeprefix("#"), justify="right" if number else "left", overflow="fold")
    return table


def _more(console: Console, shown: int, total: int, name: str) -> None:
    if total > shown:
        console.print(Text(f"  … 另有 {total - shown} 项 more: whistle ledger --list {name}", style="dim"))


def _short(text: str) -> Text:
    one_line = plain(text)
    return Text(one_line if len(one_line) <= MOST_OF_TEXT else f"{one_line[:MOST_OF_TEXT]}…")


def _matter(each: Item | Overdue | Promise, names: Names) -> list[Text]:
    where = names.unit(each.community) + (f" {plain(each.place)}" if each.place else "")
    return [
        Text(str(each.id)[:13], style="cyan"),
        Text(f"{both(KINDS, each.kind)}\n{category(each.category)}"),
        Text(where),
        _short(each.description),
    ]


def _unowned(summary: Summary) -> Table:
    title = f"无人负责 nobody owns: {summary.unowned_total}"
    table = _table(title, "事件 incident", "类别 kind", "地点 where", "内容 what", "上报 reported", "#升级 escalated")
    for each in summary.unowned:
        when = Text(summary.names.local(each.reported_at))
        table.add_row(*_matter(each, summary.names), when, Text(str(each.escalations)))
    return table


def _overdue(summary: Summary) -> Table:
    return overdue_table(summary.overdue, summary.names, summary.overdue_total)


def overdue_table(overdue: Sequence[Overdue], names: Names, total: int) -> Table:
    """Return what is overdue as a table: what nobody has taken on, then the longest first."""
    title = f"逾期 overdue: {total}"
    table = _table(title, "事件 incident", "类别 kind", "地点 where", "内容 what", "谁 who", "期限 due")
    for each in overdue:
        due = Text(f"{both(DEADLINES, each.deadline)}\n{names.local(each.due_at)}", style="red")
        table.add_row(*_matter(each, names), Text(plain(names.unit(each.unit))), due)
    return table


def items_table(items: Sequence[Item], names: Names, title: str) -> Table:
    """Return a list of reports as a table."""
    table = _table(
        title, "事件 incident", "类别 kind", "地点 where", "内容 what", "状态 status", "责任 owner", "期限 due"
    )
    for each in items:
        owner = f"{names.unit(each.lead)}\n{plain(each.owners or '')}" if each.lead else "—"
        due = names.local(each.due_at) if each.due_at else "—"
        table.add_row(*_matter(each, names), both(STATUSES, each.status), Text(owner), Text(due))
    return table


def broken_table(promises: Sequence[Promise], names: Names) -> Table:
    """Return broken promises as a table, those that are open first."""
    title = f"失信事项 broken promises: {len(promises)}"
    table = _table(
        title, "事件 incident", "类别 kind", "地点 where", "内容 what", "谁 who", "期限 due", "逾期 late",
        "升级到 climbed to", "督办 case",
    )  # fmt: skip
    for each in promises:
        who = Text(f"{plain(names.unit(each.unit))}\n{both(SIDES, each.side)}")
        due = Text(f"{both(DEADLINES, each.deadline)}\n{names.local(each.due_at)}")
        ended = f"{both(ENTRIES, each.ended_by)} {names.local(each.ended_at)}" if each.ended_at else "未履行 still open"
        how_late = Text(f"{late(each.late_s)}\n{ended}", style="" if each.ended_at else "red")
        unposted = "催办 reminded" if each.rungs else "无人知晓 nobody was told"
        climbed = f"{both(POSTS, each.post)} ({each.rungs})" if each.post else unposted
        case = f"{both(CASES, each.case)}\n{plain(each.explanation)}".rstrip() if each.case else "—"
        table.add_row(*_matter(each, names), who, due, how_late, Text(climbed), Text(case))
    return table


def notices_table(notices: Sequence[Notice], names: Names) -> Table:
    """Return notices as a table, the newest first."""
    title = f"通报 notices: {len(notices)}"
    table = _table(title, "时间 when", "给 to", "期间 period", "#失信 broken", "#未履行 still open", "说明 note")
    for each in notices:
        period = f"{names.local(each.begins)[:10]} – {names.local(each.ends - timedelta(days=1))[:10]}"
        numbers = (str(each.total), str(each.still_open))
        unlisted = each.total - len(each.breaches)
        days = period.replace(" – ", " to=")
        more = f"另有 {unlisted} 件未列 not listed: whistle ledger broken unit={each.unit} from={days}"
        told = "\n".join(filter(None, (plain(each.note), more if unlisted else "")))
        table.add_row(names.local(each.at), Text(plain(names.unit(each.unit))), period, *numbers, Text(told))
    return table


def cases_table(cases: Sequence[Supervised], names: Names) -> Table:
    """Return supervision cases as a table, in the order they are listed in."""
    title = f"督办 supervision cases: {len(cases)}"
    headings = ("状态 status", "期限 due", "单位 unit", "#次 turn", "立案 opened", "事件 incident", "事项 what")
    table = _table(title, *headings)
    for each in cases:
        due = names.local(each.due_at) if each.due_at else "—"
        table.add_row(
            Text(both(CASES, each.status)),
            Text(f"{due}{' 逾期 late' if each.late else ''}", style="red" if each.late and each.due_at else ""),
            Text(plain(names.unit(each.unit))),
            str(each.turn),
            names.local(each.opened_at),
            Text(f"{each.incident} ({both(STATUSES, each.incident_status)})"),
            Text(f"{category(each.category)} · {plain(each.description)[:MOST_OF_TEXT]}"),
        )
    return table


def trail_table(steps: Sequence[Step], names: Names, title: str) -> Table:
    """Return who did and who saw what, in order of time."""
    table = _table(title, "时间 when", "谁 who", "", "何事 what", "经由 by way of", "事件 incident")
    for each in steps:
        acted = each.did == "acted"
        what = both(ENTRIES, entry_name(each.what)) if acted else plain(each.what)
        who = names.speaker(each.who) if acted else each.who
        way = plain(each.by) if acted else f"{each.via} · {plain(each.address)}"
        did = Text("办 acted" if acted else "阅 read", style="bold" if acted else "")
        # Of one incident's trail all that a list showed is told in its JSON.
        listed = f"{len(each.shown)} 件 shown" if each.shown else "—"
        incident = str(each.incident)[:13] if each.incident else listed
        table.add_row(Text(names.local(each.at)), Text(plain(who)), did, Text(what), Text(way), incident)
    return table


def _counts(counts: Counts, names: Names) -> Table:
    present = [status for status in STATUSES if status in counts.total]
    chinese, english = KINDS[counts.kind]
    table = _table(
        f"{chinese} {english}", "社区 community", *(f"#{both(STATUSES, each)}" for each in present), "#合计 total"
    )
    for community, statuses in counts.communities.items():
        table.add_row(Text(names.unit(community)), *_numbers(statuses, present))
    table.add_section()
    table.add_row("合计 total", *_numbers(counts.total, present), style="bold")
    return table


def _numbers(statuses: dict[str, int], present: Iterable[str]) -> list[str]:
    numbers = [statuses.get(status, 0) for status in present]
    return [*(str(number) if number else "·" for number in numbers), str(sum(numbers))]


def _burdens(summary: Summary) -> Table:
    title = "谁负责什么 who owns what"
    table = _table(title, "部门 department", "#在办 owed", "#逾期 overdue", "#曾逾期 ever late", "#办结 done")
    for each in summary.burdens:
        overdue = Text(str(each.overdue), style="red" if each.overdue else "")
        table.add_row(
            Text(summary.names.unit(each.department)), str(each.owed), overdue, str(each.late), str(each.done)
        )
    return table


def _figures(summary: Summary) -> Table:
    table = _table("数字 figures", "项目", "figure", "#")
    for path, chinese, english in FIGURES:
        value = figure(summary, path)
        table.add_row(chinese, english, "未知 unknown" if value is None else str(value))
    return table


def history_table(lines: Sequence[Line], names: Names, title: str) -> Table:
    """Return a whole history as a table: when, who, by which post or rule, what."""
    table = _table(title, "#", "时间 when", "谁 who", "岗位/规则 by", "何事 what", "")
    for line in lines:
        who, by = spoken(line, names)
        what = Text(both(ENTRIES, entry_name(line.type)), style="bold")
        table.add_row(str(line.version), Text(names.local(line.at)), Text(who), Text(by), what, Text(told(line, names)))
    return table
