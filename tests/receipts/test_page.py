"""What a receipt shows, to whom, and that nothing else shows anything."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.domain.receipts import receipt_of
from services.receipts.page import HEADERS, OUTCOMES, make_page
from services.receipts.store import Reading, read, readings
from services.runtime.clock import WallClock
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings
from tests.receipts.conftest import AT, KEY, REPORT, ZONE, tell, told

RECEIPT = receipt_of(KEY, "guangdu", REPORT)
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_receipt_shows_all_that_its_reporter_was_told(engine: AsyncEngine, page: httpx.AsyncClient) -> None:
    """Interim answers, questions and the answer, in the order of their time, and no id of anything."""
    until = AT + timedelta(days=5)
    await tell(
        engine,
        told("settled", "已修好", minute=9),
        told("interim", "已到场"),
        told("asked", "哪个单元？", minute=3, reply_by=until),
    )
    answer = await page.get(f"/receipts/{RECEIPT}")
    assert answer.status_code == 200
    assert answer.json() == {
        "told": [
            {"at": "2021-03-01T02:00:00Z", "outcome": "interim", "text": "已到场"},
            {
                "at": "2021-03-01T02:03:00Z",
                "outcome": "asked",
                "text": "哪个单元？",
                "reply_by": "2021-03-06T02:00:00Z",
            },
            {"at": "2021-03-01T02:09:00Z", "outcome": "settled", "text": "已修好"},
        ]
    }
    assert HEADERS.items() <= dict(answer.headers).items()


async def test_a_time_to_reply_that_may_still_move_is_marked(engine: AsyncEngine, page: httpx.AsyncClient) -> None:
    """Until it is certain, which is told with the instant it then is."""
    until = AT + timedelta(days=5)
    asked = replace(told("asked", "哪个单元？", reply_by=until), provisional=True)
    await tell(engine, asked, told("recomputed", "", minute=3, reply_by=until + timedelta(days=1)))
    first, second = (await page.get(f"/receipts/{RECEIPT}")).json()["told"]
    assert (first["reply_by"], first["provisional"]) == ("2021-03-06T02:00:00Z", True)
    assert (second["reply_by"], "provisional" in second) == ("2021-03-07T02:00:00Z", False)
    shown = (await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)).text
    assert "请在 <time>2021-03-06 10:00（暂定 provisional）</time> 前告诉社区" in shown
    assert "请在 <time>2021-03-07 10:00</time> 前告诉社区" in shown
    assert "<p></p>" not in shown


async def test_before_there_is_an_answer_a_receipt_says_so(page: httpx.AsyncClient) -> None:
    """It is good from the moment the report was raised: 200, and nothing yet."""
    answer = await page.get(f"/receipts/{RECEIPT}")
    assert (answer.status_code, answer.json()) == (200, {"told": []})
    shown = (await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)).text
    assert "还没有答复" in shown
    assert "收到" not in shown, "this room hears no reports: the receipt alone says nothing of one"
    assert "eceived" not in shown


WRONG = {
    "changed": RECEIPT[:-2] + ("0" if RECEIPT[-2] != "0" else "1") + RECEIPT[-1],
    "of another key": receipt_of(b"another key of thirty-two chars..", "guangdu", REPORT),
    "of another community": RECEIPT.replace("guangdu", "wudongqiao"),
    "of another report": receipt_of(b"x" * 32, "guangdu", uuid4()),
    "the report's id": str(REPORT),
    "cut short": RECEIPT[:-7],
    "no receipt at all": "guangdu",
}


@pytest.mark.parametrize("headers", [{}, BROWSER], ids=["json", "page"])
async def test_whatever_is_wrong_the_answer_is_the_same(
    engine: AsyncEngine, page: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """404 to the byte, whether the report exists or not: nobody learns how near a guess was."""
    await tell(engine, told("settled", "已修好"))
    answers = [await page.get(f"/receipts/{wrong}", headers=headers) for wrong in WRONG.values()]
    assert {each.status_code for each in answers} == {404}
    assert len({(each.content, str(sorted(each.headers.items()))) for each in answers}) == 1
    assert "已修好" not in answers[0].text
    assert (await page.get(f"/receipts/{RECEIPT}", headers=headers)).status_code == 200


async def test_an_id_used_by_two_communities_shows_each_its_own(engine: AsyncEngine, page: httpx.AsyncClient) -> None:
    """Whoever raises a report under the id of another community's doesn't read the answer to that one."""
    await tell(engine, told("settled", "他社区的", community="wudongqiao"), told("settled", "本社区的"))
    other = receipt_of(KEY, "wudongqiao", REPORT)
    for receipt, words in ((RECEIPT, "本社区的"), (other, "他社区的")):
        [only] = (await page.get(f"/receipts/{receipt}")).json()["told"]
        assert only["text"] == words


async def test_a_browser_is_shown_a_page_in_which_an_answer_is_only_text(
    engine: AsyncEngine, page: httpx.AsyncClient
) -> None:
    """Every kind of outcome has its words in both languages, and no answer is markup."""
    pages = [told(each, f"<script>alert('{each}')</script>", minute=at) for at, each in enumerate(OUTCOMES)]
    await tell(engine, *pages)
    answer = await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text
    assert answer.text.count("&lt;script&gt;") == len(OUTCOMES)
    for chinese, english in OUTCOMES.values():
        assert chinese in answer.text
        assert english in answer.text
    assert "2021-03-01 10:00" in answer.text
    assert str(REPORT) not in answer.text


async def test_a_question_is_asked_until_the_matter_is_answered(engine: AsyncEngine, page: httpx.AsyncClient) -> None:
    """An answer so far leaves it open; the answer for good ends it, and a question after that is a new one."""
    until = AT + timedelta(days=5)
    ask = "tell your community before then"
    await tell(engine, told("asked", "哪个单元？", minute=1, reply_by=until), told("interim", "在修", minute=2))
    assert ask in (await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)).text
    await tell(engine, told("settled", "已修好", minute=3))
    assert ask not in (await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)).text
    await tell(engine, told("asked", "又坏了吗？", minute=4, reply_by=until))
    assert (await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)).text.count(ask) == 1


async def test_the_first_page_takes_a_receipt_and_leads_to_it(page: httpx.AsyncClient) -> None:
    """However it was copied; for what is no receipt it says so, with the form to try again."""
    assert 'name="receipt"' in (await page.get("/", headers=BROWSER)).text
    copied = f" {RECEIPT.upper().replace('-', ' ')}"
    found = await page.get("/receipts", params={"receipt": copied}, headers=BROWSER)
    assert found.status_code == 303
    assert (await page.get(found.headers["location"], headers=BROWSER)).status_code == 200
    none = await page.get("/receipts", params={"receipt": "guangdu.1234"}, headers=BROWSER)
    assert none.status_code == 404
    assert 'name="receipt"' in none.text
    assert "没有这个回执" in none.text


async def test_a_database_that_is_away_is_told_and_no_receipt_is_logged() -> None:
    """503 and a sentence; what is logged of it has no part of the receipt."""
    nowhere = connect(DatabaseSettings(url=SecretStr("postgresql+asyncpg://nobody@127.0.0.1:9/none")), "test")
    transport = httpx.ASGITransport(app=make_page(nowhere, KEY, lambda: ZONE, WallClock()))
    logging.getLogger().setLevel(logging.DEBUG)
    with structlog.testing.capture_logs() as logged:
        async with httpx.AsyncClient(transport=transport, base_url="http://receipts") as page:
            answer = await page.get(f"/receipts/{RECEIPT}")
            shown = await page.get(f"/receipts/{RECEIPT}", headers=BROWSER)
    await nowhere.dispose()
    assert (shown.status_code, shown.headers["content-type"][:9]) == (503, "text/html")
    assert "暂时无法查看" in shown.text
    assert (answer.status_code, list(answer.json())) == (503, ["error"])
    assert logged
    assert RECEIPT not in str(logged)
    assert RECEIPT.partition(".")[2][:6] not in str(logged)


# --- who has read it -------------------------------------------------------------------------------------------------


async def kept(engine: AsyncEngine) -> list[Reading]:
    """Every reading of the report of these tests."""
    async with engine.connect() as connection:
        return await readings(connection, "guangdu", REPORT, 100)


async def test_whoever_reads_a_receipt_is_written_down_and_the_receipt_is_not(
    engine: AsyncEngine, page: httpx.AsyncClient
) -> None:
    """By the report, before there is an answer too, and as a page; nothing that is kept opens it."""
    before = datetime.now(UTC)
    for headers in ({}, BROWSER):
        assert (await page.get(f"/receipts/{RECEIPT.upper()}", headers=headers)).is_success
    found = await kept(engine)
    assert [(each.who, each.via, each.community, each.report) for each in found] == [
        ("", "page", "guangdu", REPORT)
    ] * 2
    assert before <= found[0].at <= found[1].at
    async with engine.connect() as connection:
        row = await connection.scalar(text("SELECT string_agg(CAST(reading AS text), ' ') FROM receipts.reading"))
    code = RECEIPT.partition(".")[2]
    assert code[-6:] not in row
    assert code.replace("-", "")[-16:] not in row


async def test_what_is_no_receipt_leaves_nothing(engine: AsyncEngine, page: httpx.AsyncClient) -> None:
    """It opens nothing, and whoever guesses fills no table."""
    for wrong in WRONG.values():
        assert (await page.get(f"/receipts/{wrong}")).status_code == 404
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM receipts.reading")) == 0


async def test_a_reading_that_can_not_be_written_down_is_not_shown(
    engine: AsyncEngine, page: httpx.AsyncClient
) -> None:
    """Nobody reads unseen: an error, and nothing of the answer."""
    await tell(engine, told("settled", "已修好"))
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE receipts.reading RENAME TO elsewhere"))
    with pytest.raises(DBAPIError, match="reading"):
        await page.get(f"/receipts/{RECEIPT}")


@pytest.mark.parametrize(
    "unwriting",
    ["UPDATE receipts.reading SET via = ''", "DELETE FROM receipts.reading", "TRUNCATE receipts.reading"],
)
async def test_no_reading_is_ever_changed_or_deleted(database_url: str, unwriting: str) -> None:
    """The database itself refuses, whoever asks."""
    engine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await read(connection, Reading(AT, "clerk", "command", "guangdu", REPORT))
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with engine.begin() as connection:
            await connection.execute(text(unwriting))
    assert [each.who for each in await kept(engine)] == ["clerk"]
    await engine.dispose()
