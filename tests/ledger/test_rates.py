"""The rates are those of counting item by item, whatever happened, and what is asked of them is answered or refused."""

import csv
import io
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from uuid import UUID
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import decision, response
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.rates import Appraised, Rates, Share, Span, appraised, count
from services.domain.working_time import Calendar, Hours
from services.ledger import rates as counting
from services.ledger.asking import Misasked
from services.ledger.names import Names
from services.ledger.rates import BYS, Answer, By, Group, Question, rates, read
from services.ledger.rates_table import rates_table
from services.ledger.sheets import SMALL, as_csv, as_data, as_xlsx, sheet
from services.ledger.store import Book, store
from services.runtime.database import transaction
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History

COMMUNITIES = "guangdu", "wudongqiao"
CATEGORIES = "river", "gas", "other"
CALLED = "water", "gas", "transport", "dongsheng-urban"
ZONE = ZoneInfo("Asia/Shanghai")
EVENING = (Hours(time(18), time(23, 30)),)
# Open in the evening, on every day of the week but one.
OTHER = Calendar(ZONE, (EVENING,) * 6 + ((),), holidays=frozenset({date(2021, 3, 3), date(2021, 3, 4)}))


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
    history.street(decision.Rated(report=history.id, solved=solved, satisfied=satisfied))


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


@pytest.mark.parametrize("several", [False, True], ids=["one calendar", "a calendar for some"])
async def test_the_tables_count_what_is_counted_one_by_one(
    books: Books, monkeypatch: pytest.MonkeyPatch, *, several: bool
) -> None:
    """Any lives, written state after state: SQL and Python give the same rates for every question."""

    def calendar_of(_: Configuration, unit: str) -> Calendar:
        return OTHER if several and unit in {"gas", "dongsheng-urban", "dongsheng"} else CONFIGURATION.calendar

    monkeypatch.setattr(counting, "calendar_of", calendar_of)
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
                await judge(connection, items, lambda unit: calendar_of(CONFIGURATION, unit))
                raise UndoneError


async def judge(
    connection: AsyncConnection, items: Sequence[Appraised], calendar_of: Callable[[str], Calendar]
) -> None:
    """Compare everything, and see that there was something to compare."""
    for question in questions():
        assert await rates(connection, question, CONFIGURATION) == expected(items, question, calendar_of)
    total = count(items, calendar_of)
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
