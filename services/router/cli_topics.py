"""`whistle topics`: makes the topics that the registry and the directory want, and shows what there is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from services.runtime.settings import Settings
    from services.runtime.topics import Change, Existing

topics_app = typer.Typer(name="topics", no_args_is_help=True, help="Make and show the topics everybody meets on.")

# The commands import what they need when they run: `whistle --help` must be quick.
# ruff: noqa: PLC0415


@topics_app.command()
def apply(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be changed.")] = False
) -> None:
    """Make the topics that are missing and set what has drifted; never deletes, and may be run as often as you like."""
    from schemas.topics import TOPICS
    from services.runtime import topics
    from services.runtime.settings import Settings

    settings = Settings.load()
    parties = _parties(settings)
    _quieten()
    act = topics.preview if dry_run else topics.apply
    try:
        changes = asyncio.run(act(settings.kafka, TOPICS, parties))
    except topics.TopicsError as error:
        _stop(str(error))
    if not changes:
        typer.echo("All topics are as wanted: nothing to change.")
        return
    _print(_changes_table(changes))
    verb = "would be" if dry_run else "were"
    made = sum(change.before is None for change in changes)
    typer.echo(f"{made} topics {verb} made, the configuration of {len(changes) - made} {verb} set.")


@topics_app.command()
def show() -> None:
    """List the topics: who writes and reads each, how long it is kept, and whether the cluster has it."""
    from services.runtime import topics
    from services.runtime.settings import Settings

    settings = Settings.load()
    parties = _parties(settings)
    _quieten()
    try:
        existing = asyncio.run(topics.describe(settings.kafka))
    except topics.TopicsError as error:
        _stop(str(error))
    _print(_topics_table(parties, existing))


def _parties(settings: Settings) -> Mapping[str, Sequence[str]]:
    """Read the codes of everybody who has topics from the directory, or stop with what is wrong with it."""
    from services.domain import configuration
    from services.runtime import files

    try:
        documents = files.read(settings.config)
    except OSError as error:
        _stop(
            f"The configuration {settings.config} can't be read ({error.strerror}): set WHISTLE_CONFIG to its folder."
        )
    found, problems = configuration.parse(documents)
    if found is None:
        _stop("\n".join(str(problem) for problem in problems if problem.level == "error"))
    return found.directory.parties


def _changes_table(changes: Sequence[Change]) -> object:
    from rich import box
    from rich.table import Column, Table

    made = [set(change.config.items()) for change in changes if change.before is None]
    alike = set.intersection(*made) if made else set()
    caption = "Made with " + ", ".join(f"{name}={value}" for name, value in sorted(alike)) if alike else None
    topic = Column("topic", min_width=max(len(change.topic) for change in changes), no_wrap=True)
    rest = [Column(name, overflow="fold") for name in ("change", "partitions", "replicas", "configuration")]
    table = Table(topic, *rest, title="Topics", caption=caption, box=box.SIMPLE_HEAD)
    for change in changes:
        if change.before is None:
            config = [f"{name}={value}" for name, value in change.config.items() if (name, value) not in alike]
        else:
            before = change.before.config
            config = [f"{name}: {before.get(name, 'unset')} → {value}" for name, value in change.config.items()]
        table.add_row(
            change.topic,
            "set" if change.before else "make",
            str(change.partitions),
            str(change.replication_factor),
            ", ".join(config),
        )
    return table


def _topics_table(parties: Mapping[str, Sequence[str]], existing: Mapping[str, Existing]) -> object:
    from rich import box
    from rich.table import Column, Table

    from schemas.topics import DEAD_LETTER_RETENTION_MS, ROOMS_WITH_DEAD_LETTERS, TOPICS, dead_letters

    rows: list[tuple[str, int, Sequence[str], Sequence[str]]] = [
        (topic.named(code), topic.retention_ms, topic.writers, topic.readers)
        for topic in TOPICS
        for code in (parties[topic.party] if topic.party else [""])
    ]
    rows += [(dead_letters(room), DEAD_LETTER_RETENTION_MS, (room,), ()) for room in ROOMS_WITH_DEAD_LETTERS]
    topic_column = Column("topic", min_width=max(len(row[0]) for row in rows), no_wrap=True)
    rest = [Column(name, overflow="fold") for name in ("partitions", "replicas", "kept", "written by", "read by")]
    table = Table(topic_column, *rest, title="Topics", box=box.SIMPLE_HEAD)
    for name, retention_ms, writers, readers in rows:
        there = existing.get(name)
        table.add_row(
            name,
            str(there.partitions) if there else "missing",
            str(there.replication_factor) if there else "",
            _kept(retention_ms),
            ", ".join(writers),
            ", ".join(readers),
        )
    for name in sorted(existing.keys() - {row[0] for row in rows}):
        table.add_row(name, str(existing[name].partitions), str(existing[name].replication_factor), "", "not ours", "")
    return table


def _kept(retention_ms: int) -> str:
    from schemas.topics import DAY_MS

    return "for ever" if retention_ms < 0 else f"{retention_ms // DAY_MS} d"


def _print(table: object) -> None:
    """Print a table as wide as the terminal, or wide enough to be searched where there is none."""
    from rich.console import Console

    from services.runtime.terminal import width

    Console(width=width()).print(table)


def _quieten() -> None:
    """Keep the client library's warnings off the terminal: what they lead to is said in a sentence."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _stop(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
