"""The rates, counted from the ledger's rows of appraisal, with office hours as the calendars have them now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, Literal, get_args

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.event import EARLIEST, LATEST
from services.domain.configuration import Configuration
from services.domain.rates import MEDIAN, NINETIETH, Rates, Share, Span
from services.domain.working_time import Calendar
from services.ledger.asking import Misasked
from services.ledger.queries import snapshot

By = Literal["department", "section", "community", "category", "month"]
BYS: tuple[By, ...] = get_args(By)
PARAMETERS = ("by", "month", "from", "to")
COLUMN_OF: Final[Mapping[By, str]] = {
    "department": "department",
    "section": "department",
    "community": "community",
    "category": "category",
    "month": "month",
}
WORK_MEMORY = "64MB"
"""Times are put in order in memory, a million of them too."""
MOST_GROUPS = 10_000
"""How many groups are counted at once: nobody reads more, and a workbook of them takes seconds."""
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Question:
    """By what the rates are asked for, in this order, and of which days' reports, both included; None: no limit."""

    by: tuple[By, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def of_obligations(self) -> bool:
        """Whether obligations are counted; incidents as a whole, otherwise."""
        return "department" in self.by or "section" in self.by


@dataclass(frozen=True, slots=True)
class Group:
    """The rates of what has these codes (or this month, as in 2021-03), in the order of the question."""

    codes: tuple[str, ...]
    rates: Rates


@dataclass(frozen=True, slots=True)
class Answer:
    """The rates of every group, by code, and of all of them together."""

    question: Question
    groups: Sequence[Group]
    total: Rates


@dataclass(frozen=True, slots=True)
class TooMany:
    """There are more groups than `MOST_GROUPS`, and nothing is said of any."""

    question: Question


def read(parameters: Mapping[str, str]) -> Question:
    """Read what is asked: `by` with commas between, and either `month`, or `from` and `to`, each as it is wanted.

    Raises:
        Misasked: a parameter is unknown, or says nothing that can be answered.

    """
    unknown = sorted(parameters.keys() - set(PARAMETERS))
    if unknown:
        raise Misasked(f"the rates have no parameter {unknown[0][:50]!r}: they have {', '.join(PARAMETERS)}")
    by = _by(parameters.get("by", ""))
    month, since, until = (parameters.get(name, "") for name in ("month", "from", "to"))
    if month and (since or until):
        raise Misasked("month is a way to say from and to: give one or the other")
    if month:
        return Question(by, *_of_month(month))
    question = Question(by, _date("from", since), _date("to", until))
    if question.since and question.until and question.since > question.until:
        raise Misasked(f"from {since} to {until} there is no day: give the earlier one first")
    return question


def _by(written: str) -> tuple[By, ...]:
    found: list[By] = []
    for name in filter(None, written.split(",")):
        known = next((each for each in BYS if each == name), None)
        if known is None:
            raise Misasked(f"rates are not counted by {name[:50]!r}: they are by {', '.join(BYS)}")
        if known in found:
            raise Misasked(f"by names {name} twice: name it once")
        found.append(known)
    if "department" in found and "section" in found:
        raise Misasked("nothing is of a department and of a section: ask by one of them")
    return tuple(found)


def _of_month(written: str) -> tuple[date, date]:
    found = _MONTH.fullmatch(written)
    first = _date("month", f"{written}-01") if found else None
    if first is None:
        raise Misasked(f"month is a month as in 2021-03, not {written[:50]!r}")
    following = (first + 31 * _DAY).replace(day=1)
    return first, following - _DAY


def _date(name: str, written: str) -> date | None:
    if not written:
        return None
    try:
        found = date.fromisoformat(written)
    except ValueError:
        raise Misasked(f"{name} is a day as in 2021-03-31, not {written[:50]!r}") from None
    if not EARLIEST.date() <= found < LATEST.date():
        raise Misasked(f"{name} lies between {EARLIEST.year} and {LATEST.year - 1}, and {written} does not")
    return found


# --- the calendars ---------------------------------------------------------------------------------------------------


def calendar_of(configuration: Configuration, unit: str) -> Calendar:
    """Return the calendar of a unit's office hours, or of everybody who has none of their own: whoever has no code."""
    return configuration.calendar_of(unit)


@dataclass(frozen=True, slots=True)
class Openings:
    """Office hours of some units between two instants, as SQL finds office time in them.

    The office time before an instant whose last opening was `begins[i]` is its distance from `zeros[i]`, and at most
    `mosts[i]`, which is reached when that opening ends.
    """

    units: tuple[str, ...]
    begins: list[datetime]
    zeros: list[datetime]
    mosts: list[timedelta]


def _openings(calendar: Calendar, units: tuple[str, ...], first: datetime, last: datetime) -> Openings:
    found = Openings(units, [], [], [])
    before = timedelta()
    day, end = (each.astimezone(calendar.zone).date() for each in (first, last))
    while day <= end:
        for opened, closed in calendar.openings(day):
            found.begins.append(opened)
            found.zeros.append(opened - before)
            before += closed - opened
            found.mosts.append(before)
        day += _DAY
    return found


def _all_openings(configuration: Configuration, first: datetime, last: datetime) -> Iterator[Openings]:
    """Yield the openings of each calendar with its units; those of the first are of every other unit too."""
    units: dict[Calendar, list[str]] = {calendar_of(configuration, ""): []}
    for code in configuration.directory.units:
        units.setdefault(calendar_of(configuration, code), []).append(code)
    for calendar, codes in units.items():
        yield _openings(calendar, tuple(codes), first, last)


# --- counting --------------------------------------------------------------------------------------------------------


async def ask(engine: AsyncEngine, question: Question, configuration: Configuration) -> Answer:
    """Count the rates as they are now.

    Raises:
        Misasked: there are more groups than anybody reads.

    """
    return judged(await count(engine, question, configuration))


async def count(engine: AsyncEngine, question: Question, configuration: Configuration) -> Answer | TooMany:
    """Count the rates as they are now, all of them from one snapshot of the database."""
    async with snapshot(engine) as connection:
        return await counted(connection, question, configuration)


def judged(found: Answer | TooMany) -> Answer:
    """Return the answer; a `Misasked` that says how to ask for less where there is none."""
    if isinstance(found, TooMany):
        by = ", ".join(found.question.by)
        raise Misasked(
            f"there are more than {MOST_GROUPS} groups by {by}: ask for one month (or from and to) at a time, "
            "or by fewer things at once"
        )
    return found


async def rates(connection: AsyncConnection, question: Question, configuration: Configuration) -> Answer:
    """Count the rates; the connection is in a transaction that sees one state of the tables.

    Raises:
        Misasked: there are more groups than anybody reads.

    """
    return judged(await counted(connection, question, configuration))


async def counted(connection: AsyncConnection, question: Question, configuration: Configuration) -> Answer | TooMany:
    """Do the same, with what can't be answered as a value."""
    await connection.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))
    counting = _Counting(question, calendar_of(configuration, "").zone)
    times = (await connection.execute(*counting.reach())).one()
    openings = list(_all_openings(configuration, *times)) if all(times) else []
    rows = await connection.execute(*counting.statement(openings))
    return counting.answer(rows.all())


