"""What is asked of the lists: a page at a time, filtered and searched, the same as counting report by report."""

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import await_only

from schemas import decision
from schemas.incident import Status
from schemas.report import Kind, Place
from services.domain.clocks import UNTAKEN
from services.domain.figures import Fate, Row, add_up, count, fates, tally
from services.domain.incident import Incident, Repeat
from services.ledger import lists, queries
from services.ledger.asking import FILTERS, KIND_OF, LISTS, Asked, List, Misasked, cursor, read
from services.ledger.derived import lead_of
from services.ledger.lists import every, page
from services.ledger.names import named
from services.ledger.page import Ledger, make_page
from services.ledger.rates_page import Counted
from services.ledger.store import Book, store
from services.runtime.clock import WallClock
from services.runtime.database import transaction
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History

KINDS: Sequence[Kind] = get_args(Kind)
STATUSES: Sequence[Status] = get_args(Status)
COMMUNITIES = "guangdu", "wudongqiao"
CATEGORIES = "river", "gas"
SAID = "没有水", "水管漏水", "Water 漏水了", "没有气"
FAR = START + timedelta(days=400)


class Town:
    """A few incidents in any state at all, also those that no history leads to."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.states: dict[UUID, Incident] = {}
        self._before: dict[UUID, Incident] = {}
        self._stock = [
            History().folded,
            History(category="river").called("water", "dongsheng-urban").folded,
            History(category="gas").called("gas").later(days=30).folded,
            History().called("water").solved().answered().folded,
        ]
        self._ids = [UUID(int=self.chance.getrandbits(128)) for _ in range(12)]

    def happens(self) -> None:
        """Some incidents change, or come into being."""
        for key in self.chance.sample(self._ids, self.chance.randint(1, 6)):
            before = self.states.get(key)
            self.states[key] = self._changed(before or self._new(key))

    def _new(self, key: UUID) -> Incident:
        chance = self.chance
        state = chance.choice(self._stock)
        assert state.report
        place = Place(estate=chance.choice(("欣和苑", "三义苑"))) if chance.random() < 0.5 else Place()
        report = state.report.model_copy(
            update={
                "kind": chance.choice(KINDS),
                "category": chance.choice(CATEGORIES),
                "description": chance.choice(SAID),
                "place": place,
            }
        )
        at = START + timedelta(minutes=chance.randint(0, 5))
        return replace(state, id=key, report=report, community=chance.choice(COMMUNITIES), reported_at=at)

    def _changed(self, state: Incident) -> Incident:
        chance = self.chance
        status = chance.choice((*STATUSES, "attached", "attached"))
        others = [key for key in self._ids if key != state.id]
        return replace(
            state,
            version=state.version + 1,
            status=status,
            obligations=chance.choice([*(each.obligations for each in self._stock), state.obligations]),
            attached_to=chance.choice(others) if status == "attached" else None,
            repeats=tuple(Repeat(key, "guangdu") for key in sorted(chance.sample(others, chance.randint(0, 4)))),
            escalations=chance.randint(0, 1),
        )

    async def write(self, connection: AsyncConnection) -> None:
        """Write what has changed, in several batches, as the room does."""
        changed = [key for key, state in self.states.items() if self._before.get(key) is not state]
        self.chance.shuffle(changed)
        while changed:
            some = [changed.pop() for _ in range(min(len(changed), self.chance.randint(1, 5)))]
            books = {key: (0, Book(self.states[key], known=self._before.get(key))) for key in some}
            await store.save(connection, books)
        self._before = dict(self.states)

    @property
    def rows(self) -> list[Row]:
        """The rows that were once read to count, in the order of the lists."""
        return sorted((row_of(each) for each in self.states.values()), key=lambda row: (self.at(row), row.id))

    def at(self, row: Row) -> Any:
        """When a report came in."""
        return self.states[row.id].reported_at


def row_of(state: Incident) -> Row:
    """One report."""
    assert state.report
    assert state.status
    return Row(
        state.id,
        state.report.kind,
        state.community,
        state.status,
        owned=state.owned,
        escalations=state.escalations,
        attached_to=state.attached_to,
        repeats=tuple(each.report for each in state.repeats),
    )


def lead(town: Town, fate: Fate) -> str | None:
    """Who leads where a report lives, or led where it was before it was attached to nobody."""
    found = lead_of(town.states[(fate.home or fate.row).id])
    return found.department if found else None


def chosen(town: Town, asked: Asked) -> Iterator[Fate]:
    """What belongs in a list, found report by report."""
    for fate in fates(town.rows):
        state = town.states[fate.row.id]
        assert state.report
        place = state.report.place.estate or ""
        there = {
            "community": state.community,
            "category": state.report.category,
            "status": fate.status,
            "department": lead(town, fate),
        }
        named = not fate.owned and fate.status != "refused" if asked.name == "unowned" else None
        listed = state.report.kind == KIND_OF[asked.name] if named is None else named
        said = f"{state.report.description}\n{place}".lower()
        found = all(word in said for word in asked.words) or (asked.prefix and str(state.id).startswith(asked.prefix))
        if listed and found and all(there[name] == value for name, value in asked.filters.items()):
            yield fate


def questions(town: Town) -> Iterator[Asked]:
    """Questions of every sort, about every list of reports."""
    values = {
        "community": COMMUNITIES,
        "category": CATEGORIES,
        "status": STATUSES,
        "department": ("water", "gas", "dongsheng-urban"),
    }
    searches = ("", "没有", "漏水 water", "三义苑", str(next(iter(town.states)))[:9])
    for name in LISTS:
        if name != "overdue":
            for _ in range(12):
                some = town.chance.sample(FILTERS, town.chance.randint(0, 2))
                filters = {each: town.chance.choice(values[each]) for each in some}
                limit = str(town.chance.choice((1, 2, 50)))
                yield read(name, {**filters, "q": town.chance.choice(searches), "limit": limit})


@pytest.mark.parametrize("few", [3_000, 1])
async def test_lists_and_figures_are_those_of_counting_one_by_one(
    books: Books, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Any ledger, whatever is attached to whatever, in however many batches: tables and Python say the same.

    Searching what many reports say is the same as searching what few say.
    """
    monkeypatch.setattr(lists, "FEW", few)
    monkeypatch.setattr(lists, "WALKED", few + 1)
    monkeypatch.setattr(lists, "GLIMPSED", few)
    for seed in range(10):
        town = Town(seed)
        with suppress(UndoneError):
            async with transaction(books.engine) as connection:
                for _ in range(3):
                    town.happens()
                    await town.write(connection)
                    await judge(town, connection)
                raise UndoneError


