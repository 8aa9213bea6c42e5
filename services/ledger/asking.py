"""What may be asked of a list, and what is wrong with a question that can't be answered."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, get_args
from uuid import UUID

from schemas.event import EARLIEST, LATEST
from schemas.incident import Status
from services.domain.wording import words_of

List = Literal["demands", "suggestions", "hazards", "disputes", "instabilities", "unowned", "overdue"]
LISTS: tuple[List, ...] = get_args(List)
KIND_OF: Final[Mapping[List, str]] = MappingProxyType(
    {
        "demands": "demand",
        "suggestions": "suggestion",
        "hazards": "hazard",
        "disputes": "dispute",
        "instabilities": "instability",
    }
)
FILTERS = ("community", "category", "status", "department")
PARAMETERS = (*FILTERS, "q", "limit", "after")
LIMIT = 50
MOST = 200
MOST_SOUGHT = 100
"""How many characters may be searched for."""
CODE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PREFIX = re.compile(r"[0-9a-fA-F]{4,8}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{0,27}")

Place = tuple[datetime, UUID, *tuple[str, ...]]
"""Where a line stands in its list: the instant it is ordered by, the incident, and what tells its promises apart."""


class Misasked(ValueError):
    """A question that can't be answered; the text is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of a list: what of it (`filters`, by name, all of which hold), from where on, and how many lines.

    `words` all have to be in the description or the place, or `prefix` begins the report's id; empty where nothing is
    searched for.
    """

    name: List
    filters: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    prefix: str = ""
    after: Place | None = None
    limit: int = LIMIT

    @property
    def searches(self) -> bool:
        """Whether anything is searched for."""
        return bool(self.words or self.prefix)


def read(name: List, parameters: Mapping[str, str]) -> Asked:
    """Read what is asked of a list.

    Raises:
        Misasked: a parameter is unknown, or says nothing that can be answered.

    """
    unknown = sorted(parameters.keys() - set(PARAMETERS))
    if unknown:
        raise Misasked(f"a list has no parameter {unknown[0][:50]!r}: it has {', '.join(PARAMETERS)}")
    filters = {each: parameters[each] for each in FILTERS if parameters.get(each)}
    for each, value in filters.items():
        _judge(each, value)
    words, prefix = _sought(parameters.get("q", "").strip())
    return Asked(name, filters, words, prefix, _after(name, parameters.get("after")), limit_of(parameters.get("limit")))


def _judge(name: str, value: str) -> None:
    if name == "status" and value not in get_args(Status):
        raise Misasked(f"there is no status {value[:50]!r}: there are {', '.join(get_args(Status))}")
    if not CODE.fullmatch(value):
        raise Misasked(f"{name} is a code of small letters, digits and hyphens, not {value[:50]!r}")


def _sought(text: str) -> tuple[tuple[str, ...], str]:
    if not text:
        return (), ""
    if len(text) > MOST_SOUGHT:
        raise Misasked(f"q has {len(text)} characters: search for {MOST_SOUGHT} at most")
    if "\x00" in text:
        raise Misasked("q has a NUL character, which no text has")
    try:
        words = tuple(words_of(text))
    except ValueError as error:
        raise Misasked(str(error)) from None
    return words, text.lower() if _PREFIX.fullmatch(text) else ""


def limit_of(text: str | None) -> int:
    """Return how many lines are asked for; a `Misasked` for what is no such number."""
    if not text:
        return LIMIT
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise Misasked(f"limit is a number from 1 to {MOST}, not {text[:50]!r}")
    return int(text)


# --- the cursor ------------------------------------------------------------------------------------------------------


def cursor(place: Place) -> str:
    """Write a place as it is sent: opaque, and safe in a URL."""
    at, *rest = place
    written = json.dumps([at.isoformat(), *map(str, rest)])
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def _after(name: List, text: str | None) -> Place | None:
    place = place_of(text) if text else None
    if place and len(place) != (4 if name == "overdue" else 2):
        raise Misasked(f"after is a cursor of another list than {name}")
    return place


def place_of(text: str) -> Place:
    """Return the place that a cursor names; a `Misasked` for what no list can have sent."""
    try:
        at, incident, *rest = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place: Place = (datetime.fromisoformat(at), UUID(incident), *rest)
        # Halves of surrogate pairs are no text either, and can't be written.
        storable = b"\x00" not in "".join(rest).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Misasked("after is a cursor that an answer gave as `next`, and this is none") from None
    if not (place[0].tzinfo and EARLIEST <= place[0] < LATEST and storable):
        raise Misasked("after is a cursor of another list")
    return place
