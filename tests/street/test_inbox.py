"""The street's inbox, as its officers read it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

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
from services.street.desk import show_inbox
from services.street.handlers import StreetDesk
from services.street.store import journal

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


async def test_a_category_that_no_rule_names_is_told_with_the_nearest(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits for the street's decision like everything that no rule catches, and its officer reads why."""
    settings = Settings(database=DatabaseSettings(url=SecretStr(database_url)), config=CONFIG)
    engine = connect(settings.database, "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await journal.prepare(connection, 1)
    causes = [opened(uuid4(), "lightning"), opened(uuid4(), "lighting")]
    await Bench(engine, journal, "/street").handle(StreetDesk(load(CONFIG)), causes)
    await engine.dispose()
    await show_inbox(settings, "dongsheng", as_json=True)
    listed = {each["category"]: each["category_problem"] for each in json.loads(capsys.readouterr().out)}
    problem = "no rule names the category 'lightning'; did you mean lighting?"
    assert listed == {"lightning": problem, "lighting": None}
    await show_inbox(settings, "dongsheng", as_json=False)
    assert "did you mean" in " ".join(capsys.readouterr().out.split())
