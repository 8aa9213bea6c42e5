"""What kinds, categories, deadlines and posts are called, and how things stand: in Chinese and English, by code."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Both = tuple[str, str]

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
        "stop-work": ("责令停工", "stop work"),
        "penalty": ("处罚决定", "penalty"),
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
OBLIGATIONS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "dispatched": ("待签收", "dispatched"),
        "acknowledged": ("已签收", "acknowledged"),
        "parked": ("已挂账", "parked"),
        "declined": ("已退单", "declined"),
        "resolved": ("已办结", "resolved"),
        "confirmed": ("已确认", "confirmed"),
        "withdrawn": ("已撤回", "withdrawn"),
    }
)
"""How what a department owes stands."""
ROLES: Final[Mapping[str, Both]] = MappingProxyType({"lead": ("主办", "lead"), "support": ("协办", "support")})
REQUESTS: Final[Mapping[str, Both]] = MappingProxyType(
    {
        "extension": ("延期", "extension"),
        "parking": ("挂账", "parking"),
        "lead": ("指定主办", "name the lead"),
        "judge": ("审核说明", "judge the explanation"),
    }
)
"""What a post above the street is asked for."""
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
