"""What `whistle publish` does: read everything, refuse what is wrong, then send the rest at once."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json as jsonlib
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.report import Raised
from services.domain.receipts import receipt_of
from services.publisher.communities import judge_community, known_communities
from services.publisher.letters import Letter, is_code, judge_time, letter, open_event
from services.publisher.outbox import Drained, Outbox, Sent
from services.publisher.reading import MAX_LINE_BYTES, Fault, Line, read_fields, read_lines
from services.publisher.spool import NotKeptError
from services.runtime.clock import present
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings

MOST_NAMED = 5
"""How many of the lines with unknown communities are named."""


@dataclass
class Post:
    """What a file came to: letters to send, and how many lines were refused or said again what another had said.

    `reports` are those of the letters that have a reporter, as (community, id).
    """

    letters: list[Letter] = field(default_factory=list)
    reports: list[tuple[str, UUID]] = field(default_factory=list)
    bad: int = 0
    repeated: int = 0


class Refused(Exception):
    """Nothing was sent, for the reason in the text."""


def publish_one(fields: Mapping[str, Any], community: str | None, *, json: bool) -> int:
    """Publish the report or inspection that flags describe, and print its id."""
    content = dict(fields)
    inspection = "purpose" in content or "inspected_at" in content
    if inspection and "grid_level" not in content:
        return _fail("a round of inspection needs the level of the grid: give --grid-level, 1 to 4")
    settings = Settings.load()
    when = "inspected_at" if inspection else "happened_at"
    if when not in content:
        content[when] = asyncio.run(present(settings.database))
    try:
        content["links"] = [dict(zip(("rel", "href"), each.split("=", 1), strict=True)) for each in fields["links"]]
    except KeyError:
        pass
    except ValueError:
        return _fail("link: is written rel=href, such as picture=https://…")
    line = read_fields(content)
    if isinstance(line, Fault):
        return _fail(line.what)
    post = Post()
    try:
        _collect([line], community, _known(settings), post, "the report")
    except Refused as refusal:
        return _fail(str(refusal))
    if post.bad:
        return 1
    found = _receipts(settings, post)
    return _send(post, settings, json=json, alone=True, receipt=found[0] if found else None)


def _receipts(settings: Settings, post: Post) -> list[str]:
    """Return the receipts of the reports, in their order; without a key the reports are sent all the same."""
    if not post.reports:
        return []
    try:
        key = receipt_key(settings, make=True)
    except NoKeyError as error:
        _say(f"{error}; the reports have no receipts.")
        return []
    return [receipt_of(key, community, report) for community, report in post.reports]


def publish_file(path: Path | None, community: str | None, *, json: bool, receipts: Path | None = None) -> int:
    """Publish every line of a file, or of standard input, and print how many; write the receipts into another file."""
    settings = Settings.load()
    post = Post()
    name = str(path or "standard input")
    try:
        with _open(path) as file:
            suffix = None if path is None or path.suffix not in {".csv", ".jsonl"} else path.suffix == ".csv"
            lines = read_lines(_lines_of(file), csv_suffix=suffix)
            _collect(lines, community, _known(settings), post, name)
    except OSError as error:
        return _fail(f"{name} can't be read ({error.strerror}): nothing was sent")
    except Refused as refusal:
        return _fail(str(refusal))
    status = _send(post, settings, json=json, alone=False)
    return status if receipts is None else max(status, _write_receipts(receipts, settings, post))


def _write_receipts(path: Path, settings: Settings, post: Post) -> int:
    """Write each report's id and receipt into a new file that only its owner reads."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["id", "receipt"])
            rows.writerows(zip((report for _, report in post.reports), _receipts(settings, post), strict=False))
    except OSError as error:
        return _fail(f"{path} can't be written ({error.strerror}): `whistle community receipt` prints each receipt")
    return 0


def flush(*, json: bool) -> int:
    """Send what waits in the spool."""
    settings = Settings.load()

    async def work() -> tuple[Drained, bool]:
        async with Outbox("flush", settings) as outbox:
            with _progress("from the spool", len(outbox.spool.names())) as count:
                return await outbox.drain(count), outbox.connected

    drained, connected = asyncio.run(work())
    _tell_aside(drained)
    if drained.left:
        why = "their topics don't exist, or another process is sending them" if connected else "Kafka is away"
        _say(f"{drained.left} wait in the spool still ({why}).")
    _print(json, f"{drained.taken} sent from the spool.", sent=drained.taken, spooled=drained.left, bad=0)
    return int(bool(drained.left or drained.aside))