class _Counting:
    """The statements of one question."""

    def __init__(self, question: Question, zone: tzinfo) -> None:
        self._question = question
        self._values: dict[str, Any] = {}
        conditions = ["department <> ''", f"section = {'section' in question.by}"]
        self._conditions = conditions if question.of_obligations else ["department = ''"]
        if question.since:
            self._conditions.append("reported_at >= :since")
            self._values["since"] = _midnight(question.since, zone)
        if question.until:
            self._conditions.append("reported_at < :until")
            self._values["until"] = _midnight(question.until + _DAY, zone)
        self._month = "to_char(reported_at AT TIME ZONE :zone, 'YYYY-MM')"
        self._zone = {"zone": str(zone)} if "month" in question.by else {}

    def reach(self) -> tuple[Any, dict[str, Any]]:
        """Return the statement that asks for the first and the last instant that office hours are needed for."""
        return text(
            "SELECT min(least(reported_at, began_at)), max(greatest(reported_at, resolved_at, answered_at)) "  # noqa: S608 - our own names
            f"FROM ledger.appraisal WHERE {' AND '.join(self._conditions)}"
        ), self._values

    def statement(self, openings: Sequence[Openings]) -> tuple[Any, dict[str, Any]]:
        """Return the statement that counts, group by group and all together."""
        columns = [COLUMN_OF[each] for each in self._question.by]
        values = self._values | self._zone
        for number, each in enumerate(openings):
            arrays = {"begins": each.begins, "zeros": each.zeros, "mosts": each.mosts}
            # Whoever has no other has the first.
            arrays |= {"units": list(each.units)} if number else {}
            values |= {f"{name}_{number}": array for name, array in arrays.items()}
        selected = ", ".join([*columns, f"GROUPING({', '.join(columns)})" if columns else "1", *_COUNTS])
        # Rows are put in order by what they are grouped by: by their bytes, and with no column more than is counted.
        grouped = [f'{self._month if each == "month" else each} COLLATE "C" AS {each}' for each in columns]
        times = [
            f"{_between('began_at', 'resolved_at', openings)} AS handling",
            f"{_between('reported_at', 'answered_at', openings)} AS answering",
        ]
        return text(
            f"SELECT {selected} FROM (SELECT {', '.join([*grouped, *_FLAGS, *times])} "  # noqa: S608 - our own names
            f"FROM ledger.appraisal WHERE {' AND '.join(self._conditions)}) AS item "
            f"GROUP BY GROUPING SETS ({'(' + ', '.join(columns) + '), ' if columns else ''}()) "
            # With all of them together, one group more than are shown.
            f"LIMIT {MOST_GROUPS + 2}"
        ), values

    def answer(self, rows: Sequence[Any]) -> Answer | TooMany:
        """Return what the rows say."""
        many = len(self._question.by)
        groups = [Group(tuple(row[:many]), _rates(row[many + 1 :])) for row in rows if not row[many]]
        if len(groups) > MOST_GROUPS:
            return TooMany(self._question)
        (total,) = [_rates(row[many + 1 :]) for row in rows if row[many]]
        return Answer(self._question, sorted(groups, key=lambda each: each.codes), total)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _between(start: str, end: str, openings: Sequence[Openings]) -> str:
    """Return the SQL of the office time between two columns; NULL where one of them is."""
    cases = [f"WHEN {start} IS NULL OR {end} IS NULL THEN NULL"]
    took = [
        f"greatest({_worked(end, number)} - {_worked(start, number)}, interval '0')" for number in range(len(openings))
    ]
    unit = "coalesce(nullif(department, ''), street)"
    for number, each in enumerate(took[1:], 1):
        cases.append(f"WHEN {unit} = ANY(CAST(:units_{number} AS text[])) THEN {each}")
    return f"CASE {' '.join(cases)} ELSE {took[0] if took else 'CAST(NULL AS interval)'} END"


