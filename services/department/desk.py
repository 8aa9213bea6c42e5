"""What the department's commands do: look into the inbox, follow the stream, and speak with the department's voice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta, tzinfo
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.dispatch import BreachesListed
from schemas.event import Event, dump, isoformat
from schemas.notice import Notice
from schemas.response import Response
from services.configured import load_or_stop
from services.department import store
from services.department.client import Department, Dispatch
from services.domain.configuration import Configuration
from services.domain.reasons import in_both
from services.domain.words import DEADLINES, OBLIGATIONS, ROLES, both, category
from services.runtime.clock import open_clock
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, one, plain, stop, whole_id, width

NOTICES_BESIDE = 3
"""How many notices of broken promises stand below the inbox."""
_INCIDENT = "事件 incident"
_HEADINGS = (
    "状态 status", "期限 due", "主协办 role", "轮次 round", "类别 category", "社区 community", _INCIDENT, "内容 what"
)  # fmt: skip


async def show_inbox(settings: Settings, department: str, *, everything: bool, as_json: bool) -> None:
    """Print what the department owes."""
    configuration = _known(settings, department)
    engine = connect(settings.database, "department-inbox")
    async with engine.connect() as connection:
        items = await store.inbox(connection, department, everything=everything)
        given = await store.notices(connection, department, NOTICES_BESIDE)
    now = (await open_clock(engine)).now()
    await engine.dispose()
    if as_json:
        typer.echo(json.dumps([_row(each) for each in items], ensure_ascii=False))
        return
    table = Table(title=f"{department}: {len(items)} 项责任 obligations", title_justify="left")
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading == _INCIDENT)
    for item in items:
        late = "[red]逾期 overdue[/] " if item.due_at and item.due_at <= now else ""
        provisional = item.due_at is not None and item.due_at in item.provisional_ats
        named = ", ".join(both(DEADLINES, name) for name, at in item.own.items() if at == item.due_at)
        table.add_row(
            _status(item),
            f"{late}{local(item.due_at, configuration.calendar.zone)} {named}" + " 暂定 provisional" * provisional,
            both(ROLES, item.issued.role),
            str(item.round),
            category(item.issued.category),
            item.issued.community,
            str(item.incident),
            escape(plain("\n".join(filter(None, (item.issued.description[:60], _refused(item, configuration)))))),
        )
    Console(width=width()).print(table)
    for each in given:
        typer.echo(
            f"{local(each.at, configuration.calendar.zone)}  {_headed(each.notice, configuration.calendar.zone)}"
        )
    if given:
        typer.echo(f"`whistle department notices --as {department}` lists what was broken.")


def _refused(item: store.Item, configuration: Configuration) -> str:
    """Return the last word that was not accepted, and why; empty where all that was said is."""
    if not item.refused:
        return ""
    act, _, reason = item.refused.partition(": ")
    # Of a type such as `whistle.response.arrived.v1` the name says enough.
    named = act.rpartition(".v")[0].rpartition(".")[2] or act
    return f"未予采纳 not accepted: {named} · {_told(reason, configuration)}"


def _told(reason: str, configuration: Configuration) -> str:
    """Return a reason in both languages where it is the program's own, and what a person wrote as it is."""
    units, zone = configuration.directory.units, configuration.calendar.zone
    return in_both(reason, lambda code: units[code].name if code in units else code, lambda at: local(at, zone))


def _status(item: store.Item) -> str:
    asked = item.case is not None and item.case.status == "asked"
    done = [f"{both(DEADLINES, name)} 已完成 done" for name in item.done]
    return ", ".join([both(OBLIGATIONS, item.status), *done, *["待书面说明 asked to explain"] * asked])


def _row(item: store.Item) -> dict[str, object]:
    return {
        "incident": str(item.incident),
        "status": item.status,
        "round": item.round,
        "deadlines": {name: isoformat(at) for name, at in item.deadlines.items()},
        "provisional": list(item.provisional),
        "done": list(item.done),
        "refused": item.refused or None,
        "case": item.case.model_dump(mode="json") if item.case else None,
        "dispatch": item.issued.model_dump(mode="json", exclude_none=True),
    }


