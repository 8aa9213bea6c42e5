"""When the house has settled: nothing in flight, nothing unpublished, nothing due that has not fired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.local.errors import LocalError
from services.monitor.client import BrokerView, NoAnswer
from services.monitor.lag import is_drained

GROUPS = ("street", "router", "department", "supervision", "ledger", "receipts")
LIMIT_S = 120.0
LOOK_EVERY_S = 0.05

_UNPUBLISHED = " + ".join(f"(SELECT count(*) FROM {each}.shard WHERE published < seq)" for each in GROUPS)  # noqa: S608 - our own names
_NOW = "COALESCE((SELECT at FROM runtime.clock), now())"
_DUE = f"(SELECT count(*) FROM router.incident WHERE next_due_at <= {_NOW})"  # noqa: S608 - as above
_UNFINISHED = text(f"SELECT {_UNPUBLISHED} + {_DUE}")
_VERSION = "CAST(CAST(ours.state AS jsonb) ->> 'version' AS bigint)"
# One of which only something premature has been heard has no history yet.
_UNKNOWN_TO_LEDGER = text(
    "SELECT count(*) FROM router.incident AS ours LEFT JOIN ledger.incident AS theirs USING (id) "  # noqa: S608 - as above
    f"WHERE theirs.version IS DISTINCT FROM {_VERSION} AND {_VERSION} > 0"
)


class Settling:
    """Watches a house, above all one whose clock stands still."""

    def __init__(self, view: BrokerView, engine: AsyncEngine, check: Callable[[], None]) -> None:
        """`check` raises when waiting is in vain, as when a room can't be started."""
        self._view = view
        self._engine = engine
        self._check = check

    async def drained(self) -> None:
        """Wait until the rooms have handled all that was said and fired all that is due.

        Raises:
            LocalError: that takes longer than a sane house needs.

        """
        await self._until(self._quiet_now, "settled")

    async def complete(self) -> None:
        """Wait until the rooms have drained and the ledger has every version that the router has.

        Raises:
            LocalError: that takes longer than a sane house needs.

        """
        await self.drained()
        await self._until(self._ledger_knows_all, "brought its ledger up to date")

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        until = time.monotonic() + LIMIT_S
        while not await condition():
            self._check()
            if time.monotonic() > until:
                raise LocalError(
                    f"The house has not {what} within {LIMIT_S:.0f} s: `whistle lag` shows which room is behind, "
                    "and .whistle/logs what it says of it."
                )
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ledger_knows_all(self) -> bool:
        async with self._engine.connect() as connection:
            return not (await connection.execute(_UNKNOWN_TO_LEDGER)).scalar_one()

    async def _quiet_now(self) -> bool:
        try:
            return await self._quiet()
        except NoAnswer:
            # A broker that has just been started makes its own topics first.
            return False

    async def _quiet(self) -> bool:
        """Tell whether nothing moves.

        Committed offsets are read before ends, so the groups had read everything at the moment between; then nothing
        was left to publish or to fire; and no end has moved since, so nothing had been under way.
        """
        if await self._unfinished():
            # The cheaper question first; it is asked again where it counts.
            return False
        before = await self._view.look(GROUPS)
        if not is_drained(before) or await self._unfinished():
            return False
        after = await self._view.look(GROUPS)
        return is_drained(after) and before.ends == after.ends

    async def _unfinished(self) -> int:
        async with self._engine.connect() as connection:
            return int((await connection.execute(_UNFINISHED)).scalar_one())
