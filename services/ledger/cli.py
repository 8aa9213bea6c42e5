"""`whistle ledger`: the ledger on a terminal, as JSON or as CSV; a whole history; and the ledger made anew."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.ledger.lists import Item, Overdue
    from services.runtime.settings import Settings

T = TypeVar("T")
app = typer.Typer(help="What was collected, who owns it, what became of it, and what nobody owns or is overdue.")
FAILED = 1
BAD_INPUT = 2
OF_BROKEN = ("unit", "side", "deadline", "open", "month", "from", "to")
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


class Format(StrEnum):
    """How the rates are written."""

    table = "table"
    json = "json"
    csv = "csv"
    xlsx = "xlsx"


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
def rates(
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="department|section|community|category|month",
            help="What the rates are of; several (again, or with commas) are counted together. None: the whole.",
        ),
    ] = None,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Only of reports of this month.")] = "",
    since: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="Only of reports from this day on.")] = "",
    until: Annotated[str, typer.Option("--to", metavar="YYYY-MM-DD", help="Only of reports up to this day.")] = "",
    form: Annotated[Format, typer.Option("--format", help="How they are written.")] = Format.table,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where they are written to, in place of standard output.")
    ] = None,
) -> None:
    """Show the rates of response, solution and satisfaction, on time, and the others, with how long work took."""
    if form is Format.table and output:
        _stop("a table is for a terminal: give --format json, csv or xlsx with --output", BAD_INPUT)
    if form is Format.xlsx and not output:
        _stop("a workbook is no text: say where it goes with --output rates.xlsx", BAD_INPUT)
    asked = {"by": ",".join(by or ()), "month": month, "from": since, "to": until}
    _run(lambda settings: _rates(settings, asked, form, output))


@app.command()
def broken(
    asked: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]…",
            help="Which: unit=water, side=department, deadline=resolve, month=2021-03, from=2021-03-01, to=2021-03-31, "
            "open=yes or open=no.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header, in UTF-8.")] = False,
) -> None:
    """List every promise that was ever broken, those still open first, then the newest."""
    if as_json and as_csv:
        _stop("--json and --csv are two ways to write the same: give one of them", BAD_INPUT)
    found = {}
    for each in asked or ():
        key, _, value = each.partition("=")
        if key not in OF_BROKEN or not value:
            _stop(f"{each[:50]!r} is no KEY=VALUE with one of {', '.join(OF_BROKEN)}", BAD_INPUT)
        found[key] = value
    _run(lambda settings: _broken(settings, found, as_json=as_json, as_csv=as_csv))


@app.command()
def audit(
    incident: Annotated[str | None, typer.Argument(metavar="[INCIDENT]", help="Its id, or how it begins.")] = None,
    *,
    who: Annotated[str | None, typer.Option("--who", help="Only this reader, by name, or speaker.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many steps, the last ones.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Print who did and who saw what about an incident, or what somebody has read, in order of time."""
    if incident is None and not who:
        _stop("name an incident, or a reader with --who", BAD_INPUT)
    if incident is not None and not _PREFIX.fullmatch(incident):
        _stop("an incident is named by its id, or by the first 4 or more characters of it", BAD_INPUT)
    _run(lambda settings: _audit(settings, incident, who, limit, as_json=as_json))