class UndoneError(Exception):
    """Nothing of it shall stay."""


async def judge(town: Town, connection: AsyncConnection) -> None:
    """Compare everything."""
    tallies = await queries.tallies(connection)
    assert Counter(tallies) == Counter(tally(fates(town.rows)))
    figures = add_up(tallies, inspections=0, lost=0, duplicates=await queries.duplicates(connection))
    assert figures == count(town.rows, inspections=0, lost=0)
    for asked in questions(town):
        found = await every(connection, asked, FAR)
        expected = list(chosen(town, asked))
        assert [(each.id, each.status) for each in found] == [(each.row.id, each.status) for each in expected]
        for item, fate in zip(found, expected, strict=True):
            assert isinstance(item, lists.Item)
            assert (item.incident, item.owned) == (fate.home and fate.home.id, fate.owned)
            assert item.lead == lead(town, fate)


async def test_a_repeat_follows_its_incident(books: Books) -> None:
    """Each of the two may be written first, and whatever becomes of the incident becomes of its repeat."""
    first, repeat = History(), History(community="wudongqiao")
    await books.write(repeat, first)
    told = len(first.events), len(repeat.events)
    repeat.street(_attached(first))
    await books.hear(repeat.causes[told[1] :])
    assert await fate_of(books, repeat) == ("attached", None)
    first.street(_repeated(repeat))
    first.called()
    await books.hear(first.causes[told[0] :])
    assert await fate_of(books, repeat) == (first.folded.status, "water")
    told = len(first.events), 0
    first.solved().answered()
    await books.hear(first.causes[told[0] :])
    assert await fate_of(books, repeat) == ("answered", "water")
    async with books.engine.connect() as connection:
        assert await queries.home(connection, repeat.id) == first.id, "its own history says where it goes on"
        assert await queries.home(connection, first.id) is None


@pytest.mark.parametrize("name", ["suggestions", "overdue"])
async def test_an_id_is_found_whichever_list_is_looked_at(books: Books, name: List) -> None:
    """By its beginning, without regard to filters, once, and only on the first page."""
    sought, other = History(), History(community="wudongqiao")
    await books.write(sought, other)
    async with books.engine.connect() as connection:
        asked = read(name, {"q": str(sought.id)[:13].upper(), "community": "wudongqiao"})
        found = await page(connection, asked, START)
        assert [each.id for each in found.named] == [sought.id]
        later = replace(asked, after=(FAR, sought.id, "", "") if name == "overdue" else (FAR, sought.id))
        assert not (await page(connection, later, START)).named
        listed = await page(connection, read("demands", {"q": str(sought.id)}), START)
        assert ([each.id for each in listed.items], listed.named) == ([sought.id], [])
        assert not (await page(connection, read(name, {"q": "河道"}), START)).named


def _attached(first: History) -> Any:
    return decision.Attached(by="rule:repeats", to=first.id)


def _repeated(repeat: History) -> Any:
    return decision.RepeatAttached(report=repeat.id, community="wudongqiao")


async def fate_of(books: Books, history: History) -> tuple[str, str | None]:
    """Status and lead as the list has them."""
    async with books.engine.connect() as connection:
        (item,) = (await page(connection, read("demands", {"q": str(history.id)}), FAR)).items
    return item.status, item.lead


