"""Connections to PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import asyncpg
import stamina
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.runtime.log import get
from services.runtime.settings import DatabaseSettings

# Frees the shard locks that a stopped process holds (a zombie owner), well before its group gives its partitions away.
IDLE_IN_TRANSACTION_MS = 5_000
log = get(__name__)
_TRANSIENT_STATES = ("08", "40", "53", "55", "57", "25P03")


def connect(settings: DatabaseSettings, name: str, *, pool_size: int = 5) -> AsyncEngine:
    """Return an engine whose sessions carry `name` and never hold an idle transaction for long."""
    made = create_async_engine(
        settings.url.get_secret_value(),
        pool_size=pool_size,
        connect_args={
            "server_settings": {
                "application_name": f"whistle-{name}",
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                "timezone": "UTC",
            },
            "timeout": 10,
        },
    )
    event.listen(made.sync_engine, "checkout", _judge)
    return made


def _judge(pooled: Any, *_: object) -> None:
    """Refuse what is of no use; SQLAlchemy learns only from what it sends itself.

    Raises:
        InvalidatePoolError: it was lost, and so most likely were all others.
        DisconnectionError: it came back in the middle of a transaction.

    """
    held = pooled.driver_connection
    if held.is_closed():
        raise InvalidatePoolError
    if held.is_in_transaction():
        raise DisconnectionError


def unbegun(engine: AsyncEngine) -> AsyncConnection:
    """Return a connection, to be entered, on which transactions are `begun` by the driver.

    SQLAlchemy would begin its own, and only with the first statement that it sends itself.
    """
    return engine.execution_options(isolation_level="AUTOCOMMIT").connect()


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Hold a connection in a transaction in which a `Statement` may run."""
    async with unbegun(engine) as connection, begun(connection):
        yield connection


@asynccontextmanager
async def begun(connection: AsyncConnection) -> AsyncIterator[None]:
    """Hold a transaction on an `unbegun` connection: the one there is, or a new one."""
    held = driver(connection)
    if held.is_in_transaction():
        yield
        return
    whole, ended = held.transaction(), False
    try:
        await whole.start()
        try:
            yield
        except Exception:
            if not held.is_closed():
                await whole.rollback()
                ended = True
            raise
        await whole.commit()
        ended = True
    finally:
        # Cancelled, lost, or refused at its end: nobody knows where it stands, and a server that hangs never says so.
        if not ended:
            await connection.invalidate()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement for the driver itself, with $1, $2 and so on for its arguments.

    What SQLAlchemy does around a small statement takes longer than the statement.
    """

    sql: str

    async def run(self, connection: AsyncConnection, *arguments: Any) -> list[asyncpg.Record]:
        """Run it in a `transaction`, and return its rows.

        Raises:
            RuntimeError: the driver holds none, and what is locked or written would stand alone.

        """
        held = driver(connection)
        if not held.is_in_transaction():
            raise RuntimeError("a statement for the driver is run outside of `transaction`")
        rows: list[asyncpg.Record] = await held.fetch(self.sql, *arguments)
        return rows


def driver(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the driver's own connection."""
    held = connection.sync_connection.connection.driver_connection if connection.sync_connection else None
    if held is None:
        raise RuntimeError("a connection is used that is not open")
    return cast("asyncpg.Connection", held)


def until_back() -> AsyncIterator[AbstractContextManager[object]]:
    """Try again, visibly and for as long as it takes, while the database is away; back off up to 5 s."""
    return _Attempts()


class _Attempts:
    """The attempts, of which the first nearly always is the last.

    It is made by hand: the library's costs a tenth of a millisecond, and leaves knots of a hundred objects that only
    the collector undoes, for which everything stands still.
    """

    def __init__(self) -> None:
        self._first: _First | None = None
        self._others: AsyncIterator[stamina.Attempt] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AbstractContextManager[object]:
        if self._first is None:
            self._first = _First()
            return self._first
        if not self._first.failed:
            raise StopAsyncIteration
        self._others = self._others or aiter(
            stamina.retry_context(on=is_transient, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0)
        )
        return await anext(self._others)


class _First(AbstractContextManager["_First"]):
    """One attempt, after which there is another if the database was away."""

    failed = False

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        self.failed = error is not None and is_transient(error)
        if self.failed:
            log.warning("the database is away, or busy; it is tried again", error=repr(error))
        return self.failed


def is_transient(error: BaseException) -> bool:
    """Tell whether the database may well take the same transaction a moment later.

    True for what a restart, a lost connection, a lock or a full server does (SQLSTATE classes 08, 40, 53, 55, 57 and
    25P03, the idle transaction that was ended); false for everything that is our bug.
    """
    # The driver loses count of its own messages when the server ends a session between two of them.
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError | TimeoutError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_TRANSIENT_STATES)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        state = getattr(error.orig, "sqlstate", None) or ""
        return str(state).startswith(_TRANSIENT_STATES)
    return False
