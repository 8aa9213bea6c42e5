"""`whistle route` and `whistle config`: try a tree and check a configuration, before anything depends on them.

Nothing here reaches Kafka or PostgreSQL: it needs only files, and starts quickly.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from services.domain.cases import with_limits
from services.domain.configuration import Configuration, Problem, parse, parse_tree
from services.domain.provisional import running_out
from services.domain.routing import Assignment, Deadlines, Plan, Route, match
from services.domain.tree_reading import LABELS
from services.domain.working_time import add
from services.runtime import seal
from services.runtime.files import read, sealed_as
from services.runtime.terminal import width

DIFFERS = 1
"""Something is otherwise than it should be: a plan, or a configuration."""
BAD_INPUT = 2

route_app = typer.Typer(no_args_is_help=True, help="Who owes what by when, by which rule: try it without sending.")
config_app = typer.Typer(no_args_is_help=True, help="The configuration: who there is, who owes what, who is told.")

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="DIR|FILE", help="The configuration, or a file with nothing but a route: tree."),
]


@route_app.command("test")
def try_route(
    labels: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What a report says.")] = None,
    *,
    config: Config = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it is called; ISO 8601; now by default.")] = None,
    expect: Annotated[str | None, typer.Option(metavar="a,b", help="The departments in order; else status 1.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="CASES", help="Try the cases of a YAML file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Say who would owe an incident with these labels: by which rules, by when, and up which ladder.

    With --file, try each of its cases, and leave with status 1 where one is otherwise than it expects.
    """
    if file is not None:
        # Reports need the schemas, which nobody who tries a few labels should wait for.
        from services.router.trying import try_cases  # noqa: PLC0415

        if labels or at is not None or expect is not None:
            _stop("--file has labels, times and expectations of its own: give it without any others")
        try_cases(file, _load(config), as_json=as_json)
        return
    said = _labels(labels or [])
    configuration = _load(config)
    called_at = _instant(at, configuration)
    plan = configuration.plan(said)
    try:
        if as_json:
            typer.echo(json.dumps(_as_json(configuration, said, plan, called_at), ensure_ascii=False))
        else:
            _explain(configuration, said, plan, called_at)
    except ValueError as error:
        _stop(str(error))
    departments = [each.department for each in plan.assignments]
    if expect is not None and (expected := [each.strip() for each in expect.split(",") if each.strip()]) != departments:
        typer.echo(f"expected {','.join(expected) or 'nobody'}, got {','.join(departments) or 'nobody'}", err=True)
        raise typer.Exit(DIFFERS)


@route_app.command("replay")
def replay_past(
    *,
    since: Annotated[str, typer.Option(metavar="DATE", help="Incidents reported from then on; ISO 8601.")],
    until: Annotated[str | None, typer.Option(metavar="DATE", help="And before that; up to now by default.")] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each, and one with the counts.")] = False,
) -> None:
    """Say which past incidents a configuration would have sent elsewhere: what was, and what would have been.

    It reads what the router remembers, and needs PostgreSQL.
    """
    # Nobody who only tries files should wait for the database's clients.
    from services.router.replaying import replay  # noqa: PLC0415
    from services.runtime.settings import Settings  # noqa: PLC0415
    from services.runtime.terminal import run  # noqa: PLC0415

    configuration = _load(config)
    begin = _instant(since, configuration)
    end = None if until is None else _instant(until, configuration)
    if end is not None and end <= begin:
        _stop(f"--until {until} is not later than --since {since}: give a later one")
    run(replay(Settings.load(), configuration, begin, end, as_json=as_json))


@route_app.command("show")
def show_routes(*, config: Config = None) -> None:
    """Print the whole tree, with what each rule sets or inherits."""
    configuration = _load(config)
    tree = Tree(_described(configuration.routes, None))
    _grow(tree, configuration.routes)
    Console(width=width()).print(tree)


