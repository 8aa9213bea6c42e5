"""Connections to PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import stamina
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.runtime.settings import DatabaseSettings

# Frees the shard locks that a stopped process holds (a zombie owner), well before its group gives its partitions away.
IDLE_IN_TRANSACTION_MS = 5_000
_TRANSIENT_STATES = ("08", "40", "53", "55", "57", "25P03")


def connect(settings: DatabaseSettings, name: str, *, pool_size: int = 5) -> AsyncEngine:
    """Return an engine whose sessions carry `name` and never hold an idle transaction for long."""
    return create_async_engine(
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


def until_back() -> AsyncIterator[stamina.Attempt]:
    """Try again, visibly and for as long as it takes, while the database is away; back off up to 5 s."""
    return aiter(stamina.retry_context(on=is_transient, attempts=None, timeout=None, wait_initial=0.1, wait_max=5.0))


def is_transient(error: BaseException) -> bool:
    """Tell whether the database may well take the same transaction a moment later.

    True for what a restart, a lost connection, a lock or a full server does (SQLSTATE classes 08, 40, 53, 55, 57 and
    25P03, the idle transaction that was ended); false for everything that is our bug.
    """
    if isinstance(error, OSError | asyncpg.InterfaceError | TimeoutError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_TRANSIENT_STATES)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        state = getattr(error.orig, "sqlstate", None) or ""
        return str(state).startswith(_TRANSIENT_STATES)
    return False
