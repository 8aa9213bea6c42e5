"""The list of every broken promise: open first, then the newest, a page at a time, filtered, and with its case."""

import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from sqlalchemy import text

from schemas import action, response
from services.domain.decide import Said, decide_said
from services.ledger.asking import Misasked, cursor
from services.ledger.broken import Asked, Promise, count, every, page, read
from services.ledger.names import named
from services.ledger.tables import broken_table
from services.runtime.database import transaction
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History

ZONE = ZoneInfo("Asia/Shanghai")
NOW = START + timedelta(days=90)


class Supervised(History):
    """A history in which supervision acts too."""

    def supervision(self, fact: action.Action) -> "Supervised":
        """Supervision does something."""
        self._said += 1
        cause = uuid5(self.id, f"said {self._said}")
        said = Said(cause, "supervision", None, self.at, fact)
        self._take(cause, decide_said(self.state, self.id, said, CONFIGURATION))
        return self


def town() -> list[History]:
    """Incidents in which promises are broken by departments, sections, the street and a community, some kept later."""
    chance = random.Random(8)
    found: list[History] = []
    for number in range(12):
        history = Supervised(
            category=chance.choice(["river", "gas", "other"]), at=START + timedelta(days=chance.randint(0, 40))
        )
        history.later(days=chance.randint(0, 4))
        history.called(*chance.choice([("water",), ("gas", "dongsheng-urban"), ("dongsheng-safety",)]))
        history.later(days=chance.randint(0, 30))
        if number % 3:
            history.solved().later(days=chance.randint(0, 9))
        found.append(history)
    return found


async def asked(books: Books, **parameters: str) -> list[Promise]:
    """All lines of the list that are asked for, read a few at a time."""
    question = read({"limit": "3", **parameters}, ZONE)
    async with transaction(books.engine) as connection:
        return await every(connection, question, NOW)


async def test_every_promise_that_was_broken_is_there_once(books: Books) -> None:
    """Whatever the histories say was broken is on the list, the open ones first and then the newest."""
    histories = town()
    await books.write(*histories)
    expected = {
        (history.id, each.since, each.deadline, each.unit, each.due_at, each.ended_at, each.ended_by)
        for history in histories
        for each in history.folded.broken
    }
    found = await asked(books)
    since = {(h.id, b.deadline, b.due_at, b.unit): b.since for h in histories for b in h.folded.broken}
    assert {
        (
            each.incident,
            since[each.incident, each.deadline, each.due_at, each.unit],
            each.deadline,
            each.unit,
            each.due_at,
            each.ended_at,
            each.ended_by,
        )
        for each in found
    } == expected
    assert len(found) == len(expected)
    order = [(each.ended_at is None, each.due_at) for each in found]
    assert order == sorted(order, reverse=True)
    assert {True, False} == {is_open for is_open, _ in order}


@pytest.mark.parametrize(
    "filters",
    [
        {"unit": "water"},
        {"side": "section"},
        {"side": "street", "open": "no"},
        {"deadline": "acknowledge", "open": "yes"},
        {"month": "2021-04"},
        {"from": "2021-03-10", "to": "2021-03-20", "side": "department"},
        {"unit": "nobody"},
    ],
    ids=str,
)
async def test_a_filter_leaves_what_it_names(books: Books, filters: dict[str, str]) -> None:
    """The same as reading all of it and leaving out the rest, in the same order."""
    await books.write(*town())
    everything = await asked(books)
    found = await asked(books, **filters)
    assert found == [each for each in everything if _fits(each, filters)]
    assert bool(found) == ("nobody" not in filters.values())


def _fits(each: Promise, filters: dict[str, str]) -> bool:
    day = each.due_at.astimezone(ZONE).date().isoformat()
    return (
        each.unit == filters.get("unit", each.unit)
        and each.side == filters.get("side", each.side)
        and each.deadline == filters.get("deadline", each.deadline)
        and (each.ended_at is None) == (filters["open"] == "yes" if "open" in filters else each.ended_at is None)
        and day.startswith(filters.get("month", ""))
        and filters.get("from", day) <= day <= filters.get("to", day)
    )


async def test_late_is_frozen_and_says_by_how_much(books: Books) -> None:
    """Kept late, it stays on the list with what kept it; what is open is late until now."""
    history = History(category="gas").called("water")
    assert history.state
    due_at = history.folded.obligations["water"].clocks["acknowledge"].due_at
    history.later(days=3)
    late = history.at - due_at
    history.department("water", response.Acknowledged())
    await books.write(history)
    (kept,) = [each for each in await asked(books, unit="water") if each.deadline == "acknowledge"]
    assert (kept.ended_by, kept.late_s) == ("acknowledged", int(late.total_seconds()))
    assert kept.rungs > 1
    assert kept.post
    history.later(days=30)
    await books.hear(history.causes)
    lines = {each.deadline: each for each in await asked(books, unit="water")}
    assert lines["acknowledge"] == replace(
        kept, status=lines["acknowledge"].status, escalations=lines["resolve"].escalations
    )
    assert lines["resolve"].late_s == int((NOW - lines["resolve"].due_at).total_seconds())


