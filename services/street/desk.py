"""What the street's commands do: look into the inbox, and speak with the street's voice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.decision import Decision, RepeatAttached
from schemas.event import explain, isoformat
from schemas.report import Raised
from services.configured import load_or_stop
from services.domain.categories import judge_category
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.street import remarks
from services.domain.words import DEADLINES, KINDS, both, category
from services.runtime.clock import open_clock
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, one, plain, stop, whole_id, width
from services.street import store
from services.street.client import Street

_INCIDENT = "事件 incident"
_HEADINGS = (
    "待办 owes", "期限 by", "类型 kind", "类别 category", "社区 community", _INCIDENT, "内容 what", "备注 note"
)  # fmt: skip


async def show_inbox(settings: Settings, street: str, *, as_json: bool) -> None:
    """Print what the street owes."""
    configuration = _known(settings, street)
    engine = connect(settings.database, "street-inbox")
    async with engine.connect() as connection:
        owed = await store.inbox(connection, street)
    now = (await open_clock(engine)).now()
    await engine.dispose()
    if as_json:
        typer.echo(json.dumps([_row(configuration, *each) for each in owed], ensure_ascii=False))
        return
    zone = configuration.calendar.zone
    table = Table(title=f"{street}: {len(owed)} 项待办 to do", title_justify="left")
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading == _INCIDENT)
    for what, by, state in owed:
        report = state.report
        late = "[red]逾期 overdue[/] " if by <= now else ""
        table.add_row(
            both(DEADLINES, what),
            late + local(by, zone),
            both(KINDS, report.kind) if report else "",
            _category(configuration, report) if report else "",
            state.community,
            str(state.id),
            escape(plain(report.description[:60])) if report else "",
            "; ".join(remarks(state)),
        )
    Console(width=width()).print(table)


async def show_notices(settings: Settings, street: str, limit: int, *, as_json: bool) -> None:
    """Print the notices of breaches that the street was given, each with what it lists."""
    zone = _known(settings, street).calendar.zone
    engine = connect(settings.database, "street-notices")
    async with engine.connect() as connection:
        given = await store.notices_of(connection, street, limit)
    await engine.dispose()
    if as_json:
        told = [
            {"id": str(each.id), "at": isoformat(each.at), "by": each.by}
            | each.notice.model_dump(mode="json", exclude_none=True)
            for each in given
        ]
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    if not given:
        typer.echo("没有通报 no notice was given")
    for each in given:
        notice = each.notice
        numbers = f"失信 broken {notice.total}，未履行 still open {notice.still_open}"
        typer.echo(f"{local(each.at, zone)}  通报 notice by {plain(each.by)}: {numbers}  {plain(notice.note)}".rstrip())
        for breach in notice.breaches:
            ended = f"→ {local(breach.ended_at, zone)}" if breach.ended_at else "未履行 still open"
            what = " ".join(filter(None, (plain(breach.deadline), breach.department)))
            typer.echo(f"  {breach.incident}  {what}  {local(breach.due_at, zone)}  {ended}")
        if notice.unlisted:
            typer.echo(f"  另有 {notice.unlisted} 件未列 not listed: {plain(notice.list_all or '')}")


def _category(configuration: Configuration, report: Raised) -> str:
    problem = judge_category(configuration.routes, report.category)
    named = escape(category(report.category))
    return f"{named} [yellow]({escape(problem)})[/]" if problem else named


def _row(configuration: Configuration, what: str, by: datetime, state: Incident) -> dict[str, object]:
    report = state.report
    return {
        "incident": str(state.id),
        "owes": what,
        "by": isoformat(by),
        "status": state.status,
        "community": state.community,
        "kind": report.kind if report else None,
        "category": report.category if report else None,
        "category_problem": judge_category(configuration.routes, report.category) if report else None,
        "description": report.description if report else None,
        "notes": remarks(state),
    }


async def decide(
    settings: Settings,
    street: str,
    asked: str,
    kind: type[Decision],
    fields: Mapping[str, object],
    *,
    own: bool = False,
) -> None:
    """Say a decision about an incident; with `own`, only the street's own sections can be called."""
    configuration = _known(settings, street)
    # Whom an earlier call named may have left the directory since; what they still owe can be spoken of.
    _judge(configuration, street, cast("Iterable[str]", fields.get("departments", ())), own=own)
    try:
        fact = kind.model_validate(fields)
    except ValidationError as error:
        stop(f"{explain(error)}.", BAD_INPUT)
    await _say(settings, street, await _find(settings, asked), fact)


async def _say(settings: Settings, street: str, incident: UUID, fact: Decision) -> None:
    async with Street(street, settings) as speaker:
        event = await speaker.decide(incident, fact)
    accepted = f"whether it is accepted is in `whistle ledger show {incident}`"
    typer.echo(f"{fact.type} about {incident} is said (event {event.id}); {accepted}.")


async def attach(settings: Settings, street: str, asked: str, to: str, by: str) -> None:
    """Attach a report to the incident it repeats."""
    _known(settings, street)
    repeat = await _state(settings, asked)
    if repeat.status != "received":
        stop(f"The incident {repeat.id} is {repeat.status}: only one that waits for a decision can be attached.")
    if repeat.repeats:
        stop(f"Other reports are attached to {repeat.id}: attach the other incident to this one instead.")
    fact = RepeatAttached(by=by, report=repeat.id, community=repeat.community)
    await _say(settings, street, await _find(settings, to), fact)


def _known(settings: Settings, street: str) -> Configuration:
    """Return the configuration, if it knows the street."""
    configuration = load_or_stop(settings)
    streets = [each.code for each in configuration.directory.streets]
    if street not in streets:
        stop(f"There is no street {street} in the directory, only: {', '.join(streets)}.", BAD_INPUT)
    return configuration


def _judge(configuration: Configuration, street: str, departments: Iterable[str], *, own: bool) -> None:
    """Stop where a department is called that the street can't call: only the room would know, long after."""
    sections = [each.code for each in configuration.directory.sections_of(street)]
    others = [each.code for each in configuration.directory.departments if each.level == "department"]
    codes = sections if own else others + sections
    for each in departments:
        if each not in codes:
            what = f"{street} has no section {each}" if own else f"There is no department {each} for {street} to call"
            stop(f"{what}, only: {', '.join(codes)}.", BAD_INPUT)


async def _find(settings: Settings, asked: str) -> UUID:
    """Return the id of an incident; a whole id needs no look-up, so that one can speak without the database."""
    return whole_id(asked) or (await _state(settings, asked)).id


async def _state(settings: Settings, asked: str) -> Incident:
    engine = connect(settings.database, "street-command")
    async with engine.connect() as connection:
        found = await store.find(connection, asked)
    await engine.dispose()
    return one(found, asked, "incident")
