"""The rates are those of counting item by item, whatever happened, and what is asked of them is answered or refused."""

import csv
import io
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import openpyxl
import pytest
import typer
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.routing import Route

from schemas import decision, response
from services.configured import load
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.rates import Appraised, Rates, Share, Span, appraised, count
from services.domain.working_time import Calendar
from services.ledger import cli
from services.ledger import rates as counting
from services.ledger.asking import Misasked
from services.ledger.names import Names
from services.ledger.rates import BYS, Answer, By, Group, Question, rates, read
from services.ledger.rates_page import FORMATS, Counted, rates_answer
from services.ledger.rates_table import rates_table
from services.ledger.sheets import SMALL, as_csv, as_data, as_xlsx, sheet
from services.ledger.store import Book, store
from services.runtime.database import transaction
from services.runtime.settings import DatabaseSettings, Settings
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History

COMMUNITIES = "guangdu", "wudongqiao"
CATEGORIES = "river", "gas", "other"
CALLED = "water", "gas", "transport", "dongsheng-urban"
ZONE = ZoneInfo("Asia/Shanghai")
SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
# Open in the evening, on every day of the week but one.
EVENING = """
  evening:
    zone: Asia/Shanghai
    office-hours:
      monday: [18:00-23:30]
      tuesday: [18:00-23:30]
      wednesday: [18:00-23:30]
      thursday: [18:00-23:30]
      friday: [18:00-23:30]
      saturday: [18:00-23:30]
"""
CLOSED = """calendar-days:
  evening:
    confirmed-until: 2022-12-31
    days: [{day: 2021-03-03, through: 2021-03-04, office: closed, reason: 停电, announced-by: 区府办}]
"""


