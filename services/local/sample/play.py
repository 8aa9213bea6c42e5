"""Plays the sample: moves the clock from tick to tick, and has the people of the script act.

At each tick the rooms first fire what is due; then the communities report and everybody acts; only when the rooms have
drained does the clock move on. Every act has an id that follows from its line, so playing again has no effect.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Self
from uuid import UUID, uuid5

from schemas.action import Action
from schemas.decision import Decision
from schemas.response import Response
from schemas.topics import REPORTS
from services.department.client import Department
from services.local.errors import LocalError
from services.local.sample import Act, Inspection, Report, Sample
from services.publisher.client import Publisher
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker
from services.street.client import Street
from services.supervision.client import Supervision

DISPATCH_LIMIT_S = 20.0


class ScriptedDepartment:
    """A department of the sample: it answers what it was dispatched, when and as the script says."""

    def __init__(self, department: Department) -> None:
        self._department = department
        self._dispatched: defaultdict[UUID, asyncio.Event] = defaultdict(asyncio.Event)

    async def listen(self) -> None:
        """Take note of every dispatch, for ever."""
        async for dispatch in self._department.dispatches("earliest"):
            self._dispatched[dispatch.incident].set()

    async def act(self, incident: UUID, act: Act, fact: Response, event_id: UUID) -> None:
        """Do what one line says, about an incident that the department was really called for."""
        try:
            async with asyncio.timeout(DISPATCH_LIMIT_S):
                await self._dispatched[incident].wait()
        except TimeoutError:
            raise LocalError(
                f"The script has {act.by} {act.act} {act.report}, which was never dispatched to it: "
                "check the script against the routes."
            ) from None
        await self._department.respond(incident, fact, event_id=event_id, at=act.tick)


class Cast:
    """Everybody who speaks in the sample, each with a voice of their own."""

    def __init__(self, sample: Sample, settings: Settings) -> None:
        self._sample = sample
        self._openings: tuple[Report | Inspection, ...] = (*sample.reports, *sample.inspections)
        self._settings = settings
        self._publishers: dict[str, Publisher] = {}
        self._communities: dict[str, Speaker] = {}
        self._departments: dict[str, ScriptedDepartment] = {}
        self._streets: dict[str, Street] = {}

    @asynccontextmanager
    async def on_stage(self) -> AsyncIterator[Self]:
        """Connect everybody who has a line, and disconnect them at the end."""
        async with AsyncExitStack() as stack:
            self._supervision = await stack.enter_async_context(Supervision(self._settings))
            for code in sorted({each.community for each in self._openings}):
                self._publishers[code] = await stack.enter_async_context(Publisher(code, self._settings))
            listening: list[asyncio.Task[None]] = []
            for by in sorted({act.by for act in self._sample.script}):
                side, _, code = by.partition(".")
                if side == "department":
                    department = await stack.enter_async_context(Department(code, self._settings))
                    self._departments[code] = ScriptedDepartment(department)
                    listening.append(asyncio.create_task(self._departments[code].listen()))
                elif side == "street":
                    self._streets[code] = await stack.enter_async_context(Street(code, self._settings))
                elif side == "community":
                    speaker = Speaker(f"/community/{code}", self._settings)
                    self._communities[code] = await stack.enter_async_context(speaker)
            try:
                yield self
            finally:
                for task in listening:
                    task.cancel()
                await asyncio.gather(*listening, return_exceptions=True)

    async def speak(self, tick: datetime) -> int:
        """Have everything said that is said at a tick, and return how much that was."""
        said = 0
        for community, publisher in self._publishers.items():
            facts = [
                (each.id, each.fact, tick)
                for each in self._openings
                if each.tick == tick and each.community == community
            ]
            if facts:
                await publisher.send_all(facts)
            said += len(facts)
        of_report: defaultdict[str, list[Act]] = defaultdict(list)
        for act in self._sample.script:
            if act.tick == tick:
                of_report[act.report].append(act)
                said += 1
        await asyncio.gather(*(self._say(acts) for acts in of_report.values()))
        return said

    async def _say(self, acts: list[Act]) -> None:
        """Say what is said about one report, one line after the other."""
        for act in acts:
            await self._act(act)

    async def _act(self, act: Act) -> None:
        report = self._sample.by_key[act.report].id
        event_id = uuid5(report, f"{act.tick.isoformat()}/{act.by}/{act.act}/{act.owing or ''}")
        fact = act.fact
        if isinstance(fact, Response):
            await self._departments[act.party].act(report, act, fact, event_id)
        elif isinstance(fact, Decision):
            await self._streets[act.party].decide(report, fact, event_id=event_id, at=act.tick)
        elif isinstance(fact, Action):
            await self._supervision.act(report, fact, event_id=event_id, at=act.tick)
        else:
            topic = REPORTS.named(act.party)
            await self._communities[act.party].say(topic, report, fact, event_id=event_id, at=act.tick)


async def play(
    sample: Sample,
    cast: Cast,
    *,
    since: datetime | None,
    set_clock: Callable[[datetime], Awaitable[None]],
    drain: Callable[[], Awaitable[None]],
    progress: Callable[[datetime, int], None],
) -> None:
    """Play the sample to its last tick; `progress` hears of each tick how many lines were said at it.

    `since` is where the clock stands already, if it does: what was said until then is said again without waiting,
    since the last of it may have been cut off, and what had been said has no effect.
    """
    for tick in sample.ticks:
        replayed = since is not None and tick < since
        if since is None or tick > since:
            await set_clock(tick)
        if not replayed:
            await drain()
        progress(tick, await cast.speak(tick))
        if not replayed:
            await drain()
    await drain()