# --- reading ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _open(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdin.buffer
    else:
        with path.open("rb") as file:
            yield file


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Lines, none of them much longer than a valid one: of one that is, the beginning stands for the whole."""
    while line := file.readline(MAX_LINE_BYTES + 2):
        yield line
        while not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES)):
            pass


def _collect(
    lines: Iterable[Line | Fault], community: str | None, known: Collection[str] | None, post: Post, name: str
) -> None:
    """Turn lines into letters; whatever is wrong is said with its line's number.

    Raises:
        Refused: a community is unknown.

    """
    now = datetime.now(UTC)
    unknown: dict[str, list[int]] = {}
    seen: dict[UUID, tuple[int, int]] = {}
    ignored: Counter[str] = Counter()
    for line in lines:
        if isinstance(line, Fault):
            _refuse(post, name, line.number, line.what)
            continue
        ignored.update(line.ignored)
        code = line.community or community
        if code is None:
            _refuse(post, name, line.number, "no community: give --community, or a community on the line")
        elif not is_code(code):
            _refuse(post, name, line.number, judge_community(code, known) or "")
        elif judge_community(code, known):
            unknown.setdefault(code, []).append(line.number)
        elif problem := judge_time(line.fact, now):
            _refuse(post, name, line.number, problem)
        else:
            _put(post, name, line, code, seen, now)
    for column in sorted(ignored):
        _say(f"{name}: nobody knows the field {column[:100]!r}; it is left out ({ignored[column]} times).")
    if unknown:
        raise Refused(_tell_unknown(unknown, known, name))


def _known(settings: Settings) -> Collection[str] | None:
    """Return the codes of all communities; where no configuration says them, say that nobody checks them."""
    known = known_communities(settings)
    if known is None:
        _say(
            f"the directory in {settings.config} can't be read, so only Kafka's topics tell whether there is such a "
            "community; WHISTLE_CONFIG names the configuration's folder."
        )
    return known


def _put(post: Post, name: str, line: Line, code: str, seen: dict[UUID, tuple[int, int]], now: datetime) -> None:
    event = open_event(code, line.fact, id=line.id, at=line.at or now)
    content = hash((code, line.fact))
    number, before = seen.setdefault(event.subject, (line.number, content))
    if number == line.number:
        post.letters.append(letter(code, event))
        if isinstance(line.fact, Raised):
            post.reports.append((code, event.subject))
    elif before == content:
        post.repeated += 1
    else:
        _refuse(post, name, line.number, f"id: {event.subject} is line {number}'s, which says something else")


def _refuse(post: Post, name: str, number: int, what: str) -> None:
    post.bad += 1
    _say(f"{name}:{number}: {what}")


def _tell_unknown(unknown: Mapping[str, list[int]], known: Collection[str] | None, name: str) -> str:
    told = []
    for code, numbers in unknown.items():
        some = ", ".join(map(str, numbers[:MOST_NAMED])) + (" …" if len(numbers) > MOST_NAMED else "")
        told.append(f"{judge_community(code, known)} (line {some})")
    return f"{name}: {'; '.join(told)}: nothing was sent"


# --- sending ---------------------------------------------------------------------------------------------------------


def _send(post: Post, settings: Settings, *, json: bool, alone: bool, receipt: str | None = None) -> int:
    try:
        sent = asyncio.run(_deliver(post, settings, alone=alone))
    except (Refused, NotKeptError) as error:
        return _fail(str(error))
    if sent.spooled:
        _say(
            f"Kafka at {settings.kafka.bootstrap_servers} does not take everything now, so {sent.spooled} "
            f"{'waits' if sent.spooled == 1 else 'wait'} on disk; `whistle publish --flush` or the publisher's "
            "process sends what waits."
        )
    if post.bad:
        _say(f"{post.bad} {'line was' if post.bad == 1 else 'lines were'} refused.")
    text = str(post.letters[0].subject) if alone else _sum_up(sent, post)
    figures = {"sent": sent.taken, "spooled": sent.spooled, "bad": post.bad, "repeated": post.repeated}
    if receipt and not json:
        _say(f"the reporter reads the answer with the receipt {receipt}")
    _print(json, text, **figures, **({"id": text} if alone else {}), **({"receipt": receipt} if receipt else {}))
    return int(post.bad > 0)


def _sum_up(sent: Sent, post: Post) -> str:
    repeated = f", {post.repeated} said twice in the file" if post.repeated else ""
    return f"{sent.taken} sent, {sent.spooled} kept for later{repeated}."


async def _deliver(post: Post, settings: Settings, *, alone: bool) -> Sent:
    async with Outbox("command", settings) as outbox:
        missing = await outbox.missing(sorted({each.topic for each in post.letters}))
        if missing:
            raise Refused(
                f"Kafka has no topic {', '.join(missing)}: is the community's code right? `whistle topics apply` makes "
                "the topics of the directory; nothing was sent"
            )
        if outbox.connected:
            _tell_aside(await outbox.drain())
        with _progress("reports", 0 if alone else len(post.letters)) as count:
            sent = await outbox.send(post.letters, count)
        # Something else may have been spooled just then, and what we sent have gone behind it.
        if sent.spooled and outbox.connected and not (await outbox.drain()).left:
            return Sent(sent.taken + sent.spooled, 0)
        return sent


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """Show a bar on standard error, for more than nothing; gives what counts."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), disable=total == 0) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)


def _tell_aside(drained: Drained) -> None:
    for path in drained.aside:
        _say(f"A file in the spool can't be read; it is set aside as {path}, for somebody to look at.")


def _print(as_json: bool, text: str, **figures: object) -> None:  # noqa: FBT001 - a flag of the command
    sys.stdout.write((jsonlib.dumps(figures) if as_json else text) + "\n")


def _say(sentence: str) -> None:
    sys.stderr.write(f"whistle publish: {sentence}\n")


def _fail(sentence: str) -> int:
    _say(sentence)
    return 1
