"""Calendars as they are configured: whose is whose, where their days come from, and what is wrong with them."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas import decision
from schemas.incident import Escalated
from services.domain.configuration import Configuration, Problem, parse, parse_tree
from services.domain.working_time import OFFICE_DAY, add
from services.runtime.files import Document, read
from tests.domain.scene import Scene, report

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
# Two more calendars: a market that opens at weekends, and an office on the other side of the world.
MORE = """
  market:
    office-hours: {saturday: [06:00-18:00], sunday: [06:00-18:00]}
  berlin:
    zone: Europe/Berlin
"""

Change = Callable[[str], tuple[Configuration | None, list[Problem]]]


@pytest.fixture
def write(tmp_path: Path) -> Change:
    """Parse what is shipped with another text behind its calendar, which stands instead of its dated entries."""

    def written(text: str) -> tuple[Configuration | None, list[Problem]]:
        folder = tmp_path / "config"
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        file = folder / "calendar.yaml"
        shipped = (SHIPPED / "calendar.yaml").read_text(encoding="utf-8")
        file.write_text(shipped.replace("calendar-days: {}\n", text), encoding="utf-8")
        return parse(read(folder))

    return written


def good(parsed: tuple[Configuration | None, list[Problem]]) -> Configuration:
    """What was parsed, with nothing wrong."""
    configuration, problems = parsed
    assert configuration is not None, problems
    assert problems == []
    return configuration


@pytest.fixture
def several(tmp_path: Path) -> Configuration:
    """What is shipped, where the water bureau, the street and one of its sections name calendars of their own."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    names = {"water": "market", "dongsheng": "berlin", "dongsheng-party": "china"}
    text = (folder / "directory.yaml").read_text(encoding="utf-8")
    for code, name in names.items():
        text = text.replace(f"code: {code}\n", f"code: {code}\n{' ' * _indent(text, code)}calendar: {name}\n")
    (folder / "directory.yaml").write_text(text, encoding="utf-8")
    calendar = (folder / "calendar.yaml").read_text(encoding="utf-8")
    (folder / "calendar.yaml").write_text(with_more(calendar), encoding="utf-8")
    return good(parse(read(folder)))


def _indent(text: str, code: str) -> int:
    line = next(each for each in text.splitlines() if each.endswith(f"code: {code}"))
    return line.index("code:")


def with_more(calendar: str) -> str:
    """The shipped calendar's file with more calendars in it."""
    return calendar.replace("\n# What was announced", f"{MORE}\n# What was announced")


def test_a_unit_goes_by_its_own_calendar_or_that_of_the_unit_above(several: Configuration) -> None:
    """A section's and a community's is their street's, unless they name another; the default is for who names none."""
    goes_by = ("water", "power", "dongsheng", "guangdu", "dongsheng-urban", "dongsheng-party", "shuangliu", "nowhere")
    assert [several.calendar_of(code).name for code in goes_by] == [
        "market", "china", "berlin", "berlin", "berlin", "china", "china", "china",
    ]  # fmt: skip


def test_what_a_unit_owes_is_counted_by_its_own_calendar(several: Configuration) -> None:
    """The water bureau works at weekends, the street and its sections in Berlin's time, and all others in China's."""
    scene = Scene(several)
    scene.at = datetime(2021, 3, 5, 6, tzinfo=UTC)  # Friday, 14:00 in Shanghai and 07:00 in Berlin
    raised = report("drainage")
    opened = decision.Opened(by="officer", community="guangdu", report=raised, reported_at=scene.at)
    scene.hear("street", "dongsheng", opened)
    # From 09:00 in Berlin to the same time on Monday.
    assert scene.now.clocks["decide"].due_at == datetime(2021, 3, 8, 8, tzinfo=UTC)
    scene.hear("street", "dongsheng", decision.Called(by="officer", departments=("water", "power", "dongsheng-urban")))
    due = {owed.department: owed.clocks["acknowledge"].due_at for owed in scene.now.obligations.values()}
    assert due == {
        # Saturday from 06:00.
        "water": datetime(2021, 3, 6, 2, tzinfo=UTC),
        # Three hours today, one on Monday.
        "power": datetime(2021, 3, 8, 2, tzinfo=UTC),
        # From 09:00 in Berlin to 14:00, with an hour's lunch.
        "dongsheng-urban": datetime(2021, 3, 5, 13, tzinfo=UTC),
    }
    # The ladder is climbed in the hours of whoever owes: four of the market's after ten o'clock on Saturday.
    scene.pass_(timedelta(days=4))
    told = {(each.department, each.post): at for at, each in scene.told if isinstance(each, Escalated)}
    assert told["water", "section-head"] == datetime(2021, 3, 6, 6, tzinfo=UTC)


