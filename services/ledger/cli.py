"""`whistle ledger`: the ledger on a terminal, as JSON or as CSV; a whole history; and the ledger made anew."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.ledger.lists import Item, Overdue
    from services.runtime.settings import Settings

T = TypeVar("T")
app = typer.Typer(help="What was collected, who owns it, what became of it, and what nobody owns or is overdue.")
FAILED = 1
BAD_INPUT = 2
_PREFIX = re.compile(r"[0-9a-fA-F-]{4,36}")


class Name(StrEnum):
    """The lists there are."""

    demands = "demands"
    suggestions = "suggestions"
    hazards = "hazards"
    disputes = "disputes"
    instabilities = "instabilities"
    unowned = "unowned"
    overdue = "overdue"


AsJson = Annotated[bool, typer.Option("--json", help="JSON on one line.")]


@app.callback(invoke_without_command=True)
def ledger(
    context: typer.Context,
    *,
    name: Annotated[Name | None, typer.Option("--list", help="One list, every line of it.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header, in UTF-8.")] = False,
) -> None:
    """Show the ledger: what nobody owns and what is overdue first."""
    if context.invoked_subcommand:
        return
    if as_json and as_csv:
        _stop("--json and --csv are two ways to write the same: give one of them", BAD_INPUT)
    if name is None:
        _run(lambda settings: _summary(settings, as_json=as_json, as_csv=as_csv))
    else:
        _run(lambda settings: _list(settings, name, as_json=as_json, as_csv=as_csv))


@app.command()
def show(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or the beginning of it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Print the whole history of an incident: when, who, by which post or rule, what."""
    if not _PREFIX.fullmatch(incident):
        _stop("an incident is named by its id, or by the first 4 or more characters of it", BAD_INPUT)
    _run(lambda settings: _show(settings, incident, as_json=as_json))


