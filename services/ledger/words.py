"""The ledger's words, Chinese and English, and each entry of a history told in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from services.domain.reasons import in_both
from services.domain.words import (
    CATEGORIES,
    DEADLINES,
    KINDS,
    POSTS,
    REQUESTS,
    ROLES,
    STATUSES,
    Both,
    both,
    category,
    plain,
)
from services.ledger.names import Names
from services.ledger.queries import Line

Data = Mapping[str, Any]
# What others of the ledger show by the words that all rooms have.
__all__ = ["CATEGORIES", "DEADLINES", "KINDS", "POSTS", "STATUSES", "Both", "both", "category", "plain"]

SIDES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "department": ("部门", "department"),
        "section": ("科室", "section"),
        "street": ("街道", "street"),
        "community": ("社区", "community"),
        "district": ("区级", "district"),
    }
)
CASES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "asked": ("督办中，待说明", "asked to explain"),
        "explained": ("已说明，待审核", "explained"),
        "accepted": ("已销号", "accepted"),
    }
)
ENTRIES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "opened": ("立案", "opened"),
        "called": ("呼叫（吹哨）", "called"),
        "reclassified": ("重新分类", "reclassified"),
        "lead_sought": ("提请指定主办", "lead sought"),
        "lead_named": ("指定主办", "lead named"),
        "dispatched": ("派单", "dispatched"),
        "acknowledged": ("签收", "acknowledged"),
        "declined": ("退单", "declined"),
        "arrived": ("到场", "arrived"),
        "progressed": ("进展", "progress"),
        "resolved": ("办结", "resolved"),
        "requested": ("申请", "requested"),
        "granted": ("批准", "granted"),
        "denied": ("不批准", "denied"),
        "unparked": ("恢复办理", "unparked"),
        "hastened": ("提速办理", "hastened"),
        "insisted": ("责成", "insisted"),
        "withdrawn": ("撤回", "withdrawn"),
        "verified": ("核实", "verified"),
        "sent_back": ("返工", "sent back"),
        "work_confirmed": ("确认办结", "work confirmed"),
        "confirmed": ("全部确认", "confirmed"),
        "returned": ("退回待决定", "returned"),
        "attached": ("并入", "attached"),
        "repeat_attached": ("并入重复上报", "repeat attached"),
        "refused": ("不予受理", "refused"),
        "answered": ("答复（回音）", "answered"),
        "interim_answered": ("阶段性答复", "interim answer"),
        "asked": ("请群众补充", "reporter asked"),
        "replied": ("群众补充", "reporter replied"),
        "unreplied": ("逾期未补充", "no reply in time"),
        "contacted": ("联系群众", "citizen contacted"),
        "rated": ("评价", "rated"),
        "reinspected": ("复查", "re-inspected"),
        "reopened": ("重办", "reopened"),
        "closed": ("结案", "closed"),
        "reminded": ("催办", "reminded"),
        "escalated": ("升级", "escalated"),
        "passed_unseen": ("期限已过，他方先行处理", "passed unseen"),
        "seen_afterwards": ("事后核定", "seen afterwards"),
        "recomputed": ("时限重新核定", "recomputed"),
        "reminded_by_hand": ("人工催办", "reminded by hand"),
        "case_opened": ("督办", "case opened"),
        "explained": ("书面说明", "explained"),
        "case_rejected": ("说明不予采纳", "case rejected"),
        "case_accepted": ("督办销号", "case accepted"),
        "held_open": ("督办未销号，暂不结案", "held open"),
        "act_refused": ("未予采纳", "act refused"),
    }
)
ACTS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        **ENTRIES,
        "confirmed": ("确认", "confirm"),
        "extension_requested": ("申请延期", "ask for an extension"),
        "parking_requested": ("申请挂账", "ask for parking"),
        "inspected": ("排查", "inspection"),
        "breaches_listed": ("通报", "notice of breaches"),
    }
)
"""What parties do, by the name of what they say, where it has no entry of that name."""
_CALLS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "general": ("群众诉求哨", "general call"),
        "enforcement": ("综合执法哨", "enforcement call"),
        "emergency": ("应急处置哨", "emergency call"),
    }
)
_PROVED: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "true": ("属实", "proved true"),
        "not-true": ("不属实", "proved not true"),
        "unclear": ("无法核实", "could not be established"),
    }
)
_CHANNELS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "phone": ("电话", "phone"),
        "visit": ("上门", "visit"),
        "message": ("短信", "message"),
        "letter": ("书面", "letter"),
        "online": ("网络", "online"),
    }
)
_FAULTS: Final[Mapping[str, Both]] = MappingProxyType(
    {"handler": ("经办原因", "the handler's fault"), "other": ("其他原因", "other reasons")}
)
FINDINGS: Final[Mapping[str, Both]] = MappingProxyType(
    {"rectified": ("已整改", "rectified"), "refused": ("不予受理", "refused"), "open": ("未整改", "still open")}
)
PURPOSES: Final[Mapping[str, Both]] = MappingProxyType(
    {"safety": ("安全隐患", "safety"), "disputes": ("矛盾纠纷", "disputes")}
)


def late(seconds: int) -> str:
    """Return for how long, in days and hours."""
    days, hours = divmod(seconds // 3600, 24)
    if days:
        return f"{days}天{hours}小时 {days} d {hours} h"
    minutes = seconds % 3600 // 60
    return f"{hours}小时{minutes}分 {hours} h {minutes} min"


def entry_name(type_: str) -> str:
    """Return the short name of an entry's type on the wire."""
    return type_.removeprefix("whistle.incident.").rpartition(".v")[0]


