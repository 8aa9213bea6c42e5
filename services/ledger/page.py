"""What the ledger serves: one page, and what it asks for.

What came in reports is a stranger's text: it is sent as JSON, and the page only ever sets it as text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
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

from services.ledger import audit, broken, queries
from services.ledger.asking import LISTS, Misasked, cursor, read
from services.ledger.fresh import Fresh
from services.ledger.lists import Item, Overdue, page
from services.ledger.lists import shown as listed
from services.ledger.names import Names
from services.ledger.queries import Line
from services.ledger.rates_page import Counted, rates_answer
from services.ledger.round_page import round_answers
from services.ledger.sheets import FIGURES as RATES
from services.ledger.sheets import GROUPS
from services.ledger.summary import Counts, Summary, glance
from services.ledger.tables import FIGURES, figure
from services.ledger.words import (
    CASES,
    CATEGORIES,
    DEADLINES,
    ENTRIES,
    KINDS,
    POSTS,
    SIDES,
    STATUSES,
    both,
    entry_name,
    late,
    plain,
    spoken,
    told,
)
from services.runtime.clock import Clock
from services.runtime.log import get

HERE = Path(__file__).parent
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
MOST_READERS = 1_000
"""Of how many readers it is remembered what their last glance has shown them."""
log = get(__name__)


class Ledger:
    """The ledger at a glance, taken once for all who look; `lost` and `trouble` are set by whoever looks for it.

    `naming` tells the names that are in use just now; `reader_header` is the request's header in which a proxy says who
    reads, empty where nobody does.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock, naming: Callable[[], Names], reader_header: str = "") -> None:
        self.engine = engine
        self._reader_header = reader_header
        self.clock = clock
        self._naming = naming
        self.lost: int | None = None
        self.trouble = "not looked yet"
        self._one_at_a_time = asyncio.Lock()
        self._glance = Fresh[Summary](engine)
        self._glanced: dict[audit.Reader, tuple[UUID, ...]] = {}

    @property
    def names(self) -> Names:
        """The names of units and posts, as they are now."""
        return self._naming()

    async def glance(self) -> Summary:
        """Return the ledger as it is; what has not changed is not counted again."""
        async with self._one_at_a_time:
            names = self.names
            of = (self.lost, self.trouble, names, names.local(self.clock.now()))
            return await self._glance.get(of, lambda: glance(self.engine, self.clock, names, self.lost, self.trouble))

    async def show(self, request: Request, what: str, incident: UUID | None = None, shown: Iterable[UUID] = ()) -> None:
        """Write down what whoever asks is about to be shown, of a list each incident; else it is not shown."""
        await audit.record(self.engine, self._reader(request), what, incident, self.clock.now(), shown)

    async def show_glance(self, request: Request, glanced: Summary) -> None:
        """Do the same of the glance, which the page asks for every two seconds: once for what it shows of incidents."""
        by, named = self._reader(request), tuple(dict.fromkeys(listed((*glanced.unowned, *glanced.overdue))))
        if self._glanced.get(by) == named:
            return
        await audit.record(self.engine, by, "summary", None, self.clock.now(), named)
        self._glanced.pop(by, None)
        self._glanced[by] = named
        if len(self._glanced) > MOST_READERS:
            # Whoever is forgotten is only written down again.
            del self._glanced[next(iter(self._glanced))]

    def _reader(self, request: Request) -> audit.Reader:
        who = _named(request.headers.get(self._reader_header)) if self._reader_header else None
        return audit.reader(who, "page", request.client.host if request.client else "")


