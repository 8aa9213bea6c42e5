"""What the program itself gives as a reason, told in both languages; what a person wrote stays as it was written.

Reasons lie in the history in English, with codes and instants in UTC, so that they are the same whoever reads them. Who
shows one passes in what units are called there and how instants are written.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from services.domain.words import OBLIGATIONS, STATUSES

_INSTANT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
# `unit` and `units` are codes of units, `at` and `until` instants, `status` is how something stands.
_TOLD: Final = tuple(
    (re.compile(english), chinese)
    for english, chinese in (
        # What a history says by itself.
        (r"until the district names a lead", "区级指定主办前，首接负责"),
        (r"declined, and (?P<units>[a-z0-9, -]+) called instead", "已退单，改派{units}"),
        (r"(?P<unit>[a-z0-9-]+) was named the lead", "已指定{unit}主办"),
        (r"it does not hold, says a re-inspection", "复查不到位"),
        (r"the calendar (?P<name>\S+) is confirmed until (?P<day>\S+)", "日历 {name} 已核定至 {day}"),
        (r"the calendar (?P<name>\S+) is confirmed for ever", "日历 {name} 已核定，长期有效"),
        # What does not fit how things stand.
        (r"the incident is (?P<status>[a-z]+)", "事件{status}"),
        (r"the obligation is (?P<status>[a-z]+): (?P<cure>.+)", "该责任{status}：{cure}"),
        (r"this was said of round (?P<a>\d+), and the current one is (?P<b>\d+)", "针对的是第 {a} 轮，现为第 {b} 轮"),
        (r"this was said of turn (?P<a>\d+), and the current one is (?P<b>\d+)", "针对的是第 {a} 次，现为第 {b} 次"),
        (r"the incident has been opened already", "事件已立案"),
        (r"an incident that is (?P<status>[a-z]+) is not called for", "事件{status}，不能呼叫"),
        (r"an incident that is (?P<status>[a-z]+) is not classified again", "事件{status}，不能重新分类"),
        (r"it is classified like that already", "分类没有变化"),
        (r"an incident that is (?P<status>[a-z]+) is not ready for the public answer", "事件{status}，还不能答复"),
        (r"an incident that is (?P<status>[a-z]+) has no work going on to tell of", "事件{status}，没有在办工作可答复"),
        (r"an incident that is (?P<status>[a-z]+) is not open for a rating", "事件{status}，不能评价"),
        (r"an incident that is (?P<status>[a-z]+) has nobody to lead it", "事件{status}，无须指定主办"),
        (r"of an incident that is (?P<status>[a-z]+) nobody is asked for more", "事件{status}，不再请群众补充"),
        (r"the incident is attached to (?P<id>\S+): say it of that one", "已并入事件 {id}：请对该事件办理"),
        # Whose act, and about whom.
        (r"(?P<unit>[a-z0-9-]+) has declined: insist, or call another", "{unit}已退单：请责成或改派"),
        (r"(?P<unit>[a-z0-9-]+) has been called already", "{unit}已在呼叫之列"),
        (r"(?P<unit>[a-z0-9-]+) has not declined, so there is nothing to insist on", "{unit}没有退单，无须责成"),
        (r"(?P<unit>[a-z0-9-]+) owes nothing here", "{unit}在此没有未了责任"),
        (r"(?P<unit>[a-z0-9-]+) has no part in the incident", "{unit}与此事件无关"),
        (r"(?P<unit>[a-z0-9-]+) is a section of another street", "{unit}是其他街道的科室"),
        (r"there is no department (?P<unit>[a-z0-9-]+) in the directory", "名录中没有部门 {unit}"),
        (r"a case against (?P<unit>[a-z0-9-]+) is open already", "对{unit}的督办尚未销号"),
        (r"no explanation is asked of (?P<unit>[a-z0-9-]+)", "没有要求{unit}书面说明"),
        (
            r"(?P<unit>[a-z0-9-]+) has given no explanation that waits for a judgement",
            "{unit}没有待审核的书面说明",
        ),
        (r"the work of (?P<unit>[a-z0-9-]+) is confirmed already", "{unit}的工作已确认"),
        (r"nothing was ever dispatched to (?P<unit>[a-z0-9-]+) for this incident", "此事件从未派单给{unit}"),
        (r"nobody ever opened this incident", "此事件从未立案"),
        (r"nothing of the incident was reported by (?P<unit>[a-z0-9-]+)", "{unit}没有上报过此事件"),
        (r"the report (?P<id>\S+) is not part of the incident", "上报 {id} 不属于此事件"),
        (
            r"the incident belongs to the street (?P<unit>[a-z0-9-]+), not to (?P<units>[a-z0-9-]+)",
            "事件属{unit}，不属{units}",
        ),
        # Terms and windows.
        (r"the term (?P<at>\S+) does not lie between now and (?P<until>\S+)", "期限 {at} 不在现在至 {until} 之间"),
        (
            r"the window for ratings closed at (?P<at>[^:]+:\d\d:\d\d\S*): raise the matter anew",
            "评价已于 {at} 截止：请重新上报",
        ),
        (
            r"the window in which it reopens closed at (?P<at>[^:]+:\d\d:\d\d\S*): raise the hazard anew",
            "重办期已于 {at} 截止：请重新上报",
        ),
        (
            r"a reporter has been asked already, and may reply until (?P<at>\S+)",
            "已请群众补充，可补充至 {at}",
        ),
        (
            r"the lead was named, or is being named, and until then this department leads: it can't decline",
            "首接负责或已指定主办，不能退单",
        ),
    )
)
_CURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acknowledge it first": "请先签收",
        "it has been taken on already": "此前已签收",
        "the street decides whether it insists or calls another": "等街道责成或改派",
        "the street confirms it or sends it back": "等确认或返工",
        "it waits for its review": "等复查日期",
        "nothing is owed any more": "责任已了结",
    }
)


def in_both(reason: str, unit: Callable[[str], str], at: Callable[[datetime], str]) -> str:
    """Return a reason in Chinese and English, with the instants in it as `at` writes them.

    Several are parted by `; `. What is none of the program's own reasons comes back in its own words.
    """
    english = _INSTANT.sub(lambda found: _instant(found[0], at), reason)
    chinese = [_chinese(each, unit, at) for each in reason.split("; ")]
    return f"{'；'.join(chinese)} {english}" if all(chinese) else english


def _chinese(reason: str, unit: Callable[[str], str], at: Callable[[datetime], str]) -> str:
    for pattern, chinese in _TOLD:
        found = pattern.fullmatch(reason)
        if found:
            said = {name: _named(name, value, unit, at) for name, value in found.groupdict().items()}
            return chinese.format(**said)
    return ""


def _named(name: str, value: str, unit: Callable[[str], str], at: Callable[[datetime], str]) -> str:
    if name in {"unit", "units"}:
        return "、".join(unit(code) for code in value.split(", "))
    if name in {"at", "until"}:
        return _INSTANT.sub(lambda found: _instant(found[0], at), value)
    if name == "status":
        found = OBLIGATIONS.get(value) or STATUSES.get(value)
        return found[0] if found else value
    return _CURES.get(value, value) if name == "cure" else value


def _instant(text: str, at: Callable[[datetime], str]) -> str:
    return at(datetime.fromisoformat(text))
