"""The inbox of the departments, as their streams tell it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import dispatch
from schemas.event import Event, Fact
from schemas.notice import Breach, Notice
from schemas.report import Place
from schemas.topics import DISPATCHES
from services.configured import load
from services.department import desk, store
from services.department.client import Dispatch
from services.department.desk import line_of, show_inbox, show_notices
from services.department.handlers import DepartmentDesk
from services.runtime import clock
from services.runtime.batch import Bench
from services.runtime.clock import metadata as clock_metadata
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings, Settings

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
INCIDENT = uuid.uuid4()
CONFIG = Path(__file__).parents[2] / "deploy" / "config"
ACKNOWLEDGED = dispatch.Changed(status="acknowledged", round=1, deadlines={"resolve": AT})


def issued(lead: str = "water", **changes: Any) -> dispatch.Issued:
    """A dispatch."""
    known: dict[str, Any] = {
        "street": "dongsheng",
        "community": "guangdu",
        "round": 1,
        "role": "lead",
        "lead": lead,
        "rule": "test",
        "deadlines": {"acknowledge": AT},
        "kind": "demand",
        "category": "water-supply",
        "severity": "normal",
        "description": "停水",
        "place": Place(),
    }
    return dispatch.Issued(**(known | changes))


def heard(department: str, fact: Fact) -> Cause:
    """A message as it arrives on a department's stream."""
    event = Event(uuid.uuid4(), "/router", INCIDENT, AT, fact)
    return Cause(uuid.uuid4(), INCIDENT, 0, AT, DISPATCHES.named(department), "department", department, event)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with the department's tables, and one shard."""
    made = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    async with made.begin() as connection:
        await connection.execute(text("CREATE SCHEMA department"))
        await connection.run_sync(store.metadata.create_all)
        await store.journal.prepare(connection, 1)
    yield made
    await made.dispose()


async def rows(engine: AsyncEngine) -> dict[str, tuple[str, str]]:
    """Return (status, where it lies on disk) of every department's obligation."""
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT department, status, ctid::text FROM department.obligation"))
        return {row.department: (row.status, row.ctid) for row in found}


@pytest.mark.parametrize("kept", [True, False], ids=["the same owner", "another owner"])
async def test_what_is_told_to_one_department_writes_its_obligation_alone(engine: AsyncEngine, *, kept: bool) -> None:
    """However many departments owe something about the incident, and whoever remembers it."""
    bench = Bench(engine, store.journal, "/department")

    async def hear(*causes: Cause) -> None:
        await (bench if kept else Bench(engine, store.journal, "/department")).handle(DepartmentDesk(), causes)

    await hear(heard("water", issued()), heard("power", issued(role="support")))
    before = await rows(engine)
    assert {each: status for each, (status, _) in before.items()} == {"water": "dispatched", "power": "dispatched"}
    await hear(heard("water", ACKNOWLEDGED))
    await hear(heard("power", dispatch.Refused(act="x", reason="y")))
    between = await rows(engine)
    assert between["water"][0] == "acknowledged"
    await hear(heard("water", dispatch.Changed(status="resolved", round=1, deadlines={})))
    after = await rows(engine)
    assert after["water"][0] == "resolved"
    assert after["power"] == between["power"] != before["power"]


async def test_an_inbox_holds_what_was_told_last(engine: AsyncEngine) -> None:
    """Status and deadlines of the last change, reminders counted, and a refusal until the next word."""

    async def inbox(*facts: Fact) -> Sequence[store.Item]:
        causes = [heard("water", fact) for fact in facts]
        await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), causes)
        async with engine.connect() as connection:
            return await store.inbox(connection, "water")

    reminded = dispatch.Reminded(round=1, deadline="acknowledge", due_at=AT)
    assert await inbox(reminded) == [], "it was never called for"
    (item,) = await inbox(issued(), reminded, reminded, dispatch.Refused(act="arrived", reason="too early"))
    assert (item.status, item.reminders, item.refused, item.due_at) == ("dispatched", 2, "arrived: too early", AT)
    (item,) = await inbox(ACKNOWLEDGED)
    assert (item.status, item.refused, item.deadlines) == ("acknowledged", "", {"resolve": AT})
    assert await inbox(dispatch.Changed(status="confirmed", round=1, deadlines={})) == []


