"""The ledger writes down what the router tells, by version, whatever order it arrives in."""

import random
from datetime import timedelta
from uuid import uuid4

import pytest

from schemas import decision, response
from schemas.incident import ActRefused
from services.domain.figures import add_up
from services.ledger import queries
from services.ledger.asking import Asked
from services.ledger.derived import late_of
from services.ledger.lists import page
from services.ledger.names import Names
from services.ledger.store import journal, store
from services.ledger.summary import glance
from services.runtime.clock import open_clock, set_clock
from services.runtime.inlet import Cause
from tests.ledger.conftest import Books
from tests.ledger.scenes import START, History, attached, cause, causes, inspected, told


def lived() -> History:
    """A history with nearly everything in it: refusals, a new round, deadlines that passed, an answer, a reopening."""
    history = History(category="river").called("water", "dongsheng-urban")
    history.later(hours=6).department("water", response.Declined(reason="不归我们管"))
    history.street(decision.Insisted(department="water", reason="归你们管"))
    history.department("power", response.Acknowledged())
    history.later(days=20).solved().answered()
    history.street(decision.Rated(community=history.folded.community, report=history.id, solved=False, satisfied=False))
    history.later(days=3).solved().answered().later(days=30)
    assert history.folded.status == "closed"
    assert history.folded.escalations
    return history


async def test_the_ledger_folds_to_the_routers_state(books: Books) -> None:
    """What the history alone tells is exactly the state that the router decided with."""
    history = lived()
    await books.write(history)
    book = await books.book(history)
    assert book
    assert book.state == history.folded
    assert not book.ahead


@pytest.mark.parametrize("seed", range(3))
async def test_arrival_does_not_matter(books: Books, seed: int) -> None:
    """In any order, in batches of any size, with repeats, the same rows come out."""
    history = lived()
    await books.write(history)
    expected = {name: [row for row in rows if history.id in row] for name, rows in (await books.everything()).items()}
    again = [*history.causes, *history.causes[::3]]
    chance = random.Random(seed)
    chance.shuffle(again)
    async with books.engine.begin() as connection:
        for table in (*store.tables, journal.rows):
            await connection.execute(table.delete())
    while again:
        many = chance.randint(1, 9)
        await books.hear(again[:many])
        del again[:many]
    assert await books.everything() == expected


async def test_a_gap_is_waited_for(books: Books) -> None:
    """What follows a missing version is kept and folded as soon as that version comes; nothing is shown before."""
    history = History().called().department("water", response.Acknowledged())
    first, *rest = history.causes
    await books.hear(rest)
    waiting = await books.book(history)
    assert waiting
    assert (waiting.state.version, len(waiting.ahead)) == (0, len(rest))
    assert not (await books.everything())["incident"]
    await books.hear([first])
    whole = await books.book(history)
    assert whole
    assert (whole.state, dict(whole.ahead)) == (history.folded, {})


async def test_a_version_that_is_there_has_no_effect(books: Books) -> None:
    """The same version said again, by an event with another id, changes nothing: neither folded nor waiting."""
    history = History().called()
    other = History(incident=history.id, description="另一件事", category="gas").called()
    await books.hear(history.causes[:1])
    await books.hear(history.causes[2:])
    before = await books.everything()
    forged = [cause_with_another_id(each) for each in (other.causes[0], *other.causes[2:])]
    await books.hear(forged)
    assert await books.everything() == before


def cause_with_another_id(each: Cause) -> Cause:
    """The same entry, in another event."""
    event = each.event
    (renamed,) = told(uuid4(), event.subject, event.time, [event.data])  # type: ignore[list-item]
    return cause(renamed)


async def test_a_round_of_inspection_is_recorded_once(books: Books) -> None:
    """A round is no incident: it has a row of its own, whatever it found, and a repeat has no effect."""
    nothing, something = inspected(), inspected(found=[uuid4(), uuid4()])
    for _ in range(2):
        await books.hear([cause(nothing), cause(something)])
    found = await books.everything()
    assert sorted(row[6] for row in found["inspection"]) == [0, 2]
    assert not found["entry"]
    assert not found["incident"]


async def test_a_refused_inspection_takes_no_version(books: Books) -> None:
    """A round that another street claims under an incident's id can't stand in the way of that incident."""
    history = History().called()
    refusal = inspected(community="nowhere", subject=history.id)
    assert isinstance(refusal.data, ActRefused)
    await books.hear([cause(refusal), cause(inspected(subject=history.id)), *history.causes])
    book = await books.book(history)
    assert book
    assert book.state == history.folded


async def test_only_whoever_owes_breaks_a_promise(books: Books) -> None:
    """Overdue is what somebody lets pass: not the rating window; and a confirmation is owed by who has to confirm."""
    waiting = History(category="river").called("water", "dongsheng-urban")
    for code in ("water", "dongsheng-urban"):
        waiting.department(code, response.Resolved(note="修好了"))
    closing = History().called().solved().answered()
    await books.write(waiting, closing)
    far = START + timedelta(days=5)
    async with books.engine.connect() as connection:
        overdue = (await page(connection, Asked("overdue"), far)).overdue
        assert await queries.count_overdue(connection, far) == len(overdue)
    assert {(each.id, each.department, each.deadline, each.unit) for each in overdue} == {
        (waiting.id, "water", "confirm", "dongsheng"),
        (waiting.id, "dongsheng-urban", "confirm", "guangdu"),
    }