async def test_a_case_and_its_explanation_stand_beside_the_promise(books: Books) -> None:
    """How the case against whoever broke it stands, and the last thing the unit has explained."""
    history = Supervised(category="gas")
    history.called("water", "gas").later(days=3)
    history.supervision(action.CaseOpened(unit="water", reason="逾期未签收"))
    await books.write(history)
    assert {each.case for each in await asked(books, unit="water")} == {"asked"}
    history.department("water", response.Explained(explanation="值班交接遗漏"))
    history.supervision(action.CaseRejected(unit="water", reason="没有整改时限"))
    history.department("water", response.Explained(explanation="已整改，即日起双人值班"))
    history.supervision(action.CaseAccepted(unit="water"))
    await books.hear(history.causes)
    assert {(each.case, each.explanation) for each in await asked(books, unit="water")} == {
        ("accepted", "已整改，即日起双人值班")
    }
    assert {(each.case, each.explanation) for each in await asked(books, unit="gas")} == {(None, "")}


async def test_a_page_goes_on_where_the_last_one_ended_whatever_was_broken_since(books: Books) -> None:
    """What is newer than the page before comes on no later page, and nothing comes twice."""
    await books.write(*town())
    async with transaction(books.engine) as connection:
        first = await page(connection, Asked(limit=4), NOW)
    assert first.next
    await books.write(History().later(days=80))
    rest = await asked(books, after=cursor(first.next))
    whole = [(each.incident, each.deadline, each.due_at, each.department) for each in (*first.promises, *rest)]
    assert len(whole) == len(set(whole))


async def test_all_that_is_asked_for_is_counted_from_any_page_and_a_unit_nobody_knows_is_no_zero(books: Books) -> None:
    """A unit that has left the directory is still counted; one that never was anywhere is a mistake in the question."""
    await books.write(*town())
    whole = await asked(books, unit="water")
    async with transaction(books.engine) as connection:
        first = await page(connection, read({"unit": "water", "limit": "1"}, ZONE), NOW)
        assert first.next
        second = read({"unit": "water", "limit": "1", "after": cursor(first.next)}, ZONE)
        counted = await count(connection, second, units=["gas"])
        assert await count(connection, read({"unit": "nosuch"}, ZONE), units=()) == (0, 0), "no directory, no judgement"
        with pytest.raises(Misasked, match="no unit 'nosuch' in the directory"):
            await count(connection, read({"unit": "nosuch"}, ZONE), units=["gas"])
    assert counted == (len(whole), sum(each.ended_at is None for each in whole))


async def test_the_list_is_read_by_its_indexes(books: Books) -> None:
    """No page sorts, whichever of the filters it has."""
    await books.write(*town())
    async with transaction(books.engine) as connection:
        for way in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(text(f"SET LOCAL enable_{way} = off"))
        for where in ("true", "unit = 'water'", "side = 'street'", "name = 'decide'"):
            plan = await connection.execute(
                text(
                    f"EXPLAIN SELECT * FROM ledger.broken WHERE {where} "  # noqa: S608 - written above
                    f"AND (open, due_at, incident, since, name) < (true, now(), uuid '{UUID(int=1)}', 1, 'a') "
                    "ORDER BY open DESC, due_at DESC, incident DESC, since DESC, name DESC LIMIT 50"
                )
            )
            told = "\n".join(plan.scalars())
            assert "Index Scan Backward" in told
            assert "Sort" not in told


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"colour": "red"}, "no parameter 'colour'"),
        ({"side": "left"}, "there is no side"),
        ({"unit": "Water"}, "unit is a code"),
        ({"open": "maybe"}, "yes or no"),
        ({"month": "2021-13"}, "as in 2021-03"),
        ({"month": "2021-03", "from": "2021-03-01"}, "give one of them"),
        ({"from": "2021-02-30"}, "from is a day"),
        ({"from": "2021-03-09", "to": "2021-03-01"}, "no time at all"),
        ({"limit": "0"}, "limit is a number"),
        ({"after": "x"}, "after is a cursor"),
        ({"after": cursor((START, UUID(int=1)))}, "another list"),
        ({"after": cursor((START, UUID(int=1), "1", "decide", "perhaps"))}, "another list"),
    ],
    ids=str,
)
def test_what_can_not_be_answered_is_told(parameters: dict[str, str], told: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(Misasked, match=told):
        read(parameters, ZONE)


def test_a_month_is_that_of_the_offices() -> None:
    """From midnight to midnight in their zone."""
    found = read({"month": "2021-12"}, ZONE)
    assert found.begins == datetime(2021, 11, 30, 16, tzinfo=UTC)
    assert found.ends == datetime(2021, 12, 31, 16, tzinfo=UTC)
    assert found.filters == {}


def test_a_period_has_both_of_its_days() -> None:
    """From midnight before the first to midnight after the last."""
    found = read({"from": "2021-03-01", "to": "2021-03-31"}, ZONE)
    assert (found.begins, found.ends) == (
        datetime(2021, 2, 28, 16, tzinfo=UTC),
        datetime(2021, 3, 31, 16, tzinfo=UTC),
    )


async def test_what_nobody_was_told_of_is_shown_as_that(books: Books) -> None:
    """A promise that passed unseen climbed no rung; one whose reminder fired is told of as reminded."""
    history = History(category="gas").called("water").later(days=3)
    await books.write(history)
    async with transaction(books.engine) as connection:
        await connection.execute(text("UPDATE ledger.broken SET step = -1, post = ''"))
    promises = await asked(books)
    assert promises
    assert {each.rungs for each in promises} == {0}
    for rungs, told in ((0, "无人知晓 nobody was told"), (1, "催办 reminded")):
        console = Console(width=250, file=io.StringIO())
        console.print(broken_table([replace(promises[0], rungs=rungs)], named(CONFIGURATION)))
        assert told in console.file.getvalue()  # type: ignore[attr-defined]  # it is the file that was given
