"""Who saw what: everybody who reads is written down before anything is shown, and nothing of it is ever changed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.audit import ANONYMOUS, MOST_SHOWN, Reader, Step, of_list, reader, record, trail, trail_of
from services.ledger.names import named
from services.ledger.page import Ledger, make_page
from services.ledger.rates_page import Counted
from services.runtime.clock import WallClock, open_clock, set_clock
from services.runtime.database import connect, transaction
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings
from tests.journey.house import until
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, History, attached, cause, inspected

WANG = Reader("王督查", "page", "10.0.0.7")
HEADER = "x-reader"


@pytest.fixture
async def look(books: Books) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who looks at the page, behind a proxy that says who it is."""
    ledger = Ledger(books.engine, await open_clock(books.engine), lambda: named(CONFIGURATION), HEADER)
    transport = httpx.ASGITransport(
        app=make_page(ledger, Counted(books.engine, lambda: CONFIGURATION, 10), "127.0.0.1"), client=("10.0.0.7", 4711)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def read(books: Books) -> list[tuple[str, str, str, str]]:
    """Return (who, via, address, what) of every reading, in order."""
    async with books.engine.connect() as connection:
        rows = await connection.execute(text("SELECT who, via, address, what FROM ledger.reading ORDER BY id"))
        return [tuple(row) for row in rows]


async def steps(books: Books, history: History | None = None, who: str | None = None, limit: int = 500) -> list[Step]:
    """Return a trail."""
    async with books.engine.connect() as connection:
        return [*await trail(connection, incident=history.id if history else None, who=who, limit=limit)]


async def test_the_page_says_who_reads_a_history_and_who_a_list(books: Books, look: httpx.AsyncClient) -> None:
    """By the header of the proxy and the address; what was asked of a list too."""
    history = History(category="gas").called().later(days=9)
    await books.write(history)
    assert (await look.get(f"/api/incidents/{history.id}", headers={HEADER: "clerk 7"})).is_success
    assert (await look.get("/api/lists/overdue", params={"community": "guangdu"})).is_success
    found = await look.get("/api/broken", params={"unit": "gas", "limit": "1"}, headers={HEADER: " a \t b "})
    assert [each["unit"] for each in found.json()["rows"]] == ["双流燃气公司"]
    assert (await look.get("/api/broken", params={"unit": "gas", "after": found.json()["next"]})).is_success
    assert (await look.get("/api/broken", params={"unit": "Gas"})).status_code == 400
    assert await read(books) == [
        ("clerk 7", "page", "10.0.0.7", "history"),
        (ANONYMOUS, "page", "10.0.0.7", "list overdue community=guangdu"),
        ("a b", "page", "10.0.0.7", "list broken unit=gas limit=1"),
        (ANONYMOUS, "page", "10.0.0.7", "list broken unit=gas"),
    ]


async def test_a_glance_is_written_down_when_it_shows_somebody_other_incidents(
    books: Books, look: httpx.AsyncClient
) -> None:
    """Once for each reader, however often the page asks for it, and anew when what it shows has changed."""
    first, second = History(), History()
    await books.write(first)

    async def glance(who: str) -> set[str]:
        answer = await look.get("/api/summary", headers={HEADER: who})
        return {each["id"] for each in answer.json()["overdue"]["rows"]}

    for who in ("clerk 7", "clerk 7", "clerk 8"):
        assert await glance(who) == {str(first.id)}
    assert await read(books) == [(who, "page", "10.0.0.7", "summary") for who in ("clerk 7", "clerk 8")]
    assert await seen(books) == [{first.id}] * 2
    await books.write(second)

    async def shows_both() -> bool:
        return len(await glance("clerk 7")) == 2

    await until(shows_both)
    assert await glance("clerk 7") == {str(first.id), str(second.id)}
    assert [who for who, *_ in await read(books)] == ["clerk 7", "clerk 8", "clerk 7"]
    assert (await seen(books))[-1] == {first.id, second.id}


async def seen(books: Books) -> list[set[UUID]]:
    """Return the incidents that each reading names, in order."""
    async with books.engine.connect() as connection:
        return [
            set(each or ()) for each in await connection.scalars(text("SELECT shown FROM ledger.reading ORDER BY id"))
        ]


async def test_a_list_is_written_down_with_every_incident_it_showed(books: Books, look: httpx.AsyncClient) -> None:
    """Of each page its own, a repeat with the incident it lives in; and an incident's trail shows who saw it listed."""
    first, repeat, other = History(category="gas").called(), History(community="wudongqiao"), History(category="gas")
    attached(repeat, first)
    gas, unseen = History(category="gas").called().later(days=9), History(kind="dispute", community="wudongqiao")
    await books.write(first, repeat, other, gas, unseen)
    page = (await look.get("/api/lists/demands", params={"limit": "3"}, headers={HEADER: "clerk"})).json()
    await look.get("/api/lists/demands", params={"limit": "3", "after": page["next"]}, headers={HEADER: "clerk"})
    await look.get("/api/lists/overdue", params={"community": "guangdu"})
    await look.get("/api/broken")
    demands = [first.id, repeat.id, other.id, gas.id]
    told = [UUID(each["id"]) for each in page["rows"]]
    found = await seen(books)
    assert len(told) == 3
    assert found[0] == {*told, *([first.id] if repeat.id in told else [])}
    assert found[0] | found[1] == set(demands)
    assert found[2:] == [{first.id, other.id, gas.id}, {gas.id}]
    assert [(each.who, each.what, each.incident) for each in await steps(books, gas) if each.did == "read"][-2:] == [
        (ANONYMOUS, "list overdue community=guangdu", None),
        (ANONYMOUS, "list broken", None),
    ]
    assert {each.did for each in await steps(books, unseen)} == {"acted"}
    assert set(demands) == {seen for each in await steps(books, who="clerk") for seen in each.shown}


async def test_a_round_is_written_down_with_what_it_found(books: Books, look: httpx.AsyncClient) -> None:
    """Each report that a round found was seen by whoever looks at the round."""
    hazard = History(kind="hazard", category="gas")
    walked = inspected(found=[hazard.id])
    await books.write(hazard)
    await books.hear([cause(walked)])
    assert (await look.get(f"/api/rounds/{walked.subject}")).is_success
    assert await seen(books) == [{hazard.id}]


async def test_a_list_of_any_length_is_written_down_whole(books: Books) -> None:
    """In several rows, each of a bounded size, within one transaction; no incident twice."""
    ids = [uuid4() for _ in range(2 * MOST_SHOWN + 1)]
    await record(books.engine, WANG, "list demands", None, START, [*ids, *ids])
    found = await steps(books, who="王督查")
    assert [len(each.shown) for each in found] == [MOST_SHOWN, MOST_SHOWN, 1]
    assert [seen for each in found for seen in each.shown] == ids


async def test_who_saw_an_incident_listed_is_found_by_an_index(books: Books) -> None:
    """However long the trail has grown, nobody reads all of it for one incident."""
    wanted = uuid4()
    async with transaction(books.engine) as connection:
        await connection.execute(
            text(
                "INSERT INTO ledger.reading (at, who, via, address, what, shown) "
                "SELECT now(), 'x', 'page', '', 'list demands', ARRAY[gen_random_uuid(), gen_random_uuid()] "
                "FROM generate_series(1, 20000)"
            )
        )
    await record(books.engine, WANG, "list demands", None, START, [wanted])
    async with books.engine.connect() as connection:
        # As VACUUM does it now and then.
        await connection.execute(text("SELECT gin_clean_pending_list('ledger.reading_shown')"))
        await connection.execute(text("ANALYZE ledger.reading"))
        statement, values = trail_of(wanted, None, 10)
        plan = await connection.scalars(text(f"EXPLAIN {statement}"), values)
        told = "\n".join(plan)
        (step,) = await trail(connection, incident=wanted, limit=10)
    assert step.shown == [wanted]
    assert "reading_shown" in told
    assert "Seq Scan on reading" not in told


async def test_without_a_proxy_nobody_is_believed(books: Books) -> None:
    """Where no header is named, whatever a request claims is no name."""
    ledger = Ledger(books.engine, WallClock(), lambda: named(CONFIGURATION))
    history = History()
    await books.write(history)
    transport = httpx.ASGITransport(
        app=make_page(ledger, Counted(books.engine, lambda: CONFIGURATION, 10), "127.0.0.1"), client=("127.0.0.1", 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get(f"/api/incidents/{history.id}", headers={HEADER: "mayor"})).is_success
    assert [who for who, *_ in await read(books)] == [ANONYMOUS]


async def test_who_looked_in_vain_is_written_down_too(books: Books, look: httpx.AsyncClient) -> None:
    """A look for an incident that isn't there is a reading."""
    assert (await look.get(f"/api/incidents/{History().id}")).status_code == 404
    assert len(await read(books)) == 1


async def test_what_can_not_be_written_down_is_not_shown(books: Books, look: httpx.AsyncClient) -> None:
    """A reading that fails to be kept fails as a whole, and tells nothing of what it would have shown."""
    history = History(description="秘密")
    await books.write(history)
    async with transaction(books.engine) as connection:
        await connection.execute(text("ALTER TABLE ledger.reading ADD CONSTRAINT never CHECK (false) NOT VALID"))
    for path in (f"/api/incidents/{history.id}", "/api/lists/demands", "/api/broken", "/api/summary"):
        answer = await look.get(path)
        assert answer.status_code == 503
        assert "秘密" not in answer.text


async def test_a_trail_shows_who_did_and_who_saw_in_one_order(books: Books) -> None:
    """The history's entries and the readings, by time; at one instant the act comes first."""
    history = History(category="gas")
    other = History()
    await record(books.engine, WANG, "history", history.id, START)
    history.later(hours=1).called("gas")
    await books.write(history, other)
    await record(books.engine, WANG, "history", history.id, START + timedelta(minutes=30))
    await record(books.engine, reader("clerk", "command", "pc-3"), "history", other.id, START)
    found = await steps(books, history)
    assert [(each.did, each.who) for each in found[:3]] == [
        ("acted", "street.dongsheng"),
        ("read", "王督查"),
        ("read", "王督查"),
    ]
    assert [each.did for each in found[3:]] == ["acted"] * 2
    assert {each.incident for each in found} == {history.id}
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert await steps(books, history, limit=2) == found[-2:]
    assert await steps(books, history, who="王督查") == [each for each in found if each.did == "read"]
    assert {each.who for each in await steps(books, history, who="street.dongsheng")} == {"street.dongsheng"}


async def test_what_somebody_has_read_is_found_by_their_name(books: Books) -> None:
    """Across all incidents and lists, in order, and nobody else's."""
    first, second = History(), History()
    for hours, (by, what, incident) in enumerate(
        [(WANG, "history", first.id), (reader("", "page", ""), "list demands", None), (WANG, "list overdue", None)]
    ):
        await record(books.engine, by, what, incident, START + timedelta(hours=hours))
    await record(books.engine, WANG, "history", second.id, START + timedelta(hours=9))
    found = await steps(books, who="王督查")
    assert [(each.what, each.incident) for each in found] == [
        ("history", first.id),
        ("list overdue", None),
        ("history", second.id),
    ]


async def test_readings_have_the_time_of_the_house(books: Books) -> None:
    """In the sample they are put in order with its own clock."""
    await set_clock(books.engine, START)
    ledger = Ledger(books.engine, await open_clock(books.engine), lambda: named(CONFIGURATION))
    transport = httpx.ASGITransport(
        app=make_page(ledger, Counted(books.engine, lambda: CONFIGURATION, 10), "127.0.0.1")
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        await client.get(f"/api/incidents/{History().id}")
    async with books.engine.connect() as connection:
        at = await connection.scalar(text("SELECT at FROM ledger.reading"))
    assert START <= at < START + timedelta(minutes=5)


def test_what_is_written_down_is_short_and_on_one_line() -> None:
    """However long a name or a search is, and whatever characters it has."""
    assert reader("  a\n\x00b ", "page", "").who == "a b"
    assert len(reader("x" * 5_000, "page", "").who) == 200
    assert len(of_list("demands", {"q": "水" * 5_000})) == 200
    assert of_list("demands", {"q": "", "after": "abc"}) == "list demands"


@pytest.mark.parametrize(
    "unwriting",
    [
        "UPDATE ledger.reading SET who = 'nobody'",
        "DELETE FROM ledger.reading",
        "TRUNCATE ledger.reading",
    ],
)
async def test_no_reading_is_ever_changed_or_deleted(database_url: str, unwriting: str) -> None:
    """The database itself refuses, whoever asks and by whichever way."""
    engine: AsyncEngine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    await upgrade(engine)
    await record(engine, WANG, "history", None, START)
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with engine.begin() as connection:
            await connection.execute(text(unwriting))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT who FROM ledger.reading"))).scalars().all() == ["王督查"]
    await engine.dispose()


@pytest.mark.parametrize(
    "undoing",
    [
        "UPDATE ledger.entry SET who = 'street.elsewhere'",
        "DELETE FROM ledger.entry WHERE version = 2",
        "TRUNCATE ledger.entry",
    ],
)
async def test_no_act_is_ever_changed_or_deleted(database_url: str, undoing: str) -> None:
    """The half of the trail that says who acted stays as the history tells it."""
    engine: AsyncEngine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    await upgrade(engine)
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO ledger.shard (id) SELECT generate_series(0, 63)"))
    books, history = Books(engine, database_url), History().called()
    await books.write(history)
    before = await books.everything()
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        async with engine.begin() as connection:
            await connection.execute(text(undoing))
    assert await books.everything() == before
    await books.write(history.later(hours=1).solved())
    assert len((await books.everything())["entry"]) > len(before["entry"])
    await engine.dispose()


async def test_a_readers_name_is_written_down_as_it_is_written(books: Books, look: httpx.AsyncClient) -> None:
    """A proxy says it in UTF-8, which a header is not read as; what is no UTF-8 is kept as it came."""
    history = History()
    await books.write(history)
    for name in ("王督查".encode(), b"clerk \xe9"):
        assert (await look.get(f"/api/incidents/{history.id}", headers=[(HEADER.encode(), name)])).is_success
    assert [who for who, *_ in await read(books)] == ["王督查", "clerk é"]
