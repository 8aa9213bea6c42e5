"""Operations hear of a calendar that runs out in time."""

from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from services.configured import load
from services.router.alarm import warn

CONFIG = Path(__file__).parents[2] / "deploy" / "config"


def test_the_routers_log_warns_from_sixty_days_before() -> None:
    """Of what runs out, and with what to do about it; and says nothing before."""
    configuration = load(CONFIG)
    until = configuration.calendar.confirmed_until
    assert until is not None
    with capture_logs() as early:
        warn(configuration, datetime(until.year, 6, 1, tzinfo=UTC))
    with capture_logs() as told:
        warn(configuration, datetime(until.year, 11, 24, tzinfo=UTC))
    assert early == []
    assert [(each["log_level"], each["event"]) for each in told] == [("warning", "a calendar runs out")]
    assert f"the calendar 'china' runs out in 37 days: it is confirmed until {until}" in told[0]["what"]
    assert "calendar-days:" in told[0]["cure"]
    assert told[0]["read_from"].endswith("calendar.yaml")
