"""What supervision's commands do: show who was told, and speak with supervision's voice."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import tzinfo
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.action import Action
from services.configured import load_or_stop
from services.domain.reasons import in_both
from services.domain.words import DEADLINES, both
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, one, plain, stop, whole_id, width
from services.supervision import store
from services.supervision.client import Supervision

_INCIDENT = "事件 incident"
_HEADINGS = "时间 told at", "告知 who was told", "谁欠 owes", "时限 deadline", "期限 due", _INCIDENT, "何事 what"
_NAMED = {**DEADLINES, "by-hand": ("人工催办", "by hand")}


async def show(
    settings: Settings,
    incident: str | None,
    limit: int,
    *,
    as_json: bool,
    untaken: bool | None = None,
    after: str | None = None,
) -> None:
    """Print who was told, of escalations and by copies of reminders, and how to go on where there are more."""
    place = whole_id(after) if after else None
    if after and place is None:
        stop(f"{after} is no id of a line: give the whole id that the list before ended with.", BAD_INPUT)
    zone = load_or_stop(settings).calendar.zone
    asked = await _find(settings, incident) if incident else None
    engine = connect(settings.database, "supervision-list")
    async with engine.connect() as connection:
        found = await store.page(connection, limit, incident=asked, untaken=untaken, after=place)
    await engine.dispose()
    if found is None:
        stop(f"Nobody was told {after}: give the id that the list before ended with.", BAD_INPUT)
    told = found.tellings
    if found.more:
        typer.echo(f"There are more: go on with --after {told[-1].id}", err=True)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in told], ensure_ascii=False, default=str))
        return
    title = f"升级与请示 escalations and questions: {len(told)}; 无人认领的在前 what nobody has taken on first"
    table = Table(title=title, title_justify="left")
    for heading in (
        "时间 told at",
        "告知 who was told",
        "谁欠 owes",
        "时限 deadline",
        "期限 due",
        _INCIDENT,
        "何事 what",
    ):
        table.add_column(heading, no_wrap=heading == _INCIDENT)
    for each in told:
        passed = [post for post in each.vacant or () if each.holder or post != each.post]
        table.add_row(
            local(each.told_at, zone),
            escape("\n".join([each.holder or f"nobody holds {each.post}", *(f"{post}: vacant" for post in passed)])),
            each.unit if each.department in {None, each.unit} else f"{each.unit} ← {each.department}",
            both(_NAMED, each.deadline),
            local(each.due_at, zone) + " 暂定 provisional" * bool(each.provisional),
            str(each.incident),
            escape(plain(" · ".join(filter(None, (_note(each, zone), each.summary[:60]))))),
        )
    Console(width=width()).print(table)
    typer.echo("这里记的是告知 this is who was told: `whistle ledger show INCIDENT` says what has been done since.")


def _note(telling: store.Telling, zone: tzinfo) -> str:
    """Return what a reminder or a question says, with instants in a zone."""
    return in_both(telling.note or "", lambda code: code, lambda at: local(at, zone))


async def act(settings: Settings, incident: str, fact: Action) -> None:
    """Say what supervision does about an incident."""
    found = await _find(settings, incident)
    async with Supervision(settings) as speaker:
        event = await speaker.act(found, fact)
    accepted = f"whether it is accepted is in `whistle ledger show {found}`"
    typer.echo(f"{fact.type} about {found} is said (event {event.id}); {accepted}.")


async def _find(settings: Settings, asked: str) -> UUID:
    """Return the id of an incident; a whole id needs no look-up, so that one can speak without the database."""
    whole = whole_id(asked)
    if whole is not None:
        return whole
    engine = connect(settings.database, "supervision-command")
    try:
        async with engine.connect() as connection:
            found = await store.find(connection, asked)
    finally:
        await engine.dispose()
    if not found:
        stop(
            f"Nobody was told of an incident {asked}: give its whole id, as `whistle ledger show` prints it.", BAD_INPUT
        )
    return one(found, asked, "incident")
