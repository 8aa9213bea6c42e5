"""What the room's command does: read what a reporter was told."""

from __future__ import annotations

import json

import typer

from services.configured import load_or_stop
from services.domain.receipts import read_receipt
from services.receipts import store
from services.receipts.page import NO_RECEIPT, OUTCOMES, until
from services.receipts.page import as_json as written
from services.runtime.database import connect
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, plain, stop


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
    async with engine.connect() as connection:
        told = await store.of_report(connection, *found)
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