def spoken(line: Line, names: Names) -> tuple[str, str]:
    """Return who spoke, and by which post or rule."""
    who = names.speaker(line.who)
    if line.by.startswith("rule:"):
        return who, f"规则 rule {plain(line.by.removeprefix('rule:'))}"
    _, _, code = line.who.partition(".")
    if line.by == line.who:
        return plain(who), ""
    post = names.post(code, line.by, line.at) if code else line.by
    # Whoever a party speaks for, as a street does for its community, is a unit and not a post.
    named = post if post != line.by else names.unit(line.by)
    return plain(who), plain(named if named != line.by else both(POSTS, line.by))


def told(line: Line, names: Names) -> str:
    """Tell what an entry says beyond its name: whom, by when, up to whom, why."""
    data: Data = json.loads(line.data)
    parts = [*_parts(entry_name(line.type), data, names), *_common(data, names)]
    return plain(" · ".join(part for part in parts if part))


def _common(data: Data, names: Names) -> list[str]:
    """Return what many entries have: whether it proved true, reason, note, answer, and the deadlines they set."""
    texts = [both(_PROVED, data["proved"])] if data.get("proved") else []
    texts += [str(data[key]) for key in ("question", "reply") if data.get(key)]
    texts += [in_both(data["reason"], names.unit, names.local)] if data.get("reason") else []
    texts += [str(data["explanation"])] if data.get("explanation") else []
    if data.get("note"):
        # Beside words for the reporter, whatever else is said is internal.
        internal = data.get("answer") or data.get("reason")
        note = in_both(data["note"], names.unit, names.local)
        texts.append(f"内部 internal: {note}" if internal else note)
    texts += [str(data["answer"])] if data.get("answer") else []
    provisional = data.get("provisional") or {}
    limits = [
        f"{both(DEADLINES, name)} ≤ {names.local(datetime.fromisoformat(due_at))}"
        + " (暂定 provisional)" * (name in provisional)
        for name, due_at in (data.get("deadlines") or {}).items()
    ]
    return [*texts, *limits]


def _parts(name: str, data: Data, names: Names) -> list[str]:
    """Return what only this entry has."""
    of_it = _TOLD.get(name)
    if of_it:
        return of_it(data, names)
    return [_department(data, names), _round(data)] if data.get("department") else []


def _department(data: Data, names: Names) -> str:
    return names.unit(data["department"]) if data.get("department") else ""


def _owners(owner: Data, names: Names) -> str:
    return " / ".join(_owner(owner[each], names) for each in ("leader", "section", "officer"))


def _owner(named: str, names: Names) -> str:
    """Return who owns it; where nobody held the post at the dispatch, the post, and that it was vacant."""
    unit, colon, post = named.partition(":")
    return f"空缺 vacant: {names.unit(unit)} {both(POSTS, post)}" if colon and post in POSTS else named


def _instant(text: str, names: Names) -> str:
    return names.local(datetime.fromisoformat(text))


def _opened(data: Data, names: Names) -> list[str]:
    report = data["report"]
    place = report.get("place") or {}
    where = place.get("estate") or place.get("address") or ""
    kind = both(KINDS, report["kind"])
    return [kind, category(report["category"]), names.unit(data["community"]), where, report["description"]]


def _called(data: Data, names: Names) -> list[str]:
    departments = "、".join(names.unit(code) for code in data["departments"])
    return [both(_CALLS, data["kind"]) if data.get("kind") else "", departments, _rules(data["rules"])]


def _dispatched(data: Data, names: Names) -> list[str]:
    policy = data["policy"]
    rule = f"{_rules([policy['rule']])} ({policy['version']}, {policy['ladder']['name']})"
    return [_department(data, names), both(ROLES, data["role"]), _round(data), _owners(data["owner"], names), rule]