async def test_overdue_is_by_due_at(books: Books) -> None:
    """The longest overdue comes first, from the very instant it is due, and what isn't due yet is not there."""
    early, late = History(), History(category="other", at=START + timedelta(days=1))
    await books.write(late, early)
    decided_by = early.folded.clocks["decide"].due_at
    async with books.engine.connect() as connection:
        asked = Asked("overdue")
        assert not (await page(connection, asked, decided_by - timedelta(microseconds=1))).overdue
        first = (await page(connection, asked, decided_by)).overdue
        both = (await page(connection, asked, decided_by + timedelta(days=1))).overdue
    assert [each.id for each in first] == [early.id]
    assert [each.id for each in both] == [early.id, late.id]


async def test_departments_and_what_they_owe(books: Books) -> None:
    """Each department has what it owes, what is overdue, what was ever late, and what it has done."""
    done = History().called("water").later(days=10).solved()
    owed = History(category="gas").called("gas")
    await books.write(done, owed)
    async with books.engine.connect() as connection:
        burdens = {each.department: each for each in await queries.burdens(connection, START + timedelta(days=10))}
    assert (burdens["water"].owed, burdens["water"].overdue, burdens["water"].late, burdens["water"].done) == (
        0,
        0,
        1,
        1,
    )
    assert (burdens["gas"].owed, burdens["gas"].overdue, burdens["gas"].done) == (1, 1, 0)


async def test_the_streets_lateness_is_not_the_departments(books: Books) -> None:
    """Work done in time that the street confirms too late was never late for the department, but for the incident."""
    history = History().called("water")
    history.department("water", response.Acknowledged()).department("water", response.Resolved(note="修好了"))
    await books.write(history.later(days=30))
    assert history.folded.obligations["water"].late == ("confirm",)
    async with books.engine.connect() as connection:
        (burden,) = [each for each in await queries.burdens(connection, history.at) if each.department == "water"]
    assert burden.late == 0
    assert late_of(history.folded)


async def test_a_repeat_is_counted_with_its_first(books: Books) -> None:
    """A report attached to another incident is answered with it, and appears in its list with that incident's state."""
    first, repeat = History(), History(community="wudongqiao")
    attached(repeat, first)
    first.called().solved().answered()
    await books.write(first, repeat)
    async with books.engine.connect() as connection:
        tallies = await queries.tallies(connection)
        many = await queries.duplicates(connection)
        items = (await page(connection, Asked("demands"), START)).items
    figures = add_up(tallies, inspections=0, lost=0, duplicates=many)
    assert (figures.collected.demand, figures.solved, figures.answered, figures.duplicates) == (2, 2, 2, 0)
    assert {(each.id, each.incident, each.status, each.lead) for each in items} == {
        (first.id, first.id, "answered", "water"),
        (repeat.id, first.id, "answered", "water"),
    }


async def test_the_house_clock_decides_what_is_overdue(books: Books) -> None:
    """With a sample's clock set, that is the present; nothing else is asked."""
    await books.write(History())
    await set_clock(books.engine, START)
    calm = await glance(books.engine, await open_clock(books.engine), Names(), lost=0)
    await set_clock(books.engine, START + timedelta(days=30))
    broken = await glance(books.engine, await open_clock(books.engine), Names(), lost=0)
    assert (calm.overdue_total, broken.overdue_total) == (0, 1)
    assert calm.sample


async def test_what_is_said_of_nothing_is_in_no_list(books: Books) -> None:
    """An id of which only a refusal is known has a history, and counts nowhere."""
    history = History()
    refused = ActRefused(version=1, cause=uuid4(), who="department.water", by="officer", act="x", reason="never opened")
    await books.hear([cause(each) for each in told(uuid4(), history.id, START, [refused])])
    async with books.engine.connect() as connection:
        assert not await queries.tallies(connection)
        assert not await queries.known(connection, [history.id])
        assert [line.type for line in await queries.history(connection, history.id)] == [ActRefused.type]


async def test_a_history_is_found_by_its_beginning(books: Books) -> None:
    """An id's first characters are enough, in either case, as long as they are only its own."""
    one, two = History(), History()
    await books.write(one, two)
    async with books.engine.connect() as connection:
        assert await queries.matching(connection, str(one.id)[:8].upper()) == [one.id]
        assert set(await queries.matching(connection, "")) == {one.id, two.id}
        assert await queries.matching(connection, str(one.id)[:20]) == [one.id]
        assert not await queries.matching(connection, str(one.id).replace("-", "")[:20])
        assert len(await queries.history(connection, one.id)) == len(causes(one))
