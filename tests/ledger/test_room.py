"""The room as it is run for real: its process, Kafka, PostgreSQL, its page, its commands, and the ledger made anew."""

import asyncio
import codecs
import contextlib
import csv
import io
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from pwd import getpwuid
from typing import Any
from uuid import UUID, uuid4

import httpx
import openpyxl
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from schemas import decision
from schemas.event import Event, dump
from schemas.report import Link, Rated
from schemas.topics import JOURNAL, REPORTS, TOPICS
from services.ledger.lost import Arrivals, lost
from services.ledger.names import named
from services.ledger.reading import Unreadable
from services.ledger.rebuild import FEW, rebuild
from services.ledger.shelf import Copying
from services.local.kafka import EmbeddedKafka
from services.runtime import topics
from services.runtime.clock import set_clock
from services.runtime.settings import KafkaSettings
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History, attached, cause, causes, inspected, raised
from tests.ledger.test_notices import issued, notice

ROOT = Path(__file__).parents[2]
ENTRIES_STAY = (
    (
        "CREATE FUNCTION ledger.entry_stays() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'never changed or deleted'; END $$"
    ),
    (
        "CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.entry_stays()"
    ),
)
LIMIT_S = 30.0


@dataclass
class House:
    """The broker with every topic, the ledger's tables, and the commands and the room that use both."""

    kafka: KafkaSettings
    books: Books
    producer: AIOKafkaProducer
    home: Path
    port: int
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Name everything as a person's own servers are named."""
        self.environment = {
            **os.environ,
            "WHISTLE_HOME": str(self.home),
            "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "WHISTLE_DATABASE__URL": self.books.url,
            "WHISTLE_PAGE_PORT": str(self.port),
        }

    async def tell(self, *events: Event, topic: str = JOURNAL.name) -> None:
        """Publish events, each under its subject."""
        for event in events:
            await self.producer.send(topic, dump(event), key=str(event.subject).encode())
        await self.producer.flush()

    @contextlib.asynccontextmanager
    async def room(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the room; it is gone afterwards."""
        process = await self._start("-m", "services.ledger")
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(LIMIT_S):
                await process.communicate()

    async def command(self, *words: str) -> tuple[int, str, str]:
        """Run `whistle ledger …`: its status, and what it wrote."""
        process = await self._start("-c", "from services.cli import main; main()", "ledger", *words)
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def _start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *words),
            cwd=ROOT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def has(self, *histories: History) -> None:
        """Wait until the ledger has every version of these."""

        async def whole() -> bool:
            books = [await self.books.book(each) for each in histories]
            return all(
                book and book.state.version == each.folded.version for book, each in zip(books, histories, strict=True)
            )

        await until(whole)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition, within a limit."""
    async with asyncio.timeout(LIMIT_S):
        while not await reached():  # noqa: ASYNC110 - the condition lies in another process
            await asyncio.sleep(0.05)


@pytest.fixture
async def house(kafka: EmbeddedKafka, books: Books, tmp_path: Path) -> AsyncIterator[House]:
    """A house with every topic of the shipped directory; the journal may hold what other tests told."""
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    directory = CONFIGURATION.directory
    parties = {
        "community": [unit.code for unit in directory.communities],
        "street": [unit.code for unit in directory.streets],
        "department": [unit.code for unit in directory.departments],
    }
    await topics.apply(settings, TOPICS, parties)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", linger_ms=5) as producer:
        yield House(settings, books, producer, tmp_path, port)


@pytest.fixture
async def page(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who looks at the page."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{house.port}") as client:
        yield client


async def served(page: httpx.AsyncClient) -> None:
    """Wait until the page is there."""

    async def there() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await page.get("/healthz")).is_success
        return False

    await until(there)


def some() -> Sequence[History]:
    """A few incidents in different states."""
    first, repeat = History(), History(community="wudongqiao")
    attached(repeat, first)
    first.called().later(days=9).solved().answered()
    return first, repeat, History(category="other").later(days=20), History("hazard", "gas").called()


