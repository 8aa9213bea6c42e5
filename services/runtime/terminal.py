"""What every command shares: one sentence when something fails, and text that can't play with a terminal."""

from __future__ import annotations

import asyncio
import logging
import sys
import unicodedata
from collections.abc import Coroutine
from datetime import datetime, tzinfo
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import typer

T = TypeVar("T")
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
PIPE_COLUMNS = 200
"""How wide a table is where there is no terminal to fit, so that no id is cut."""


def stop(sentence: str, status: int = FAILED) -> NoReturn:
    """End the command with one sentence on standard error."""
    typer.echo(sentence, err=True)
    raise typer.Exit(status)


def unconfigured(error: Exception) -> str:
    """Say what is wrong with the configuration, and how to name another where there is none to be read."""
    cure = ": run this in Whistle's own folder, or set WHISTLE_CONFIG to that of the configuration"
    return f"{error}{cure if isinstance(error.__cause__, OSError) else ''}"


def run(work: Coroutine[Any, Any, T], *, watching: bool = False) -> T:
    """Run a command's work; what its user can do something about ends it with one sentence.

    Ctrl-C is how watching ends, with status 0; it cuts anything else off.
    """
    # Here, so that a command without database and broker needn't wait for their clients.
    from sqlalchemy.exc import ProgrammingError  # noqa: PLC0415

    from services.runtime.database import is_transient  # noqa: PLC0415
    from services.runtime.speaker import NotSaidError  # noqa: PLC0415

    # The client libraries tell every try; one sentence says the same.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except NotSaidError as error:
        stop(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0 if watching else INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        raise typer.Exit(0) from None
    except ProgrammingError as error:
        if "UndefinedTable" in str(error.orig) or "does not exist" in str(error.orig):
            stop("The database has no tables of this version: run `whistle migrate`.")
        raise
    except Exception as error:
        if not is_transient(error):
            raise
        stop(
            f"PostgreSQL did not answer ({type(error).__name__}): start the house with `make run`, or set "
            "WHISTLE_DATABASE__URL."
        )


def width() -> int | None:
    """Return how wide to print, or None for as wide as the terminal."""
    return None if sys.stdout.isatty() else PIPE_COLUMNS


def plain(text: str) -> str:
    """Return a stranger's text without the characters that steer a terminal."""
    return "".join(each if each == "\n" or unicodedata.category(each)[0] != "C" else "�" for each in text)


def local(instant: datetime | None, zone: tzinfo) -> str:
    """Write an instant as people there read it; a dash where there is none."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}" if instant else "–"


def one(found: list[T], asked: str, what: str) -> T:
    """Return the only thing found for a prefix, or end with a sentence."""
    if not found:
        stop(f"There is no {what} {asked}.", BAD_INPUT)
    if len(found) > 1:
        stop(f"More than one {what} begins with {asked}: give more of the id.", BAD_INPUT)
    return found[0]


def whole_id(text: str) -> UUID | None:
    """Return the id a text is, or None where it is only the beginning of one."""
    try:
        return UUID(text)
    except ValueError:
        return None
