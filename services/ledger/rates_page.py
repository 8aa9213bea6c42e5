"""What the page asks about the rates: JSON to show them, and the same as CSV or XLSX to take away."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.domain.configuration import Configuration
from services.ledger import queries
from services.ledger.asking import Misasked
from services.ledger.names import Names, named
from services.ledger.rates import Answer, Question, ask, read
from services.ledger.sheets import XLSX, as_csv, as_data, as_xlsx, sheet

SHARE = 0.1
"""How much of the room's time counting may take: a large ledger is counted less often."""
MOST_KEPT = 50
FORMATS = ("json", "csv", "xlsx")


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    heard: int
    version: str
    until: float


class Counted:
    """The rates as they are asked for: what has not changed is not counted again, and one count runs at a time.

    `configured` tells the configuration that is in use just now.
    """

    def __init__(self, engine: AsyncEngine, configured: Callable[[], Configuration], small_below: int) -> None:
        self._configured = configured
        self.small_below = small_below
        self._engine = engine
        self._one_at_a_time = asyncio.Lock()
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()

    @property
    def names(self) -> Names:
        """The names of units and posts, as they are now."""
        return named(self._configured())

    async def answer(self, question: Question) -> Answer:
        """Return the rates as they are, or as they were a moment ago."""
        async with self._one_at_a_time:
            kept = self._kept.pop(question, None)
            if kept is None or time.monotonic() > kept.until:
                kept = await self._asked(question, kept)
            self._kept[question] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return kept.answer

    async def _asked(self, question: Question, kept: _Kept | None) -> _Kept:
        began = time.monotonic()
        async with self._engine.connect() as connection:
            heard = await queries.stamp(connection)
        configuration = self._configured()
        if kept is None or (kept.heard, kept.version) != (heard, configuration.version):
            # Whatever is heard between the two is in the answer, and is counted once more.
            answer = await ask(self._engine, question, configuration)
        else:
            answer = kept.answer
        now = time.monotonic()
        return _Kept(answer, heard, configuration.version, now + (now - began) / SHARE)


def rates_answer(counted: Counted) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers `/api/rates`: `format` names one of the formats, and the rest is the question."""

    async def rates(request: Request) -> Response:
        parameters = dict(request.query_params)
        form = parameters.pop("format", "json")
        if form not in FORMATS:
            return JSONResponse({"error": f"format is one of {', '.join(FORMATS)}, not {form[:50]!r}"}, status_code=400)
        try:
            question = read(parameters)
        except Misasked as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        data = as_data(await counted.answer(question), counted.names, counted.small_below)
        if form == "json":
            return JSONResponse(data)
        written, kind = (as_xlsx(sheet(data)), XLSX) if form == "xlsx" else (as_csv(sheet(data)), "text/csv")
        name = "-".join(["rates", *question.by, *(part for part in (data["from"], data["to"]) if part)])
        return Response(
            written, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}.{form}"'}
        )

    return rates
