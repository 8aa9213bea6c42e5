"""A few dozen lives of incidents, up to where they wait, lived by the rooms' own desks at their own tables.

There is no Kafka between them: what one room says is handed to those that hear it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from schemas import dispatch, response
from schemas.event import Event, Fact, parse
from schemas.report import Kind, Place, Raised, Severity
from schemas.topics import DECISIONS, DISPATCHES, JOURNAL, REPORTS, RESPONSES, Topic, family
from services.configured import load
from services.department.handlers import DepartmentDesk
from services.department.store import journal as department_journal
from services.domain.configuration import Configuration
from services.ledger.handlers import LedgerDesk
from services.ledger.store import journal as ledger_journal
from services.router.handlers import RouterDesk
from services.router.store import journal as router_journal
from services.runtime.batch import Bench, Desk
from services.runtime.inlet import Cause, cause_id
from services.runtime.journal import Journal
from services.runtime.kafka import shard_of
from services.runtime.settings import Settings
from services.street.handlers import StreetDesk
from services.street.store import journal as street_journal

COMMUNITY = "guangdu"
MATTERS: tuple[tuple[Kind, str, Severity, str, str], ...] = (
    ("hazard", "illegal-building", "normal", "弘民新城", "楼顶搭建彩钢棚，遇大风有坠落危险，请尽快查处。"),
    ("dispute", "labour-dispute", "normal", "龙桥自建小区", "装修队三个月没有领到工钱，几名工人情绪激动。"),
    ("dispute", "property-dispute", "normal", "王府花园", "业主与物业公司为停车费和公共收益发生纠纷。"),
    ("instability", "petition", "normal", "欣和苑", "十余名住户准备为拆迁补偿集体上访。"),
    ("hazard", "fire-safety", "high", "广都上街", "消防通道被电动车堵塞，楼道里有人给电瓶充电。"),
    ("hazard", "power", "critical", "三益桥小区", "变压器冒烟，整栋楼停电，电梯里困了一个人。"),
)
"""What is reported (kind, category, severity, estate, description); a rule sends each to two departments."""
ACKNOWLEDGED = (0, 1, 2, 2, 2, 2)
"""How many of the two have acknowledged, in each life of a matter."""
STEP = timedelta(minutes=3)
"""How long after the report the first acknowledgement comes, and after that the second."""

Said = tuple[str, Event]
"""A fact on a topic."""
_HEARD = (REPORTS, DECISIONS, RESPONSES, DISPATCHES, JOURNAL)
_FACTS: Mapping[str, type[Fact]] = {fact.type: fact for topic in _HEARD for fact in topic.facts}


@dataclass(frozen=True, slots=True)
class _Room:
    """A room's desk and bench, and what it hears."""

    hears: tuple[Topic, ...]
    desk: Desk[Any, Any]
    bench: Bench


async def live(engine: AsyncEngine, settings: Settings, until: datetime) -> list[UUID]:
    """Let the rooms live every life, with its last act at an instant, and return the incidents."""
    rooms = [each async for each in _open(engine, settings)]
    shards = settings.kafka.shards
    reports = {uuid7(): (matter, count) for matter in MATTERS for count in ACKNOWLEDGED}
    raised = [_reported(each, *matter, until - 2 * STEP) for each, (matter, _) in reports.items()]
    called: dict[UUID, list[str]] = {each: [] for each in reports}
    for topic, event in await _happen(rooms, raised, shards):
        if isinstance(event.data, dispatch.Issued):
            called[event.subject].append(topic.split(".")[1])
    for turn, at in enumerate((until - STEP, until)):
        acts = [_acknowledged(each, called[each][turn], at) for each, (_, count) in reports.items() if turn < count]
        await _happen(rooms, acts, shards)
    return list(reports)


async def _open(engine: AsyncEngine, settings: Settings) -> AsyncIterator[_Room]:
    configuration = _without_reminders(load(settings.config))
    desks: Sequence[tuple[str, tuple[Topic, ...], Desk[Any, Any], Journal]] = (
        ("street", (REPORTS, JOURNAL), StreetDesk(configuration), street_journal),
        ("router", (DECISIONS, RESPONSES), RouterDesk(configuration), router_journal),
        ("department", (DISPATCHES,), DepartmentDesk(), department_journal),
        ("ledger", (JOURNAL,), LedgerDesk(), ledger_journal),
    )
    for name, hears, desk, journal in desks:
        async with engine.begin() as connection:
            await journal.prepare(connection, settings.kafka.shards)
        yield _Room(hears, desk, Bench(engine, journal, f"/{name}"))


def _without_reminders(configuration: Configuration) -> Configuration:
    """Return a configuration in which nothing comes before its deadline.

    A copy's instants are moved by the wall clock, and what comes so many working hours before one of them does not.
    """
    ladders = {
        name: replace(ladder, steps=tuple(step for step in ladder.steps if not step.before))
        for name, ladder in configuration.ladders.items()
    }
    return replace(configuration, ladders=ladders)


def _reported(incident: UUID, kind: Kind, category: str, severity: Severity, estate: str, what: str, at: Any) -> Said:
    report = Raised(
        kind=kind,
        category=category,
        severity=severity,
        channel="hotline",
        description=what,
        place=Place(estate=estate),
        happened_at=at,
    )
    return REPORTS.named(COMMUNITY), Event(uuid7(), f"/community/{COMMUNITY}", incident, at, report)


def _acknowledged(incident: UUID, code: str, at: datetime) -> Said:
    return RESPONSES.named(code), Event(uuid7(), f"/department/{code}", incident, at, response.Acknowledged())


async def _happen(rooms: Sequence[_Room], said: Sequence[Said], shards: int) -> list[Said]:
    """Let the rooms hear what is said, and what follows from it, until nobody says any more; return all that was."""
    all_said: list[Said] = []
    while said:
        all_said += said
        answers: list[Said] = []
        for room in rooms:
            heard = [cause for each in said if (cause := _cause(room, *each, shards))]
            written = await room.bench.handle(room.desk, heard)
            answers += [
                (row.topic, parse(row.payload.encode(), _FACTS)) for row in written.rows if row.topic is not None
            ]
        said = answers
    return all_said


def _cause(room: _Room, topic: str, event: Event, shards: int) -> Cause | None:
    found = family(topic)
    if found is None or found[0] not in room.hears:
        return None
    return Cause(
        id=cause_id(event.subject, event.id, topic),
        key=event.subject,
        shard=shard_of(str(event.subject).encode(), shards),
        at=event.time,
        topic=topic,
        party=topic.split(".", 1)[0],
        code=found[1],
        event=event,
    )