def _named(header: str | None) -> str | None:
    """Return what a proxy says in UTF-8, which HTTP's own headers are not read as."""
    if header is None:
        return None
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def make_page(ledger: Ledger, counted: Counted, host: str) -> Starlette:
    """Return the application; where only this machine can look, no other name may be used to ask for it."""
    # A page of another site could otherwise make its own name mean this machine, and read the ledger.
    only = ["127.0.0.1", "localhost", "[::1]"] if host in LOOPBACK else ["*"]
    paths = {
        "/": _index(ledger),
        "/page.css": _file("page.css", "text/css"),
        "/page.js": _file("page.js", "text/javascript"),
        "/rates.js": _file("rates.js", "text/javascript"),
        "/api/summary": _summary(ledger),
        "/api/lists/{name}": _list(ledger),
        "/api/rates": rates_answer(counted),
        "/api/broken": _broken(ledger),
        "/api/incidents/{id:uuid}": _history(ledger),
        **round_answers(ledger),
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


def _index(ledger: Ledger) -> Answer:
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    # The statuses stay in the order of the story.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    template = environment.get_template("page.html")

    async def index(_: Request) -> Response:
        directory = ledger.names.directory
        words = {
            "kinds": KINDS,
            "statuses": STATUSES,
            "figures": FIGURES,
            "rate_figures": RATES,
            "rate_groups": GROUPS,
            "sides": SIDES,
            "deadlines": DEADLINES,
            "category": CATEGORIES,
            "community": {unit.code: unit.name for unit in directory.communities},
            "department": {unit.code: unit.name for unit in directory.departments},
            "unit": {unit.code: unit.name for unit in directory.units.values()},
        }
        return HTMLResponse(template.render(words={name: _plainly(each) for name, each in words.items()}))

    return index


def _plainly(words: Any) -> Any:
    return words if isinstance(words, tuple) else dict(words)


def _file(name: str, media_type: str) -> Answer:
    async def file(_: Request) -> Response:
        return FileResponse(HERE / name, media_type=media_type)

    return file


def _summary(ledger: Ledger) -> Answer:
    async def summary(request: Request) -> Response:
        glanced = await ledger.glance()
        await ledger.show_glance(request, glanced)
        return JSONResponse(as_json(glanced))

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
        async with queries.snapshot(ledger.engine) as connection:
            found = await page(connection, asked, ledger.clock.now())
        await ledger.show(request, audit.of_list(name, request.query_params), shown=found.shown)
        rows = [
            *(_item(each, ledger.names) for each in found.items),
            *(_overdue(each, ledger.names) for each in found.overdue),
        ]
        named = [_item(each, ledger.names) for each in found.named]
        return JSONResponse({"rows": rows, "next": cursor(found.next) if found.next else None, "named": named})

    return lines


def _broken(ledger: Ledger) -> Answer:
    async def lines(request: Request) -> Response:
        try:
            asked = broken.read(request.query_params, ledger.names.zone)
        except Misasked as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        async with queries.snapshot(ledger.engine) as connection:
            found = await broken.page(connection, asked, ledger.clock.now())
            try:
                counts = await broken.count(connection, asked, ledger.names.all)
            except Misasked as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        shown = [each.incident for each in found.promises]
        await ledger.show(request, audit.of_list("broken", request.query_params), shown=shown)
        rows = [_promise(each, ledger.names) for each in found.promises]
        following = cursor(found.next) if found.next else None
        return JSONResponse({"rows": rows, "next": following, "counts": counts._asdict()})

    return lines


def _history(ledger: Ledger) -> Answer:
    async def history(request: Request) -> Response:
        incident: UUID = request.path_params["id"]
        await ledger.show(request, "history", incident)
        async with ledger.engine.connect() as connection:
            lines = await queries.history(connection, incident)
            home = await queries.home(connection, incident)
        if not lines:
            return JSONResponse({"error": "没有这一件 there is no such incident"}, status_code=404)
        entries = [_line(line, ledger.names) for line in lines]
        return JSONResponse({"id": str(incident), "home": str(home) if home else None, "entries": entries})

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


def _matter(each: Item | Overdue | broken.Promise, names: Names) -> dict[str, Any]:
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
        "unit": names.unit(each.unit),
        "deadline": {"zh": chinese, "en": english},
        "due": names.local(each.due_at),
    }


def _promise(each: broken.Promise, names: Names) -> dict[str, Any]:
    chinese, english = DEADLINES.get(each.deadline, (each.deadline, ""))
    return {
        **_matter(each, names),
        "unit": names.unit(each.unit),
        "side": each.side,
        "deadline": {"zh": chinese, "en": english},
        "due": names.local(each.due_at),
        "late": late(each.late_s),
        "ended": both(ENTRIES, each.ended_by) if each.ended_at else "",
        "ended_at": names.local(each.ended_at) if each.ended_at else "",
        "post": both(POSTS, each.post) if each.post else "",
        "rungs": each.rungs,
        "case": both(CASES, each.case) if each.case else "",
        "explanation": plain(each.explanation),
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
