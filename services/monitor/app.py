"""What the monitor serves: paths and what each answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.monitor.broker import BrokerView, NoAnswer
from services.monitor.calendars import Calendars
from services.monitor.lag import Snapshot, lags
from services.monitor.metrics import exposition
from services.runtime.log import get

FRESH_S = 1.0
"""How old an answer may be: however many ask, the broker is asked about once a second."""
log = get(__name__)


class Watch:
    """The last look at the broker, shared by all who ask; when too old, whoever asks next takes another."""

    def __init__(self, view: BrokerView) -> None:
        self._view = view
        self._one_at_a_time = asyncio.Lock()
        self._looked_at: float | None = None
        self._seen: Snapshot | None = None
        self.trouble: str | None = None

    async def snapshot(self) -> Snapshot | None:
        """Return what the broker says, or None while it doesn't answer; `trouble` then says why."""
        async with self._one_at_a_time:
            if self._looked_at is None or time.monotonic() - self._looked_at > FRESH_S:
                await self._look()
                self._looked_at = time.monotonic()
        return self._seen

    async def _look(self) -> None:
        before = self.trouble
        try:
            self._seen, self.trouble = await self._view.look(), None
        except NoAnswer as error:
            self._seen, self.trouble = None, str(error)
        # Said once each way, however often it is asked.
        if self.trouble and not before:
            log.warning("lag is unknown", reason=self.trouble)
        elif before and not self.trouble:
            log.info("lag is known again")


def make(watch: Watch, calendars: Calendars) -> Starlette:
    """Return the application over a watch, and over what tells until when calendars are confirmed."""

    async def metrics(_: Request) -> Response:
        found = exposition(await watch.snapshot(), await calendars.ends())
        return Response(found, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def lag(_: Request) -> Response:
        snapshot = await watch.snapshot()
        if snapshot is None:
            return JSONResponse({"error": watch.trouble}, status_code=503)
        return JSONResponse([asdict(each) for each in lags(snapshot)])

    async def health(_: Request) -> Response:
        if await watch.snapshot() is None:
            return JSONResponse({"status": "unreachable", "reason": watch.trouble}, status_code=503)
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/metrics", metrics), Route("/lag", lag), Route("/healthz", health)])
