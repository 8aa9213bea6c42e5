"""The room as it is run for real: its process, Kafka, PostgreSQL, and whoever has a receipt."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from getpass import getuser
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from schemas.answer import Asked, Given
from schemas.event import Event, Fact, dump
from schemas.topics import ANSWERS, REPORTS, dead_letters
from services.local.house import DATABASE, KAFKA
from services.local.kafka import EmbeddedKafka
from services.local.ports import free_port
from services.runtime import topics
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, KafkaSettings
from tests.journey.house import ROOT, Process, heard, until
from tests.receipts.conftest import AT

COMMUNITY = "guangdu"


@dataclass
class House:
    """The servers, the room's surroundings, and the commands."""

    servers: str
    producer: AIOKafkaProducer
    environment: dict[str, str]
    folder: Path
    address: str

    def room(self) -> Process:
        """Return the room, not yet started."""
        return Process("services.receipts", environment=self.environment, log=self.folder / "receipts.log")

    async def tell(self, report: UUID, fact: Fact, event_id: UUID | None = None, *, minute: int = 0) -> None:
        """Say something to a reporter, as the street does."""
        event = Event(event_id or uuid4(), "/street/dongsheng", report, AT.replace(minute=minute), fact)
        await self.producer.send_and_wait(ANSWERS.named(COMMUNITY), dump(event), key=str(report).encode())

    def whistle(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        line = [sys.executable, "-c", "from services.cli import main; main()", *words]
        environment = {**os.environ, **self.environment}
        return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    async def shown(self, receipt: str) -> list[str]:
        """Return what a receipt shows; nothing while the room isn't there."""
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=self.address) as page:
                answer = await page.get(f"/receipts/{receipt}")
            assert answer.status_code == 200
            return [each["text"] for each in answer.json()["told"]]
        return []


