"""The real router, and a calendar that is confirmed for longer while it is away."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from schemas import dispatch, incident
from schemas.event import Event, parse
from schemas.topics import DISPATCHES, JOURNAL
from services.runtime.clock import set_clock
from tests.journey.conftest import Town, matters
from tests.journey.house import heard, until

MORNING = datetime.fromisoformat("2021-01-04T09:00:00+08:00")
_FACTS = {fact.type: fact for topic in (JOURNAL, DISPATCHES) for fact in topic.facts}


def configured(folder: Path, town: Town, entered: str) -> Path:
    """What is shipped, with dated entries about its calendar."""
    shutil.copytree(town.settings.config, folder)
    file = folder / "calendar.yaml"
    text = file.read_text(encoding="utf-8").replace("calendar-days: {}", f"calendar-days: {{china: {{{entered}}}}}")
    file.write_text(text, encoding="utf-8")
    return folder


async def said(town: Town, topic: str) -> list[Event]:
    """Return everything on a topic, each event once."""
    found = [parse(record.value, _FACTS) for record in await heard(town.servers, [topic])]
    return list({event.id: event for event in found}.values())


async def test_what_was_provisional_is_counted_again_once_when_the_calendar_is_confirmed(
    town: Town, tmp_path: Path
) -> None:
    """Each department is told its deadline anew, a day later for the holiday; a further start adds nothing."""
    short = configured(tmp_path / "short", town, "confirmed-until: 2021-01-08")
    holiday = "{day: 2021-01-12, office: closed, reason: a holiday, announced-by: the mayor}"
    long = configured(tmp_path / "long", town, f"confirmed-until: 2021-12-31, days: [{holiday}]")
    await set_clock(town.engine, MORNING)
    rivers = [each for each in matters(30, MORNING) if each.category == "river" and not each.acts]
    async with town.router(config=short) as router:
        await town.say(fact for each in rivers for fact in each.said())
        await town.drained()
        assert await router.stop() == 0
        assert "a calendar or roster runs out" in router.told()
    asked: set[UUID] = {each.id for each in rivers}
    issued = [each for each in await said(town, DISPATCHES.named("parks")) if isinstance(each.data, dispatch.Issued)]
    assert {each.subject for each in issued} == asked
    # Ten working days after Monday the 4th.
    assert {each.data.deadlines["resolve"] for each in issued} == {MORNING + timedelta(days=14)}  # type: ignore[attr-defined]
    assert {each.data.provisional for each in issued} == {("resolve",)}  # type: ignore[attr-defined]

    async def all_certain() -> bool:
        return await town.scalar("SELECT count(*) FROM router.incident WHERE counted_by IS NOT NULL") == 0

    for _ in range(2):
        async with town.router(config=long) as router:
            # Of what comes after the calendar, nothing is provisional; and once it has been read, the router is awake.
            await town.say(matters(2, MORNING)[1].said())
            await until(all_certain, why=router.told)
            await town.drained()
            assert await router.stop() == 0
    changed = [each for each in await said(town, DISPATCHES.named("parks")) if isinstance(each.data, dispatch.Changed)]
    assert sorted(each.subject for each in changed) == sorted(asked)
    assert {each.data.deadlines["resolve"] for each in changed} == {MORNING + timedelta(days=15)}  # type: ignore[attr-defined]
    assert {each.data.provisional for each in changed} == {None}  # type: ignore[attr-defined]
    counted = [each for each in await said(town, JOURNAL.name) if isinstance(each.data, incident.Recomputed)]
    # The overall deadline, and one obligation each of three departments.
    assert len(counted) == 4 * len(asked)