def test_dated_entries_have_the_last_word(write: Change) -> None:
    """A day that was announced is closed or open whatever the library says, and an interval holds all its days."""
    configuration = good(
        write("""
calendar-days:
  china:
    confirmed-until: 2027-12-31
    days:
      - {day: 2021-03-01, through: 2021-03-03, office: closed, reason: flood, announced-by: the mayor}
      - {day: 2021-02-20, office: closed, reason: the Saturday is taken back, announced-by: the mayor}
      - {day: 2021-02-17, office: open, reason: and worked before, announced-by: the mayor}
      - {day: 2021-03-06, office: open, reason: instead of the flood, announced-by: the mayor}
""")
    )
    calendar = configuration.calendar
    opened = {day: bool(calendar.openings(date(2021, *day))) for day in [
        (2, 16), (2, 17), (2, 20), (2, 26), (3, 1), (3, 2), (3, 3), (3, 4), (3, 6), (3, 7),
    ]}  # fmt: skip
    assert [day for day, is_open in opened.items() if is_open] == [(2, 17), (2, 26), (3, 4), (3, 6)]
    assert calendar.confirmed_until == date(2027, 12, 31)
    assert len(calendar.openings(date(2021, 2, 17))) == len(OFFICE_DAY)


def test_the_example_in_the_shipped_file_is_good(write: Change) -> None:
    """What stands there as a comment can be taken over as it is, and changes nothing about 2021."""
    shipped = (SHIPPED / "calendar.yaml").read_text(encoding="utf-8")
    example = [line[1:] for line in shipped.splitlines() if line.startswith("#   ")]
    assert len(example) == 5
    calendar = good(write("calendar-days:\n" + "\n".join(example) + "\n")).calendar
    known = good(parse(read(SHIPPED))).calendar
    year = [date(2021, 1, 1) + timedelta(days=count) for count in range(365)]
    assert [calendar.openings(day) for day in year] == [known.openings(day) for day in year]
    assert calendar.confirmed_until == date(2021, 12, 31)