@config_app.command("check")
def check(
    *,
    config: Config = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Leave with status 1 for a warning too, but for a calendar that runs out."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Name everything that is wrong, with file, line and cure: errors stop a start, warnings don't."""
    configuration, problems = _read(config)
    refused = configuration is None or (strict and bool(problems))
    # A tree that is tried alone has nobody's calendar. That a calendar runs out is the day's doing, not the files': a
    # strict check of the same files ends the same way on every day.
    if configuration is not None and configuration.directory.units:
        problems += running_out(configuration, datetime.now(UTC))
    # Whoever has changed a sealed folder checks it first, and seals it then.
    problems += _unsealed(config)
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    if as_json:
        version = configuration.version if configuration else None
        told = {
            "version": version,
            "errors": errors,
            "warnings": warnings,
            "problems": [asdict(each) for each in problems],
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(str(problem), err=problem.level == "error")
        _conclude(configuration, errors, warnings)
    if refused:
        raise typer.Exit(DIFFERS)


def _conclude(configuration: Configuration | None, errors: int, warnings: int) -> None:
    if configuration is None:
        typer.echo(f"{errors} errors, {warnings} warnings: nothing starts with this", err=True)
        return
    directory = configuration.directory
    typer.echo(
        f"good, with {warnings} warnings: version {configuration.version}, {_size(configuration.routes)} rules,"
        f" {len(directory.departments)} departments and sections, {len(directory.communities)} communities,"
        f" {len(configuration.ladders)} ladders"
    )


@config_app.command("seal")
def seal_folder(*, config: Config = None) -> None:
    """List the folder's files with their SHA-256, as the last one: rooms believe a sealed folder only as it was sealed.

    What has errors is not sealed. Any change after that counts for nothing until the folder is sealed again.
    """
    path = _path(config)
    if not path.is_dir():
        _stop(f"{path} is no folder: give --config, or WHISTLE_CONFIG, a folder of YAML files")
    try:
        documents = read(path)
        configuration, problems = parse(documents)
        for problem in problems:
            typer.echo(str(problem), err=problem.level == "error")
        if configuration is None:
            typer.echo("not sealed: nothing starts with this", err=True)
            raise typer.Exit(DIFFERS)
        found = sealed_as(documents)
        seal.write(path, found)
    except OSError as error:
        _stop(f"{path} can't be sealed ({error.strerror}): seal it where it may be written, before it is released")
    typer.echo(f"sealed: {len(found)} files, version {configuration.version}")


def _unsealed(config: Path | None) -> list[Problem]:
    path = _path(config)
    broken = seal.broken(path, sealed_as(read(path))) if path.is_dir() else None
    if broken is None:
        return []
    what = f"{broken.what}, so no room takes this over"
    return [Problem(str(path / seal.NAME), broken.line, "warning", what, broken.cure)]


@config_app.command("version")
def version(*, config: Config = None) -> None:
    """Print the version that each obligation names, and that rooms log when they take a configuration over."""
    typer.echo(_load(config).version)


# ------------------------------------------------------------------------------------------------------------- reading


def _path(given: Path | None) -> Path:
    if given is not None:
        return given
    # The settings take a fifth of a second to import, which nobody who names a file should wait for.
    from services.runtime.settings import Settings  # noqa: PLC0415

    return Settings.load().config


def _read(given: Path | None) -> tuple[Configuration | None, list[Problem]]:
    path = _path(given)
    cure = "give --config, or WHISTLE_CONFIG, a folder of YAML files, or one file"
    try:
        documents = read(path)
    except OSError as error:
        _stop(f"{path} can't be read ({error.strerror}): {cure}")
    if not documents:
        _stop(f"{path} has no *.yaml in it: {cure}")
    alone = documents[0]
    if not path.is_dir() and (not isinstance(alone.content, Mapping) or set(alone.content) <= {"route"}):
        return parse_tree(alone, *documents[1:])
    return parse(documents)


def _load(path: Path | None) -> Configuration:
    configuration, problems = _read(path)
    if configuration is None:
        for problem in problems:
            if problem.level == "error":
                typer.echo(str(problem), err=True)
        raise typer.Exit(BAD_INPUT)
    return configuration


def _labels(given: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key.strip() or key.endswith("!") or value.startswith("~"):
            _stop(f"{each!r} is no label: write KEY=VALUE, as in category=power")
        if key not in LABELS:
            _stop(f"no report has the label {key!r}: use one of {', '.join(LABELS)}")
        if key in labels:
            _stop(f"the label {key!r} is given twice: give it once")
        labels[key] = value
    return labels


def _instant(text: str | None, configuration: Configuration) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        _stop(f"{text!r} is no time: write ISO 8601, as in 2021-03-01T09:30 or 2021-03-01T09:30+08:00")
    return instant if instant.tzinfo else instant.replace(tzinfo=configuration.calendar.zone)


def _stop(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(BAD_INPUT)


# ---------------------------------------------------------------------------------------------------------- explaining


def _due(configuration: Configuration, unit: str, deadlines: Deadlines, called_at: datetime) -> dict[str, str]:
    """Each deadline's instant by the calendar of whoever owes, in the configured zone."""
    zone, calendar = configuration.calendar.zone, configuration.calendar_of(unit)
    return {
        name: add(calendar, called_at, duration).astimezone(zone).isoformat() for name, duration in deadlines.items()
    }


def _by_whistle(rules: Assignment, owes: Assignment) -> list[str]:
    """Which of a department's deadlines are the whistle's own, and not those of its rule."""
    return [name for name, duration in owes.deadlines.items() if rules.deadlines.get(name) != duration]


def _as_json(
    configuration: Configuration, labels: Mapping[str, str], plan: Plan, called_at: datetime
) -> dict[str, object]:
    owing = with_limits(plan, labels, called_at, configuration)
    obligations = [
        {
            "department": each.department,
            "role": each.role,
            "rule": each.rule,
            "deadlines": _due(configuration, each.department, each.deadlines, called_at),
            "by_whistle": _by_whistle(rules, each),
            "ladder": each.ladder,
        }
        for rules, each in zip(plan.assignments, owing, strict=True)
    ]
    return {
        "at": called_at.astimezone(configuration.calendar.zone).isoformat(),
        "departments": [each.department for each in plan.assignments],
        "rules": list(plan.rules),
        "deadlines": obligations[0]["deadlines"] if obligations else {},
        "ladder": obligations[0]["ladder"] if obligations else None,
        "obligations": obligations,
    }


def _explain(configuration: Configuration, labels: Mapping[str, str], plan: Plan, called_at: datetime) -> None:
    console = Console(width=width())
    zone = configuration.calendar.zone
    said = " ".join(f"{key}={value}" for key, value in labels.items()) or "no labels"
    way = Tree(escape(f"{said}, at {called_at.astimezone(zone):%Y-%m-%d %H:%M %z}"))
    _retrace(way, configuration.routes, labels, plan)
    console.print(way)
    if not plan.assignments:
        calendar = configuration.calendar_of(labels.get("street", ""))
        until = add(calendar, called_at, configuration.street.decide).astimezone(zone)
        console.print(f"Nobody: it waits for the street's decision until {until:%Y-%m-%d %H:%M %z}")
        return
    table = Table("department 部门", "part 主办/协办", "by the rule", "deadlines 办理时限", "ladder 升级")
    owing = with_limits(plan, labels, called_at, configuration)
    for rules, each in zip(plan.assignments, owing, strict=True):
        by_whistle = _by_whistle(rules, each)
        unit = configuration.directory.units.get(each.department)
        due = _due(configuration, each.department, each.deadlines, called_at)
        table.add_row(
            escape(f"{each.department} {unit.name if unit else ''}".strip()),
            "lead 主办" if each.role == "lead" else "support 协办",
            escape(each.rule),
            "\n".join(
                f"{name} {at[:16].replace('T', ' ')} ({each.deadlines[name]}{', whistle' * (name in by_whistle)})"
                for name, at in due.items()
            ),
            escape(each.ladder),
        )
    console.print(table)


def _retrace(branch: Tree, node: Route, labels: Mapping[str, str], plan: Plan) -> None:
    """The way that these labels take: every node that matched, and whether it counts."""
    counts = node.name in plan.rules
    text = escape(f"{node.name}  {_condition(node)}  {', '.join(node.departments) or 'nobody'}")
    here = branch.add(f"[bold]✓ {text}[/bold]" if counts else f"[dim]· {text}[/dim]")
    for child in node.routes:
        if match(child, labels):
            _retrace(here, child, labels, plan)
            if not child.continue_:
                return


def _grow(branch: Tree, node: Route) -> None:
    for child in node.routes:
        _grow(branch.add(_described(child, node)), child)


def _described(node: Route, parent: Route | None) -> str:
    parts = [f"[bold]{escape(node.name)}[/bold]", escape(_condition(node))]
    if parent is None or node.departments != parent.departments:
        parts.append(escape("→ " + (", ".join(node.departments) or "nobody")))
    parts += [
        f"{name} {duration}"
        for name, duration in node.deadlines.items()
        if parent is None or parent.deadlines.get(name) != duration
    ]
    if node.ladder and (parent is None or node.ladder != parent.ladder):
        parts.append(escape(f"ladder {node.ladder}"))
    parts += ["continue"] * node.continue_ + ["always"] * node.always
    return "  ".join(parts)


def _condition(node: Route) -> str:
    return "{" + ", ".join(str(matcher) for matcher in node.matchers) + "}"


def _size(node: Route) -> int:
    return 1 + sum(_size(child) for child in node.routes)
