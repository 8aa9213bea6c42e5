"""`whistle publish` and `Publisher`, against a real broker."""

import asyncio
import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5

import httpx
import pytest

from schemas.event import follow
from schemas.inspection import Recorded
from schemas.report import Raised, Rated, Verified
from services.domain.receipts import read_receipt
from services.local.ports import free_port, is_free
from services.publisher.client import NotKeptError, Publisher, RejectedError
from services.publisher.letters import letter, open_event
from services.publisher.outbox import Outbox
from services.publisher.settings import PublisherSettings
from services.runtime.settings import Settings
from tests.publisher.conftest import HASTY, House, make_topic, reached

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
NOBODY = "127.0.0.1:9"
"""An address where nothing answers."""


def raised(description: str = "停水", **more: object) -> Raised:
    """Make a report."""
    fields = {
        "kind": "demand",
        "category": "water-supply",
        "description": description,
        "channel": "visit",
        "happened_at": "2021-01-04T09:00:00+08:00",
    }
    return Raised.model_validate(fields | more)


def write_reports(path: Path, number: int, **more: object) -> list[UUID]:
    """Write a file of reports, and return their ids."""
    ids = [uuid5(UUID(int=7), f"{path.name}-{each}") for each in range(number)]
    with path.open("w", encoding="utf-8") as file:
        for each in ids:
            fields = raised(f"第 {each} 件", **more).model_dump(mode="json", exclude_none=True)
            file.write(json.dumps({"id": str(each), **fields}, ensure_ascii=False) + "\n")
    return ids


# --- the command -----------------------------------------------------------------------------------------------------


async def test_flags_publish_one_report(house: House) -> None:
    """One report given by flags is on the community's topic, keyed by the id that is printed."""
    status, out, err = await house.publish(
        "--community", house.community, "--kind", "hazard", "--category", "power", "--description", "电线垂落",
        "--channel", "visit", "--grid-level", "2", "--link", "picture=https://pictures.example/a=b.jpg",
    )  # fmt: skip
    assert status == 0
    told, receipt = err.splitlines()
    assert told.startswith("whistle publish: the directory in")
    assert receipt.startswith(f"whistle publish: the reporter reads the answer with the receipt {house.community}.")
    (record,) = await house.records()
    (event,) = await house.events()
    assert record.key == out.strip().encode() == str(event.subject).encode()
    assert isinstance(event.data, Raised)
    assert (event.data.grid_level, event.data.links[0].href) == (2, "https://pictures.example/a=b.jpg")
    assert event.source == f"/community/{house.community}"
    assert event.id == follow(event.subject, Raised.type)


async def test_an_inspection_that_finds_nothing_is_recorded(house: House) -> None:
    """A round of inspection without a finding is said like any other."""
    status, *_ = await house.publish("--community", house.community, "--purpose", "safety", "--grid-level", "4")
    (event,) = await house.events()
    assert status == 0
    assert isinstance(event.data, Recorded)
    assert event.data.found == ()


async def test_a_file_is_sent_and_sent_again(house: House) -> None:
    """A file is sent whole and in about a second; sending it again says the same facts, by the same ids."""
    ids = write_reports(house.home / "reports.jsonl", 876)
    first = await house.publish("--community", house.community, "--file", "reports.jsonl", "--json")
    assert first[0] == 0
    assert json.loads(first[1]) == {"sent": 876, "spooled": 0, "bad": 0, "repeated": 0}
    assert "876/876" in first[2]
    await house.publish("--community", house.community, "--file", "reports.jsonl")
    events = await house.events()
    assert Counter(event.subject for event in events) == dict.fromkeys(ids, 2)
    assert len({event.id for event in events}) == 876


