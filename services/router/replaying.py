"""`whistle route replay`: reads what the router remembers, and tells what another configuration would have done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import typer

from schemas.event import isoformat
from services.domain.configuration import Configuration
from services.domain.replaying import Elsewhere, Sent, elsewhere, is_judged
from services.router import store
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.runtime.terminal import local


@dataclass(slots=True)
class Count:
    """How many incidents were looked at, and how many of them would have gone elsewhere."""

    incidents: int = 0
    elsewhere: int = 0


async def replay(
    settings: Settings, configuration: Configuration, since: datetime, until: datetime | None, *, as_json: bool
) -> Count:
    """Tell each incident reported in that time that would have gone elsewhere, a page of them at a time."""
    count = Count()
    engine = connect(settings.database, "route-replay")
    try:
        async for state in store.reported(engine, since, until):
            if not is_judged(state):
                continue
            count.incidents += 1
            found = elsewhere(state, configuration)
            if found is not None:
                count.elsewhere += 1
                typer.echo(json.dumps(_as_json(found), ensure_ascii=False) if as_json else _line(found, configuration))
    finally:
        await engine.dispose()
    if as_json:
        typer.echo(
            json.dumps({"version": configuration.version, "incidents": count.incidents, "elsewhere": count.elsewhere})
        )
    else:
        typer.echo(
            f"{count.incidents} incidents, {count.elsewhere} of them would have gone elsewhere by version"
            f" {configuration.version}"
        )
    return count


def _line(found: Elsewhere, configuration: Configuration) -> str:
    by = f" by {found.by}" if found.by else ""
    return (
        f"{found.incident}  {local(found.reported_at, configuration.calendar.zone)}  {found.category}: "
        f"was {_told(found.was)}{by}, would be {_told(found.would)}"
    )


def _told(sent: Sequence[Sent]) -> str:
    names = ", ".join(each.department for each in sent) or "left to the street"
    rules = ", ".join(dict.fromkeys(f"{each.rule} of {each.version}" for each in sent))
    return f"{names} ({rules})" if rules else names


def _as_json(found: Elsewhere) -> Mapping[str, object]:
    def told(sent: Sequence[Sent]) -> list[dict[str, str]]:
        return [{"department": each.department, "rule": each.rule, "version": each.version} for each in sent]

    return {
        "incident": str(found.incident),
        "category": found.category,
        "reported_at": isoformat(found.reported_at),
        "by": found.by or None,
        "was": told(found.was),
        "would": told(found.would),
    }