# --- the room --------------------------------------------------------------------------------------------------------


async def test_the_room_reads_shows_and_goes_on(house: House, page: httpx.AsyncClient) -> None:
    """What the router tells is on the page, a record nobody can read stops nothing, and the room ends when told to."""
    histories = some()
    await set_clock(house.books.engine, histories[2].at)
    async with house.room() as process:
        await house.tell(*(event for each in histories[:2] for event in each.events))
        await house.producer.send_and_wait(JOURNAL.name, b"{", key=b"nobody")
        await house.tell(*(event for each in histories[2:] for event in each.events), inspected())
        await house.has(*histories)
        await served(page)

        async def looked() -> bool:
            found = (await page.get("/api/summary")).json()
            return {each["id"] for each in found["unowned"]["rows"]} >= {str(histories[2].id)} and not found["trouble"]

        await until(looked)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == 0


async def test_a_killed_room_goes_on_where_it_was(house: House) -> None:
    """After a kill -9 amid the work, the next one ends with the rows of one that was never killed."""
    histories = [History(category="river").called().solved().answered() for _ in range(30)]
    await house.tell(*(event for each in histories[:10] for event in each.events))
    async with house.room() as process:
        await house.has(histories[0])
        await house.tell(*(event for each in histories[10:] for event in each.events))
        process.kill()
        await process.wait()
    async with house.room():
        await house.has(*histories)
    books = [await house.books.book(each) for each in histories]
    assert [book and book.state for book in books] == [each.folded for each in histories]


