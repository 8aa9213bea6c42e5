"""The table of public holidays that the library gives, as plain data."""

import json
from pathlib import Path

from holidays import country_holidays

from services.runtime.files import read
from services.runtime.public_holidays import YEARS, public_holidays, source

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"


def test_the_table_is_plain_data_of_always_the_same_years() -> None:
    """It goes through JSON unchanged, for it is part of the version, and asks no clock for the year."""
    table = public_holidays([{"calendars": {"one": {"country": "CN"}}}])
    assert json.loads(json.dumps(table)) == table
    china = table["public-holidays"]["CN"]  # type: ignore[index]
    assert {day[:4] for day in china["closed"]} == {str(year) for year in YEARS}
    assert not set(china["closed"]) & set(china["open"])


def test_a_year_that_is_not_announced_is_not_confirmed() -> None:
    """The library has the days by law of any year, and says of none that it isn't announced: working weekends do."""
    china = public_holidays([{}])["public-holidays"]["CN"]  # type: ignore[index]
    until = china["confirmed-until"]
    assert until >= "2026-12-20"
    assert not [day for day in china["open"] if day > until]
    assert [day for day in china["closed"] if day > until]
    assert [day for day in china["open"] if day[:4] == until[:4]]


def test_no_notice_has_ever_moved_what_is_confirmed() -> None:
    """The next year's notice moved some of a year's last days again and again, but none up to the confirmed one."""
    until = public_holidays([{}])["public-holidays"]["CN"]["confirmed-until"][5:]  # type: ignore[index]
    known = country_holidays("CN", years=range(2000, YEARS.stop))
    moved = [day.isoformat()[5:] for day in {*known, *known.weekend_workdays} if day.month == 12]
    assert len(moved) >= 10
    assert min(moved) > until
    assert min(moved) == "12-29"


def test_only_the_countries_that_are_named_are_loaded() -> None:
    """China's where nothing is said of calendars, none where no calendar has a country, and no unknown one."""

    def countries(*contents: object) -> list[str]:
        found = public_holidays(contents).get("public-holidays")
        return list(found) if isinstance(found, dict) else ["nothing"]

    assert countries({"route": {}}, None, ["text"]) == ["CN"]
    assert countries({"calendars": {"one": {"zone": "Europe/Berlin"}}}) == ["nothing"]
    assert countries({"calendars": {"one": {"country": "DE"}, "two": {"country": "CN"}, "three": None}}) == ["CN", "DE"]
    assert countries({"calendars": {"one": {"country": "XX"}}}) == []
    assert countries({"calendars": "none"}) == ["nothing"]


def test_the_table_comes_behind_the_files(tmp_path: Path) -> None:
    """A configuration has it as one more document, which names its release; an empty folder stays empty."""
    *files, table = read(SHIPPED)
    assert [Path(each.file).name for each in files] == sorted(each.name for each in SHIPPED.glob("*.yaml"))
    assert table.file == source()
    assert read(tmp_path) == []