@pytest.fixture
async def house(kafka: EmbeddedKafka, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A house with one community's topics and every table."""
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    await topics.apply(settings, [REPORTS, ANSWERS], {"community": [COMMUNITY]})
    engine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    await upgrade(engine)
    await engine.dispose()
    port = free_port(None)
    environment = {
        KAFKA: kafka.bootstrap_servers,
        DATABASE: database_url,
        "WHISTLE_HOME": str(tmp_path),
        "WHISTLE_RECEIPTS_PORT": str(port),
        "WHISTLE_INSTANCE": f"t{uuid4().hex[:8]}",
    }
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        yield House(kafka.bootstrap_servers, producer, environment, tmp_path, f"http://127.0.0.1:{port}")


def given(report: UUID, words: str) -> Given:
    """An answer to a report."""
    return Given(report=report, incident=report, outcome="settled", answer=words)


async def test_a_reporter_reads_the_answer_with_the_receipt_the_report_was_raised_with(house: House) -> None:
    """From the report to the answer: printed when it is raised, good at once, by page and by command; no log has it."""
    raised = house.whistle(
        *("publish", "--community", COMMUNITY, "--kind", "demand", "--category", "road", "--channel", "visit"),
        *("--description", "路面塌陷", "--json"),
    )
    assert raised.returncode == 0, raised.stderr
    told = json.loads(raised.stdout)
    report, receipt = UUID(told["id"]), told["receipt"]
    assert house.whistle("community", "receipt", str(report), "--as", COMMUNITY).stdout == f"{receipt}\n"
    nothing = house.whistle("answer", "show", receipt)
    assert (nothing.returncode, nothing.stdout) == (0, "还没有答复 there is no answer yet\n")
    async with house.room() as room:
        question = Asked(report=report, incident=report, question="哪一段？", reply_by=AT + timedelta(days=5))
        await house.tell(report, question)
        await house.tell(report, given(report, "已修好\x1b[31m"), minute=9)

        async def answered() -> bool:
            return len(await house.shown(receipt)) == 2

        await until(answered, why=room.told)
        assert await room.stop() == 0, room.told()
    shown = house.whistle("answer", "show", receipt.upper())
    assert shown.stdout.splitlines() == [
        "2021-03-01 10:00  请补充情况 a question to you (→ 2021-03-06 10:00)",
        "哪一段？",
        "2021-03-01 10:09  办理答复 the answer",
        "已修好\ufffd[31m",
    ]
    written = json.loads(house.whistle("answer", "show", receipt, "--json").stdout)
    assert [each["outcome"] for each in written] == ["asked", "settled"]
    seen = json.loads(house.whistle("answer", "readings", str(report), "--as", COMMUNITY, "--json").stdout)
    assert [(each["via"], each["who"]) for each in seen if each["via"] == "command"] == [("command", getuser())] * 3
    assert [each["who"] for each in seen if each["via"] == "page"][:1] == [""]
    assert receipt.partition(".")[2][-6:] not in json.dumps(seen)
    assert receipt.partition(".")[2][-6:] not in (house.folder / "receipts.log").read_text()
    said = await heard(house.servers, [REPORTS.named(COMMUNITY), ANSWERS.named(COMMUNITY)])
    assert said
    assert not any(receipt.encode() in record.value for record in said)


async def test_a_killed_room_goes_on_and_shows_each_answer_once(house: House) -> None:
    """After a kill -9, and with answers said twice and a record nobody can read, every answer is shown once."""
    report = uuid4()
    receipt = _receipt(house, report)
    ids = [uuid4() for _ in range(20)]
    async with house.room() as room:
        for number, each in enumerate(ids[:10]):
            await house.tell(report, given(report, f"第 {number}"), each)

        async def some() -> bool:
            return bool(await house.shown(receipt))

        await until(some, why=room.told)
        await room.kill()
    await house.producer.send_and_wait(ANSWERS.named(COMMUNITY), b"{", key=b"nobody")
    for number, each in enumerate(ids):
        await house.tell(report, given(report, f"第 {number}"), each)
    async with house.room() as room:

        async def all_of_them() -> bool:
            return len(await house.shown(receipt)) == len(ids)

        await until(all_of_them, why=room.told)
        assert sorted(await house.shown(receipt)) == sorted(f"第 {number}" for number in range(len(ids)))
    assert await heard(house.servers, [dead_letters("receipts")])


async def test_a_room_goes_on_through_a_changed_configuration(house: House) -> None:
    """The same process, on the same port, shows old and new answers in the zone that is in use from then on."""
    folder = house.folder / "config"
    shutil.copytree(ROOT / "deploy" / "config", folder)
    house.environment["WHISTLE_CONFIG"] = str(folder)
    report = uuid4()
    receipt = _receipt(house, report)

    async def page() -> str:
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=house.address, headers={"accept": "text/html"}) as client:
                return (await client.get(f"/receipts/{receipt}")).text
        return ""

    async def shows(*words: str) -> bool:
        shown = await page()
        return all(each in shown for each in words)

    async with house.room() as room:
        await house.tell(report, given(report, "已到场"))
        await until(lambda: shows("已到场", "2021-03-01 10:00"), why=room.told)
        calendar = folder / "calendar.yaml"
        text = calendar.read_text(encoding="utf-8")
        assert "zone: Asia/Shanghai" in text
        calendar.write_text(text.replace("zone: Asia/Shanghai", "zone: Asia/Tokyo"), encoding="utf-8")
        await until(lambda: shows("已到场", "2021-03-01 11:00"), why=room.told)
        await house.tell(report, given(report, "已修好"), minute=9)
        await until(lambda: shows("已修好", "2021-03-01 11:09"), why=room.told)
        assert "a changed configuration is in use" in room.told()
        assert await room.stop() == 0, room.told()


def _receipt(house: House, report: UUID) -> str:
    """The receipt of a report, made with the house's own key, which the first who asks for it makes."""
    made = house.whistle("publish", "--community", COMMUNITY, "--purpose", "safety", "--grid-level", "2", "--json")
    assert "receipt" not in json.loads(made.stdout), "a round of inspection has no reporter"
    (house.folder / "receipt.key").write_text("k" * 40)
    return house.whistle("community", "receipt", str(report), "--as", COMMUNITY).stdout.strip()


def test_without_a_key_the_room_does_not_begin_and_makes_none(tmp_path: Path) -> None:
    """One sentence says where the key is made and how it gets here: under another, good receipts would be wrong."""
    line = [sys.executable, "-m", "services.receipts"]
    environment = {**os.environ, "WHISTLE_HOME": str(tmp_path), "WHISTLE_RECEIPTS_PORT": str(free_port(None))}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert str(tmp_path / "receipt.key") in told
    assert "the community's publisher makes it" in told
    assert "WHISTLE_RECEIPT_KEY_FILE" in told
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_a_command_says_where_it_looked(tmp_path: Path) -> None:
    """A reader makes no key of its own, under which every receipt would be an invention: one sentence, status 1."""
    line = [sys.executable, "-c", "from services.cli import main; main()", "answer", "show", "guangdu.x"]
    environment = {**os.environ, "WHISTLE_HOME": str(tmp_path)}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert str(tmp_path / "receipt.key") in done.stderr
    assert not (tmp_path / "receipt.key").exists()
