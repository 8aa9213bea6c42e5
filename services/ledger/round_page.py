"""What the page asks about rounds of inspection: by grid level, the latest of a level, and one with what it found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.ledger import rounds
from services.ledger.fresh import Fresh
from services.ledger.names import Names
from services.ledger.queries import snapshot
from services.ledger.rounds import Finding, Level, Round
from services.ledger.words import FINDINGS, KINDS, PURPOSES, both, plain

if TYPE_CHECKING:
    from services.ledger.page import Ledger


def round_answers(ledger: Ledger) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
    """Return what answers each path; whoever is shown something is written down."""
    engine = ledger.engine
    # All rounds there ever were are counted for it.
    kept, one_at_a_time = Fresh[list[Level]](engine), asyncio.Lock()

    async def count() -> list[Level]:
        async with engine.connect() as connection:
            return await rounds.by_level(connection)

    async def by_level(request: Request) -> Response:
        await ledger.show(request, "list rounds")
        async with one_at_a_time:
            found = await kept.get(None, count)
        return JSONResponse({"rows": [asdict(each) for each in found]})

    async def of_level(request: Request) -> Response:
        level: int = request.path_params["level"]
        if level not in rounds.LEVELS:
            return JSONResponse({"error": "没有这一级网格 there is no such grid level"}, status_code=404)
        await ledger.show(request, f"list rounds level={level}")
        async with engine.connect() as connection:
            found = await rounds.rounds(connection, level)
        return JSONResponse({"rows": [_round(each, ledger.names) for each in found]})

    async def of_round(request: Request) -> Response:
        async with snapshot(engine) as connection:
            found = await rounds.findings(connection, request.path_params["id"])
        await ledger.show(request, f"round {request.path_params['id']}", shown=rounds.shown(found or ()))
        if found is None:
            return JSONResponse({"error": "没有这次排查 there is no such round"}, status_code=404)
        return JSONResponse({"rows": [_finding(each) for each in found]})

    return {
        "/api/rounds": by_level,
        "/api/rounds/levels/{level:int}": of_level,
        "/api/rounds/{id:uuid}": of_round,
    }


def _round(each: Round, names: Names) -> dict[str, Any]:
    return {
        **asdict(each),
        "id": str(each.id),
        "community": names.unit(each.community),
        "purpose": both(PURPOSES, each.purpose),
        "inspected_at": names.local(each.inspected_at),
    }


def _finding(each: Finding) -> dict[str, Any]:
    return {
        **asdict(each),
        "report": str(each.report),
        "home": str(each.home) if each.home else None,
        "kind": both(KINDS, each.kind) if each.kind else "",
        "description": plain(each.description or ""),
        "fate": both(FINDINGS, each.fate),
    }