@pytest.fixture
def several(tmp_path: Path) -> Configuration:
    """What is shipped, where the gas company and the street, and so its sections, go by a calendar of their own."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    for name, old, new in (
        ("calendar.yaml", "\n# What was announced", f"{EVENING}\n# What was announced"),
        ("calendar.yaml", "calendar-days: {}\n", CLOSED),
        ("directory.yaml", "  - code: gas\n", "  - code: gas\n    calendar: evening\n"),
        ("directory.yaml", "  - code: dongsheng\n", "  - code: dongsheng\n    calendar: evening\n"),
    ):
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return load(folder)


class UndoneError(Exception):
    """Nothing of it shall stay."""


def lived(chance: random.Random) -> Iterator[Incident]:
    """One incident's life at random, state after state; what doesn't fit is refused, as everywhere."""
    at = START + timedelta(minutes=chance.randrange(60 * 24 * 50))
    category, community = chance.choice(CATEGORIES), chance.choice(COMMUNITIES)
    history = History(category=category, community=community, at=at, incident=UUID(int=chance.getrandbits(128)))
    yield history.folded
    for _ in range(chance.randrange(4, 18)):
        if chance.random() < 0.7:
            history.later(minutes=chance.choice((1, 7, 90, 300, 1500, 4000, 9000)))
        chance.choice(ACTS)(history, chance)
        yield history.folded


def _department(history: History, chance: random.Random, fact: object) -> None:
    owed = [*(history.state.obligations if history.state else ())]
    if owed:
        history.department(chance.choice(owed), fact)  # type: ignore[arg-type]  # one of the facts below


def _solve(history: History, _: random.Random) -> None:
    if history.folded.obligations:
        history.solved().answered()


def _rate(history: History, chance: random.Random) -> None:
    solved, satisfied = chance.random() < 0.6, chance.random() < 0.5
    history.street(
        decision.Rated(community=history.folded.community, report=history.id, solved=solved, satisfied=satisfied)
    )


ACTS: Sequence[Callable[[History, random.Random], object]] = [
    lambda history, chance: history.called(*chance.sample(CALLED, chance.randint(1, 2))),
    lambda history, chance: history.called(*chance.sample(CALLED, 1)),
    lambda history, chance: _department(history, chance, response.Acknowledged()),
    lambda history, chance: _department(history, chance, response.Declined(reason="不归我们管")),
    lambda history, chance: _department(history, chance, response.Resolved(note="修好了")),
    lambda history, chance: history.street(decision.Insisted(department=chance.choice(CALLED), reason="归你们管")),
    lambda history, chance: history.street(decision.Withdrawn(department=chance.choice(CALLED), reason="不用了")),
    lambda history, chance: history.street(decision.SentBack(department=chance.choice(CALLED), reason="没修好")),
    lambda history, _: history.street(decision.Refused(reason="不属实")),
    _solve,
    _solve,
    _rate,
    _rate,
]


def expected(items: Sequence[Appraised], question: Question, calendar_of: Callable[[str], Calendar]) -> Answer:
    """The same, item by item."""

    def month(item: Appraised) -> str:
        return f"{item.reported_at.astimezone(ZONE):%Y-%m}"

    def counts(item: Appraised) -> bool:
        day = item.reported_at.astimezone(ZONE).date()
        of = item.department and item.section == ("section" in question.by)
        return (
            (question.since or day) <= day <= (question.until or day)
            and bool(of if question.of_obligations else not item.department)
        )  # fmt: skip

    def codes(item: Appraised) -> tuple[str, ...]:
        return tuple(
            month(item) if by == "month" else getattr(item, {"section": "department"}.get(by, by)) for by in question.by
        )

    chosen = [each for each in items if counts(each)]
    groups = [
        Group(each, count([item for item in chosen if codes(item) == each], calendar_of))
        for each in sorted({codes(item) for item in chosen})
    ]
    return Answer(question, groups if question.by else [], count(chosen, calendar_of))


def questions() -> Iterator[Question]:
    """By everything there is, alone and together, of all times and of some."""
    groupings: list[tuple[By, ...]] = [(), *((each,) for each in BYS), *combinations(BYS, 2)]
    for by in groupings:
        if not {"department", "section"} <= set(by):
            yield Question(by)
            yield Question(by, date(2021, 3, 10), date(2021, 4, 1))
    yield Question(("department", "month"), since=date(2021, 4, 1))
    yield Question((), until=date(2001, 1, 1))


@pytest.mark.parametrize("units", ["one calendar", "a calendar for some"])
async def test_the_tables_count_what_is_counted_one_by_one(books: Books, several: Configuration, units: str) -> None:
    """Any lives, written state after state: SQL and Python give the same rates for every question."""
    configuration = CONFIGURATION if units == "one calendar" else several
    for seed in range(4):
        chance = random.Random(seed)
        states: dict[UUID, Incident] = {}
        with suppress(UndoneError):
            async with transaction(books.engine) as connection:
                for _ in range(80):
                    for state in lived(chance):
                        before = states.get(state.id)
                        await store.save(connection, {state.id: (0, Book(state, known=before))})
                        states[state.id] = state
                items = [item for state in states.values() for item in appraised(state)]
                await judge(connection, items, configuration)
                raise UndoneError


async def test_each_is_measured_by_its_own_office_hours(books: Books, several: Configuration) -> None:
    """From Monday 10:00 to Wednesday 10:00 an office by day works 14 hours; by evening 11; a section as its street."""
    history = History(category="gas").called("water", "gas", "dongsheng-urban").later(days=2).solved()
    await books.write(history)
    found = {}
    async with transaction(books.engine) as connection:
        for by in ("department", "section", "community"):
            for group in (await rates(connection, Question((by,)), several)).groups:
                found[group.codes[0]] = group.rates.handling.median
    assert found == {
        "water": timedelta(hours=14),
        "gas": timedelta(hours=11),
        "dongsheng-urban": timedelta(hours=11),
        # The incident as a whole is the street's.
        "guangdu": timedelta(hours=11),
    }


async def judge(connection: AsyncConnection, items: Sequence[Appraised], configuration: Configuration) -> None:
    """Compare everything, and see that there was something to compare."""
    for question in questions():
        expectation = expected(items, question, configuration.calendar_of)
        assert await rates(connection, question, configuration) == expectation
    total = count(items, configuration.calendar_of)
    assert all(getattr(total, name).of > 10 for name in Rates.__dataclass_fields__)


async def test_an_empty_ledger_has_no_rate(books: Books) -> None:
    """Nothing was counted, and nothing is made of it."""
    async with transaction(books.engine) as connection:
        assert await rates(connection, Question(("month",)), CONFIGURATION) == Answer(Question(("month",)), [], Rates())


async def test_a_month_is_that_of_the_report(books: Books) -> None:
    """Half an hour after midnight in Chengdu is the next month, though in UTC it isn't yet; and it stays there."""
    history = History(at=datetime(2021, 3, 31, 16, 30, tzinfo=UTC)).called("water").later(days=60).solved()
    await books.write(history)
    async with transaction(books.engine) as connection:
        (month,) = (await rates(connection, Question(("month",)), CONFIGURATION)).groups
        april = await rates(connection, read({"month": "2021-04"}), CONFIGURATION)
        march = await rates(connection, read({"month": "2021-03"}), CONFIGURATION)
    assert month.codes == ("2021-04",)
    assert april.total == month.rates
    assert (april.total.on_time, march.total) == (Share(0, 1), Rates())


