"""What is asked of the district stands in its list with all that it takes to answer."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from schemas.escalation import Asked
from schemas.event import Event
from schemas.topics import ESCALATIONS
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings, Settings
from services.supervision.desk import show
from services.supervision.handlers import SupervisionDesk
from services.supervision.store import metadata, save

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
AT = datetime(2021, 3, 1, 2, tzinfo=UTC)
INCIDENT = UUID("009a71f6-e41c-58f2-a67b-113bc1263416")
REQUEST = Asked(
    street="dongsheng", unit="shuangliu", department="water", request="extension",
    until=datetime(2021, 4, 1, 1, tzinfo=UTC), reason="管材未到", deadline="approve", due_at=AT,
    post="supervision-office", holder="区政府督查室",
    holder_unit="shuangliu", summary="停水",
)  # fmt: skip


async def test_an_approval_is_listed_with_who_asks_for_what_until_when_and_why(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever decides needs no other list first; the new date is written as all others are."""
    settings = Settings(database=DatabaseSettings(url=SecretStr(database_url)), config=CONFIG)
    event = Event(uuid4(), "/router", INCIDENT, AT, REQUEST)
    cause = Cause(uuid4(), INCIDENT, 0, AT, ESCALATIONS.name, "router", None, event)
    told, _ = SupervisionDesk().decide(None, cause)
    assert told
    engine = connect(settings.database, "test")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA supervision"))
        await connection.run_sync(metadata.create_all)
        await save(connection, told)
    await engine.dispose()
    await show(settings, None, 10, as_json=False)
    shown = capsys.readouterr().out
    assert "shuangliu ← water" in shown
    assert "审批 approve" in shown
    assert "延期 extension → 2021-04-01 09:00 · 管材未到 · 停水" in shown
