"""The street's inbox, as its officers read it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from schemas import decision, response
from schemas.event import Event
from schemas.incident import Opened
from schemas.report import Raised
from schemas.topics import JOURNAL
from services.configured import load
from services.runtime.batch import Bench
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, Settings
from services.street import desk
from services.street.desk import show_inbox
from services.street.handlers import StreetDesk
from services.street.store import journal
from tests.ledger.scenes import History, causes

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def opened(incident: UUID, category: str) -> Cause:
    """An incident was opened for a report of a category, as the journal's topic says it."""
    report = Raised(kind="demand", category=category, description="路灯不亮", channel="visit", happened_at=AT)
    entry = Opened(
        version=1, cause=uuid4(), who="street.dongsheng", by="rule:reports", street="dongsheng", community="guangdu",
        report=report, reported_at=AT, deadlines={"decide": AT + timedelta(days=1)},
    )  # fmt: skip
    event = Event(uuid4(), "/router", incident, AT, entry)
    return Cause(uuid4(), incident, 0, AT, JOURNAL.name, "incident", None, event)


async def reading(database_url: str, heard: list[Cause]) -> Settings:
    """The street's room has read some of the history; the settings under which it did."""
    settings = Settings(database=DatabaseSettings(url=SecretStr(database_url)), config=CONFIG)
    engine = connect(settings.database, "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await journal.prepare(connection, 64)
    await Bench(engine, journal, "/street").handle(StreetDesk(load(CONFIG)), heard)
    await engine.dispose()
    return settings


async def test_a_category_that_no_rule_names_is_told_with_the_nearest(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the street's decision like everything that no rule catches, and its officer reads why."""
    settings = await reading(database_url, [opened(uuid4(), "lightning"), opened(uuid4(), "lighting")])
    await show_inbox(settings, "dongsheng", as_json=True)
    listed = {each["category"]: each["category_problem"] for each in json.loads(capsys.readouterr().out)}
    problem = "no rule names the category 'lightning'; did you mean lighting?"
    assert listed == {"lightning": problem, "lighting": None}
    monkeypatch.setattr(desk, "width", lambda: 300)
    await show_inbox(settings, "dongsheng", as_json=False)
    assert "did you mean" in " ".join(capsys.readouterr().out.split())


async def test_a_reply_and_what_was_found_on_the_spot_are_told_before_anybody_acts(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reply reaches the inbox though it is the department's turn; work to confirm says that nobody has looked."""
    replied, resolved, working = (History().called("water") for _ in range(3))
    replied.street(decision.Asked(question="几单元？"))
    replied.street(decision.Replied(community="guangdu", report=replied.id, reply="三单元"))
    resolved.department("water", response.Resolved(note="修好了"))
    settings = await reading(database_url, causes(replied, resolved, working))
    await show_inbox(settings, "dongsheng", as_json=True)
    listed = {each["incident"]: (each["owes"], each["notes"]) for each in json.loads(capsys.readouterr().out)}
    assert listed == {
        str(replied.id): ("read the reply", ["replied"]),
        str(resolved.id): ("confirm water", ["water: not verified"]),
    }
    await show_inbox(settings, "dongsheng", as_json=False)
    assert "not verified" in " ".join(capsys.readouterr().out.split())
