"""Lag on a terminal, or as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from services.monitor.client import BrokerView, Lag, NoAnswer
from services.monitor.lag import by_group, lags
from services.runtime.settings import Settings

REFRESH_S = 2.0
PIPE_COLUMNS = 200
"""Wide enough that no name is cut where there is no terminal to fit."""


class Stopped(Exception):
    """Lag can't be shown: one sentence that says why."""


async def show(group: str | None, *, as_json: bool, watch: bool) -> None:
    """Show the lag of a group, or of all; once, or again and again. Raises `Stopped`."""
    async with BrokerView(Settings.load().kafka) as view:
        looks = _looks(view, group, watch=watch)
        if as_json:
            async for found in looks:
                sys.stdout.write(json.dumps([asdict(each) for each in found]) + "\n")
                sys.stdout.flush()
            return
        console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
        if watch and console.is_terminal:
            # Cut at the bottom, since the worst is at the top.
            with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
                await _each(looks, lambda shown: live.update(shown, refresh=True))
        else:
            await _each(looks, console.print)


async def _each(looks: AsyncIterator[Sequence[Lag]], put: Callable[[RenderableType], None]) -> None:
    async for found in looks:
        put(tables(found))


async def _looks(view: BrokerView, group: str | None, *, watch: bool) -> AsyncIterator[list[Lag]]:
    while True:
        try:
            snapshot = await view.look()
        except NoAnswer as error:
            raise Stopped(str(error)) from None
        if group is not None and group not in snapshot.committed:
            raise Stopped(f"The broker knows no group named {group}: `whistle lag` shows those it knows.")
        if snapshot.unreadable:
            sys.stderr.write(f"{len(snapshot.unreadable)} partitions cannot be read now; their lag is missing.\n")
        yield [each for each in lags(snapshot) if group in {None, each.group}]
        if not watch:
            return
        await asyncio.sleep(REFRESH_S)


def tables(found: Sequence[Lag]) -> RenderableType:
    """Return a table of the groups, and one of every partition; both the worst first."""
    if not found:
        return "No group has read anything yet."
    groups = Table("group", title="Records yet to read", title_justify="left")
    groups.add_column("lag", justify="right")
    for name, total in by_group(found).items():
        groups.add_row(escape(name), f"{total:,}")
    partitions = Table("group", "topic")
    for heading in ("partition", "committed", "end", "lag"):
        partitions.add_column(heading, justify="right")
    for each in found:
        committed = "never" if each.committed is None else f"{each.committed:,}"
        partitions.add_row(
            escape(each.group),
            escape(each.topic),
            str(each.partition),
            committed,
            f"{each.end:,}",
            f"{each.lag:,}",
            style="bold" if each.lag else None,
        )
    return Group(groups, partitions)
