"""What the street's commands do: look into the inbox, and speak with the street's voice."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.decision import Decision, RepeatAttached
from schemas.event import isoformat
from services.configured import ConfigurationError, load
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.runtime.clock import open_clock
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, one, plain, stop, whole_id, width
from services.street import store
from services.street.client import Street


async def show_inbox(settings: Settings, street: str, *, as_json: bool) -> None:
    """Print what the street owes."""
    configuration = _known(settings, street)
    engine = connect(settings.database, "street-inbox")
    async with engine.connect() as connection:
        owed = await store.inbox(connection, street)
    now = (await open_clock(engine)).now()
    await engine.dispose()
    if as_json:
        typer.echo(json.dumps([_row(*each) for each in owed], ensure_ascii=False))
        return
    zone = configuration.calendar.zone
    table = Table(title=f"{street}: {len(owed)} to do (待办)", title_justify="left")
    for heading in ("owes", "by", "kind", "category", "community", "incident", "what"):
        table.add_column(heading, no_wrap=heading == "incident")
    for what, by, state in owed:
        report = state.report
        late = "[red]overdue[/] " if by <= now else ""
        table.add_row(
            what,
            late + local(by, zone),
            report.kind if report else "",
            report.category if report else "",
            state.community,
            str(state.id),
            escape(plain(report.description[:60])) if report else "",
        )
    Console(width=width()).print(table)


def _row(what: str, by: datetime, state: Incident) -> dict[str, object]:
    report = state.report
    return {
        "incident": str(state.id),
        "owes": what,
        "by": isoformat(by),
        "status": state.status,
        "community": state.community,
        "kind": report.kind if report else None,
        "category": report.category if report else None,
        "description": report.description if report else None,
    }


async def decide(settings: Settings, street: str, asked: str, fact: Decision) -> None:
    """Say a decision about an incident."""
    _known(settings, street)
    incident = await _find(settings, asked)
    async with Street(street, settings) as speaker:
        event = await speaker.decide(incident, fact)
    typer.echo(f"{fact.type} about {incident} is said (event {event.id}); `whistle ledger show {incident}` tells more.")


async def attach(settings: Settings, street: str, asked: str, to: str, by: str) -> None:
    """Attach a report to the incident it repeats."""
    _known(settings, street)
    repeat = await _state(settings, asked)
    if repeat.status != "received":
        stop(f"The incident {repeat.id} is {repeat.status}: only one that waits for a decision can be attached.")
    fact = RepeatAttached(by=by, report=repeat.id, community=repeat.community)
    await decide(settings, street, to, fact)


def _known(settings: Settings, street: str) -> Configuration:
    """Return the configuration, if it knows the street."""
    try:
        configuration = load(settings.config)
    except ConfigurationError as error:
        stop(str(error))
    streets = [each.code for each in configuration.directory.streets]
    if street not in streets:
        stop(f"There is no street {street} in the directory, only: {', '.join(streets)}.", BAD_INPUT)
    return configuration


async def _find(settings: Settings, asked: str) -> UUID:
    """Return the id of an incident; a whole id needs no look-up, so that one can speak without the database."""
    return whole_id(asked) or (await _state(settings, asked)).id


async def _state(settings: Settings, asked: str) -> Incident:
    engine = connect(settings.database, "street-command")
    async with engine.connect() as connection:
        found = await store.find(connection, asked)
    await engine.dispose()
    return one(found, asked, "incident")