async def test_a_busy_port_is_one_sentence(house: House) -> None:
    """A ledger that nobody could look at doesn't begin: status 1, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", house.port))
        taken.listen()
        async with house.room() as process:
            async with asyncio.timeout(LIMIT_S):
                _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().count("\n") == 1
    assert f"127.0.0.1:{house.port}" in err.decode()
    assert "WHISTLE_PAGE_PORT" in err.decode()


# --- the page --------------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e=1+1"


async def test_the_page_is_safe_and_complete(house: House, page: httpx.AsyncClient) -> None:
    """The page has its headers; what is asked is answered or refused; a stranger's text is only ever data."""
    history = History(category="other", description=HOSTILE).later(days=3)
    await house.tell(*history.events)
    async with house.room():
        await house.has(history)
        await served(page)
        index = await page.get("/")
        assert index.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in index.headers["content-security-policy"]
        # No script or style in the page itself, and nothing from elsewhere.
        assert "<script>" not in index.text
        assert "style=" not in index.text
        assert "http://" not in index.text
        assert "https://" not in index.text
        for file in ("/page.js", "/rates.js", "/page.css"):
            assert (await page.get(file)).is_success
        script = (await page.get("/page.js")).text + (await page.get("/rates.js")).text
        assert not any(word in script for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval("))
        told = await page.get(f"/api/incidents/{history.id}")
        opened, *_ = told.json()["entries"]
        assert opened["type"] == "opened"
        assert told.headers["content-type"] == "application/json"
        what = opened["what"]
        assert "<script>" in what
        assert "\x1b" not in what
        assert "\u202e" not in what
        for name in ("demands", "unowned", "overdue"):
            lines = (await page.get(f"/api/lists/{name}", params={"q": str(history.id), "status": "received"})).json()
            assert str(history.id) in {each["id"] for each in lines["rows"]}
            assert lines["next"] is None
        refused = await page.get("/api/lists/demands", params={"q": "水"})
        assert (refused.status_code, list(refused.json())) == (400, ["error"])
        assert (await page.get(f"/api/incidents/{uuid4()}")).status_code == 404
        assert (await page.get("/api/incidents/other")).status_code == 404
        assert (await page.get("/api/lists/everything")).status_code == 404
        assert (await page.post("/api/summary")).status_code == 405
        # The name of another site that its owner points to this machine.
        assert (await page.get("/api/summary", headers={"host": "elsewhere.example"})).status_code == 400


# --- made anew -------------------------------------------------------------------------------------------------------


async def test_a_rebuild_makes_the_same_rows(house: House) -> None:
    """Every row of every table comes out the same, also of a ledger that was spoilt, and what it has heard stays."""
    walk = inspected(found=[uuid4()])
    found = History("hazard", "gas", links=[Link(rel="inspection", href=f"urn:uuid:{walk.subject}")])
    histories = [*some(), found]
    again = inspected(again=[(found.id, True), (uuid4(), False)])
    found.street(decision.Reinspected(community="guangdu", inspection=again.subject, report=found.id, holds=True))
    rounds = walk, again
    await house.tell(*(event for each in histories for event in each.events), *rounds)
    await rebuild(house.books.engine, house.kafka)
    late = [History().called("water") for _ in range(5)]
    gap = History().called()
    await house.tell(*(event for each in late for event in each.events), *gap.events[1:])
    async with house.room():
        await house.has(*late)
        await until(lambda: _waits(house, gap))
    before = await house.books.everything()
    assert before["entry"]
    assert before["obligation"]
    assert before["repeat"]
    assert before["appraisal"]
    assert {row[1] for row in before["finding"] if row[0] == walk.subject} > {found.id}
    assert {row[1] for row in before["recheck"]} > {found.id}
    assert (found.id, again.subject, found.id, True) in before["reinspection"]
    async with house.books.engine.begin() as connection:
        # As the migrations have it, and whoever spoils the ledger does not mind.
        for statement in (*ENTRIES_STAY, "ALTER TABLE ledger.entry DISABLE TRIGGER USER"):
            await connection.execute(text(statement))
        heard = await connection.scalar(text("SELECT count(*) FROM ledger.journal WHERE type <> 'rebuilt'"))
        await connection.execute(text("DELETE FROM ledger.entry WHERE version > 1"))
        await connection.execute(text("ALTER TABLE ledger.entry ENABLE TRIGGER USER"))
        await connection.execute(text("UPDATE ledger.incident SET kind = 'hazard', owned = true"))
        await connection.execute(text("DELETE FROM ledger.inspection"))
        await connection.execute(text("UPDATE ledger.appraisal SET late = NOT late"))
        await connection.execute(text("DELETE FROM ledger.finding"))
        await connection.execute(text("UPDATE ledger.recheck SET holds = NOT holds"))
        await connection.execute(text("UPDATE ledger.reinspection SET holds = NOT holds"))
    made = await rebuild(house.books.engine, house.kafka)
    assert await house.books.everything() == before
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with house.books.engine.begin() as connection:
            await connection.execute(text("DELETE FROM ledger.entry"))
    assert (made.incidents, made.entries) == (len(before["incident"]), len(before["entry"]))
    async with house.books.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM ledger.journal WHERE type <> 'rebuilt'")) == heard


async def _waits(house: House, history: History) -> bool:
    book = await house.books.book(history)
    return bool(book and book.ahead)


async def test_a_running_ledger_loses_nothing_to_a_rebuild(house: House) -> None:
    """While it is made anew, the router goes on telling and the room goes on reading: in the end all of it is there."""
    histories = [History().called().solved().answered() for _ in range(60)]
    events = [event for each in histories for event in each.events]
    async with house.room():

        async def telling() -> None:
            for first in range(0, len(events), 20):
                await house.tell(*events[first : first + 20])

        await asyncio.gather(telling(), *[rebuild(house.books.engine, house.kafka) for _ in range(2)])
        await house.has(*histories)
    after = await house.books.everything()
    await rebuild(house.books.engine, house.kafka)
    assert await house.books.everything() == after


async def test_a_rebuild_waits_for_who_holds_a_shard(house: House) -> None:
    """It takes every shard's lock, so it can't overtake a batch in flight."""
    async with house.books.engine.begin() as connection:
        await connection.execute(text("SELECT * FROM ledger.shard WHERE id = 17 FOR UPDATE"))
        work = asyncio.ensure_future(rebuild(house.books.engine, house.kafka))
        await until(lambda: _somebody_waits(house))
        assert not work.done()
    async with asyncio.timeout(LIMIT_S):
        await work


async def _somebody_waits(house: House) -> bool:
    async with house.books.engine.connect() as connection:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(await connection.scalar(text(waiting)))


async def test_a_rebuild_in_passes_is_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is read before the locks are taken, in however many passes, the rows are the same."""
    assert FEW > 0
    histories = [History().called().solved() for _ in range(20)]
    await house.tell(*(event for each in histories for event in each.events))
    await rebuild(house.books.engine, house.kafka)
    expected = await house.books.everything()
    for passes in (0, 3):
        monkeypatch.setattr("services.ledger.rebuild.MOST_PASSES", passes)
        monkeypatch.setattr("services.ledger.rebuild.FEW", -1)
        await rebuild(house.books.engine, house.kafka)
        assert await house.books.everything() == expected


async def test_a_rebuild_with_little_in_hand_is_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few incidents are kept in memory, and however often one is told of again, the rows are the same."""
    histories = [History(category="river").called("water").later(days=9).solved() for _ in range(20)]
    gap, twice = History().called(), History().called()
    told = [event for entries in zip(*(each.events for each in histories), strict=True) for event in entries]
    await house.tell(*gap.events[1:], *twice.events, *told, *twice.events, *gap.events[:1], inspected())
    await rebuild(house.books.engine, house.kafka)
    expected = await house.books.everything()
    assert {each.id for each in (*histories, gap)} <= {row[0] for row in expected["incident"]}
    for in_hand, at_once, bits in ((0, 7, 2**25), (3, 50, 2**25), (5, 20, 8)):
        monkeypatch.setattr("services.ledger.shelf.MOST_IN_HAND", in_hand)
        monkeypatch.setattr("services.ledger.shelf.AWAY_AT_ONCE", 2)
        monkeypatch.setattr("services.ledger.shelf.PUT_AWAY_BITS", bits)
        monkeypatch.setattr("services.ledger.rebuild.AT_ONCE", at_once)
        await rebuild(house.books.engine, house.kafka)
        assert await house.books.everything() == expected


async def test_nothing_is_copied_under_locks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is stopped in the middle of COPY keeps the locks for ever, which no time-out ends."""

    async def refuse(_self: Copying, _connection: object, rows: Sequence[object]) -> None:
        assert not rows

    history = History().called()
    await house.tell(*history.events)
    monkeypatch.setattr("services.ledger.rebuild.MOST_PASSES", 0)
    monkeypatch.setattr(Copying, "write", refuse)
    await rebuild(house.books.engine, house.kafka)
    book = await house.books.book(history)
    assert book
    assert book.state == history.folded


async def test_a_rebuild_leaves_nothing_to_publish(house: House) -> None:
    """Its own rows are said to nobody, and count as published; what others left unpublished stays so."""
    history = History()
    await house.books.hear(causes(history))
    heard = history.causes[0].shard
    await rebuild(house.books.engine, house.kafka)
    async with house.books.engine.connect() as connection:
        behind = await connection.execute(text("SELECT id, published FROM ledger.shard WHERE published < seq"))
        assert behind.all() == [(heard, 0)]


# --- what was lost ---------------------------------------------------------------------------------------------------


async def test_a_report_without_an_incident_is_lost(house: House) -> None:
    """A valid report counts as lost until it has an incident, its own or another's; nothing else on the topic does."""
    code = f"lost-{uuid4().hex[:8]}"
    await topics.apply(house.kafka, [REPORTS], {"community": [code]})
    topic, engine = REPORTS.named(code), house.books.engine
    own, repeat, never = History(), uuid4(), uuid4()
    arrivals = Arrivals(house.kafka, [code])
    assert await arrivals.lost(engine) == 0
    for subject in (own.id, repeat, never, never):
        await house.tell(Event(uuid4(), f"/{code}", subject, START, raised()), topic=topic)
    await house.tell(Event(uuid4(), f"/{code}", uuid4(), START, Rated(solved=True, satisfied=True)), topic=topic)
    await house.producer.send_and_wait(topic, b"no report", key=b"none")
    assert await arrivals.lost(engine) == 3
    await house.books.hear(causes(own))
    assert await arrivals.lost(engine) == 2
    first = History()
    repeated = History(incident=repeat)
    attached(repeated, first)
    await house.books.hear(causes(first))
    assert await arrivals.lost(engine) == 1
    assert await lost(engine, house.kafka, [code]) == 1


async def test_what_arrived_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many reports there have been, those that have their incident are in memory for a moment only."""
    monkeypatch.setattr("services.ledger.lost.AT_ONCE", 10)
    code = f"many-{uuid4().hex[:8]}"
    await topics.apply(house.kafka, [REPORTS], {"community": [code]})
    histories = [History() for _ in range(60)]
    never = [uuid4() for _ in range(15)]
    subjects = [*never[:8], *(each.id for each in histories), *never[8:]]
    said = [Event(uuid4(), f"/{code}", subject, START, raised()) for subject in subjects]
    await house.tell(*said, topic=REPORTS.named(code))
    await house.books.hear(causes(*histories))
    arrivals = Watched(house.kafka, [code])
    assert await arrivals.lost(house.books.engine) == len(never)
    assert arrivals.read == len(subjects)
    assert arrivals.most <= len(never) + 2 * 10


class Watched(Arrivals):
    """Counts what was read, and the most that was in memory at once."""

    read = most = 0

    def _report(self, record: ConsumerRecord) -> UUID | None:
        self.read += 1
        self.most = max(self.most, len(self._missing) + len(self._arrived))
        return super()._report(record)


async def test_what_cannot_be_read_is_not_nothing(house: House) -> None:
    """A topic that isn't there, or a broker that is away, makes the figure unknown, never 0."""
    with pytest.raises(Unreadable, match=r"community\.nowhere\.reports"):
        await lost(house.books.engine, house.kafka, [*named(CONFIGURATION).communities, "nowhere"])
    away = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Unreadable, match=r"127\.0\.0\.1:1"):
        await lost(house.books.engine, away, ["guangdu"])


# --- the commands ----------------------------------------------------------------------------------------------------


async def test_the_command_shows_what_nobody_owns_first(house: House) -> None:
    """Tables on a terminal in order, the figures on one line of JSON, and both as CSV."""
    histories = some()
    await house.books.hear(causes(*histories))
    await set_clock(house.books.engine, histories[2].at)
    status, out, err = await house.command()
    assert (status, err) == (0, "")
    titles = ["nobody owns: 1", "overdue: ", "诉求 demand", "建议 suggestion", "隐患 hazard", "矛盾纠纷 dispute"]
    titles += ["who owns what", "数字 figures"]
    lines = out.splitlines()
    places = [next(at for at, line in enumerate(lines) if title in line and "│" not in line) for title in titles]
    assert places == sorted(places)
    assert "样例时间" in out
    status, out, _ = await house.command("--json")
    assert status == 0
    figures = json.loads(out)
    assert len(out.splitlines()) == 1
    assert {name: figures[name] for name in ("assigned", "solved", "in_progress", "duplicates")} == {
        "assigned": 2,
        "solved": 2,
        "in_progress": 0,
        "duplicates": 0,
    }
    assert figures["unowned"] == {"demand_or_suggestion": 1, "hazard": 0}
    assert isinstance(figures["lost"], int)
    _, out, _ = await house.command("--csv")
    assert out.splitlines()[:2] == ["figure,value", "collected.demand,3"]


async def test_a_list_is_the_same_in_every_form(house: House) -> None:
    """Each list has the same lines as a table, as JSON and as CSV, in which no text is a formula."""
    formula = History(category="other", description="=HYPERLINK(1)\x1b[31m,\n二").later(days=30)
    await house.books.hear(causes(formula, History("hazard", "gas").called()))
    for name in ("unowned", "overdue"):
        status, out, _ = await house.command("--list", name, "--json")
        assert status == 0
        lines: list[dict[str, Any]] = json.loads(out)
        assert {UUID(each["id"]) for each in lines} >= {formula.id}
        _, out, _ = await house.command("--list", name, "--csv")
        assert len(out.splitlines()) == 1 + len(lines)
        assert '"\'=HYPERLINK(1) [31m, 二"' in out
        _, out, _ = await house.command("--list", name)
        assert str(formula.id)[:13] in out
        assert "\x1b[31m" not in out
    _, out, _ = await house.command("--list", "suggestions", "--json")
    assert out == "[]\n"


async def test_show_tells_the_whole_history(house: House) -> None:
    """Every entry, with when, who, by which post or rule; an id may be cut short while it names one incident only."""
    history = History(category="river").called("water").later(days=20).solved().answered()
    await house.books.hear(causes(history, History()))
    status, out, _ = await house.command("show", str(history.id)[:12])
    assert status == 0
    for word in ("立案 opened", "呼叫（吹哨） called", "区水务局", "规则 rule", "升级 escalated", "2021-03-01 10:00"):
        assert word in out
    _, out, _ = await house.command("show", str(history.id), "--json")
    assert [each["version"] for each in json.loads(out)] == list(range(1, history.folded.version + 1))
    status, _, err = await house.command("show", str(uuid4()))
    assert (status, err.count("\n")) == (2, 1)
    status, _, err = await house.command("show", "%")
    assert (status, err.count("\n")) == (2, 1)


async def test_the_list_of_what_was_broken_is_the_same_in_every_form(house: House) -> None:
    """Named by KEY=VALUE; as a table, as JSON and as CSV; a mistake is told with its cure."""
    broken = History(category="river").called("water").later(days=30).solved()
    await house.books.hear(causes(broken, History(category="gas").called("gas").later(days=9)))
    status, out, _ = await house.command("broken", "unit=water", "open=no", "--json")
    assert status == 0
    lines: list[dict[str, Any]] = json.loads(out)
    assert {(each["unit"], each["side"], each["incident"]) for each in lines} == {
        ("water", "department", str(broken.id))
    }
    assert {"acknowledge", "resolve"} <= {each["deadline"] for each in lines}
    _, out, _ = await house.command("broken", "unit=water", "open=no", "--csv")
    assert len(out.splitlines()) == 1 + len(lines)
    _, out, _ = await house.command("broken", "unit=water")
    for word in (str(broken.id)[:13], "区水务局", "签收 acknowledge", "办结 resolved"):
        assert word in out
    status, _, err = await house.command("broken", "month=soon")
    assert (status, err) == (2, "month is written as in 2021-03, not 'soon'\n")
    for word in ("water", "unit=", "limit=3"):
        status, _, err = await house.command("broken", word)
        assert (status, err.count("\n")) == (2, 1)
        assert "KEY=VALUE with one of unit, side" in err


async def test_notices_are_listed_by_unit(house: House) -> None:
    """As a table with the period, and as JSON with the breaches."""
    event, _ = issued(notice("water"))
    other, _ = issued(notice("gas"))
    await house.books.hear([cause(event), cause(other)])
    _, out, _ = await house.command("notices")
    for word in ("区水务局", "双流燃气公司", "2021-03-01 – 2021-03-31", "引以为戒"):
        assert word in out
    _, out, _ = await house.command("notices", "--unit", "water", "--json")
    assert [(each["id"], len(each["breaches"])) for each in json.loads(out)] == [(str(event.subject), 2)]


async def test_a_command_says_who_reads(house: House) -> None:
    """Who sees a history, a list or the trail itself is on the trail, by the name that the settings give.

    Beside it stands whom the system knows, and of a round its whole id.
    """
    history, round_ = History(), inspected()
    await house.books.hear([*causes(history), cause(round_)])
    house.environment["WHISTLE_READER"] = "纪工委 1"
    for words in (
        ("show", str(history.id)),
        ("--list", "demands"),
        ("broken", "open=yes"),
        (),
        ("--json",),
        ("rounds", str(round_.subject)[:8]),
        ("audit", "--who", "nobody"),
    ):
        status, _, err = await house.command(*words)
        assert (status, err) == (0, "")
    status, out, _ = await house.command("audit", "--who", "纪工委 1", "--json")
    assert [(each["what"], each["via"]) for each in json.loads(out)] == [
        ("history", "command"),
        ("list demands", "command"),
        ("list broken open=yes", "command"),
        ("summary", "command"),
        (f"round {round_.subject}", "command"),
        ("audit nobody", "command"),
    ]
    assert {each["address"] for each in json.loads(out)} == {f"{getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"}
    assert json.loads(out)[3]["shown"] == [str(history.id)]
    _, out, _ = await house.command("audit", str(history.id)[:8])
    for word in ("立案 opened", "办 acted", "阅 read", "history", "纪工委 1"):
        assert word in out
    status, _, err = await house.command("audit")
    assert (status, err) == (2, "name an incident, or a reader with --who\n")


async def test_rebuild_says_how_many(house: House) -> None:
    """The command says what it made."""
    await house.tell(*History().events)
    status, out, _ = await house.command("rebuild")
    assert status == 0
    assert out.startswith("made again: ")


async def test_without_a_database_one_sentence(house: House) -> None:
    """Whoever asks is told what to do, in one line and with status 1."""
    house.environment["WHISTLE_DATABASE__URL"] = "postgresql+asyncpg://postgres@127.0.0.1:1/whistle"
    status, out, err = await house.command()
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "WHISTLE_DATABASE__URL" in err


# --- the rates -------------------------------------------------------------------------------------------------------


MONTH = "2022-07"


async def test_the_rates_are_the_same_in_every_format(house: House, page: httpx.AsyncClient) -> None:
    """The command's JSON, CSV and workbook, and the page's, hold the same numbers and marks, for every grouping."""
    # In a month of which no other test has told the room anything.
    of: dict[str, Any] = {"community": "wudongqiao", "at": START + timedelta(days=500)}
    histories = [History(category=each, **of).called("water") for each in ("river", "gas") * 6]
    for history in histories[:9]:
        history.later(hours=30).solved().answered()
        history.street(
            decision.Rated(
                community=history.folded.community,
                report=history.id,
                solved=history is not histories[0],
                satisfied=True,
            )
        )
    await house.books.write(*histories, History(**of).called("dongsheng-urban").later(days=9).solved(), History(**of))
    async with house.room():
        await served(page)
        for by in ("", "department", "section", "community,month"):
            parameters = {"by": by, "month": MONTH}
            options = ["rates", "--month", MONTH, *(["--by", by] if by else [])]
            told = (await page.get("/api/rates", params=parameters)).json()
            status, out, _ = await house.command(*options, "--format", "json")
            assert status == 0
            assert json.loads(out) == told
            assert told["total"]["response"]["of"] > 0
            taken = {each: await page.get("/api/rates", params={**parameters, "format": each}) for each in FORMATS}
            for form, read in FORMATS.items():
                path = house.home / f"rates.{form}"
                assert (await house.command(*options, "--format", form, "--output", str(path)))[0] == 0
                assert read(path.read_bytes()) == expected_rows(told)
                assert read(taken[form].content) == expected_rows(told)
                assert "attachment" in taken[form].headers["content-disposition"]
            status, out, _ = await house.command(*options)
            assert status == 0
            assert ("小" in out.replace("小样本", "").replace("小 =", "")) == marked(told)
    assert (await _small(house, "13")) > (await _small(house, "10")) > (await _small(house, "2")) == 0


def expected_rows(told: dict[str, Any]) -> list[list[Any]]:
    """What the rows of a sheet have to hold, by the JSON: names, then each figure's parts in their order."""

    def cells(rates: dict[str, dict[str, Any]]) -> list[Any]:
        parts = [(name, value) for figure in rates.values() for name, value in figure.items()]
        return [("小样本 small" if value else None) if name == "small" else value for name, value in parts]

    rows = []
    for group in told["groups"]:
        names = [[group["codes"][by], *([] if by == "month" else [group["names"][by]])] for by in told["by"]]
        rows.append([*(each for some in names for each in some), *cells(group["rates"])])
    labels = max(1, sum(1 if by == "month" else 2 for by in told["by"]))
    return [*rows, ["合计 total", *[None] * (labels - 1), *cells(told["total"])]]


def read_csv(written: bytes) -> list[list[Any]]:
    """The rows of a CSV below its header, with numbers as numbers; it begins with the mark of UTF-8."""
    assert written.startswith(codecs.BOM_UTF8)
    header, *rows = csv.reader(io.StringIO(written.decode("utf-8-sig")))
    assert all(len(row) == len(header) for row in rows)
    return [[_number(each) if place else each for place, each in enumerate(row)] for row in rows]


def _number(written: str) -> Any:
    try:
        return float(written)
    except ValueError:
        return written or None


def read_xlsx(written: bytes) -> list[list[Any]]:
    """The rows of a workbook below its header, which stays in sight; rates are numbers shown as percentages."""
    (sheet,) = openpyxl.load_workbook(io.BytesIO(written)).worksheets
    header, *rows = sheet.iter_rows()
    assert sheet.freeze_panes not in {None, "A1"}
    for row in rows:
        for title, cell in zip(header, row, strict=True):
            if isinstance(cell.value, float | int):
                assert cell.number_format == ("0.0%" if str(title.value).endswith("rate") else cell.number_format)
    return [[cell.value or None if isinstance(cell.value, str) else cell.value for cell in row] for row in rows]


FORMATS: dict[str, Callable[[bytes], list[list[Any]]]] = {"csv": read_csv, "xlsx": read_xlsx}


def marked(told: dict[str, Any]) -> bool:
    """Whether any number is small."""
    every = [told["total"], *(group["rates"] for group in told["groups"])]
    return any(figure["small"] for rates in every for figure in rates.values())


async def _small(house: House, below: str) -> int:
    """How many numbers are marked as small, when this is how few are too few."""
    house.environment["WHISTLE_SMALL_BELOW"] = below
    told = json.loads((await house.command("rates", "--month", MONTH, "--format", "json"))[1])
    return sum(figure["small"] for figure in told["total"].values())


async def test_what_cannot_be_asked_of_rates_is_one_sentence(house: House, page: httpx.AsyncClient) -> None:
    """A question that can't be answered is refused with what is wrong with it, on both ways."""
    for words in (
        ["--by", "street"],
        ["--month", "2021-13"],
        ["--format", "xlsx"],
        ["--output", "x"],
        ["--to", "today"],
    ):
        status, out, err = await house.command("rates", *words)
        assert (status, out, err.count("\n")) == (2, "", 1)
    missing = str(house.home / "nowhere" / "rates.csv")
    status, _, err = await house.command("rates", "--format", "csv", "--output", missing)
    assert (status, err.count("\n")) == (1, 1)
    async with house.room():
        await served(page)
        for parameters in ({"by": "street"}, {"format": "pdf"}, {"color": "red"}):
            refused = await page.get("/api/rates", params=parameters)
            assert (refused.status_code, list(refused.json())) == (400, ["error"])
