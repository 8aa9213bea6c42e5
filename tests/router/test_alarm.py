"""Operations hear of a calendar that runs out in time."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from services.configured import load
from services.router import alarm as alarms
from services.router.alarm import warn, warn_of_calendars
from services.router.app import make
from services.router.handlers import RouterDesk
from services.runtime.settings import Settings

CONFIG = Path(__file__).parents[2] / "deploy" / "config"


def test_the_routers_log_warns_from_sixty_days_before() -> None:
    """Of what runs out, and with what to do about it; and says nothing before."""
    configuration = load(CONFIG)
    until = configuration.calendar.confirmed_until
    assert until is not None
    with capture_logs() as early:
        warn(configuration, datetime(until.year, 6, 1, tzinfo=UTC))
    with capture_logs() as told:
        warn(configuration, datetime(until.year, 11, 13, tzinfo=UTC))
    assert early == []
    assert [(each["log_level"], each["event"]) for each in told] == [("warning", "a calendar or roster runs out")]
    assert f"the calendar 'china' runs out in 37 days: it is confirmed until {until}" in told[0]["what"]
    assert "calendar-days:" in told[0]["cure"]
    assert told[0]["read_from"].endswith("calendar.yaml")


async def test_a_running_router_warns_at_once_and_of_each_other_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its room has the alarm beside the sweeper, and what the desk decides by is what is warned of, once."""
    monkeypatch.setattr(alarms, "LOOK_EVERY_S", 0.0)
    known = load(CONFIG)
    old = replace(known.calendar, confirmed_until=date(2021, 12, 31))
    room = make(Settings(config=CONFIG), known)
    room.desk = RouterDesk(replace(known, calendar=old, calendars={}))
    room.plumbing = SimpleNamespace(clock=SimpleNamespace(now=lambda: datetime(2021, 12, 1, tzinfo=UTC)))  # type: ignore[assignment]
    assert warn_of_calendars in room.background
    with capture_logs() as told:
        alarm = asyncio.create_task(warn_of_calendars(room))
        for _ in range(5):
            await asyncio.sleep(0)
        said = [each["what"] for each in told]
        older = replace(old, confirmed_until=date(2021, 12, 11))
        room.desk = RouterDesk(replace(known, calendar=older, calendars={}))
        for _ in range(5):
            await asyncio.sleep(0)
        alarm.cancel()
    assert ["runs out in 30 days" in each for each in said] == [True]
    assert ["runs out in 10 days" in each["what"] for each in told[1:]] == [True]
