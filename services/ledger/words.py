"""The ledger's words, Chinese and English, and each entry of a history told in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from services.ledger.names import Names
from services.ledger.queries import Line

Both = tuple[str, str]
Data = Mapping[str, Any]

KINDS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "demand": ("诉求", "demand"),
        "suggestion": ("建议", "suggestion"),
        "hazard": ("隐患", "hazard"),
        "dispute": ("矛盾纠纷", "dispute"),
        "instability": ("不稳定因素", "instability"),
    }
)
STATUSES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "received": ("待决定", "received"),
        "called": ("已呼叫", "called"),
        "responding": ("办理中", "responding"),
        "confirmed": ("已确认", "confirmed"),
        "answered": ("已答复", "answered"),
        "closed": ("已结案", "closed"),
        "refused": ("不予受理", "refused"),
        "attached": ("并案未接", "attached"),
    }
)
DEADLINES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "decide": ("决定", "decide"),
        "overall": ("总时限", "overall"),
        "answer": ("答复", "answer"),
        "acknowledge": ("签收", "acknowledge"),
        "arrive": ("到场", "arrive"),
        "resolve": ("办结", "resolve"),
        "confirm": ("确认", "confirm"),
        "approve": ("审批", "approve"),
        "lead": ("指定主办", "name the lead"),
        "review": ("复查", "review"),
        "close": ("结案", "close"),
        "reply": ("群众补充", "reply"),
        "explain": ("书面说明", "explain"),
        "judge": ("审核说明", "judge"),
    }
)
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
POSTS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "officer": ("经办人员", "officer"),
        "section-head": ("科室负责人", "section head"),
        "responsible-leader": ("分管领导", "responsible leader"),
        "leading-group": ("领导小组", "leading group"),
        "discipline-committee": ("纪工委", "discipline committee"),
        "discipline-member": ("纪检委员", "discipline member"),
        "supervision-office": ("督查室", "supervision office"),
    }
)
CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "water-supply": "供水",
        "power": "供电",
        "gas": "燃气",
        "drainage": "排水",
        "river": "河道",
        "road": "道路",
        "lighting": "照明",
        "greening": "绿化",
        "sanitation": "环境卫生",
        "parking": "停车",
        "illegal-building": "违法建设",
        "noise": "噪声",
        "property-management": "物业管理",
        "elevator": "电梯",
        "fire-safety": "消防安全",
        "building-safety": "建筑安全",
        "self-built-housing": "自建房",
        "food-safety": "食品安全",
        "traffic": "交通",
        "medical": "医疗",
        "social-security": "社会保障",
        "elderly-care": "养老",
        "culture": "文体",
        "public-order": "治安",
        "neighbour-dispute": "邻里纠纷",
        "family-dispute": "家庭纠纷",
        "labour-dispute": "劳资纠纷",
        "property-dispute": "物业纠纷",
        "petition": "信访",
        "schooling": "入学",
        "bus-route": "公交线路",
        "property-title": "产权办证",
        "other": "其他",
        "unclaimed-structure": "无主构筑物",
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
_REQUESTS: Final[Mapping[str, Both]] = MappingProxyType(
    {"extension": ("延期", "extension"), "parking": ("挂账", "parking")}
)
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
_ROLES: Final[Mapping[str, Both]] = MappingProxyType({"lead": ("主办", "lead"), "support": ("协办", "support")})
# What a report says is shown on terminals and pages: no control characters, and nothing that turns text around.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def plain(text: str) -> str:
    """Return text on one line, without what a terminal or a page would obey instead of show."""
    return _UNSEEN.sub(" ", text).strip()


def both(words: Mapping[str, Both], code: str) -> str:
    """Return a code in both languages; the code itself where it has no words."""
    found = words.get(code)
    return f"{found[0]} {found[1]}" if found else plain(code)


def category(code: str) -> str:
    """Return a category in both languages."""
    chinese = CATEGORIES.get(code)
    return f"{chinese} {code}" if chinese else plain(code)


def late(seconds: int) -> str:
    """Return for how long, in days and hours."""
    days, hours = divmod(seconds // 3600, 24)
    return f"{days} 天 d {hours} 小时 h" if days else f"{hours} 小时 h {seconds % 3600 // 60} 分 min"


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
    texts += [str(data[key]) for key in ("question", "reply", "reason", "explanation") if data.get(key)]
    if data.get("note"):
        # Beside words for the reporter, whatever else is said is internal.
        internal = data.get("answer") or data.get("reason")
        texts.append(f"内部 internal: {data['note']}" if internal else str(data["note"]))
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


def _owners(owner: Data) -> str:
    return f"{owner['leader']} / {owner['section']} / {owner['officer']}"


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
    return [_department(data, names), both(_ROLES, data["role"]), _round(data), _owners(data["owner"]), rule]


def _acknowledged(data: Data, names: Names) -> list[str]:
    return [_department(data, names), _owners(data["owner"])]


def _requested(data: Data, names: Names) -> list[str]:
    until = f"→ {_instant(data['until'], names)}" if data.get("until") else ""
    return [_department(data, names), both(_REQUESTS, data["request"]), until]


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
    return [_department(data, names), f"抄送 copy {'、'.join(copies)}" if copies else ""]


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
        "act_refused": lambda data, _names: [str(data["act"])],
    }
)


def _rules(rules: list[str]) -> str:
    return f"规则 rule {', '.join(rules)}" if rules else ""


def _round(data: Data) -> str:
    many = data.get("round") or 0
    return f"第 {many} 轮 round {many}" if many > 1 else ""
