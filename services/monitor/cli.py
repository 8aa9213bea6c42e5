"""`whistle lag`: how far behind each group of readers is."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

import typer

app = typer.Typer(help="How far behind each group of readers is, on each topic.")
INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def lag(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One array on one line.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 s, until Ctrl-C.")] = False,
    group: Annotated[str | None, typer.Option("--group", metavar="NAME", help="Only this group.")] = None,
) -> None:
    """Show groups, topics, partitions and how many records each has yet to read, the worst first."""
    from services.monitor.show import Stopped, show  # noqa: PLC0415 - so that `whistle --help` is quick

    # The client library writes an error for every try to connect; one sentence says the same.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(show(group, as_json=as_json, watch=watch))
    except Stopped as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0 if watch else INTERRUPTED) from None