async def test_a_corrected_calendar_needs_no_rebuild(books: Books) -> None:
    """How long it took is counted by the office hours as they are known now."""
    await books.write(History().called("water").later(days=2).solved())
    holiday = replace(CONFIGURATION.calendar, holidays=frozenset({date(2021, 3, 2)}))
    async with transaction(books.engine) as connection:
        before = await rates(connection, Question(), CONFIGURATION)
        after = await rates(connection, Question(), replace(CONFIGURATION, calendar=holiday))
    assert (before.total.handling.median, after.total.handling.median) == (timedelta(hours=14), timedelta(hours=7))


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_a_question_is_read() -> None:
    """A month is its days, the last one included; nothing said is no limit; several groupings keep their order."""
    assert read({}) == read({"by": "", "month": "", "from": "", "to": ""}) == Question()
    assert read({"month": "2024-02"}) == Question((), date(2024, 2, 1), date(2024, 2, 29))
    assert read({"month": "2021-12"}) == Question((), date(2021, 12, 1), date(2021, 12, 31))
    assert read({"by": "month,section", "from": "2021-03-05"}) == Question(("month", "section"), date(2021, 3, 5))
    assert read({"from": "2021-03-05", "to": "2021-03-05"}) == Question((), date(2021, 3, 5), date(2021, 3, 5))


BAD = [
    ({"color": "red"}, "no parameter 'color'"),
    ({"by": "street"}, "by 'street'"),
    ({"by": "month,month"}, "twice"),
    ({"by": "department,section"}, "one of them"),
    ({"month": "2021-3"}, "2021-03"),
    ({"month": "2021-13"}, "month is a month as in 2021-03, not .2021-13."),
    ({"month": "2021-03", "to": "2021-04-01"}, "one or the other"),
    ({"from": "yesterday"}, "from is a day"),
    ({"to": "0001-01-01"}, "lies between"),
    ({"month": "9999-12"}, "lies between"),
    ({"from": "2021-03-02", "to": "2021-03-01"}, "no day"),
]


@pytest.mark.parametrize(("parameters", "why"), BAD)
def test_a_bad_question_is_one_sentence(parameters: dict[str, str], why: str) -> None:
    """Whoever asks what can't be answered is told what is wrong with it."""
    with pytest.raises(Misasked, match=why) as caught:
        read(parameters)
    assert "\n" not in str(caught.value)


# --- how it is written -----------------------------------------------------------------------------------------------

HOSTILE = "=HYPERLINK(1)\x1b[31m"
HELD = Answer(
    Question(("department",)),
    [
        Group(("water",), Rates(response=Share(6, 7), handling=Span(20, timedelta(minutes=90), timedelta(hours=8)))),
        Group((HOSTILE,), Rates()),
    ],
    Rates(response=Share(6, 30)),
)


def test_no_name_is_a_formula() -> None:
    """Text stays text in every sheet, whatever it begins with, and steers no terminal."""
    laid = sheet(as_data(HELD, Names(), 10))
    rows = list(csv.reader(io.StringIO(as_csv(laid).decode("utf-8-sig"))))
    assert rows[2][0] == "'=HYPERLINK(1) [31m"
    (page,) = openpyxl.load_workbook(io.BytesIO(as_xlsx(laid))).worksheets
    assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    assert page["A3"].value == "=HYPERLINK(1) [31m"


def test_small_numbers_are_marked_in_every_form() -> None:
    """With 7 of fewer than 10, and not with 20; what has no number has no mark either."""
    data = as_data(HELD, Names(), 10)
    (water, nobody), total = ([group["rates"] for group in data["groups"]], data["total"])
    assert [each["response"]["small"] for each in (water, nobody, total)] == [True, False, False]
    assert (water["handling"]["small"], nobody["handling"]["median_h"]) == (False, None)
    laid = sheet(data)
    titles = [column.title for column in laid.columns]
    place = titles.index("响应率：小样本 response rate: small")
    assert [row[place] for row in laid.rows] == [SMALL, "", ""]
    (page,) = openpyxl.load_workbook(io.BytesIO(as_xlsx(laid))).worksheets
    rate = titles.index("响应率 response rate") + 1
    assert [page.cell(row, rate).font.italic for row in (2, 4)] == [True, False]
    assert [page.cell(row, rate).number_format for row in (2, 4)] == ["0.0%"] * 2
    console = Console(width=200, file=io.StringIO())
    console.print(rates_table(data))
    told = console.file.getvalue()  # type: ignore[attr-defined]  # it is the file that was given
    assert "6/7 小" in told
    assert "1.5 / 8.0 h" in told
    assert "whistle" not in told