@app.command()
def notices(
    *,
    unit: Annotated[str | None, typer.Option("--unit", help="Only those given to this unit.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the notices of broken promises that units were given (通报); with the breaches themselves as JSON."""
    _run(lambda settings: _notices(settings, unit, limit, as_json=as_json))


@app.command()
def cases(
    *,
    unit: Annotated[str | None, typer.Option("--unit", help="Only those against this unit.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List the supervision cases (督办) that are open: what nobody has explained first, then what is to be judged."""
    _run(lambda settings: _cases(settings, unit, limit, everything=everything, as_json=as_json))


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

    from services.ledger.lists import shown  # noqa: PLC0415 - as above
    from services.ledger.summary import summary  # noqa: PLC0415 - as above
    from services.ledger.tables import FIGURES, figure, render  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    found = await summary(settings)
    if not (as_json or as_csv):
        await _noted(settings, "summary", shown=shown((*found.unowned, *found.overdue)))
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

    from services.ledger.lists import Item, Overdue, shown  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import items_table, overdue_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    found = await _asked(settings, lambda engine: _lines(engine, name))
    await _noted(settings, f"list {name.value}", shown=shown(found))
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
    from services.ledger.queries import snapshot  # noqa: PLC0415 - as above
    from services.runtime.clock import open_clock  # noqa: PLC0415 - as above

    clock = await open_clock(engine)
    async with snapshot(engine) as connection:
        return await every(connection, Asked(name.value, limit=MOST), clock.now())


async def _show(settings: Settings, incident: str, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger import queries  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import history_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    async def look(engine: AsyncEngine) -> tuple[list[Any], UUID | None]:
        async with engine.connect() as connection:
            return await queries.history(connection, found), await queries.home(connection, found)

    found = await _one(settings, incident)
    await _noted(settings, "history", found)
    lines, home = await _asked(settings, look)
    if as_json:
        told = [{**asdict(line), "data": json.loads(line.data)} for line in lines]
        typer.echo(json.dumps(told, ensure_ascii=False, default=_written))
    else:
        Console(width=width()).print(history_table(lines, names_of(settings), f"事件 incident {found}"))
        if home:
            typer.echo(f"后续见并入的事件 it goes on in the incident it is attached to: whistle ledger show {home}")


async def _one(settings: Settings, prefix: str) -> UUID:
    """Return the incident whose id begins like this, or end the command with a sentence."""
    from services.ledger import queries  # noqa: PLC0415 - `--help` is quick without it

    async def look(engine: AsyncEngine) -> list[UUID]:
        async with engine.connect() as connection:
            return await queries.matching(connection, prefix)

    found = await _asked(settings, look)
    if not found:
        _stop(f"no incident begins with {prefix}", BAD_INPUT)
    if len(found) > 1:
        among = ", ".join(str(each) for each in found)
        _stop(f"{prefix} is the beginning of more than one incident: {among}", BAD_INPUT)
    return found[0]


async def _noted(settings: Settings, what: str, incident: UUID | None = None, shown: Iterable[UUID] = ()) -> None:
    """Write down what this command's user is about to be shown, of a list each incident."""
    from os import getuid  # noqa: PLC0415 - `--help` is quick without it
    from pwd import getpwuid  # noqa: PLC0415 - as above
    from socket import gethostname  # noqa: PLC0415 - as above

    from services.ledger.audit import reader, record  # noqa: PLC0415 - as above
    from services.ledger.settings import LedgerSettings  # noqa: PLC0415 - as above
    from services.runtime.clock import open_clock  # noqa: PLC0415 - as above

    try:
        user = getpwuid(getuid()).pw_name
    except KeyError:
        user = str(getuid())
    # What is claimed by a setting stands beside whom the system knows.
    by = reader(LedgerSettings().reader or user, "command", f"{user}@{gethostname()}")

    async def write(engine: AsyncEngine) -> None:
        await record(engine, by, what, incident, (await open_clock(engine)).now(), shown)

    await _asked(settings, write)


async def _broken(settings: Settings, asked: dict[str, str], *, as_json: bool, as_csv: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.asking import MOST, Misasked  # noqa: PLC0415 - as above
    from services.ledger.audit import of_list  # noqa: PLC0415 - as above
    from services.ledger.broken import Promise, count, every, read  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.queries import snapshot  # noqa: PLC0415 - as above
    from services.ledger.tables import broken_table  # noqa: PLC0415 - as above
    from services.runtime.clock import open_clock  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    names = names_of(settings)
    try:
        question = read({"limit": str(MOST), **asked}, names.zone)
    except Misasked as error:
        _stop(str(error), BAD_INPUT)

    async def look(engine: AsyncEngine) -> list[Promise]:
        now = (await open_clock(engine)).now()
        async with snapshot(engine) as connection:
            await count(connection, question, names.all)
            return await every(connection, question, now)

    try:
        found = await _asked(settings, look)
    except Misasked as error:
        _stop(str(error), BAD_INPUT)
    await _noted(settings, of_list("broken", asked), shown=[each.incident for each in found])
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, default=_written))
    elif as_csv:
        header = [each.name for each in fields(Promise)]
        _write_csv(header, [[getattr(each, column) for column in header] for each in found])
    else:
        Console(width=width()).print(broken_table(found, names))


async def _notices(settings: Settings, unit: str | None, limit: int, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.notices import Notice  # noqa: PLC0415 - as above
    from services.ledger.notices import notices as listed  # noqa: PLC0415 - as above
    from services.ledger.tables import notices_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    async def look(engine: AsyncEngine) -> list[Notice]:
        async with engine.connect() as connection:
            return await listed(connection, unit, limit)

    found = await _asked(settings, look)
    told = [UUID(breach["incident"]) for each in found for breach in each.breaches]
    await _noted(settings, f"list notices unit={unit}" if unit else "list notices", shown=told)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, default=_written))
    else:
        Console(width=width()).print(notices_table(found, names_of(settings)))


async def _cases(settings: Settings, unit: str | None, limit: int, *, everything: bool, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.audit import of_list  # noqa: PLC0415 - as above
    from services.ledger.cases import Supervised  # noqa: PLC0415 - as above
    from services.ledger.cases import cases as listed  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import cases_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    async def look(engine: AsyncEngine) -> list[Supervised]:
        async with engine.connect() as connection:
            return await listed(connection, unit=unit, everything=everything, limit=limit)

    found = await _asked(settings, look)
    what = of_list("cases", {"unit": unit or "", "all": "yes" if everything else ""})
    await _noted(settings, what, shown=[each.incident for each in found])
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, default=_written))
    else:
        Console(width=width()).print(cases_table(found, names_of(settings)))


async def _audit(settings: Settings, incident: str | None, who: str | None, limit: int, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger.audit import Step, trail  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.tables import trail_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    found = await _one(settings, incident) if incident else None

    async def look(engine: AsyncEngine) -> Sequence[Step]:
        async with engine.connect() as connection:
            return await trail(connection, incident=found, who=who, limit=limit)

    steps = await _asked(settings, look)
    await _noted(settings, f"audit {who}" if who else "audit", found)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in steps], ensure_ascii=False, default=_written))
    else:
        title = " · ".join(filter(None, (f"事件 incident {found}" if found else "", who)))
        Console(width=width()).print(trail_table(steps, names_of(settings), f"留痕 audit trail · {title}"))


async def _rates(settings: Settings, asked: Mapping[str, str], form: Format, output: Path | None) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.configured import load_or_stop  # noqa: PLC0415 - as above
    from services.ledger import rates, sheets  # noqa: PLC0415 - as above
    from services.ledger.asking import Misasked  # noqa: PLC0415 - as above
    from services.ledger.names import named  # noqa: PLC0415 - as above
    from services.ledger.rates_table import rates_table  # noqa: PLC0415 - as above
    from services.ledger.settings import LedgerSettings  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    configuration = load_or_stop(settings)
    try:
        question = rates.read(asked)
        answer = await _asked(settings, lambda engine: rates.ask(engine, question, configuration))
    except Misasked as error:
        _stop(str(error), BAD_INPUT)
    data = sheets.as_data(answer, named(configuration), LedgerSettings().small_below)
    if form is Format.table:
        Console(width=width()).print(rates_table(data))
    elif form is Format.json:
        _put(f"{json.dumps(data, ensure_ascii=False)}\n".encode(), output)
    else:
        laid = sheets.sheet(data)
        _put(sheets.as_xlsx(laid) if form is Format.xlsx else sheets.as_csv(laid), output)


async def _rounds(settings: Settings, inspection: str | None, level: int | None, *, as_json: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - `--help` is quick without it

    from services.ledger import rounds  # noqa: PLC0415 - as above
    from services.ledger.names import names_of  # noqa: PLC0415 - as above
    from services.ledger.queries import snapshot  # noqa: PLC0415 - as above
    from services.ledger.round_tables import findings_table, levels_table, rounds_table  # noqa: PLC0415 - as above
    from services.runtime.terminal import width  # noqa: PLC0415 - as above

    names = names_of(settings)

    async def look(engine: AsyncEngine) -> tuple[Sequence[Any], Any, str]:
        async with snapshot(engine) as connection:
            if inspection:
                found = await rounds.matching(connection, inspection)
                if len(found) != 1:
                    many = "no round begins" if not found else "more than one round begins"
                    _stop(f"{many} with {inspection}", BAD_INPUT)
                traced = await rounds.findings(connection, found[0]) or []
                return traced, findings_table(traced, found[0]), f"round {found[0]}"
            if level:
                walked = await rounds.rounds(connection, level)
                return walked, rounds_table(walked, names), f"list rounds level={level}"
            levels = await rounds.by_level(connection)
            return levels, levels_table(levels), "list rounds"

    rows, table, what = await _asked(settings, look)
    await _noted(settings, what, shown=rounds.shown(rows) if inspection else ())
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


def _put(written: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(written)
        return
    try:
        output.write_bytes(written)
    except OSError as error:
        _stop(f"{output} can't be written ({error.strerror}): name a file in a folder that is there", FAILED)


def _write_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from services.ledger.sheets import cell  # noqa: PLC0415 - `--help` is quick without it

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