async def test_a_file_of_reports_has_a_file_of_receipts(house: House) -> None:
    """Each report's own, for its owner alone; rounds of inspection have none, and no other file is written over."""
    ids = write_reports(house.home / "reports.jsonl", 3)
    with (house.home / "reports.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"purpose": "safety", "grid_level": 2, "inspected_at": "2021-01-04T09:00:00+08:00"}\n')
    line = ("--community", house.community, "--file", "reports.jsonl", "--receipts", "receipts.csv")
    status, out, err = await house.publish(*line)
    assert (status, out) == (0, "4 sent, 0 kept for later.\n"), err
    written = house.home / "receipts.csv"
    header, *rows = written.read_text(encoding="utf-8").splitlines()
    key = (house.home / "receipt.key").read_bytes().strip()
    read = {each.partition(",")[0]: read_receipt(key, each.partition(",")[2]) for each in rows}
    assert (header, written.stat().st_mode & 0o777) == ("id,receipt", 0o600)
    assert read == {str(each): (house.community, each) for each in ids}
    status, _, err = await house.publish(*line)
    assert status == 1
    assert "receipts.csv can't be written (File exists)" in err
    status, *_ = await house.publish("--flush", "--receipts", "receipts.csv")
    assert status == 2


async def test_bad_lines_are_told_and_skipped(house: House) -> None:
    """Bad lines are told by number, the good ones are sent, and the status is 1."""
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    ids = write_reports(house.home / "reports.jsonl", 2)
    with (house.home / "reports.jsonl").open("ab") as file:
        file.write(b'{"kind": "wish"}\n\n\xff\xfe\n')
        file.write(raised(happened_at=later).model_dump_json().encode() + b"\n")
        file.write(json.dumps({"id": str(ids[0]), **raised("另一件").model_dump(mode="json")}).encode() + b"\n")
        file.write(raised().model_dump_json().encode() + b"\n" + raised().model_dump_json().encode() + b"\n")
    status, out, err = await house.publish("--community", house.community, "--file", "reports.jsonl")
    assert status == 1
    assert [f":{number}:" in err for number in range(1, 10)] == [
        False,
        False,
        True,
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    assert "more than a day in the future" in err
    assert "4 lines were refused" in err
    assert out == "3 sent, 0 kept for later, 1 said twice in the file.\n"
    assert len(await house.events()) == 3


async def test_csv_from_standard_input(house: House) -> None:
    """A CSV file with a byte order mark and carriage returns, as spreadsheets write it, is read from a pipe."""
    text = (
        "\ufeffKind,Category,Description,Channel,Happened_at,grid_level\r\n"
        'suggestion,greening,"多种树, 少停车",tea-talk,2021-03-01T10:00:00+08:00,3\r\n'
    )
    status, *_ = await house.publish("--community", house.community, "--file", "-", stdin=text.encode())
    (event,) = await house.events()
    assert status == 0
    assert isinstance(event.data, Raised)
    assert event.data.description == "多种树, 少停车"


async def test_a_line_says_its_community(house: House) -> None:
    """A line's own community goes before that of the flag."""
    line = json.dumps({"community": house.community, **raised().model_dump(mode="json")})
    status, *_ = await house.publish("--community", "another", "--file", "-", stdin=line.encode())
    assert (status, len(await house.events())) == (0, 1)


async def test_an_unknown_community_stops_everything(house: House) -> None:
    """A community that the directory doesn't have is an error before anything is sent, or spooled."""
    lines = [{"community": code, **raised().model_dump(mode="json")} for code in ("guangdu", "guangdo")]
    text = "\n".join(map(json.dumps, lines)).encode()
    status, out, err = await house.publish("--file", "-", stdin=text, WHISTLE_CONFIG=str(CONFIG))
    assert (status, out, house.spooled) == (1, "", [])
    assert "did you mean guangdu?" in err
    assert "(line 2): nothing was sent" in err


async def test_a_community_without_topic_stops_everything(house: House) -> None:
    """Without a directory, Kafka's topics tell which communities there are."""
    status, out, err = await house.publish(
        "--community", "elsewhere", "--file", "-", stdin=raised().model_dump_json().encode()
    )
    assert (status, out, house.spooled) == (1, "", [])
    assert "no topic community.elsewhere.reports" in err


@pytest.mark.parametrize("arguments", [(), ("--flush", "--file", "x"), ("--kind", "demand", "--file", "x")])
async def test_one_thing_at_a_time(house: House, arguments: tuple[str, ...]) -> None:
    """Flags that don't say one thing are a mistake in use, with status 2."""
    status, *_ = await house.publish(*arguments)
    assert status == 2


async def test_a_file_that_is_not_there(house: House) -> None:
    """A file that can't be read is one sentence, not a traceback."""
    status, _, err = await house.publish("--community", house.community, "--file", "none.jsonl")
    assert (status, err.count("\n")) == (1, 1)


# --- Kafka away ------------------------------------------------------------------------------------------------------


async def test_away_then_flushed(house: House) -> None:
    """With Kafka away a file is kept on disk, told in a sentence with status 0; a flush sends it once, in order."""
    ids = write_reports(house.home / "reports.jsonl", 50)
    status, out, err = await house.publish(
        "--community", house.community, "--file", "reports.jsonl", WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY
    )
    assert (status, out) == (0, "0 sent, 50 kept for later.\n")
    assert "50 wait on disk" in err
    assert "Traceback" not in err
    assert len(house.spooled) == 50
    status, out, _ = await house.publish("--flush")
    assert (status, out, house.spooled) == (0, "50 sent from the spool.\n", [])
    assert sorted(event.subject for event in await house.events()) == sorted(ids)
    status, out, _ = await house.publish("--flush")
    assert (status, out) == (0, "0 sent from the spool.\n")


async def test_flush_with_kafka_away(house: House) -> None:
    """A flush that Kafka doesn't answer says how many wait, and the status is 1."""
    arguments = ("--community", house.community, "--purpose", "safety", "--grid-level", "1")
    await house.publish(*arguments, WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY)
    status, _, err = await house.publish("--flush", WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY)
    assert (status, len(house.spooled)) == (1, 1)
    assert "1 wait" in err


async def test_two_flushes_at_once(house: House) -> None:
    """Two processes that drain one spool lose nothing, and send nothing twice while both live."""
    ids = write_reports(house.home / "reports.jsonl", 300)
    await house.publish(
        "--community", house.community, "--file", "reports.jsonl", WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY
    )
    done = await asyncio.gather(house.publish("--flush", "--json"), house.publish("--flush", "--json"))
    assert sum(json.loads(out)["sent"] for _, out, _ in done) == 300
    assert Counter(event.subject for event in await house.events()) == dict.fromkeys(ids, 1)


async def test_a_full_spool_is_an_error(house: House) -> None:
    """With Kafka away and the disk full, the command says so, with status 1."""
    status, out, err = await house.publish(
        "--community", house.community, "--purpose", "safety", "--grid-level", "1",
        WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY, WHISTLE_PUBLISHER__KEEP_FREE_MB=str(2**40),
    )  # fmt: skip
    assert (status, out, house.spooled) == (1, "", [])
    assert "is full" in err


async def test_killed_in_mid_file(house: House) -> None:
    """After kill -9 in the middle of a file, a second run leaves every report on the topic, with the same ids."""
    number = 20_000
    ids = write_reports(house.home / "reports.jsonl", number)
    async with house.counter() as count:
        process = await house.start("--community", house.community, "--file", "reports.jsonl")
        try:
            async with asyncio.timeout(60):
                while not await count():  # noqa: ASYNC110 - the records are another process's
                    await asyncio.sleep(0.01)
        finally:
            process.kill()
            await process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert 0 < await count() < number
    status, *_ = await house.publish("--community", house.community, "--file", "reports.jsonl")
    events = await house.events()
    assert status == 0
    assert {event.subject for event in events} == set(ids)
    assert {event.id for event in events} == {follow(each, Raised.type) for each in ids}
    # What was on the topic before is there twice: the second run did not guess.
    assert number < len(events) < 2 * number


# --- the class -------------------------------------------------------------------------------------------------------


async def test_everything_a_community_says(house: House) -> None:
    """Each word of a community is one fact about its report, said twice the same if the act is the same."""
    report, round_ = uuid4(), uuid4()
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        await publisher.report(raised(), id=report)
        inspected = Recorded(purpose="disputes", grid_level=1, inspected_at=datetime(2021, 1, 5, tzinfo=UTC))
        assert (await publisher.inspection(inspected, id=round_)).id == round_
        first = await publisher.verify(report, holds=True, department="water", act="a")
        again = await publisher.verify(report, holds=True, department="water", act="a")
        other = await publisher.verify(report, holds=True, department="water")
        await publisher.confirm(report, "dongsheng-urban")
        await publisher.send_back(report, "dongsheng-urban", reason="还在漏")
        await publisher.rate(report, solved=True, satisfied=False)
    assert first.event.id == again.event.id != other.event.id
    assert not other.spooled
    said = [event.data.type.split(".")[2] for event in await house.events() if event.subject == report]
    assert said == ["raised", "verified", "verified", "verified", "confirmed", "sent_back", "rated"]


async def test_the_same_words_are_the_same_report(house: House) -> None:
    """Without an id, the same report from the same community is the same; from another it is not."""
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        ids = [(await publisher.report(fact)).id for fact in (raised(), raised(), raised("别的"))]
    assert ids[0] == ids[1] != ids[2]
    assert open_event("other", raised(), id=None, at=datetime.now(UTC)).subject != ids[0]


async def test_many_calls_at_once(house: House) -> None:
    """A program that reports many matters at once has them acknowledged in about a second."""
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        began = time.monotonic()
        receipts = await asyncio.gather(*(publisher.report(raised(f"第 {each} 件")) for each in range(876)))
        took = time.monotonic() - began
    assert not any(receipt.spooled for receipt in receipts)
    assert len(await house.events()) == 876
    # A generous limit, for a machine that others use too: one by one it would be much longer.
    assert took < 10


async def test_what_cannot_have_happened_is_rejected(house: House) -> None:
    """A matter of the day after tomorrow, and a community that doesn't exist, are rejected before anything is said."""
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        with pytest.raises(RejectedError, match="future"):
            await publisher.report(raised(happened_at=datetime.now(UTC) + timedelta(days=2)))
        await publisher.report(raised(happened_at=datetime.now(UTC) + timedelta(hours=20)))
    stranger = Publisher("guangdo", house.settings.model_copy(update={"config": CONFIG}), HASTY)
    with pytest.raises(RejectedError, match="did you mean guangdu"):
        await stranger.__aenter__()


async def test_the_broker_dies_and_comes_back(house: House) -> None:
    """A broker killed while a program reports costs nothing: what it missed follows, in order per report."""
    report = uuid4()
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        assert not (await publisher.report(raised(), id=report)).spooled
        await house.kafka.kill()
        began = time.monotonic()
        assert (await publisher.verify(report, holds=False)).spooled
        assert (await publisher.rate(report, solved=False, satisfied=False)).spooled
        # The second one doesn't wait for the broker all over again.
        assert time.monotonic() - began < HASTY.acknowledge_s + 5
        await house.kafka.start()
        async with asyncio.timeout(60):
            while (await publisher.verify(report, holds=True)).spooled:  # noqa: ASYNC110 - Kafka has no event for us
                await asyncio.sleep(0.2)
    assert house.spooled == []
    facts = [event.data for event in await house.events() if event.subject == report]
    # A fact whose acknowledgement was lost may be there twice: its first place counts.
    first = list(dict.fromkeys(type(fact).__name__ for fact in facts))
    assert first == ["Raised", "Verified", "Rated"]
    assert facts[-1] == Verified(holds=True)
    assert any(isinstance(fact, Rated) for fact in facts)


async def test_what_comes_later_waits_behind_the_spool(house: House) -> None:
    """What is said while something waits for the same topic is sent after it."""
    report = uuid4()
    away = house.settings.model_copy(
        update={"kafka": house.settings.kafka.model_copy(update={"bootstrap_servers": NOBODY})}
    )
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        async with Publisher(house.community, away, HASTY) as other:
            assert (await other.report(raised(), id=report)).spooled
        assert not (await publisher.rate(report, solved=True, satisfied=True)).spooled
    assert [type(event.data) for event in await house.events()] == [Raised, Rated]


async def test_a_missing_topic_holds_up_nobody_else(house: House) -> None:
    """What waits for a topic that doesn't exist stays in the spool, and other communities go on past it."""
    late = f"{house.community}-late"
    async with Publisher(late, house.settings, HASTY) as publisher:
        assert (await publisher.report(raised())).spooled
    async with Publisher(house.community, house.settings, HASTY) as publisher:
        assert not (await publisher.report(raised())).spooled
    await make_topic(house.kafka, f"community.{late}.reports")
    status, out, _ = await house.publish("--flush")
    assert (status, out, house.spooled) == (0, "1 sent from the spool.\n", [])


async def test_a_corrupt_letter_does_not_stop_a_drain(house: House) -> None:
    """A file in the spool that can't be read is set aside and named; what is after it is sent."""
    now = datetime.now(UTC)
    async with Outbox("test", house.settings, HASTY) as outbox:
        said = [
            letter(house.community, open_event(house.community, raised(str(each)), id=None, at=now))
            for each in range(3)
        ]
        outbox.spool.keep(said)
        house.spooled[1].write_bytes(b"gone")
        drained = await outbox.drain()
    assert (drained.taken, drained.left, len(drained.aside)) == (2, 0, 1)
    assert {event.subject for event in await house.events()} == {said[0].subject, said[2].subject}


async def test_nothing_is_pretended(house: House) -> None:
    """When neither Kafka nor the disk takes a report, the program is told so."""
    full = PublisherSettings(keep_free_mb=2**40, reach_s=2)
    away = Settings(
        kafka=house.settings.kafka.model_copy(update={"bootstrap_servers": NOBODY}),
        home=house.home,
        config=house.home / "none",
    )
    async with Publisher(house.community, away, full) as publisher:
        with pytest.raises(NotKeptError, match="is full"):
            await publisher.report(raised())


# --- the room --------------------------------------------------------------------------------------------------------


async def test_the_room_takes_reports_and_drains(house: House) -> None:
    """The room takes reports by HTTP, answers in sentences, drains the spool, and stops cleanly when told to."""
    port = free_port(None)
    write_reports(house.home / "reports.jsonl", 5)
    await house.publish(
        "--community", house.community, "--file", "reports.jsonl", WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY
    )
    room = await house.start(module="services.publisher", WHISTLE_PUBLISHER__PORT=str(port))
    try:
        assert await reached(lambda: not house.spooled)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            path = f"/communities/{house.community}/reports"
            good = await client.post(path, json={"id": str(UUID(int=5)), **raised().model_dump(mode="json")})
            assert good.status_code == 202
            receipt = good.json().pop("receipt")
            assert good.json() == {"id": str(UUID(int=5)), "kept": "kafka", "receipt": receipt}
            key = (house.home / "receipt.key").read_bytes().strip()
            assert read_receipt(key, receipt) == (house.community, UUID(int=5))
            walk = {"purpose": "safety", "grid_level": 2, "inspected_at": "2021-01-04T09:00:00+08:00"}
            assert "receipt" not in (await client.post(path, json=walk)).json()
            bad = await client.post(path, json={"kind": "wish"})
            assert bad.status_code == 422
            assert "category: Field required" in bad.json()["error"]
            assert (
                await client.post(path, json={"community": "other", **raised().model_dump(mode="json")})
            ).status_code == 422
            assert (await client.post("/communities/No!/reports", json={})).status_code == 422
            assert (await client.post(path, content=b"{}", headers={"content-type": "text/plain"})).status_code == 415
            assert (
                await client.post(path, content=b"x" * 300_000, headers={"content-type": "application/json"})
            ).status_code == 413
        second = await house.start(module="services.publisher", WHISTLE_PUBLISHER__PORT=str(port))
        _, err = await second.communicate()
        assert second.returncode == 1
        assert f"the port {port} of 127.0.0.1 is taken" in err.decode()
    finally:
        room.send_signal(signal.SIGTERM)
        _, log = await room.communicate()
    assert room.returncode == 0, log.decode()
    assert "Traceback" not in log.decode()
    assert receipt not in log.decode()
    assert len(await house.events()) == 7


async def test_the_room_keeps_reports_while_kafka_is_away(house: House) -> None:
    """With Kafka away the room answers 202 when the report is on disk, and stops as cleanly."""
    port = free_port(None)
    away = {"WHISTLE_KAFKA__BOOTSTRAP_SERVERS": NOBODY, "WHISTLE_PUBLISHER__PORT": str(port)}
    room = await house.start(module="services.publisher", **away)
    try:
        assert await reached(lambda: not is_free(port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            answer = await client.post(f"/communities/{house.community}/reports", json=raised().model_dump(mode="json"))
        assert (answer.status_code, answer.json()["kept"]) == (202, "spool")
        assert len(house.spooled) == 1
    finally:
        room.send_signal(signal.SIGINT)
        _, log = await room.communicate()
    assert room.returncode == 0, log.decode()
