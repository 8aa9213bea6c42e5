"""An answer that is counted from the whole ledger: taken once for all who ask, and anew when something was heard."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger import queries

T = TypeVar("T")
FRESH_S = 1.0
"""How old an answer may be: however many look, the database is asked once a second whether anything has changed."""
SHARE = 0.1
"""How much of the room's time counting may take: a large ledger is counted less often."""


class Fresh(Generic[T]):
    """The last answer to one question; whoever keeps it lets one ask at a time."""

    def __init__(self, engine: AsyncEngine, fresh_s: float = FRESH_S) -> None:
        self._engine = engine
        self._fresh_s = fresh_s
        self._until = 0.0
        self._of: object = None
        self._last: T | None = None

    async def get(self, of: object, count: Callable[[], Awaitable[T]]) -> T:
        """Return the answer as it is, or as it was a moment ago; `of` is what it depends on beside the ledger."""
        if self._last is not None and time.monotonic() <= self._until:
            return self._last
        began = time.monotonic()
        async with self._engine.connect() as connection:
            heard = await queries.stamp(connection)
        # Whatever is heard between the two is in the answer, and is counted once more.
        if self._last is None or self._of != (heard, of):
            self._last, self._of = await count(), (heard, of)
        now = time.monotonic()
        self._until = now + max(self._fresh_s, (now - began) / SHARE)
        return self._last
