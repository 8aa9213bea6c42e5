"""Notices of breaches (通报): the ledger's list of broken promises, given to each unit that broke some.

The list comes as the ledger's command writes it: rooms never look into each other's tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Annotated
from uuid import NAMESPACE_URL, UUID, uuid5

import typer
from pydantic import Field, TypeAdapter, ValidationError

from schemas.action import BreachesListed
from schemas.event import Code, Instant, Line, Model, explain
from schemas.notice import MOST_LISTED, Breach, Notice
from services.configured import load_or_stop
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, stop
from services.supervision.client import Supervision


class Listed(Model):
    """One line of the list, as far as a notice needs it.

    `post` is empty where only a reminder fired, or nobody was told; `department` is whose work it was about, if any's.
    """

    incident: UUID
    unit: Code
    deadline: Line
    due_at: Instant
    department: Annotated[str, Field(max_length=63)] = ""
    post: Annotated[str, Field(max_length=63)] = ""
    ended_at: Instant | None = None


_LIST = TypeAdapter(tuple[Listed, ...])


async def notify(settings: Settings, file: Path | None, first: str, last: str, note: str, by: str) -> None:
    """Say one notice to each unit on the list in a file, or in standard input."""
    configuration = load_or_stop(settings)
    begins, ends = _period(first, last, configuration.calendar.zone)
    given = _read(file)
    try:
        facts = [BreachesListed(by=by, notice=each) for each in notices(_LIST.validate_json(given), begins, ends, note)]
    except ValidationError as error:
        stop(f"{explain(error)}: give the list as `whistle ledger broken --json` writes it.", BAD_INPUT)
    except ValueError as error:
        stop(f"{error}.", BAD_INPUT)
    if not facts:
        typer.echo(f"Nothing was broken from {first} to {last}, so nobody is given a notice.")
        return
    known = [each for each in facts if each.notice.unit in configuration.directory.units]
    for each in facts:
        if each not in known:
            left_out = f"its {each.notice.total} broken promises are in no notice"
            typer.echo(f"There is no unit {each.notice.unit} in the directory: {left_out}.", err=True)
    if not known:
        stop("Nobody on the list is in the directory, so nobody is given a notice.", BAD_INPUT)
    async with Supervision(settings) as speaker:
        for fact in known:
            event = await speaker.notify(fact, notice=identity(fact.notice))
            notice = fact.notice
            broken = f"{notice.total} broken, {notice.still_open} still open"
            if notice.unlisted:
                broken += f" ({notice.unlisted} of them are not listed: `{notice.list_all}` shows all)"
            typer.echo(f"{notice.unit}: {broken}; the notice {event.subject} is said.")
    typer.echo("`whistle ledger notices` shows them.")


def _read(file: Path | None) -> bytes:
    try:
        return file.read_bytes() if file else sys.stdin.buffer.read()
    except OSError as error:
        stop(f"{file} can't be read ({error.strerror}).", BAD_INPUT)


def notices(listed: Sequence[Listed], begins: datetime, ends: datetime, note: str) -> list[Notice]:
    """Return a notice for each unit on a list, in the order of the list.

    Raises:
        ValueError: a line is of another period; the text is a sentence about it.

    """
    found: dict[str, list[Listed]] = {}
    for each in listed:
        if not begins <= each.due_at < ends:
            raise ValueError(f"the deadline {each.deadline} of {each.incident} is not in the period: ask for it alone")
        found.setdefault(each.unit, []).append(each)
    return [_notice(unit, lines, begins, ends, note) for unit, lines in found.items()]


def _notice(unit: str, lines: Sequence[Listed], begins: datetime, ends: datetime, note: str) -> Notice:
    unlisted = max(len(lines) - MOST_LISTED, 0)
    days = f"from={begins.date()} to={(ends - timedelta(days=1)).date()}"
    return Notice(
        unit=unit,
        begins=begins,
        ends=ends,
        total=len(lines),
        still_open=sum(each.ended_at is None for each in lines),
        breaches=tuple(map(_breach, lines[:MOST_LISTED])),
        unlisted=unlisted or None,
        list_all=f"whistle ledger broken unit={unit} {days}" if unlisted else None,
        note=note,
    )


def identity(notice: Notice) -> UUID:
    """Return the id of a notice, which follows from the unit, the period and the lines: given again, it is the same."""
    lines = sorted(each.model_dump_json() for each in notice.breaches)
    about = [notice.unit, notice.begins.isoformat(), notice.ends.isoformat(), notice.total, *lines]
    return uuid5(NAMESPACE_URL, json.dumps(about))


def _breach(line: Listed) -> Breach:
    return Breach(
        incident=line.incident,
        deadline=line.deadline,
        due_at=line.due_at,
        # Whoever's own work it is needs no name beside its own.
        department=(line.department if line.department != line.unit else "") or None,
        post=line.post or None,
        ended_at=line.ended_at,
    )


def _period(first: str, last: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the period from midnight to midnight in the offices' zone."""
    try:
        begins, ends = (
            datetime.combine(date.fromisoformat(day) + timedelta(days=more), time(), zone)
            for day, more in ((first, 0), (last, 1))
        )
    except ValueError:
        stop(f"A day is written as in 2021-03-01, not {first} or {last}.", BAD_INPUT)
    if ends <= begins:
        stop(f"From {first} to {last} is no time at all: the days are written from early to late.", BAD_INPUT)
    return begins, ends
