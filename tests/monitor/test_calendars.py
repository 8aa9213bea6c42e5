"""Operators can alarm on a calendar before it runs out, whatever becomes of the configuration."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from services.configured import STILL_LOOKS, load
from services.monitor.calendars import Calendars

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
CONFIRMED = "calendar-days:\n  china:\n    confirmed-until: 2030-12-31\n"
ENDLESS = "\n  market:\n    office-hours: {saturday: [06:00-18:00]}\n\n# What was announced"


async def test_each_calendar_has_its_end_and_one_that_never_ends_has_none() -> None:
    """The first instant of the day after, by the calendar's own zone."""
    until = load(SHIPPED).calendar.certain_before
    assert await Calendars(SHIPPED).ends() == {"china": until}


async def test_a_calendar_that_is_confirmed_for_longer_ends_later(tmp_path: Path) -> None:
    """Without a restart, once enough looks have seen the same; a broken configuration leaves what was known."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    calendars = Calendars(folder)
    before = await calendars.ends()
    file = folder / "calendar.yaml"
    text = file.read_text(encoding="utf-8").replace("\n# What was announced", ENDLESS, 1)
    file.write_text(text.replace("calendar-days: {}\n", CONFIRMED), encoding="utf-8")
    found = [await calendars.ends() for _ in range(STILL_LOOKS + 1)]
    assert found[0] == before
    assert found[-1] == {"china": datetime(2030, 12, 31, 16, tzinfo=UTC)}
    file.write_text("calendar: nowhere\n", encoding="utf-8")
    assert [await calendars.ends() for _ in range(STILL_LOOKS + 1)][-1] == found[-1]


async def test_without_a_configuration_nothing_is_known_and_it_is_said_once(tmp_path: Path) -> None:
    """And as soon as there is one, its calendars are."""
    folder = tmp_path / "config"
    calendars = Calendars(folder)
    with capture_logs() as logs:
        assert [await calendars.ends() for _ in range(3)] == [None] * 3
    assert len(logs) == 1
    assert str(folder) in logs[0]["wrong"]
    shutil.copytree(SHIPPED, folder)
    assert (await calendars.ends() or {}).keys() == {"china"}
