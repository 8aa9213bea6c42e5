"""Every broken promise, a page at a time: what is still open first, then the newest; each page by one index.

A promise is broken once its deadline has passed unkept, whether a post above was told or only a reminder fired, and
stays on the list when it is kept later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.incident import Explained
from services.ledger.asking import CODE, LIMIT, Misasked, limit_of, place_of

Side = Literal["department", "section", "street", "community", "district"]
SIDES: tuple[Side, ...] = get_args(Side)
FILTERS = ("unit", "side", "deadline")
PARAMETERS = (*FILTERS, "open", "month", "from", "to", "limit", "after")
_COLUMN_OF: Mapping[str, str] = {"deadline": "name"}
_ORDER = ("open", "due_at", "incident", "since", "name")


class After(NamedTuple):
    """Where a line stands in the list, as a cursor writes it."""

    due_at: datetime
    incident: UUID
    since: str
    name: str
    is_open: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of the list: `filters` by name, deadlines from `begins` until before `ends` (UTC), and from where on.

    `open` asks for what is still waited for, or for what is not; None for both.
    """

    filters: Mapping[str, str] = field(default_factory=dict)
    open: bool | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    after: After | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class Promise:
    """One broken promise: `unit` owed it by `due_at`, and has let `late_s` seconds pass until it ended, or until now.

    `rungs` of its ladder were climbed, up to `post`, empty where only a reminder fired; what passed unseen was told
    to nobody, and climbed none. `ended_by` names the entry that ended the wait, at `ended_at`; both are empty while
    it is open. `case` is how a supervision case against the unit stands, and `explanation` what it said last. All
    instants are UTC.
    """

    incident: UUID
    unit: str
    side: str
    deadline: str
    department: str
    round: int
    due_at: datetime
    late_s: int
    rungs: int
    post: str
    ended_at: datetime | None
    ended_by: str
    case: str | None
    explanation: str
    kind: str
    category: str
    community: str
    place: str | None
    description: str
    status: str
    escalations: int

    @property
    def id(self) -> UUID:
        """The incident, as the other lists name it."""
        return self.incident


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of the list, and after which place the next ones come (None: no more)."""

    promises: Sequence[Promise]
    next: After | None


class Counts(NamedTuple):
    """How many promises a question is about, and how many of them are still open."""

    total: int
    open: int


# --- what may be asked ------------------------------------------------------------------------------------------------


def read(parameters: Mapping[str, str], zone: tzinfo) -> Asked:
    """Read what is asked of the list; days and months are those of the offices' zone.

    Raises:
        Misasked: a parameter is unknown, or says nothing that can be answered.

    """
    unknown = sorted(parameters.keys() - set(PARAMETERS))
    if unknown:
        raise Misasked(f"the list has no parameter {unknown[0][:50]!r}: it has {', '.join(PARAMETERS)}")
    filters = {each: parameters[each] for each in FILTERS if parameters.get(each)}
    for each, value in filters.items():
        if each == "side" and value not in SIDES:
            raise Misasked(f"there is no side {value[:50]!r}: there are {', '.join(SIDES)}")
        if not CODE.fullmatch(value):
            raise Misasked(f"{each} is a code of small letters, digits and hyphens, not {value[:50]!r}")
    begins, ends = _period(parameters, zone)
    return Asked(
        filters,
        _open(parameters.get("open")),
        begins,
        ends,
        _after(parameters.get("after")),
        limit_of(parameters.get("limit")),
    )


def _period(parameters: Mapping[str, str], zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    month, first, last = (parameters.get(name) for name in ("month", "from", "to"))
    if month:
        if first or last:
            raise Misasked("month, and from and to, are two ways to say when: give one of them")
        if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", month):
            raise Misasked(f"month is written as in 2021-03, not {month[:50]!r}")
        begins = date.fromisoformat(f"{month}-01")
        return _midnight(begins, zone), _midnight((begins + timedelta(days=31)).replace(day=1), zone)
    begins_at = _midnight(_day("from", first), zone) if first else None
    ends_at = _midnight(_day("to", last) + timedelta(days=1), zone) if last else None
    if begins_at and ends_at and ends_at <= begins_at:
        raise Misasked(f"from {first} to {last} is no time at all: the days are written from early to late")
    return begins_at, ends_at


def _day(name: str, value: str) -> date:
    try:
        found = date.fromisoformat(value) if re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", value) else None
    except ValueError:
        found = None
    if found is None:
        raise Misasked(f"{name} is a day as in 2021-03-01, not {value[:50]!r}")
    return found


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _open(value: str | None) -> bool | None:
    if not value:
        return None
    if value not in {"yes", "no"}:
        raise Misasked(f"open is yes or no, not {value[:50]!r}")
    return value == "yes"


def _after(value: str | None) -> After | None:
    if not value:
        return None
    due_at, incident, *rest = place_of(value)
    match rest:
        case [since, name, "True" | "False" as is_open] if re.fullmatch(r"[0-9]{1,9}", since):
            return After(due_at, incident, since, name, is_open)
    raise Misasked("after is a cursor of another list than this")


# --- what is answered -------------------------------------------------------------------------------------------------

_SHOWN = "unit, side, department, round, step, post, ended_at, ended_by, supervised"
_ABOUT = text(
    "SELECT id, kind, category, community, place, description, status, escalations "
    "FROM ledger.incident WHERE id = ANY(CAST(:ids AS uuid[]))"
)
_EXPLANATIONS = text(
    "SELECT incident, data FROM ledger.entry WHERE incident = ANY(CAST(:ids AS uuid[])) AND type = :type "
    "ORDER BY incident, version"
)


async def page(connection: AsyncConnection, asked: Asked, now: datetime) -> Page:
    """Return a part of the list, as it is at an instant (UTC)."""
    values: dict[str, Any] = {"many": asked.limit + 1, **asked.filters}
    rows = (await connection.execute(text(_select(asked, values)), values)).all()
    shown = rows[: asked.limit]
    following = _place(shown[-1]) if len(rows) > asked.limit else None
    return Page(await _promises(connection, shown, now), following)


async def every(connection: AsyncConnection, asked: Asked, now: datetime) -> list[Promise]:
    """Return all lines of the list from a place on, read page by page."""
    found: list[Promise] = []
    following: Asked | None = asked
    while following:
        some = await page(connection, following, now)
        found += some.promises
        following = replace(following, after=some.next) if some.next else None
    return found


async def count(connection: AsyncConnection, asked: Asked, units: Collection[str]) -> Counts:
    """Count all that is asked for, wherever a page begins; `units` are those of the directory, if there is one.

    Raises:
        Misasked: nothing was ever broken by the unit asked for, and the directory has none of this name.

    """
    values: dict[str, Any] = {}
    where = _where(replace(asked, after=None), values)
    statement = f"SELECT count(*), count(*) FILTER (WHERE open) FROM ledger.broken {where}"  # noqa: S608 - our own names
    found = Counts(*(await connection.execute(text(statement), values | dict(asked.filters))).one())
    unit = asked.filters.get("unit")
    if unit and not found.total and units and unit not in units:
        raise Misasked(f"there is no unit {unit[:50]!r} in the directory: give the code of one that is there")
    return found


def _select(asked: Asked, values: dict[str, Any]) -> str:
    order = ", ".join(f"{each} DESC" for each in _ORDER)
    where = _where(asked, values)
    return f"SELECT {', '.join(_ORDER)}, {_SHOWN} FROM ledger.broken {where} ORDER BY {order} LIMIT :many"  # noqa: S608 - our own names


def _where(asked: Asked, values: dict[str, Any]) -> str:
    conditions = [f"{_COLUMN_OF.get(name, name)} = :{name}" for name in asked.filters]
    if asked.open is not None:
        conditions.append("open = :open")
        values["open"] = asked.open
    for name, sign, at in (("begins", ">=", asked.begins), ("ends", "<", asked.ends)):
        if at:
            conditions.append(f"due_at {sign} :{name}")
            values[name] = at
    if asked.after:
        due_at, incident, since, name, is_open = asked.after
        values |= {"a": is_open == "True", "b": due_at, "c": incident, "d": int(since), "e": name}
        conditions.append(f"({', '.join(_ORDER)}) < (:a, :b, :c, :d, :e)")
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _place(row: Row[Any]) -> After:
    return After(row.due_at, row.incident, str(row.since), row.name, str(row.open))


async def _promises(connection: AsyncConnection, rows: Sequence[Row[Any]], now: datetime) -> list[Promise]:
    about = await connection.execute(_ABOUT, {"ids": list({row.incident for row in rows})})
    matters = {each.id: each[1:] for each in about}
    explanations = await _explanations(connection, {row.incident for row in rows if row.supervised})
    return [
        Promise(
            incident=row.incident,
            unit=row.unit,
            side=row.side,
            deadline=row.name,
            department=row.department,
            round=row.round,
            due_at=row.due_at,
            late_s=int(((row.ended_at or now) - row.due_at).total_seconds()),
            rungs=row.step + 1,
            post=row.post,
            ended_at=row.ended_at,
            ended_by=row.ended_by,
            case=row.supervised,
            explanation=explanations.get((row.incident, row.unit), ""),
            **dict(zip(_MATTER, matters[row.incident], strict=True)),
        )
        for row in rows
    ]


_MATTER = ("kind", "category", "community", "place", "description", "status", "escalations")


async def _explanations(connection: AsyncConnection, incidents: Iterable[UUID]) -> dict[tuple[UUID, str], str]:
    """Return the last explanation of each unit, by incident and unit."""
    wanted = list(incidents)
    if not wanted:
        return {}
    rows = await connection.execute(_EXPLANATIONS, {"ids": wanted, "type": Explained.type})
    told = [(row.incident, json.loads(row.data)) for row in rows]
    return {(incident, data["unit"]): data["explanation"] for incident, data in told}
