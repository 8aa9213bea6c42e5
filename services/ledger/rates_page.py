"""What the page asks about the rates: JSON to show them, and the same as CSV or XLSX to take away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.domain.configuration import Configuration
from services.ledger.asking import Misasked
from services.ledger.fresh import Fresh
from services.ledger.names import Names, named
from services.ledger.rates import Answer, Question, TooMany, count, judged, read
from services.ledger.sheets import XLSX, as_csv, as_data, as_xlsx, sheet

MOST_KEPT = 50
FORMATS = ("json", "csv", "xlsx")


class Counted:
    """The rates as they are asked for: what has not changed is not counted again, and one count runs at a time.

    `configured` tells the configuration that is in use just now.
    """

    def __init__(self, engine: AsyncEngine, configured: Callable[[], Configuration], small_below: int) -> None:
        self._configured = configured
        self.small_below = small_below
        self._engine = engine
        self._one_at_a_time = asyncio.Lock()
        self._kept: OrderedDict[Question, Fresh[Answer | TooMany]] = OrderedDict()

    @property
    def names(self) -> Names:
        """The names of units and posts, as they are now."""
        return named(self._configured())

    async def answer(self, question: Question) -> Answer:
        """Return the rates as they are, or as they were a moment ago.

        Raises:
            Misasked: there are more groups than anybody reads.

        """
        async with self._one_at_a_time:
            kept = self._kept.pop(question, None) or Fresh(self._engine, fresh_s=0)
            self._kept[question] = kept
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            configuration = self._configured()
            found = await kept.get(configuration.version, lambda: count(self._engine, question, configuration))
        return judged(found)


def rates_answer(counted: Counted) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers `/api/rates`: `format` names one of the formats, and the rest is the question."""
    one_at_a_time = asyncio.Lock()

    async def rates(request: Request) -> Response:
        parameters = dict(request.query_params)
        form = parameters.pop("format", "json")
        if form not in FORMATS:
            return JSONResponse({"error": f"format is one of {', '.join(FORMATS)}, not {form[:50]!r}"}, status_code=400)
        try:
            question = read(parameters)
            answer = await counted.answer(question)
        except Misasked as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        async with one_at_a_time:
            return await asyncio.to_thread(_laid_out, answer, counted.names, counted.small_below, form)

    return rates


def _laid_out(answer: Answer, names: Names, small_below: int, form: str) -> Response:
    """Write the rates in one of the formats; many groups take seconds, so not on the room's event loop."""
    data = as_data(answer, names, small_below)
    if form == "json":
        return JSONResponse(data)
    written, kind = (as_xlsx(sheet(data)), XLSX) if form == "xlsx" else (as_csv(sheet(data)), "text/csv")
    name = "-".join(["rates", *answer.question.by, *(part for part in (data["from"], data["to"]) if part)])
    return Response(written, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}.{form}"'})
