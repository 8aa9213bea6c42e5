"""The ledger with all that is in it: how long its page's questions take, and how fast it is made again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from sqlalchemy import text

from schemas.topics import JOURNAL
from services.ledger.asking import LISTS
from services.ledger.rebuild import rebuild
from tests.bench.figures import Unmeasured, Values
from tests.bench.stage import READY_LIMIT_S, Stage

RUNS = 3
QUESTIONS = 400
SEED = 20210301
LIKELY = {"list": 3, "after": 3, "filter": 4, "search": 3, "filter and search": 2, "beginning": 2, "detail": 4}
"""How often each kind of question is asked, by the others."""

Path = tuple[str, dict[str, str]]


class Questions:
    """Questions about what there is, drawn by a fixed seed from a sample of the ledger's rows."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._chance = random.Random(SEED)
        self._rows = rows
        self._kinds: dict[str, Callable[[], Path]] = {
            "list": lambda: self._list({}),
            "after": lambda: self._list({"limit": str(self._chance.choice((20, 50, 200)))}),
            "filter": lambda: self._list(self._filters()),
            "search": lambda: self._list({"q": self._words()}),
            "filter and search": lambda: self._list({**self._filters(), "q": self._words()}),
            "beginning": lambda: self._list({"q": str(self._row().id)[: self._chance.choice((8, 13, 36))]}),
            "detail": lambda: (f"/api/incidents/{self._row().id}", {}),
        }

    def draw(self) -> tuple[str, Path]:
        """Return a kind and a question of it."""
        (kind,) = self._chance.choices(list(LIKELY), list(LIKELY.values()))
        return kind, self._kinds[kind]()

    def _row(self) -> Any:
        return self._chance.choice(self._rows)

    def _list(self, parameters: dict[str, str]) -> Path:
        return f"/api/lists/{self._chance.choice(LISTS)}", parameters

    def _filters(self) -> dict[str, str]:
        # Each from a row of its own: what belongs together and what does not.
        found = {name: getattr(self._row(), name) for name in ("community", "category", "status", "department")}
        some = self._chance.sample(sorted(found), self._chance.randint(1, 3))
        return {name: found[name] for name in some if found[name]}

    def _words(self) -> str:
        said = self._row().description.split()[0]
        length = self._chance.randint(2, 6)
        at = self._chance.randrange(max(1, len(said) - length + 1))
        word: str = said[at : at + length]
        return word if len(word) > 1 else "没有"


async def measure_pages(stand: Stage) -> Values:
    """Return the 95th percentile, in milliseconds, of questions asked one at a time; one value for each run."""
    rows = await _sample(stand)
    port = _free_port()
    values = []
    room = stand.program("services.ledger", WHISTLE_PAGE_PORT=str(port))
    async with room, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        await _served(client)
        for _ in range(RUNS):
            took = await _ask(client, Questions(rows))
            values.append(statistics.quantiles([each for _, each in took], n=20)[-1])
    return {"ledger_page_p95_ms": values}


async def _ask(client: httpx.AsyncClient, questions: Questions) -> list[tuple[str, float]]:
    """Return kinds and milliseconds; after a list is asked for as far as its next page is known."""
    took = []
    following = ""
    for _ in range(QUESTIONS):
        kind, (path, parameters) = questions.draw()
        if kind == "after" and following:
            path, _, after = following.partition(" ")
            parameters = {**parameters, "after": after}
        began = time.perf_counter()
        response = await client.get(path, params=parameters)
        took.append((kind, (time.perf_counter() - began) * 1000))
        if not response.is_success:
            raise Unmeasured(f"{response.url} was answered {response.status_code}: {response.text[:200]}")
        after = response.json().get("next")
        following = f"{path} {after}" if after and not parameters else following
    return took


async def _sample(stand: Stage) -> Sequence[Any]:
    """Return some thousand incidents, the same ones of the same ledger."""
    statement = (
        "SELECT id, community, category, status, lead AS department, description FROM ledger.incident "
        "TABLESAMPLE SYSTEM (1) REPEATABLE (:seed) WHERE description IS NOT NULL LIMIT 5000"
    )
    async with stand.engine.connect() as connection:
        rows = (await connection.execute(text(statement), {"seed": SEED})).all()
    if not rows:
        raise Unmeasured("the ledger has too few incidents to ask about")
    return rows


async def _served(client: httpx.AsyncClient) -> None:
    until = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/healthz")).is_success:
                return
        await asyncio.sleep(0.1)
    raise Unmeasured(f"the ledger's page was not served within {READY_LIMIT_S:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def measure_rebuild(stand: Stage) -> Values:
    """Return the entries a second at which the ledger is made again of `incident.journal`, with the room stopped."""
    values = []
    for _ in range(RUNS):
        began = time.perf_counter()
        made = await rebuild(stand.engine, stand.settings.kafka)
        values.append(made.entries / (time.perf_counter() - began))
        if not made.entries:
            raise Unmeasured(f"{JOURNAL.name} holds no entry")
    return {"rebuild_per_s": values}
