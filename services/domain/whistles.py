"""The three kinds of whistle, and the limits that each sets by itself.

Source: Pinggu district, 2017: in an emergency all who are called are on the spot within 30 minutes, day and night.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas.decision import CallKind
from services.domain.working_time import Calendar, Duration, add


@dataclass(frozen=True, slots=True)
class Whistle:
    """What holds of one kind of whistle: `overall` for the incident, and `deadlines` for every department called.

    A rule that is stricter stays stricter. `decide` is how long the street has while nobody is called, where that is
    not what it has for everything; `ladder` is climbed by that, and by departments whose rule names none.
    """

    overall: Duration
    deadlines: Mapping[str, Duration] = field(default_factory=dict, hash=False)
    decide: Duration | None = None
    ladder: str = ""


Whistles = Mapping[CallKind, Whistle]

DEFAULT_WHISTLES: Final[Whistles] = MappingProxyType(
    {
        "general": Whistle(Duration(30, "wd")),
        "enforcement": Whistle(Duration(30, "wd")),
        "emergency": Whistle(Duration(7, "d"), {"acknowledge": Duration(30, "m"), "arrive": Duration(30, "m")}),
    }
)
"""What a tree that is tried alone has."""


def stricter(
    deadlines: Mapping[str, Duration], limits: Mapping[str, Duration], calendar: Calendar, at: datetime
) -> Mapping[str, Duration]:
    """Return a rule's deadlines with the whistle's, each the one that ends first, where both begin at an instant."""
    if not limits:
        return deadlines
    found = dict(deadlines)
    for name, limit in limits.items():
        if name not in found or add(calendar, at, limit) < add(calendar, at, found[name]):
            found[name] = limit
    return found