def test_without_a_word_about_calendars_it_is_chinas(tmp_path: Path) -> None:
    """The default is China's calendar with its holidays, 09:00 to 12:00 and 13:00 to 17:00 in Asia/Shanghai."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    shipped = good(parse(read(SHIPPED))).calendar
    (folder / "calendar.yaml").unlink()
    default = good(parse(read(folder))).calendar
    assert (default.zone, default.week) == (shipped.zone, shipped.week)
    assert (default.holidays, default.working_weekends) == (shipped.holidays, shipped.working_weekends)
    assert default.confirmed_until == shipped.confirmed_until
    tree = tmp_path / "tree.yaml"
    tree.write_text("route: {departments: [anyone]}", encoding="utf-8")
    assert good(parse_tree(*read(tree))).calendar == default


def test_another_table_is_another_version() -> None:
    """What a deadline was counted by is part of the version that the obligation names."""
    *written, table = read(SHIPPED)
    assert isinstance(table.content, dict)
    china = table.content["public-holidays"]["CN"]
    longer = {"public-holidays": {"CN": {**china, "closed": [*china["closed"], "2021-03-01"]}}}
    one, other = good(parse([*written, table])), good(parse([*written, Document(table.file, longer, {})]))
    assert one.version != other.version
    assert one.counted_by != other.counted_by
    assert add(one.calendar, datetime(2021, 2, 26, 2, tzinfo=UTC), one.street.decide) != add(
        other.calendar, datetime(2021, 2, 26, 2, tzinfo=UTC), other.street.decide
    )


ENTRY = "calendar-days: {{china: {{days: [{}]}}}}\n"
WHY = "reason: flood, announced-by: the mayor"


@pytest.mark.parametrize(
    ("text", "what", "cure"),
    [
        (ENTRY.format(f"{{day: 2021-02-30, office: open, {WHY}}}"), "'2021-02-30' is no date", "2021-10-01"),
        (ENTRY.format(f"{{day: 3021-02-20, office: open, {WHY}}}"), "'3021-02-20' is no date", "2021-10-01"),
        (ENTRY.format(f"{{day: 2021-02-20, office: half, {WHY}}}"), "never 'half'", "open or closed"),
        (ENTRY.format(f"{{office: open, {WHY}}}"), "has no day", "write {day:"),
        (ENTRY.format("{day: 2021-02-20, office: open}"), "has no reason and no announced-by", "announced-by"),
        (
            ENTRY.format(f"{{day: 2021-02-20, through: 2021-02-01, office: open, {WHY}}}"),
            "2021-02-01 comes before 2021-02-20",
            "the last of the days",
        ),
        (
            ENTRY.format(f"{{day: 2021-02-20, office: open, {WHY}}},\n {{day: 2021-02-20, office: closed, {WHY}}}"),
            "2021-02-20 is entered twice, first on line",
            "announced last",
        ),
        ("calendar-days: {chian: {days: []}}\n", "no calendar is called 'chian'", "use one of china"),
        ("calendar-days: {china: {until: 2021-12-31}}\n", "unknown key 'until'", "confirmed-until"),
        ("public-holidays: {}\n", "'public-holidays' is set in", "keep one of them"),
    ],
)
def test_each_mistake_about_a_day_is_named(write: Change, text: str, what: str, cure: str) -> None:
    """It is an error with its file, line and cure, and nothing starts with it."""
    configuration, problems = write(text)
    assert configuration is None
    found = [each for each in problems if what in each.what]
    assert found, problems
    assert cure in found[0].cure
    assert found[0].file.endswith("calendar.yaml") or "public-holidays" in text
    assert found[0].line >= 1


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("country: CN", "country: XX", "no public holidays are known of the country 'XX'"),
        ("country: CN", "country: DE", "nothing tells until when the days of the calendar 'china' are confirmed"),
        ("calendar: china", "calendar: chian", "no calendar is called 'chian'"),
        ("calendar: china\n", "", "there are several calendars, and none is that of a unit that names none"),
        ("    country: CN\n", "    country: CN\n    holidays: []\n", "unknown key 'holidays'"),
    ],
)
def test_each_mistake_about_a_calendar_is_named(tmp_path: Path, old: str, new: str, what: str) -> None:
    """A calendar that nobody has, whose country nobody knows, or that nobody answers for."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    file = folder / "calendar.yaml"
    text = with_more(file.read_text(encoding="utf-8"))
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    configuration, problems = parse(read(folder))
    assert configuration is None
    assert any(what in each.what and each.file == str(file) and each.cure for each in problems), problems


def test_a_calendar_that_a_unit_names_has_to_be_there(tmp_path: Path) -> None:
    """A name that is no calendar's is an error where the unit names it."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    file = folder / "directory.yaml"
    text = file.read_text(encoding="utf-8").replace("code: water\n", "code: water\n    calendar: tides\n")
    file.write_text(text, encoding="utf-8")
    _, problems = parse(read(folder))
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "tides" in each)
    assert [(each.file, each.line) for each in problems if "no calendar is called 'tides'" in each.what] == [
        (str(file), line)
    ]


def test_days_that_nobody_has_confirmed_yet_are_warned_of(write: Change) -> None:
    """Entering next year's days and forgetting until when they are confirmed leaves deadlines provisional."""
    configuration, problems = write(
        ENTRY.format("{day: 2034-01-02, office: closed, reason: 元旦, announced-by: 国务院办公厅}")
    )
    assert configuration is not None
    assert [each.level for each in problems] == ["warning"]
    assert "its deadlines stay provisional" in problems[0].what