async def show_notices(settings: Settings, department: str, limit: int, *, as_json: bool) -> None:
    """Print the notices of broken promises that the department was given, the newest first."""
    zone = _known(settings, department).calendar.zone
    engine = connect(settings.database, "department-notices")
    async with engine.connect() as connection:
        given = await store.notices(connection, department, limit)
    await engine.dispose()
    if as_json:
        told = [
            {"id": str(each.id), "at": isoformat(each.at)} | each.notice.model_dump(mode="json", exclude_none=True)
            for each in given
        ]
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    if not given:
        typer.echo(f"{department} was given no notice of broken promises.")
    for each in given:
        typer.echo(f"{local(each.at, zone)}  {each.id}  {_headed(each.notice, zone)}")
        typer.echo("\n".join(_broken(each.notice, zone)))


def _headed(notice: Notice, zone: tzinfo) -> str:
    """Return a notice in one line: which days, how many promises, and what supervision says of them."""
    # It ends before the midnight after its last day.
    first, last = notice.begins.astimezone(zone), (notice.ends - timedelta(microseconds=1)).astimezone(zone)
    told = f"通报 notice {first:%Y-%m-%d} – {last:%Y-%m-%d}: {notice.total} broken, {notice.still_open} still open"
    return f"{told} · {' '.join(plain(notice.note).split())}" if notice.note else told


def _broken(notice: Notice, zone: tzinfo) -> Iterator[str]:
    """Yield a line for each promise that a notice lists, and one for those that it only counts."""
    for each in notice.breaches:
        ended = f"ended {local(each.ended_at, zone)}" if each.ended_at else "still open"
        told = f" · told to {each.post}" if each.post else ""
        what = " ".join(filter(None, (each.deadline, each.department)))
        yield f"    {each.incident}  {what} due {local(each.due_at, zone)} · {ended}{told}"
    if notice.unlisted:
        yield f"    and {notice.unlisted} more: `{notice.list_all}` shows all"


async def show_stream(settings: Settings, department: str, *, from_start: bool, as_json: bool) -> None:
    """Print the department's stream as it comes."""
    configuration = _known(settings, department)
    listener = Department(department, settings)
    async for dispatch in listener.dispatches("earliest" if from_start else "latest"):
        if as_json:
            event = Event(dispatch.id, "/router", dispatch.incident, dispatch.at, dispatch.fact)
            typer.echo(dump(event).decode())
        else:
            typer.echo(line_of(dispatch, configuration))


def line_of(dispatch: Dispatch, configuration: Configuration) -> str:
    """Return one message of the stream as a line, a notice with a line for each promise."""
    if isinstance(dispatch.fact, BreachesListed):
        zone, notice = configuration.calendar.zone, dispatch.fact.notice
        head = f"{local(dispatch.at, zone)}  {'notice':9} {dispatch.incident}  {_headed(notice, zone)}"
        return "\n".join((head, *_broken(notice, zone)))
    said = dispatch.fact.model_dump(mode="json", exclude_none=True)
    named = ("status", "round", "done", "deadline", "category")
    told = " · ".join(f"{name} {said[name]}" for name in named if name in said)
    why = _told(str(said.get("reason") or said.get("note") or ""), configuration)
    what = plain(str(said.get("description") or why))[:120]
    name = dispatch.fact.type.split(".")[2]
    return f"{local(dispatch.at, configuration.calendar.zone)}  {name:9} {dispatch.incident}  {told}  {what}"


async def respond(settings: Settings, department: str, asked: str, fact: Response) -> None:
    """Say something about an incident."""
    _known(settings, department)
    incident = whole_id(asked) or await _find(settings, department, asked)
    async with Department(department, settings) as speaker:
        event = await speaker.respond(incident, fact)
    accepted = f"whether it is accepted is in `whistle department inbox --as {department}`"
    typer.echo(f"{fact.type} about {incident} is said (event {event.id}); {accepted}.")


async def _find(settings: Settings, department: str, asked: str) -> UUID:
    engine = connect(settings.database, "department-command")
    async with engine.connect() as connection:
        found = await store.find(connection, department, asked)
    await engine.dispose()
    return one(found, asked, "incident").incident


def _known(settings: Settings, department: str) -> Configuration:
    """Return the configuration, if it knows the department."""
    configuration = load_or_stop(settings)
    codes = [each.code for each in configuration.directory.departments]
    if department not in codes:
        stop(f"There is no department {department} in the directory, only: {', '.join(codes)}.", BAD_INPUT)
    return configuration