async def test_a_deadline_that_was_kept_is_no_longer_due(engine: AsyncEngine) -> None:
    """Once the department is on the spot, or a step is done, the inbox shows what is left to do, and what was done."""

    async def inbox(*facts: Fact) -> store.Item:
        causes = [heard("water", fact) for fact in facts]
        await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), causes)
        async with engine.connect() as connection:
            (item,) = await store.inbox(connection, "water")
        return item

    later = AT + timedelta(days=1)
    deadlines = {"arrive": AT, "survey": AT, "resolve": later}
    item = await inbox(issued(), dispatch.Changed(status="acknowledged", round=1, deadlines=deadlines))
    assert (item.due_at, item.done) == (AT, ())
    left = {"survey": AT, "resolve": later}
    item = await inbox(dispatch.Changed(status="acknowledged", round=1, deadlines=left, done="arrive"))
    assert (item.due_at, item.done) == (AT, ("arrive",))
    item = await inbox(dispatch.Changed(status="acknowledged", round=1, deadlines={"resolve": later}, done="survey"))
    assert (item.due_at, item.done) == (later, ("arrive", "survey"))
    item = await inbox(dispatch.Changed(status="resolved", round=1, deadlines={}))
    assert item.done == ("arrive", "survey")
    again = dispatch.Changed(status="acknowledged", round=2, deadlines={"survey": later})
    assert (await inbox(again)).done == (), "a new round begins with nothing done"


async def test_an_inbox_says_which_deadlines_may_still_move(engine: AsyncEngine) -> None:
    """As the dispatch says it, until a change no longer does."""

    async def provisional(fact: Fact) -> tuple[str, ...]:
        await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), [heard("water", fact)])
        async with engine.connect() as connection:
            (item,) = await store.inbox(connection, "water")
        return item.provisional

    assert await provisional(issued(provisional=("acknowledge",))) == ("acknowledge",)
    again = dispatch.Changed(status="acknowledged", round=1, deadlines={"resolve": AT}, provisional=("resolve",))
    assert await provisional(again) == ("resolve",)
    assert await provisional(ACKNOWLEDGED) == ()


async def test_an_inbox_names_the_deadlines_that_are_its_own(engine: AsyncEngine) -> None:
    """Interim steps among them, each until it is done; what the street owes about the obligation is none of them."""

    async def own(fact: Fact) -> tuple[dict[str, datetime], datetime | None]:
        await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), [heard("water", fact)])
        async with engine.connect() as connection:
            (item,) = await store.inbox(connection, "water")
        return dict(item.own), item.due_at

    steps = {"stop-work": AT, "penalty": AT.replace(day=11), "resolve": AT.replace(day=30)}
    assert await own(issued(deadlines=steps)) == (steps, AT)
    left = {name: at for name, at in steps.items() if name != "stop-work"}
    done = dispatch.Changed(status="acknowledged", round=1, deadlines=left | {"approve": AT})
    assert await own(done) == (left, AT.replace(day=11))


async def test_a_case_brings_what_is_done_back_into_the_inbox(engine: AsyncEngine) -> None:
    """Asked to explain itself, a department sees it by the explanation's deadline, until it has done so."""

    async def inbox(*facts: Fact) -> Sequence[store.Item]:
        causes = [heard("water", fact) for fact in facts]
        await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), causes)
        async with engine.connect() as connection:
            return await store.inbox(connection, "water")

    asked = dispatch.Supervised(status="asked", turn=1, deadlines={"explain": AT}, reason="late")
    confirmed = dispatch.Changed(status="confirmed", round=1, deadlines={})
    (item,) = await inbox(issued(), confirmed, asked)
    assert (item.status, item.case, item.due_at) == ("confirmed", asked, AT)
    assert await inbox(dispatch.Supervised(status="explained", turn=1, deadlines={})) == []
    again = dispatch.Supervised(status="asked", turn=2, deadlines={"explain": AT}, reason="no reason")
    (item,) = await inbox(again, issued(round=2))
    assert (item.status, item.round, item.case) == ("dispatched", 2, again), "a new round ends no case"


