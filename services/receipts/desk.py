"""What the room's commands do: read what a reporter was told, and see who has."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from getpass import getuser

import typer

from schemas.event import isoformat
from services.configured import load_or_stop
from services.domain.receipts import read_receipt
from services.receipts import store
from services.receipts.page import NO_RECEIPT, OUTCOMES, until
from services.receipts.page import as_json as written
from services.receipts.settings import ReceiptsSettings
from services.receipts.store import Reading
from services.runtime.clock import open_clock
from services.runtime.database import connect
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, plain, stop, whole_id


async def show(settings: Settings, receipt: str, *, as_json: bool) -> None:
    """Print what the reporter was told, in order."""
    try:
        found = read_receipt(receipt_key(settings), receipt)
    except NoKeyError as error:
        stop(f"{error}.")
    if found is None:
        stop(f"{NO_RECEIPT}.", BAD_INPUT)
    zone = load_or_stop(settings).calendar.zone
    engine = connect(settings.database, "receipts-show")
    clock = await open_clock(engine)
    async with engine.begin() as connection:
        by = Reading(clock.now(), ReceiptsSettings().reader or getuser(), "command", *found)
        told = await store.read(connection, by)
    await engine.dispose()
    if as_json:
        typer.echo(json.dumps(written(told), ensure_ascii=False))
        return
    if not told:
        typer.echo("还没有答复 there is no answer yet")
    for each in told:
        chinese, english = OUTCOMES[each.outcome]
        reply_by = f" (→ {until(each, zone)})" if each.reply_by else ""
        words = f"\n{plain(each.text)}" if each.text else ""
        typer.echo(f"{local(each.at, zone)}  {chinese} {english}{reply_by}{words}")


async def show_readings(settings: Settings, report: str, community: str, limit: int, *, as_json: bool) -> None:
    """Print when the receipt of a report was read, and by which way."""
    found = whole_id(report)
    if found is None:
        stop(
            f"{report} is no report's id: give the whole of it, as it was printed when the report was raised.",
            BAD_INPUT,
        )
    zone = load_or_stop(settings).calendar.zone
    engine = connect(settings.database, "receipts-readings")
    async with engine.connect() as connection:
        readings = await store.readings(connection, community, found, limit)
    await engine.dispose()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in readings], ensure_ascii=False, default=_text))
        return
    if not readings:
        typer.echo("没有人看过 nobody has read it")
    for each in readings:
        typer.echo(f"{local(each.at, zone)}  {each.via}  {plain(each.who) or '持回执者 whoever has the receipt'}")


def _text(value: object) -> str:
    return isoformat(value) if isinstance(value, datetime) else str(value)
