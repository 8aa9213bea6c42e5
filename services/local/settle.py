"""When the house has settled: nothing in flight, nothing unpublished, nothing due that has not fired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.local.errors import LocalError
from services.monitor.client import BrokerView, NoAnswer
from services.monitor.lag import is_drained

GROUPS = ("street", "router", "department", "supervision", "ledger")
LIMIT_S = 120.0
LOOK_EVERY_S = 0.05

_UNPUBLISHED = " + ".join(f"(SELECT count(*) FROM {each}.shard WHERE published < seq)" for each in GROUPS)  # noqa: S608 - our own names
_DUE = "(SELECT count(*) FROM router.incident WHERE next_due_at <= (SELECT at FROM runtime.clock))"
_UNFINISHED = text(f"SELECT {_UNPUBLISHED} + {_DUE}")
_UNKNOWN_TO_LEDGER = text(
    "SELECT count(*) FROM router.incident AS ours LEFT JOIN ledger.incident AS theirs USING (id) "
    "WHERE theirs.version IS DISTINCT FROM CAST(CAST(ours.state AS jsonb) ->> 'version' AS bigint)"
)


class Settling:
    """Watches a house whose clock stands still."""

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
        until = time.monotonic() + LIMIT_S
        while not await self._quiet_now():
            self._check()
            if time.monotonic() > until:
                raise LocalError(
                    f"The house has not settled within {LIMIT_S:.0f} s: `whistle lag` shows which room is behind, "
                    "and .whistle/logs what it says of it."
                )
            await asyncio.sleep(LOOK_EVERY_S)

    async def ledger_is_complete(self) -> None:
        """Wait until the ledger has every version that the router has."""
        await self.drained()
        async with self._engine.connect() as connection:
            behind = (await connection.execute(_UNKNOWN_TO_LEDGER)).scalar_one()
        if behind:
            raise LocalError(f"The ledger has another version of {behind} incidents than the router: report this bug.")

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
