"""What the ledger serves: one page, and what it asks for.

What came in reports is a stranger's text: it is sent as JSON, and the page only ever sets it as text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from services.ledger import queries
from services.ledger.asking import LISTS, Misasked, cursor, read
from services.ledger.lists import Item, Overdue, page
from services.ledger.names import Names
from services.ledger.queries import Line
from services.ledger.round_page import round_answers
from services.ledger.summary import Counts, Summary, glance
from services.ledger.tables import FIGURES, figure
from services.ledger.words import (
    CATEGORIES,
    DEADLINES,
    ENTRIES,
    KINDS,
    STATUSES,
    entry_name,
    plain,
    spoken,
    told,
)
from services.runtime.clock import Clock
from services.runtime.log import get

HERE = Path(__file__).parent
FRESH_S = 1.0
"""How old an answer may be: however many look, the database is asked once a second whether anything has changed."""
SHARE = 0.1
"""How much of the room's time counting may take: a large ledger is counted less often."""
LOOPBACK = {"127.0.0.1", "::1"}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
log = get(__name__)


class Ledger:
    """The ledger at a glance, taken once for all who look; `lost` and `trouble` are set by whoever looks for it."""

    def __init__(self, engine: AsyncEngine, clock: Clock, names: Names) -> None:
        self.engine = engine
        self.clock = clock
        self.names = names
        self.lost: int | None = None
        self.trouble = "not looked yet"
        self._one_at_a_time = asyncio.Lock()
        self._fresh_until = 0.0
        self._of: object = None
        self._last: Summary | None = None

    async def glance(self) -> Summary:
        """Return the ledger as it is; what has not changed is not counted again."""
        async with self._one_at_a_time:
            if self._last is None or time.monotonic() > self._fresh_until:
                began = time.monotonic()
                async with self.engine.connect() as connection:
                    heard = await queries.stamp(connection)
                of = (heard, self.lost, self.trouble, self.names.local(self.clock.now()))
                if self._last is None or of != self._of:
                    self._last = await glance(self.engine, self.clock, self.names, self.lost, self.trouble)
                took = time.monotonic() - began
                self._of, self._fresh_until = of, time.monotonic() + max(FRESH_S, took / SHARE)
            return self._last


def make_page(ledger: Ledger, host: str) -> Starlette:
    """Return the application; where only this machine can look, no other name may be used to ask for it."""
    # A page of another site could otherwise make its own name mean this machine, and read the ledger.
    only = ["127.0.0.1", "localhost", "[::1]"] if host in LOOPBACK else ["*"]
    paths = {
        "/": _index(ledger.names),
        "/page.css": _file("page.css", "text/css"),
        "/page.js": _file("page.js", "text/javascript"),
        "/api/summary": _summary(ledger),
        "/api/lists/{name}": _list(ledger),
        "/api/incidents/{id:uuid}": _history(ledger),
        **round_answers(ledger.engine, ledger.names),
        "/healthz": _health(ledger),
    }
    return Starlette(
        routes=[Route(path, _guarded(answer)) for path, answer in paths.items()],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=only)],
    )


Answer = Callable[[Request], Awaitable[Response]]


def _guarded(answer: Answer) -> Answer:
    """Put the headers on an answer; a database that is away is told as such."""

    async def guarded(request: Request) -> Response:
        try:
            response = await answer(request)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the page could not be answered", error=str(error))
            response = JSONResponse({"error": "the ledger's database doesn't answer"}, status_code=503)
        response.headers.update(HEADERS)
        return response

    return guarded


def _index(names: Names) -> Answer:
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    # The statuses stay in the order of the story.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    directory = names.directory
    words = {
        "kinds": KINDS,
        "statuses": STATUSES,
        "figures": FIGURES,
        "category": CATEGORIES,
        "community": {unit.code: unit.name for unit in directory.communities},
        "department": {unit.code: unit.name for unit in directory.departments},
    }
    html = environment.get_template("page.html").render(words={name: _plainly(each) for name, each in words.items()})

    async def index(_: Request) -> Response:
        return HTMLResponse(html)

    return index


def _plainly(words: Any) -> Any:
    return words if isinstance(words, tuple) else dict(words)


