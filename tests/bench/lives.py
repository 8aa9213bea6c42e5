"""Whole lives, all rooms running: from the report to the closed incident in the ledger, with people in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import psutil
from uuid_utils.compat import uuid7

from schemas.event import Event, dump
from schemas.topics import JOURNAL, REPORTS
from services.local.ports import free_port
from services.runtime.kafka import producer
from tests.bench.calls import COMMUNITY, raised
from tests.bench.figures import Unmeasured
from tests.bench.officers import READY, Said, say
from tests.bench.stage import Gauge, Stage
from tests.journey.house import Process, until

ENTRIES_A_LIFE = 13
"""Opened, called, two each of dispatched, acknowledged, resolved and work confirmed, confirmed, answered, closed."""
LIMIT_S = 300.0
TOPIC = REPORTS.named(COMMUNITY)
RULE = """
    - name: lives
      matchers: ['estate="弘民新城"', 'category="lighting"']
      departments: [urban-management, parks]
"""


def config(folder: Path) -> Path:
    """Write the shipped configuration with one more rule, which calls two departments, to a folder."""
    made = folder / "config"
    shutil.copytree("deploy/config", made)
    routes = made / "routes.yaml"
    head, tail = routes.read_text(encoding="utf-8").split("\n  routes:\n", 1)
    routes.write_text(f"{head}\n  routes:\n{RULE}{tail}", encoding="utf-8")
    return made


def reports(count: int) -> list[Said]:
    """Return so many reports that the rule calls for."""
    at = datetime.now(UTC)
    report = raised(at)
    made = (Event(uuid7(), f"/community/{COMMUNITY}", uuid7(), at, report) for _ in range(count))
    return [(TOPIC, str(each.subject).encode(), dump(each)) for each in made]


class House:
    """All rooms and all people, as processes, on a stage."""

    def __init__(self, stand: Stage) -> None:
        self.stand = stand
        self.rooms: dict[str, Process] = {}

    async def raise_(self, count: int) -> None:
        """Publish so many reports, as fast as the broker takes them."""
        settings = self.stand.settings.kafka
        async with producer(settings, "bench-reports") as made:
            await say(made, settings.partitions, reports(count))

    async def lives_per_s(self, count: int) -> float:
        """Return lives/s, from the first report that is published to the last closed incident in the ledger."""
        async with Gauge(self.stand.servers, "ledger", [JOURNAL.name]) as gauge:
            wanted = await gauge.written() + count * ENTRIES_A_LIFE
            began = time.monotonic()
            await self.raise_(count)
            await self.reached(gauge, wanted)
            return count / (time.monotonic() - began)

    async def reached(self, gauge: Gauge, wanted: int) -> None:
        """Wait until a group has read so many records."""
        await until(lambda: _is_at(gauge, wanted), LIMIT_S, self._why)

    def _why(self) -> str:
        return "; ".join(f"{name}: {each.told()[-500:]}" for name, each in self.rooms.items())

    def largest_mib(self) -> float:
        """Return the resident memory of the largest room, in MiB."""
        return max(self.sizes_mib().values())

    def sizes_mib(self) -> dict[str, float]:
        """Return the resident memory of each room, in MiB."""
        return {name: psutil.Process(each.pid).memory_info().rss / 2**20 for name, each in self.rooms.items()}

    def check(self) -> None:
        """Refuse to go on when a room has ended."""
        for name, each in self.rooms.items():
            if each.status is not None:
                raise Unmeasured(f"the room {name} ended: {each.told()[-500:]}")


async def _is_at(gauge: Gauge, wanted: int) -> bool:
    return await gauge.handled() >= wanted


@asynccontextmanager
async def house(stand: Stage) -> AsyncIterator[House]:
    """Start all rooms and all people, and wait until they are there."""
    made = House(stand)
    ports = {
        "WHISTLE_PAGE_PORT": str(free_port(None)),
        "WHISTLE_PUBLISHER__PORT": str(free_port(None)),
        "WHISTLE_RECEIPTS_PORT": str(free_port(None)),
        "WHISTLE_METRICS_PORT": str(free_port(None)),
        # All begin at once, and the room that shows receipts makes no key.
        "WHISTLE_RECEIPT_KEY": token_hex(),
    }
    async with AsyncExitStack() as stack:
        for name in ("street", "router"):
            made.rooms[name] = stand.program("tests.bench.room", name, **ports)
        for name in ("publisher", "department", "supervision", "ledger", "receipts", "monitor"):
            made.rooms[name] = stand.program(f"services.{name}", **ports)
        officers = stand.program("tests.bench.officers")
        for each in (officers, *made.rooms.values()):
            each.log.unlink(missing_ok=True)
            await stack.enter_async_context(each)
        await until(lambda: READY in officers.told(), LIMIT_S, officers.told)
        # One life has gone all the way: every room has its partitions.
        await made.lives_per_s(1)
        made.check()
        yield made


async def closed(stand: Stage) -> int:
    """Return how many incidents are closed in the ledger."""
    return await stand.scalar("SELECT count(*) FROM ledger.incident WHERE status = 'closed'")
