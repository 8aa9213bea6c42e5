"""The time: the wall's, or the sample's own, which all rooms share through one row.

The sample's clock stands still until somebody moves it, or runs on at real speed from where it was put.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.runtime.database import connect, is_transient
from services.runtime.log import get
from services.runtime.settings import DatabaseSettings

metadata = MetaData(schema="runtime")
clock_table = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("running", Boolean, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False),
)
LOOK_EVERY_S = 1.0
PRESENT_LIMIT_S = 2.0
log = get(__name__)


class Clock(Protocol):
    """What tells the time."""

    @property
    def sample(self) -> bool:
        """Whether this is the sample's time, in which what an event says of its time counts."""
        ...

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...

    async def refresh(self) -> None:
        """Look at what the time is told by, so that `now` is not older than this call."""
        ...


class WallClock:
    """The real time."""

    sample = False

    async def refresh(self) -> None:
        """There is nothing to look at: the wall's time is always the present."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)


class SampleClock:
    """The sample's time, as last read from the shared row."""

    sample = True

    def __init__(self, engine: AsyncEngine, at: datetime, *, running: bool, set_at: datetime) -> None:
        self._engine = engine
        self._at, self._running, self._set_at = at, running, set_at

    def now(self) -> datetime:
        """Return the sample's present instant, in UTC."""
        return self._at + (datetime.now(UTC) - self._set_at) if self._running else self._at

    async def refresh(self) -> None:
        """Read the shared row."""
        found = await _read(self._engine)
        if found:
            self._at, self._running, self._set_at = found

    async def watch(self) -> None:
        """Follow the shared row, for ever; a database that is away leaves the clock where it was."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.refresh()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("the clock could not be read; it stands still", error=str(error))


async def _read(engine: AsyncEngine) -> tuple[datetime, bool, datetime] | None:
    async with engine.connect() as connection:
        row = (await connection.execute(select(clock_table))).one_or_none()
    return (row.at, row.running, row.set_at) if row else None


async def open_clock(engine: AsyncEngine) -> WallClock | SampleClock:
    """Return the house's clock: the sample's where one was set, the wall's otherwise."""
    found = await _read(engine)
    if not found:
        return WallClock()
    at, running, set_at = found
    return SampleClock(engine, at, running=running, set_at=set_at)


async def present(database: DatabaseSettings) -> datetime:
    """Return the present instant (UTC) by the house's clock; the wall's, where no house answers in a moment.

    For whoever speaks to the house from outside of it, and must be able to where its database can't be reached.
    """
    engine = connect(database, "clock")
    try:
        async with asyncio.timeout(PRESENT_LIMIT_S):
            return (await open_clock(engine)).now()
    except (SQLAlchemyError, OSError, TimeoutError):
        return WallClock().now()
    finally:
        await engine.dispose()


async def set_clock(engine: AsyncEngine, at: datetime, *, running: bool = False) -> None:
    """Put the sample's clock to an instant; `running` lets it go on from there at real speed."""
    values = {"id": 1, "at": at, "running": running, "set_at": datetime.now(UTC)}
    statement = insert(clock_table).values(values)
    async with engine.begin() as connection:
        await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
