"""Rounds of inspection in the ledger: counted by grid level, and traced to what became of what they found."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event, text
from starlette.applications import Starlette
from starlette.routing import Route

from schemas import decision, response
from schemas.event import Event
from schemas.incident import ActRefused
from schemas.report import Link
from services.ledger import rounds
from services.ledger.derived import clocks_of
from services.ledger.names import named
from services.ledger.page import Ledger
from services.ledger.queries import Line, history
from services.ledger.round_page import round_answers
from services.ledger.rounds import Finding, Level, Round
from services.ledger.words import told
from services.runtime.clock import WallClock
from tests.journey.house import until
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History, attached, cause, inspected

DAYS = timedelta(days=1)


def walked(level: int = 2, **fields: Any) -> Event:
    """A round of a grid level, as the router passes it on."""
    return inspected(level=level, **fields)


def hazard(**fields: Any) -> History:
    """A hazard that the gas company answers for."""
    return History("hazard", "gas", **fields)


def looked_at(matter: History, round_: Event, *, holds: bool, report: UUID | None = None, **fields: Any) -> Event:
    """The street tells the router of a round's look at one report of an incident, and the round passes on."""
    told: dict[str, Any] = {
        "community": "guangdu",
        "inspection": round_.subject,
        "report": report or matter.id,
        "holds": holds,
    }
    matter.street(decision.Reinspected(**(told | fields)))
    return round_


def resolved(matter: History) -> History:
    """The gas company says it is done."""
    return matter.department("gas", response.Resolved(note="修好了"))


def accepted(matter: History) -> History:
    """The street confirms what the gas company has done, whatever was found on the spot, and answers."""
    return matter.street(decision.Confirmed(note="现场照片为证")).answered()


async def levels(books: Books) -> list[Level]:
    """What the rounds of each level came to."""
    async with books.engine.connect() as connection:
        return await rounds.by_level(connection)


async def found_on(books: Books, inspection: UUID) -> list[Finding]:
    """What became of what a round found."""
    async with books.engine.connect() as connection:
        found = await rounds.findings(connection, inspection)
    assert found is not None
    return found


async def test_rounds_are_counted_by_grid_level_with_what_became_of_what_they_found(books: Books) -> None:
    """Found, rectified, held or not when looked at again, refused, still open; each of the four levels has a line."""
    done, held, failing, refused, waiting = (hazard() for _ in range(5))
    for each in (done, held, failing):
        resolved(each.called())
    refused.street(decision.Refused(reason="不属实", proved="not-true"))
    unheard_of = uuid4()
    everything = [done.id, held.id, failing.id, refused.id, waiting.id, unheard_of]
    first, empty = walked(3, found=everything), walked(3)
    again = walked(1, again=[(held.id, True), (failing.id, False)], at=START + 2 * DAYS)
    looked_at(held, again, holds=True)
    looked_at(failing, again, holds=False)
    for each in (done, held, failing):
        accepted(each)
    await books.write(done, held, failing, refused, waiting)
    await books.hear([cause(each) for each in (first, empty, again)])
    assert await levels(books) == [
        Level(1, rounds=1),
        Level(2),
        Level(3, rounds=2, found=6, rectified=3, reinspected=1, failing=1, refused=1, open=2),
        Level(4),
    ]
    fates = {each.report: (each.fate, each.holds) for each in await found_on(books, first.subject)}
    assert fates == {
        done.id: ("rectified", None),
        held.id: ("rectified", True),
        failing.id: ("rectified", False),
        refused.id: ("refused", None),
        waiting.id: ("open", None),
        unheard_of: ("open", None),
    }


async def test_a_report_that_names_its_round_was_found_on_it(books: Books) -> None:
    """Whether the round names the report, the report the round, or each the other, it is found once."""
    subject = uuid4()
    link = (Link(rel="inspection", href=f"urn:uuid:{subject}"),)
    linked, both = hazard(links=link), hazard(links=link)
    elsewhere = hazard(links=(Link(rel="inspection", href="https://grid.example/rounds/7"),))
    await books.write(linked, elsewhere)
    await books.hear([cause(walked(4, found=[both.id, both.id], subject=subject))])
    await books.write(both)
    assert {each.report for each in await found_on(books, subject)} == {linked.id, both.id}
    assert (await levels(books))[3] == Level(4, rounds=1, found=2, open=2)


async def test_the_last_look_counts_and_a_repeat_has_the_fate_of_where_it_lives(books: Books) -> None:
    """What failed and then held is re-inspected; a repeat is rectified and looked at again with its first."""
    first, repeat = hazard().called(), hazard(community="wudongqiao")
    attached(repeat, first)
    resolved(first)
    round_ = walked(found=[repeat.id])
    fails = looked_at(first, walked(again=[(first.id, False)], at=START + DAYS), holds=False)
    holds = looked_at(first, walked(again=[(first.id, True)], at=START + 2 * DAYS), holds=True)
    accepted(first)
    await books.write(first, repeat)
    await books.hear([cause(each) for each in (round_, holds, fails)])
    [found] = await found_on(books, round_.subject)
    assert (found.report, found.home, found.status, found.fate, found.holds) == (
        repeat.id,
        first.id,
        "answered",
        "rectified",
        True,
    )
    [looked] = await found_on(books, holds.subject)
    assert (looked.report, looked.rechecked, looked.fate) == (first.id, True, "rectified")


