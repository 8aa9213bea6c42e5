"""What is shown for a receipt: `GET /receipts/{receipt}`, as a page where a browser asks, else as JSON.

`GET /` is a form that takes the receipt, and leads there.

200 with everything the reporter was told, in order, also where that is nothing yet; 404 for whatever is no receipt, in
the very same words whatever is wrong with it; 503 while the database is away. Nothing of the report itself is shown.
Whoever reads a good receipt is written down first, by the report and never by the receipt; what is none opens nothing,
and leaves nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from schemas.event import isoformat
from services.domain.receipts import read_receipt
from services.receipts import store
from services.receipts.store import Reading, Told
from services.runtime.clock import Clock
from services.runtime.database import is_transient
from services.runtime.log import get
from services.runtime.terminal import local

OUTCOMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "interim": ("阶段性答复", "so far"),
        "settled": ("办理答复", "the answer"),
        "refused": ("不予受理", "not taken on"),
        "asked": ("请补充情况", "a question to you"),
        "recomputed": ("补充期限已确定", "your time to reply is certain now"),
    }
)
FINAL = frozenset({"settled", "refused"})
NO_RECEIPT = "没有这个回执 there is no such receipt"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # The receipt is part of the address, which no other site and no cache may learn.
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}
_PAGE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>回音 · What became of it</title>
<style>
body { margin: 0 auto; max-width: 40rem; padding: 1rem; color: #1b2733; }
body { font: 18px/1.6 "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: .4rem 0; } small { color: #56636f; font-weight: 400; }
time { white-space: nowrap; } input, button { font: inherit; padding: .3rem .6rem; max-width: 100%; }
input { display: block; width: 100%; box-sizing: border-box; margin: .3rem 0 .6rem; }
article { border-top: 1px solid #d9dfe4; padding: .5rem 0; } article p { margin: .2rem 0; }
article .told { white-space: pre-line; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>回音 <small lang="en">what became of your report</small></h1>
{% if trouble %}
<p role="alert">{{ trouble }}</p>
{% elif told is none %}
<p>凭回执查看办理情况。<small lang="en">With your receipt you can read what became of your report.</small></p>
{% elif not told %}
<p>还没有答复。<small lang="en">There is no answer yet.</small></p>
{% endif %}
{% if trouble or told is none %}
<form action="/receipts" method="get" autocomplete="off">
<label>回执 <small lang="en">receipt</small><input name="receipt" required maxlength="200" spellcheck="false"></label>
<button type="submit">查看 <small lang="en">look</small></button>
</form>
{% endif %}
{% for each in told or () %}
<article>
<h2>{{ each.zh }} <small><span lang="en">{{ each.en }}</span> · <time>{{ each.at }}</time></small></h2>
{% if each.text %}
<p class="told">{{ each.text }}</p>
{% endif %}
{% if each.reply_by %}
<p><small>请在 <time>{{ each.reply_by }}</time> 前告诉社区
<span lang="en">tell your community before then</span></small></p>
{% endif %}
</article>
{% endfor %}
</body>
</html>
"""
)
log = get(__name__)


def make_page(engine: AsyncEngine, key: bytes, zone: Callable[[], tzinfo], clock: Clock) -> Starlette:
    """Return the application; instants on the page are in the zone in use just then, and in UTC elsewhere."""

    async def receipt(request: Request) -> Response:
        found = read_receipt(key, request.path_params["receipt"])
        if found is None:
            return _answer(request, [], zone(), 404, NO_RECEIPT)
        # What can't be written down is not shown.
        async with engine.begin() as connection:
            told = await store.read(connection, Reading(clock.now(), "", "page", *found))
        return _answer(request, told, zone())

    async def form(_: Request) -> Response:
        return HTMLResponse(_PAGE.render(told=None, trouble=None))

    async def sought(request: Request) -> Response:
        receipt = request.query_params.get("receipt", "").strip()
        if read_receipt(key, receipt) is None:
            return _answer(request, [], zone(), 404, NO_RECEIPT)
        return RedirectResponse(f"/receipts/{quote(receipt, safe='')}", status_code=303)

    async def health(_: Request) -> Response:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return JSONResponse({"status": "ok"})

    paths = {"/": form, "/receipts": sought, "/receipts/{receipt}": receipt, "/healthz": health}
    return Starlette(routes=[Route(path, _guarded(answer)) for path, answer in paths.items()])


Answer = Callable[[Request], Awaitable[Response]]


def _guarded(answer: Answer) -> Answer:
    """Put the headers on an answer; a database that is away is told as such, and the receipt is not logged."""

    async def guarded(request: Request) -> Response:
        try:
            response = await answer(request)
        except (SQLAlchemyError, OSError) as error:
            if not is_transient(error):
                raise
            log.warning("a receipt could not be shown: the database is away", error=type(error).__name__)
            response = _answer(
                request, [], UTC, 503, "暂时无法查看，请稍后再试 the answers can't be read just now: try again"
            )
        response.headers.update(HEADERS)
        return response

    return guarded


def _answer(
    request: Request, told: Sequence[Told], zone: tzinfo, status: int = 200, trouble: str | None = None
) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        shown = [_shown(each, zone, asks=_waits(each, told)) for each in told]
        return HTMLResponse(_PAGE.render(told=shown, trouble=trouble), status_code=status)
    content = {"error": trouble} if trouble else {"told": as_json(told)}
    return JSONResponse(content, status_code=status)


def as_json(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Return what programs read: no ids, which would lead to what other reporters have said."""
    return [
        {"at": isoformat(each.at), "outcome": each.outcome, "text": each.text}
        | ({"reply_by": isoformat(each.reply_by)} if each.reply_by else {})
        | ({"provisional": True} if each.provisional else {})
        for each in told
    ]


def _waits(each: Told, told: Sequence[Told]) -> bool:
    """Tell whether a question still waits for a reply: once the matter was answered for good, none does."""
    return each.reply_by is not None and not any(other.at >= each.at and other.outcome in FINAL for other in told)


def _shown(each: Told, zone: tzinfo, *, asks: bool) -> dict[str, Any]:
    chinese, english = OUTCOMES[each.outcome]
    return {
        "zh": chinese,
        "en": english,
        "at": local(each.at, zone),
        "text": each.text,
        "reply_by": until(each, zone) if asks else "",
    }


def until(each: Told, zone: tzinfo) -> str:
    """Return until when the reporter may reply, in a zone; empty where nothing is asked."""
    return local(each.reply_by, zone) + "（暂定 provisional）" * bool(each.provisional) if each.reply_by else ""