def listed(**changes: Any) -> dispatch.BreachesListed:
    """A notice of what the water bureau broke in a week."""
    late = Breach(
        incident=INCIDENT, deadline="resolve", due_at=AT, post="section-head", ended_at=AT + timedelta(days=1)
    )
    still = Breach(incident=INCIDENT, deadline="acknowledge", due_at=AT)
    known: dict[str, Any] = {
        "unit": "water",
        "begins": AT - timedelta(hours=17),
        "ends": AT + timedelta(days=7, hours=-17),
        "total": 12,
        "still_open": 3,
        "breaches": (late, still),
        "unlisted": 10,
        "list_all": "whistle ledger broken unit=water",
        "note": "限三日内\x1b整改",
    }
    return dispatch.BreachesListed(notice=Notice(**(known | changes)))


async def test_a_notice_is_kept_and_shown_with_what_was_broken(
    engine: AsyncEngine, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told twice it is there once, beside the inbox in a line and by its own command in full; the stream prints it."""
    for _ in range(2):
        bench = Bench(engine, store.journal, "/department")
        await bench.handle(DepartmentDesk(), [heard("water", listed()), heard("gas", listed(unit="gas"))])
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA runtime"))
        await connection.run_sync(clock.metadata.create_all)
    settings = Settings(database=DatabaseSettings.model_validate({"url": database_url}), config=CONFIG)
    head = "通报 notice 2026-03-02 – 2026-03-08: 12 broken, 3 still open · 限三日内�整改"
    lines = [
        f"    {INCIDENT}  resolve due 2026-03-02 17:00 · ended 2026-03-03 17:00 · told to section-head",
        f"    {INCIDENT}  acknowledge due 2026-03-02 17:00 · still open",
        "    and 10 more: `whistle ledger broken unit=water` shows all",
    ]
    await show_notices(settings, "water", 20, as_json=False)
    assert capsys.readouterr().out.splitlines() == [f"2026-03-02 17:00  {INCIDENT}  {head}", *lines]
    await show_inbox(settings, "water", everything=False, as_json=False)
    assert f"2026-03-02 17:00  {head}" in capsys.readouterr().out
    await show_notices(settings, "water", 20, as_json=True)
    [told] = json.loads(capsys.readouterr().out)
    assert (told["id"], told["unit"], told["total"], len(told["breaches"])) == (str(INCIDENT), "water", 12, 2)
    await show_notices(settings, "fire", 20, as_json=False)
    assert "fire was given no notice" in capsys.readouterr().out
    said = Dispatch(uuid.uuid4(), INCIDENT, AT, listed())
    assert line_of(said, load(CONFIG)).splitlines() == [f"2026-03-02 17:00  notice    {INCIDENT}  {head}", *lines]


async def test_an_inbox_shows_a_refusal_beside_what_it_is_about(
    engine: AsyncEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    """What was refused, why, and what is to be done first, in both languages; the matter is still there to be seen."""
    reason = "the obligation is dispatched: acknowledge it first"
    refused = dispatch.Refused(act="whistle.response.extension_requested.v1", reason=reason)
    causes = [heard("water", fact) for fact in (issued(description="河道倒垃圾"), refused)]
    await Bench(engine, store.journal, "/department").handle(DepartmentDesk(), causes)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA IF NOT EXISTS runtime"))
        await connection.run_sync(clock_metadata.create_all)
    settings = Settings(database=DatabaseSettings.model_validate({"url": database_url}), config=CONFIG)
    monkeypatch.setattr(desk, "width", lambda: 300)
    await desk.show_inbox(settings, "water", everything=False, as_json=False)
    shown = capsys.readouterr().out
    assert "河道倒垃圾" in shown
    assert "未予采纳 not accepted: extension_requested · 该责任待签收：请先签收" in shown
    assert "待签收 dispatched" in shown