def _file(name: str, media_type: str) -> Answer:
    async def file(_: Request) -> Response:
        return FileResponse(HERE / name, media_type=media_type)

    return file


def _summary(ledger: Ledger) -> Answer:
    async def summary(_: Request) -> Response:
        return JSONResponse(as_json(await ledger.glance()))

    return summary


def _list(ledger: Ledger) -> Answer:
    async def lines(request: Request) -> Response:
        name = next((each for each in LISTS if each == request.path_params["name"]), None)
        if name is None:
            return JSONResponse({"error": f"there are these lists: {', '.join(LISTS)}"}, status_code=404)
        try:
            asked = read(name, request.query_params)
        except Misasked as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        async with ledger.engine.connect() as connection:
            found = await page(connection, asked, ledger.clock.now())
        rows = [
            *(_item(each, ledger.names) for each in found.items),
            *(_overdue(each, ledger.names) for each in found.overdue),
        ]
        return JSONResponse({"rows": rows, "next": cursor(found.next) if found.next else None})

    return lines


def _history(ledger: Ledger) -> Answer:
    async def history(request: Request) -> Response:
        incident: UUID = request.path_params["id"]
        async with ledger.engine.connect() as connection:
            lines = await queries.history(connection, incident)
        if not lines:
            return JSONResponse({"error": "没有这一件 there is no such incident"}, status_code=404)
        return JSONResponse({"id": str(incident), "entries": [_line(line, ledger.names) for line in lines]})

    return history


def _health(ledger: Ledger) -> Answer:
    async def health(_: Request) -> Response:
        async with ledger.engine.connect() as connection:
            await queries.stamp(connection)
        return JSONResponse({"status": "ok"})

    return health


# --- what is sent ----------------------------------------------------------------------------------------------------


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the ledger at a glance as the page reads it; instants are text in the zone of the offices."""
    names = summary.names
    return {
        "at": names.local(summary.at),
        "sample": summary.sample,
        "figures": [
            {"name": path, "zh": chinese, "en": english, "value": figure(summary, path)}
            for path, chinese, english in FIGURES
        ],
        "unowned": {"total": summary.unowned_total, "rows": [_item(each, names) for each in summary.unowned]},
        "overdue": {"total": summary.overdue_total, "rows": [_overdue(each, names) for each in summary.overdue]},
        "lists": [_counts(each, names) for each in summary.lists],
        "burdens": [{**asdict(each), "name": names.unit(each.department)} for each in summary.burdens],
        "trouble": summary.trouble,
    }


def _matter(each: Item | Overdue, names: Names) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "kind": each.kind,
        "category": CATEGORIES.get(each.category, each.category),
        "code": each.category,
        "community": names.unit(each.community),
        "place": plain(each.place or ""),
        "what": plain(each.description),
        "status": each.status,
        "escalations": each.escalations,
    }


def _item(each: Item, names: Names) -> dict[str, Any]:
    return {
        **_matter(each, names),
        "incident": str(each.incident) if each.incident else None,
        "reported": names.local(each.reported_at),
        "lead": names.unit(each.lead) if each.lead else "",
        "owners": plain(each.owners or ""),
        "due": names.local(each.due_at) if each.due_at else "",
        "late": each.late,
    }


def _overdue(each: Overdue, names: Names) -> dict[str, Any]:
    chinese, english = DEADLINES.get(each.deadline, (each.deadline, ""))
    return {
        **_matter(each, names),
        "unit": names.unit(each.unit) if each.unit else "审批人",
        "deadline": {"zh": chinese, "en": english},
        "due": names.local(each.due_at),
    }


def _counts(counts: Counts, names: Names) -> dict[str, Any]:
    rows: Sequence[dict[str, Any]] = [
        {"name": names.unit(code), "statuses": statuses} for code, statuses in counts.communities.items()
    ]
    return {"kind": counts.kind, "rows": rows, "total": counts.total}


def _line(line: Line, names: Names) -> dict[str, Any]:
    who, by = spoken(line, names)
    name = entry_name(line.type)
    chinese, english = ENTRIES.get(name, (name, ""))
    return {
        "version": line.version,
        "at": names.local(line.at),
        "type": name,
        "zh": chinese,
        "en": english,
        "who": who,
        "by": by,
        "what": told(line, names),
    }
