"""HTTP on this machine: `POST /communities/{code}/reports` takes one report, or one inspection, as JSON.

202 with its id, and a report's receipt, when Kafka or the spool has it on disk; 422 with a sentence when it can never
be said; 413 and 415 for what is too long or no JSON; 503 when the disk is full and Kafka away: send it again later.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.event import Event
from schemas.report import Raised
from services.domain.receipts import receipt_of
from services.publisher.communities import Communities
from services.publisher.letters import judge_time, letter, open_event
from services.publisher.outbox import Outbox
from services.publisher.reading import MAX_LINE_BYTES, Fault, Line, read_fields
from services.publisher.spool import NotKeptError
from services.runtime.log import get
from services.runtime.settings import Settings

log = get(__name__)


class _Refusal(Exception):
    """What was posted is not taken; `status` is HTTP's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def intake(outbox: Outbox, settings: Settings, key: bytes) -> Starlette:
    """Return the application; a new community is known as soon as the directory has it.

    `key` makes the receipts, which are told to who posts and to nobody else: no log has them.
    """
    communities = Communities(settings)

    async def take(request: Request) -> Response:
        community = request.path_params["code"]
        try:
            event = await _open(request, community, communities)
            sent = await outbox.send([letter(community, event)])
        except _Refusal as refusal:
            return _refuse(refusal.status, str(refusal))
        except NotKeptError as error:
            log.exception("a report could not be kept", community=community)
            return _refuse(503, str(error))
        kept = "spool" if sent.spooled else "kafka"
        log.info("a report came in", incident=str(event.subject), community=community, kept=kept)
        told = {"id": str(event.subject), "kept": kept}
        if isinstance(event.data, Raised):
            told["receipt"] = receipt_of(key, community, event.subject)
        return JSONResponse(told, status_code=202)

    return Starlette(routes=[Route("/communities/{code}/reports", take, methods=["POST"])])


async def _open(request: Request, community: str, communities: Communities) -> Event:
    """Read and judge what was posted."""
    if problem := await communities.judge(community):
        raise _Refusal(422, problem)
    # A page in somebody's browser can post plain text here unasked, but not JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refusal(415, "send the report as JSON, with the content type application/json")
    line = _read(await _body(request), community)
    if isinstance(line, Fault):
        raise _Refusal(422, line.what)
    now = datetime.now(UTC)
    if problem := judge_time(line.fact, now):
        raise _Refusal(422, problem)
    return open_event(community, line.fact, id=line.id, at=line.at or now)


async def _body(request: Request) -> bytes:
    """Read the body, no further than a report may be long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_LINE_BYTES:
            raise _Refusal(413, f"the report is longer than {MAX_LINE_BYTES // 1024} KiB")
    return bytes(body)


def _read(body: bytes, community: str) -> Line | Fault:
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        return Fault(1, f"the body is not JSON: {error}")
    if not isinstance(content, dict):
        return Fault(1, "the body is JSON, but no object with fields")
    line = read_fields(content)
    if isinstance(line, Line) and line.community not in {None, community}:
        return Fault(1, f"the report says it is of {line.community}, and was sent to {community}")
    return line


def _refuse(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