async def test_a_round_told_twice_or_naming_a_report_twice_is_one_round(books: Books) -> None:
    """Nothing is counted twice, and the first word about a report counts."""
    done = resolved(hazard().called())
    round_ = walked(again=[(done.id, False), (done.id, True)], found=[done.id, done.id])
    for holds in (False, True):
        looked_at(done, round_, holds=holds)
    accepted(done)
    await books.write(done)
    for _ in range(2):
        await books.hear([cause(round_)])
    assert (await levels(books))[1] == Level(2, rounds=1, found=1, rectified=1, failing=1)
    [found] = await found_on(books, round_.subject)
    assert found.rechecked is False


async def test_a_look_that_the_history_refused_is_in_no_figure(books: Books) -> None:
    """A round may say what it likes of an incident that is not its community's: it shows it, and no count does."""
    done = accepted(resolved(hazard().called()))
    round_ = walked(3, found=[done.id])
    stranger = walked(1, community="huayuejie", again=[(done.id, False)], at=START + DAYS)
    looked_at(done, stranger, holds=False, community="huayuejie")
    assert isinstance(done.events[-1].data, ActRefused)
    await books.write(done)
    await books.hear([cause(round_), cause(stranger)])
    assert (await levels(books))[2] == Level(3, rounds=1, found=1, rectified=1)
    [found] = await found_on(books, round_.subject)
    assert (found.fate, found.holds) == ("rectified", None)
    [said] = await found_on(books, stranger.subject)
    assert (said.rechecked, said.holds) == (False, None)


async def test_a_look_says_nothing_of_work_that_was_done_after_it(books: Books) -> None:
    """What was reopened and done again is looked at by nobody yet, whatever an earlier round has seen."""
    failed, held = (accepted(resolved(hazard().called())) for _ in range(2))
    round_ = walked(4, found=[failed.id, held.id])
    early = walked(1, again=[(failed.id, False), (held.id, True)], at=START + timedelta(hours=1))
    for each, holds in ((failed, False), (held, True)):
        each.later(hours=2)
        looked_at(each, early, holds=holds)
    held.street(decision.Rated(community="guangdu", report=held.id, solved=False, satisfied=False))
    for each in (failed, held):
        accepted(resolved(each.later(days=1)))
    await books.write(failed, held)
    await books.hear([cause(round_), cause(early)])
    assert (await levels(books))[3] == Level(4, rounds=1, found=2, rectified=2)
    late = looked_at(failed, walked(1, again=[(failed.id, True)], at=START + 3 * DAYS), holds=True)
    await books.write(failed)
    await books.hear([cause(late)])
    assert (await levels(books))[3] == Level(4, rounds=1, found=2, rectified=2, reinspected=1)


@pytest.mark.parametrize("days", [2, 1], ids=["on a later round", "on the same round"])
async def test_a_look_at_any_report_of_an_incident_counts_for_all_of_them(books: Books, days: int) -> None:
    """The last look at a repeat's place is the last at the whole incident; of one round, what did not hold counts."""
    first, repeat = hazard().called(), hazard(community="wudongqiao")
    attached(repeat, first)
    resolved(first)
    round_ = walked(found=[first.id])
    holds = walked(again=[(first.id, True)], at=START + DAYS)
    fails = holds if days == 1 else walked(community="wudongqiao", again=[(repeat.id, False)], at=START + days * DAYS)
    looked_at(first, holds, holds=True)
    looked_at(first, fails, holds=False, report=repeat.id, community="wudongqiao")
    accepted(first)
    await books.write(first, repeat)
    await books.hear([cause(each) for each in (round_, holds, fails)])
    assert [each.holds for each in await found_on(books, round_.subject)] == [False]


async def test_a_report_that_several_rounds_of_a_level_found_counts_once(books: Books) -> None:
    """Each of the rounds has found it, and the level has found one."""
    done = accepted(resolved(hazard().called()))
    await books.write(done)
    await books.hear([cause(walked(2, found=[done.id], at=START + days * DAYS)) for days in range(2)])
    assert (await levels(books))[1] == Level(2, rounds=2, found=1, rectified=1)


async def test_the_latest_rounds_of_a_level_are_listed_with_what_they_came_to(books: Books) -> None:
    """The newest first, only of that level, each counting its own."""
    done = resolved(hazard().called())
    older = walked(2, found=[done.id])
    newer = looked_at(done, walked(2, again=[(done.id, True)], at=START + DAYS), holds=True)
    accepted(done)
    await books.write(done)
    await books.hear([cause(each) for each in (older, newer, walked(3))])
    async with books.engine.connect() as connection:
        found = await rounds.rounds(connection, 2)
        assert await rounds.rounds(connection, limit=1) != []
        assert len(await rounds.rounds(connection)) == 3
    assert found == [
        Round(newer.subject, "guangdu", "safety", 2, START + DAYS, 1, 0, 0, 0, 0, 0, 0),
        Round(older.subject, "guangdu", "safety", 2, START, 0, 1, 1, 1, 0, 0, 0),
    ]