def _worked(column: str, number: int) -> str:
    """Return the SQL of the office time from the first opening to a column."""
    # Finding the opening by halves in an array takes less than a microsecond; there is no index to look into.
    place = f"width_bucket({column}, CAST(:begins_{number} AS timestamptz[]))"
    zero = f"(CAST(:zeros_{number} AS timestamptz[]))[{place}]"
    most = f"(CAST(:mosts_{number} AS interval[]))[{place}]"
    return f"coalesce(least({column} - {zero}, {most}), interval '0')"


def _share(many: str, of: str) -> tuple[str, str]:
    return f"count(*) FILTER (WHERE {of} AND {many})", f"count(*) FILTER (WHERE {of})"


def _span(column: str) -> tuple[str, str]:
    return f"count({column})", f"percentile_disc(ARRAY[{MEDIAN}, {NINETIETH}]) WITHIN GROUP (ORDER BY {column})"


_FLAGS: Final = (
    "asked",
    "responded",
    "slow",
    "resolved_at IS NOT NULL AS resolved",
    "late",
    "answered",
    "reopened",
    "solved",
    "satisfied",
    "decided",
    "whistled",
)
# In the order of the fields of `Rates`.
_COUNTS: Final = (
    *_share("responded", "asked"),
    *_share("responded AND NOT slow", "(responded OR slow)"),
    *_share("solved", "solved IS NOT NULL"),
    *_share("satisfied", "satisfied IS NOT NULL"),
    *_share("resolved AND NOT late", "(resolved OR late)"),
    *_share("reopened", "answered"),
    *_share("whistled", "decided"),
    *_span("handling"),
    *_span("answering"),
)


def _rates(row: Sequence[Any]) -> Rates:
    *shares, handling, answering = zip(row[::2], row[1::2], strict=True)
    response, prompt, solution, satisfaction, on_time, reopen, whistle = (Share(*each) for each in shares)
    return Rates(
        response,
        prompt,
        solution,
        satisfaction,
        on_time,
        reopen,
        whistle,
        _span_of(*handling),
        _span_of(*answering),
    )


def _span_of(of: int, times: Sequence[timedelta] | None) -> Span:
    return Span(of, *times) if times else Span()