@app.command("rounds")
def rounds_(
    inspection: Annotated[
        str | None, typer.Argument(metavar="ROUND", help="One round, by its id or the beginning of it.")
    ] = None,
    *,
    level: Annotated[int | None, typer.Option("--level", min=1, max=4, help="The latest rounds of a level.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count the rounds of inspection (排查) by grid level, or show what became of what each has found."""
    if inspection and not _PREFIX.fullmatch(inspection):
        _stop("a round is named by its id, or by the first 4 or more characters of it", BAD_INPUT)
    if inspection and level:
        _stop("give a round or a level, not both", BAD_INPUT)
    _run(lambda settings: _rounds(settings, inspection, level, as_json=as_json))


@app.command()
def rebuild() -> None:
    """Make the ledger again from the first entry of incident.journal; a running ledger waits a moment and goes on."""
    _run(_rebuild)


# --- what the commands do --------------------------------------------------------------------------------------------


def _run(work: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    from services.ledger.reading import Unreadable  # noqa: PLC0415 - `--help` is quick without it
    from services.runtime import terminal  # noqa: PLC0415 - as above
    from services.runtime.settings import Settings  # noqa: PLC0415 - as above

    try:
        terminal.run(work(Settings.load()))
    except Unreadable as error:
        _stop(str(error), FAILED)


def _stop(sentence: str, status: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


async def _asked(settings: Settings, question: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    from services.runtime.database import connect  # noqa: PLC0415 - `--help` is quick without it

    engine = connect(settings.database, "ledger-cli")
    try:
        return await question(engine)
    finally:
        await engine.dispose()


async def _summary(settings: Settings, *, as_json: bool, as_csv: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.summary import summary  # noqa: PLC0415 - as above
    from services.ledger.tables import FIGURES, figure, render  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    found = await summary(settings)
    if found.trouble and (as_json or as_csv):
        typer.echo(f"what was lost is not known: {found.trouble}", err=True)
    if as_json:
        typer.echo(json.dumps(found.figures.as_json()))
    elif as_csv:
        _write_csv(["figure", "value"], [[path, figure(found, path)] for path, _, _ in FIGURES])
    else:
        render(found, Console(width=width()))


async def _list(settings: Settings, name: Name, *, as_json: bool, as_csv: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.lists import Item, Overdue  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import items_table, overdue_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    found = await _asked(settings, lambda engine: _lines(engine, name))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, default=_written))
    elif as_csv:
        header = [each.name for each in fields(Overdue if name is Name.overdue else Item)]
        _write_csv(header, [[getattr(each, column) for column in header] for each in found])
    else:
        names = names_of(settings)
        items = [each for each in found if isinstance(each, Item)]
        broken = [each for each in found if isinstance(each, Overdue)]
        table = (
            overdue_table(broken, names, len(broken))
            if name is Name.overdue
            else items_table(items, names, f"{name.value}: {len(items)}")
        )
        Console(width=width()).print(table)


async def _lines(engine: AsyncEngine, name: Name) -> Sequence[Item] | Sequence[Overdue]:
    from services.ledger.asking import MOST, Asked  # noqa: PLC0415 - `--help` is quick without it
    from services.ledger.lists import every  # noqa: PLC0415 - as above
    from services.runtime.clock import open_clock  # noqa: PLC0415 - as above

    clock = await open_clock(engine)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        return await every(connection, Asked(name.value, limit=MOST), clock.now())


async def _show(settings: Settings, incident: str, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger import queries  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import history_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    async def look(engine: AsyncEngine) -> tuple[list[Any], list[Any]]:
        async with engine.connect() as connection:
            found = await queries.matching(connection, incident)
            return found, await queries.history(connection, found[0]) if len(found) == 1 else []

    found, lines = await _asked(settings, look)
    if not found:
        _stop(f"no incident begins with {incident}", BAD_INPUT)
    if len(found) > 1:
        among = ", ".join(str(each) for each in found)
        _stop(f"{incident} is the beginning of more than one incident: {among}", BAD_INPUT)
    if as_json:
        told = [{**asdict(line), "data": json.loads(line.data)} for line in lines]
        typer.echo(json.dumps(told, ensure_ascii=False, default=_written))
    else:
        Console(width=width()).print(history_table(lines, names_of(settings), f"事件 incident {found[0]}"))


async def _rounds(settings: Settings, inspection: str | None, level: int | None, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger import rounds  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.round_tables import findings_table, levels_table, rounds_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    names = names_of(settings)

    async def look(engine: AsyncEngine) -> tuple[Sequence[Any], Any]:
        async with engine.connect() as connection:
            if inspection:
                found = await rounds.matching(connection, inspection)
                if len(found) != 1:
                    many = "no round begins" if not found else "more than one round begins"
                    _stop(f"{many} with {inspection}", BAD_INPUT)
                traced = await rounds.findings(connection, found[0]) or []
                return traced, findings_table(traced, found[0])
            if level:
                walked = await rounds.rounds(connection, level)
                return walked, rounds_table(walked, names)
            levels = await rounds.by_level(connection)
            return levels, levels_table(levels)

    rows, table = await _asked(settings, look)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in rows], ensure_ascii=False, default=_written))
    else:
        Console(width=width()).print(table)


async def _rebuild(settings: Settings) -> None:
    from services.ledger.rebuild import rebuild as made_again  # noqa: PLC0415 - `--help` is quick without it

    made = await _asked(settings, lambda engine: made_again(engine, settings.kafka))
    unread = f"; {made.unreadable} records can't be read and lie in ledger.dead" if made.unreadable else ""
    typer.echo(
        f"made again: {made.entries} entries of {made.incidents} incidents, {made.inspections} inspections{unread}"
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _write_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> str:
    """Write a cell; text that a spreadsheet would take for a formula stays text."""
    from services.ledger.words import plain  # noqa: PLC0415 - `--help` is quick without it

    if value is None:
        return ""
    if isinstance(value, str):
        text = plain(value)
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return _written(value)