async def test_the_page_answers_with_levels_rounds_and_findings(books: Books) -> None:
    """By JSON: the levels, the rounds of one, and what one found; what isn't there is 404 with a sentence."""
    done = hazard(description="管道\x1b漏气").called().solved()
    round_ = walked(2, found=[done.id])
    await books.write(done)
    await books.hear([cause(round_)])
    answers = round_answers(Ledger(books.engine, WallClock(), lambda: named(CONFIGURATION)))
    app = Starlette(routes=[Route(path, answer) for path, answer in answers.items()])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page") as page:
        assert [row["rounds"] for row in (await page.get("/api/rounds")).json()["rows"]] == [0, 1, 0, 0]
        [row] = (await page.get("/api/rounds/levels/2")).json()["rows"]
        assert (row["id"], row["found"], row["rectified"]) == (str(round_.subject), 1, 1)
        [row] = (await page.get(f"/api/rounds/{round_.subject}")).json()["rows"]
        assert (row["report"], row["fate"], row["description"]) == (str(done.id), "已整改 rectified", "管道 漏气")
        for path in ("/api/rounds/levels/5", f"/api/rounds/{uuid4()}"):
            answer = await page.get(path)
            assert (answer.status_code, list(answer.json())) == (404, ["error"])
    async with books.engine.connect() as connection:
        read = (await connection.execute(text("SELECT what FROM ledger.reading ORDER BY id"))).scalars().all()
    assert read[:3] == ["list rounds", "list rounds level=2", f"round {round_.subject}"]


async def test_rounds_are_counted_again_only_when_something_was_heard(books: Books) -> None:
    """However many look: all rounds are counted once, and anew after the ledger has heard a record."""
    await books.hear([cause(walked(2))])
    counted: list[str] = []
    event.listen(books.engine.sync_engine, "before_cursor_execute", lambda *told: counted.append(told[2]), named=False)
    answers = round_answers(Ledger(books.engine, WallClock(), lambda: named(CONFIGURATION)))
    app = Starlette(routes=[Route(path, answer) for path, answer in answers.items()])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page") as page:

        async def rounds_of_level_2() -> int:
            rows = (await page.get("/api/rounds")).json()["rows"]
            return int(rows[1]["rounds"])

        assert {await rounds_of_level_2() for _ in range(20)} == {1}
        assert sum("count(DISTINCT inspection.id)" in each for each in counted) == 1
        await books.hear([cause(walked(2))])

        async def counted_again() -> bool:
            return await rounds_of_level_2() == 2

        await until(counted_again)
    assert sum("count(DISTINCT inspection.id)" in each for each in counted) == 2
    async with books.engine.connect() as connection:
        read = await connection.scalar(text("SELECT count(*) FROM ledger.reading WHERE what = 'list rounds'"))
    assert read > 20


async def test_the_history_tells_what_reporters_were_told_asked_and_said(books: Books) -> None:
    """Each in both languages, with what was asked and replied, how the citizen was reached, and what proved true."""
    matter = hazard().called()
    matter.street(decision.InterimAnswered(answer="已到场检测"))
    matter.street(decision.Asked(question="哪个单元？"))
    matter.street(decision.Replied(by="guangdu", community=matter.folded.community, report=matter.id, reply="三单元"))
    matter.street(decision.Contacted(channel="phone", reached=False, community="guangdu"))
    matter.solved()
    matter.street(decision.Answered(answer="已修好", proved="true", note="票据存档"))
    matter.street(decision.Reinspected(community="guangdu", inspection=uuid4(), report=matter.id, holds=True))
    matter.street(
        decision.Rated(
            community=matter.folded.community, report=matter.id, solved=True, satisfied=False, fault="handler"
        )
    )
    await books.write(matter)
    async with books.engine.connect() as connection:
        lines: list[Line] = await history(connection, matter.id)
    names = named(CONFIGURATION)
    said = {each.type.split(".")[2]: told(each, names) for each in lines}
    assert said["interim_answered"] == "已到场检测"
    assert said["asked"].startswith("哪个单元？ · 群众补充 reply ≤ 2021-03-06 10:00")
    assert said["replied"] == "三单元"
    assert said["contacted"] == "广都社区 · 电话 phone · 2021-03-01 10:00 · 未联系上 not reached"
    assert said["answered"].startswith("属实 proved true · 内部 internal: 票据存档 · 已修好")
    assert "到位 holds" in said["reinspected"]
    assert said["rated"] == "已解决 solved · 不满意 not satisfied · 经办原因 the handler's fault"


def test_a_reporter_who_does_not_reply_breaks_no_promise() -> None:
    """A question's time-out is no deadline of the street's: it is in no list of what is overdue."""
    asked = History(category="other").street(decision.Asked(question="哪里？"))
    assert "reply" in asked.folded.clocks
    assert {name for _, name, _, _ in clocks_of(asked.folded)} == {"decide"}
