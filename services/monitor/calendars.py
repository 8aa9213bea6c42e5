"""Until when each calendar is confirmed, as the configuration in use says it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from services.configured import ConfigurationError, Watch, load
from services.domain.provisional import calendars
from services.runtime.log import get

log = get(__name__)


class Calendars:
    """Looks at the configuration whenever somebody asks; a changed one counts once two looks have seen the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watch: Watch | None = None
        self._trouble = ""
        self._one_at_a_time = asyncio.Lock()

    async def ends(self) -> Mapping[str, datetime] | None:
        """Return the first instant (UTC) that each calendar is not confirmed for, by name; of one without an end none.

        None as long as there has been no configuration that can be used.
        """
        async with self._one_at_a_time:
            if self._watch is None:
                await self._begin()
            else:
                await self._watch.look()
        if self._watch is None:
            return None
        return {each.name: each.certain_before for each in calendars(self._watch.current) if each.certain_before}

    async def _begin(self) -> None:
        try:
            self._watch = Watch(self._path, await asyncio.to_thread(load, self._path))
        except ConfigurationError as error:
            # Said once, however often it is asked: lag is shown all the same.
            if str(error) != self._trouble:
                log.warning("until when calendars are confirmed is unknown", wrong=str(error))
            self._trouble = str(error)