def test_what_lies_between_two_is_rounded_as_the_page_does() -> None:
    """Up, as `toFixed` does with what is exactly between: 1 of 16 is 6.3 %, 5 of 16 are 31.3 %, 2.25 h 2.3 h."""
    hours = Span(16, timedelta(hours=2.25), timedelta(hours=0.25))
    held = Rates(response=Share(1, 16), solution=Share(5, 16), prompt=Share(1, 7), handling=hours)
    console = Console(width=200, file=io.StringIO())
    console.print(rates_table(as_data(Answer(Question(()), [], held), Names(), 10)))
    told = console.file.getvalue()  # type: ignore[attr-defined]  # it is the file that was given
    assert all(each in told for each in ("6.3%", "31.3%", "14.3%", "2.3 / 0.3 h"))


# --- how much may be asked -------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """A bound that three incidents reach."""
    monkeypatch.setattr(counting, "MOST_GROUPS", 2)
    return 2


async def test_more_groups_than_anybody_reads_are_refused_with_what_to_do(books: Books, few: int) -> None:
    """As many as the bound are answered, and one more is a sentence that says how to ask for less."""
    await books.write(History(category="gas").called("gas"), History(category="river").called("water"))
    assert len((await counting.ask(books.engine, Question(("category",)), CONFIGURATION)).groups) == few
    await books.write(History(category="other").called("water"))
    with pytest.raises(Misasked, match="more than 2 groups by category: ask for one month") as caught:
        await counting.ask(books.engine, Question(("category",)), CONFIGURATION)
    assert "\n" not in str(caught.value)
    assert (await counting.ask(books.engine, Question(), CONFIGURATION)).total.whistle == Share(3, 3)


@pytest.mark.usefixtures("few")
async def test_the_page_tells_who_asks_for_too_much_and_counts_it_once(books: Books) -> None:
    """400 with the sentence, in every format; what was refused is not counted again while nothing is heard."""
    await books.write(*(History(category=each).called("water") for each in CATEGORIES))
    statements: list[str] = []
    event.listen(
        books.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2]), named=False
    )
    async with looking(Counted(books.engine, lambda: CONFIGURATION, 10)) as page:
        for form in FORMATS:
            answer = await page.get("/api/rates", params={"by": "category", "format": form})
            assert (answer.status_code, list(answer.json())) == (400, ["error"])
            assert "more than 2 groups" in answer.json()["error"]
    assert sum("GROUPING SETS" in each for each in statements) == 1


@pytest.mark.usefixtures("few")
async def test_the_command_tells_who_asks_for_too_much(books: Books) -> None:
    """The same sentence on standard error, with status 2."""
    await books.write(*(History(category=each).called("water") for each in CATEGORIES))
    settings = Settings(database=DatabaseSettings(url=SecretStr(books.url)), config=SHIPPED)
    with pytest.raises(typer.Exit) as stopped:
        await cli._rates(settings, {"by": "category"}, cli.Format.csv, None)
    assert stopped.value.exit_code == cli.BAD_INPUT


class Told(Names):
    """Names that know in which thread they were asked for one."""

    asked_in: ClassVar[set[int]] = set()

    def unit(self, code: str) -> str:
        """Return the code."""
        self.asked_in.add(threading.get_ident())
        return code


class Laid(Counted):
    """The rates with such names."""

    @property
    def names(self) -> Names:
        """The names."""
        return Told()


@pytest.mark.parametrize("form", FORMATS)
async def test_a_sheet_is_laid_out_beside_the_room(books: Books, form: str) -> None:
    """Ten thousand groups take seconds, in which the room goes on with its records."""
    await books.write(History().called("water").later(days=2).solved())
    Told.asked_in.clear()
    async with looking(Laid(books.engine, lambda: CONFIGURATION, 10)) as page:
        assert (await page.get("/api/rates", params={"by": "department", "format": form})).is_success
    assert Told.asked_in
    assert threading.get_ident() not in Told.asked_in


def looking(counted: Counted) -> httpx.AsyncClient:
    """Somebody who asks for rates."""
    app = Starlette(routes=[Route("/api/rates", rates_answer(counted))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page")
