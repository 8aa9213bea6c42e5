"""The sample year, told in a house, from where its clock stands to its end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from services.local.errors import LocalError
from services.local.sample import Article, InvalidSampleError, Sample
from services.local.sample.play import Cast, play
from services.local.settle import Settling
from services.runtime.clock import SampleClock, open_clock, set_clock
from services.runtime.settings import Settings


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

    @property
    def article(self) -> Article:
        """The figures of the article that the sample is made from."""
        return self._sample.article

    async def go_on(self) -> None:
        """Let the sample's clock run on from here, at real speed."""
        clock = await open_clock(self._engine)
        await set_clock(self._engine, clock.now(), running=True)

    async def tell(self, settling: Settling) -> None:
        """Play the sample to its end, with a progress bar."""
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