def _acknowledged(data: Data, names: Names) -> list[str]:
    return [_department(data, names), _owners(data["owner"], names)]


def _progressed(data: Data, names: Names) -> list[str]:
    step = f"完成 done: {both(DEADLINES, data['step'])}" if data.get("step") else ""
    return [_department(data, names), _round(data), step]


def _requested(data: Data, names: Names) -> list[str]:
    until = f"→ {_instant(data['until'], names)}" if data.get("until") else ""
    return [_department(data, names), both(REQUESTS, data["request"]), until]


def _reminded(data: Data, names: Names) -> list[str]:
    unit = names.unit(data["unit"])
    due = f"{both(DEADLINES, data['deadline'])} ≤ {_instant(data['due_at'], names)}"
    skipped = data.get("skipped") or []
    vacant = "、".join(both(POSTS, post) for post in data.get("vacant") or [])
    of_case = "督办 case" if data.get("case") else ""
    return [
        unit,
        of_case,
        due,
        f"空缺 vacant: {vacant}" if vacant else "",
        _to(data),
        f"跳过 skipped {len(skipped)}" if skipped else "",
    ]


def _to(data: Data) -> str:
    """Return which post was told, and who held it then; a reminder goes to whoever owes."""
    if not data.get("post"):
        return ""
    return f"→ {data.get('holder') or '空缺 nobody'} ({both(POSTS, data['post'])})"


def _verified(data: Data, names: Names) -> list[str]:
    return [_department(data, names), _holds(data)]


def _holds(data: Data) -> str:
    return "到位 holds" if data["holds"] else "不到位 does not hold"


def _rated(data: Data, _names: Names) -> list[str]:
    solved = "已解决 solved" if data["solved"] else "未解决 not solved"
    fault = both(_FAULTS, data["fault"]) if data.get("fault") else ""
    return [solved, "满意 satisfied" if data["satisfied"] else "不满意 not satisfied", fault]


def _contacted(data: Data, names: Names) -> list[str]:
    by = names.unit(data["community"]) if data.get("community") else ""
    reached = "已联系上 reached" if data["reached"] else "未联系上 not reached"
    return [by, both(_CHANNELS, data["channel"]), _instant(data["contacted_at"], names), reached]


def _reinspected(data: Data, names: Names) -> list[str]:
    return [names.unit(data["community"]), _holds(data), f"← {data['inspection']}"]


def _reminded_by_hand(data: Data, names: Names) -> list[str]:
    copies = [_copied(each, names) for each in data.get("copies") or ()]
    of_case = f"{names.unit(data['case'])} 督办 case" if data.get("case") else ""
    community = names.unit(data["community"]) if data.get("community") else ""
    return [_department(data, names), community, of_case, f"抄送 copy {'、'.join(copies)}" if copies else ""]


def _copied(data: Data, names: Names) -> str:
    return f"{names.unit(data['unit'])} {data.get('holder') or both(POSTS, data['post'])}"


def _case(data: Data, names: Names) -> list[str]:
    return [names.unit(data["unit"]), f"第 {data['turn']} 次 time {data['turn']}" if data["turn"] > 1 else ""]


_TOLD: Final[Mapping[str, Callable[[Data, Names], list[str]]]] = MappingProxyType(
    {
        "opened": _opened,
        "called": _called,
        "dispatched": _dispatched,
        "acknowledged": _acknowledged,
        "progressed": _progressed,
        "requested": _requested,
        "granted": _requested,
        "denied": _requested,
        "reminded": _reminded,
        "escalated": _reminded,
        "verified": _verified,
        "rated": _rated,
        "contacted": _contacted,
        "reinspected": _reinspected,
        "attached": lambda data, _names: [f"→ {data['to']}"],
        "repeat_attached": lambda data, names: [f"← {data['report']}", names.unit(data["community"])],
        "reopened": lambda data, _names: [f"第 {data['times']} 次 time {data['times']}"],
        "reminded_by_hand": _reminded_by_hand,
        "case_opened": _case,
        "explained": _case,
        "case_rejected": _case,
        "case_accepted": _case,
        "act_refused": lambda data, _names: [both(ACTS, str(data["act"]).rpartition(".v")[0].rpartition(".")[2])],
    }
)


def _rules(rules: list[str]) -> str:
    return f"规则 rule {', '.join(rules)}" if rules else ""


def _round(data: Data) -> str:
    many = data.get("round") or 0
    return f"第 {many} 轮 round {many}" if many > 1 else ""
