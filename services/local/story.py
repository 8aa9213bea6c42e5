"""The sample year, told in a house: played to its end, and the ledger shown."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.summary import Summary, summary
from services.ledger.tables import figure, render
from services.local.errors import LocalError
from services.local.rooms import Rooms
from services.local.sample import InvalidSampleError, Sample
from services.local.sample.play import Cast, play
from services.local.settle import Settling
from services.monitor.client import BrokerView
from services.runtime.clock import SampleClock, open_clock, set_clock
from services.runtime.settings import Settings
from services.runtime.terminal import width


class Story:
    """Plays the sample in a house, from where its clock stands."""

    def __init__(self, settings: Settings, engine: AsyncEngine, console: Console, script: Path | None) -> None:
        self._settings = settings
        self._engine = engine
        self._console = console
        try:
            self._sample = Sample.load(script)
        except (InvalidSampleError, OSError) as error:
            raise LocalError(f"The sample can't be played: {error}.") from error
        self._since: datetime | None = None

    async def prepare(self) -> None:
        """Put the clock to the sample's beginning, unless it stands somewhere already; then it stands still."""
        clock = await open_clock(self._engine)
        if isinstance(clock, SampleClock):
            self._since = clock.now()
        await set_clock(self._engine, self._since or self._sample.ticks[0])

    async def tell(self, rooms: Rooms, *, as_json: bool) -> None:
        """Play the sample, wait until everything has settled, and print the ledger."""
        async with BrokerView(self._settings.kafka) as view:
            settling = Settling(view, self._engine, rooms.check)
            await self._play(settling)
            await settling.ledger_is_complete()
        await self._show(as_json=as_json)

    async def go_on(self) -> None:
        """Let the sample's clock run on from here, at real speed."""
        clock = await open_clock(self._engine)
        await set_clock(self._engine, clock.now(), running=True)

    async def _play(self, settling: Settling) -> None:
        lines = len(self._sample.reports) + len(self._sample.inspections) + len(self._sample.script)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        with bar:
            task = bar.add_task("The year 2021", total=lines)

            def progress(tick: datetime, said: int) -> None:
                bar.update(task, advance=said, description=f"{tick:%Y-%m-%d}")

            async with Cast(self._sample, self._settings).on_stage() as cast:
                await play(
                    self._sample,
                    cast,
                    since=self._since,
                    set_clock=lambda at: set_clock(self._engine, at),
                    drain=settling.drained,
                    progress=progress,
                )

    async def _show(self, *, as_json: bool) -> None:
        """Print the tables, and the article's figures beside those counted; with JSON, that alone on standard output."""
        found = await summary(self._settings)
        # The tables are for people, so they stay off a standard output that a machine reads.
        console = self._console if as_json else Console(width=width())
        render(found, console)
        console.print(self._beside(found))
        if as_json:
            sys.stdout.write(json.dumps(found.figures.as_json()) + "\n")
            sys.stdout.flush()

    def _beside(self, found: Summary) -> Table:
        """Return the figures of the article beside the figures counted."""
        table = Table(title="报道与台账 the article beside the ledger", title_justify="left", title_style="bold")
        for heading in ("数字", "figure", "报道 article", "台账 counted"):
            table.add_column(heading, justify="right" if heading[-1].islower() and " " in heading else "left")
        for each in self._sample.article.figures:
            counted = figure(found, each.name)
            same = counted == each.value
            article = f"{each.value} (推算 derived)" if each.derived else str(each.value)
            table.add_row(each.zh, each.en, article, f"{'' if same else '[red]'}{counted}")
        return table