async def test_overdue_is_read_page_by_page(books: Books) -> None:
    """One promise after another, what nobody has taken on first, without one twice or left out.

    Also where several broke at the same instant.
    """
    histories = [
        History("hazard", "gas", community=each).called("gas", "water") for each in (*COMMUNITIES, *COMMUNITIES)
    ]
    await books.write(*histories, History(category="other", description="路灯不亮"))
    async with books.engine.connect() as connection:
        whole = (await page(connection, Asked("overdue"), FAR)).overdue
        for limit in range(1, len(whole) + 1):
            assert await every(connection, Asked("overdue", limit=limit), FAR) == whole
        for parameters, many in (({"community": "wudongqiao"}, 2), ({"q": "路灯"}, 1), ({"status": "called"}, 4)):
            found = await every(connection, read("overdue", parameters), FAR)
            assert len({each.id for each in found}) == many
            assert found == [each for each in whole if each.id in {one.id for one in found}]
    keys = [(each.deadline not in UNTAKEN, each.due_at, each.id, each.department, each.deadline) for each in whole]
    assert keys == sorted(keys)
    assert {taken for taken, *_ in keys} == {False, True}
    assert len(set(keys)) == len(keys) > len(histories)


BAD = [
    ({"color": "red"}, "no parameter 'color'"),
    ({"limit": "0"}, "from 1 to 200"),
    ({"limit": "201"}, "from 1 to 200"),
    ({"limit": "²"}, "from 1 to 200"),
    ({"status": "lost"}, "no status 'lost'"),
    ({"community": "Guangdu"}, "small letters"),
    ({"department": "\x00"}, "small letters"),
    ({"q": "水"}, "two characters"),
    ({"q": "没有 水"}, "two characters"),
    ({"q": "水" * 101}, "100 at most"),
    ({"q": "a\x00b"}, "NUL"),
    ({"after": "nowhere"}, "cursor"),
    ({"after": "é"}, "cursor"),
    ({"after": "WzFd"}, "cursor"),
    ({"after": cursor((START, UUID(int=1), "water", "resolve"))}, "another list"),
]


@pytest.mark.parametrize(("parameters", "why"), BAD)
def test_a_bad_question_is_one_sentence(parameters: dict[str, str], why: str) -> None:
    """Whoever asks what can't be answered is told what is wrong with it."""
    with pytest.raises(Misasked, match=why) as caught:
        read("demands", parameters)
    assert "\n" not in str(caught.value)


FORGED = {
    "half of a surrogate pair": ["2021-03-01T02:00:00+00:00", str(UUID(int=1)), "water", "\ud800"],
    "NUL": ["2021-03-01T02:00:00+00:00", str(UUID(int=1)), "\x00", "resolve"],
    "a number": ["2021-03-01T02:00:00+00:00", str(UUID(int=1)), "water", 1],
    "before all time": ["0001-01-01T00:00:00+14:00", str(UUID(int=1)), "water", "resolve"],
    "after all time": ["9999-12-31T23:59:59-14:00", str(UUID(int=1)), "water", "resolve"],
    "no offset": ["2021-03-01T02:00:00", str(UUID(int=1)), "water", "resolve"],
}


@pytest.mark.parametrize("place", FORGED.values(), ids=FORGED)
def test_a_forged_cursor_is_no_failure_of_the_database(place: list[object]) -> None:
    """What the database couldn't take is refused before it is asked, with a sentence for whoever asked."""
    with pytest.raises(Misasked, match="cursor"):
        read("overdue", {"after": base64.urlsafe_b64encode(json.dumps(place).encode()).decode()})


def test_a_cursor_is_not_read_for_ever() -> None:
    """However deep somebody nests a cursor, it is one sentence."""
    with pytest.raises(Misasked, match="cursor"):
        read("demands", {"after": base64.urlsafe_b64encode(b"[" * 30_000).decode()})


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_is_read_as_it_was_written(name: List) -> None:
    """A place comes back whole, with nothing in it that a URL would have to escape."""
    place = (START, UUID(int=7), *(("", "decide") if name == "overdue" else ()))
    written = cursor(place)
    assert written.replace("-", "").replace("_", "").isalnum()
    assert read(name, {"after": written}).after == place


async def test_a_page_is_of_one_state_of_the_ledger(books: Books) -> None:
    """What is written between its two statements is in neither: a line and its incident are of the same instant."""
    history = History(category="gas").called().later(days=9)
    await books.write(history)
    written: list[str] = []

    def between(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "FROM ledger.clock" in statement and not written:
            written.append(statement)
            await_only(emptied())

    async def emptied() -> None:
        async with transaction(books.engine) as other:
            await other.execute(text("DELETE FROM ledger.incident"))

    event.listen(books.engine.sync_engine, "after_cursor_execute", between)
    ledger = Ledger(books.engine, WallClock(), lambda: named(CONFIGURATION))
    app = make_page(ledger, Counted(books.engine, lambda: CONFIGURATION, 10), "127.0.0.1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/api/lists/overdue")
    assert written
    assert {each["id"] for each in answer.json()["rows"]} == {str(history.id)}
