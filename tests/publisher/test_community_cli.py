"""`whistle community`, as a process, against a real broker."""

import asyncio
import json
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from schemas.answer import Asked, ConfirmationAsked, ExplanationAsked, Given, Recomputed, Reminded
from schemas.event import parse
from schemas.inspection import Recheck, Recorded
from schemas.report import Confirmed, Contacted, Explained, Rated, Replied, SentBack, Verified
from schemas.topics import ANSWERS
from services.runtime.settings import KafkaSettings, Settings
from services.runtime.speaker import Speaker
from tests.publisher.conftest import House, make_topic

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
FACTS = {Given.type: Given}
SECTION = "dongsheng-urban"
LIMIT_S = 30
NOBODY = "127.0.0.1:9"


@pytest.fixture
async def known(house: House) -> House:
    """A house whose community is in its directory, and has both of its topics."""
    config = house.home / "no-config"
    shutil.copytree(SHIPPED, config)
    for file in config.iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace("guangdu", house.community), encoding="utf-8")
    await make_topic(house.kafka, ANSWERS.named(house.community))
    return house


async def start(house: House, *arguments: str, **more: str) -> asyncio.subprocess.Process:
    """Start `whistle community` with the voice of the house's community."""
    return await house.start(*arguments, "--as", house.community, module="services.publisher.cli_community", **more)


async def community(house: House, *arguments: str, **more: str) -> tuple[int | None, str, str]:
    """Run it, and return its status and what it printed."""
    process = await start(house, *arguments, **more)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def give(house: House, report: UUID, answer: str, *, minute: int, times: int = 1) -> None:
    """Answer a report, as its street does; said twice it is one answer."""
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=house.kafka.bootstrap_servers))
    fact = Given(report=report, incident=report, outcome="settled", answer=answer)
    at, event_id = datetime(2021, 3, 1, 2, minute, tzinfo=UTC), uuid4()
    async with Speaker("/street/dongsheng", settings) as street:
        for _ in range(times):
            await street.say(ANSWERS.named(house.community), report, fact, event_id=event_id, at=at)


async def test_each_act_is_said_on_the_community_s_topic(known: House) -> None:
    """Each command is one fact about its report, with what its flags say."""
    report = uuid4()
    lines = (
        ("verify", str(report), "--fails", "--department", "water", "--proved", "true", "--note", "还在漏"),
        ("send-back", str(report), "--department", SECTION, "--reason", "没有清理"),
        ("confirm", str(report), "--department", SECTION),
        ("rate", str(report), "--solved", "--not-satisfied", "--fault", "handler"),
        ("reply", str(report), "--reply", "三单元"),
        ("contacted", str(report), "--channel", "phone", "--not-reached", "--at", "2021-03-01T10:00:00+08:00"),
        ("explain", str(report), "--text", "住户不在家"),
    )
    for line in lines:
        status, out, err = await community(known, *line)
        assert (status, err) == (0, "")
        assert str(report) in out
    events = await known.events()
    assert [event.data for event in events] == [
        Verified(holds=False, department="water", proved="true", note="还在漏"),
        SentBack(department=SECTION, reason="没有清理"),
        Confirmed(department=SECTION),
        Rated(solved=True, satisfied=False, fault="handler"),
        Replied(reply="三单元"),
        Contacted(channel="phone", reached=False, contacted_at=datetime(2021, 3, 1, 2, tzinfo=UTC)),
        Explained(explanation="住户不在家"),
    ]
    assert {(event.subject, event.source) for event in events} == {(report, f"/community/{known.community}")}


async def test_a_round_that_looks_again_is_a_round_of_inspection(known: House) -> None:
    """It says of each report whether its matter holds, with the remark on what doesn't, and prints its own id."""
    good, bad = uuid4(), uuid4()
    line = ("reinspect", "--grid-level", "3", "--holds", str(good), "--fails", str(bad), "--note", "纸箱又堆回来")
    status, out, err = await community(known, *line)
    assert (status, err) == (0, "")
    [event] = await known.events()
    assert str(event.subject) == out.strip()
    assert isinstance(event.data, Recorded)
    assert event.data.grid_level == 3
    assert event.data.rechecks == (
        Recheck(report=good, holds=True),
        Recheck(report=bad, holds=False, note="纸箱又堆回来"),
    )


async def test_a_question_is_printed_with_its_time(known: House) -> None:
    """What the street asks stands among the answers, with the instant until which the reporter may reply."""
    report = uuid4()
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=known.kafka.bootstrap_servers))
    asked = Asked(report=report, incident=report, question="哪个单元？", reply_by=datetime(2021, 3, 6, tzinfo=UTC))
    async with Speaker("/street/dongsheng", settings) as street:
        at = datetime(2021, 3, 1, 2, tzinfo=UTC)
        await street.say(ANSWERS.named(known.community), report, asked, at=at)
    _, out, _ = await community(known, "answers")
    assert out == f"2021-03-01 10:00  asked    {report}  哪个单元？ (→ 2021-03-06 08:00)\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("reinspect", "--grid-level", "3"), "--holds"),
        (("reinspect", "--grid-level", "3", "--fails", "152351f2"), "report"),
        (("rate", str(UUID(int=1)), "--solved", "--not-satisfied", "--fault", "weather"), "'handler'"),
        (("contacted", str(UUID(int=1)), "--reached", "--channel", "rumour"), "'phone'"),
        (("reply", str(UUID(int=1)), "--reply", ""), "reply"),
        (("send-back", str(UUID(int=1)), "--department", SECTION, "--reason", ""), "reason"),
        (("rate", "152351f2", "--solved", "--satisfied"), "give the whole of it"),
        (("rate", str(UUID(int=1)), "--solved"), "--satisfied"),
        (("answers", "--as", "nowhere"), "nowhere"),
    ],
)
async def test_what_can_never_be_is_refused_at_once(known: House, line: tuple[str, ...], told: str) -> None:
    """A mistake in use is told with its cure, with status 2, and nothing is said."""
    as_whom = () if "--as" in line else ("--as", known.community)
    process = await known.start(*line, *as_whom, module="services.publisher.cli_community")
    _, err = await process.communicate()
    assert process.returncode == 2
    assert told in err.decode()
    assert "Traceback" not in err.decode()
    assert known.spooled == []
    assert await known.events() == []


async def test_an_act_waits_on_disk_while_kafka_is_away(known: House) -> None:
    """With Kafka away an act is kept like a report, and a flush says it."""
    report = str(uuid4())
    status, out, err = await community(
        known, "confirm", report, "--department", SECTION, WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY
    )
    assert (status, len(known.spooled)) == (0, 1)
    assert "is kept" in out
    assert "waits on disk" in err
    await known.publish("--flush")
    assert [event.data for event in await known.events()] == [Confirmed(department=SECTION)]


async def test_answers_are_printed_once_each_in_the_order_of_their_time(known: House) -> None:
    """From the first record, whatever its partition, one event a line; said twice it is printed once."""
    reports = [uuid4() for _ in range(6)]
    for minute, report in enumerate(reports):
        await give(known, report, f"第{minute}件\n已解决", minute=minute, times=2)
    status, out, err = await community(known, "answers", "--json")
    assert (status, err) == (0, "")
    assert [parse(line.encode(), FACTS).subject for line in out.splitlines()] == reports
    _, out, _ = await community(known, "answers")
    assert len(out.splitlines()) == len(reports)
    assert out.startswith(f"2021-03-01 10:00  settled  {reports[0]}  第0件 已解决")


async def test_what_supervision_asks_is_among_the_answers(known: House) -> None:
    """With the day by which the community has to explain itself, and why."""
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=known.kafka.bootstrap_servers))
    report, at = uuid4(), datetime(2021, 3, 1, 2, tzinfo=UTC)
    asked = ExplanationAsked(turn=1, reason="逾期未核实", due_at=datetime(2021, 3, 3, 2, tzinfo=UTC))
    async with Speaker("/street/dongsheng", settings) as street:
        await street.say(ANSWERS.named(known.community), report, asked, at=at)
    status, out, err = await community(known, "answers")
    assert (status, err) == (0, "")
    assert out == f"2021-03-01 10:00  explain  {report}  by 2021-03-03 10:00: 逾期未核实\n"


async def test_what_the_community_owes_is_among_the_answers(known: House) -> None:
    """What it has to confirm or explain by when, each reminder, which post above was told, and what may still move."""
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=known.kafka.bootstrap_servers))
    report, due_at = uuid4(), datetime(2021, 3, 4, 2, tzinfo=UTC)
    facts = (
        ConfirmationAsked(department=SECTION, round=1, due_at=due_at),
        Reminded(deadline="confirm", due_at=due_at, department=SECTION),
        Reminded(
            deadline="confirm", due_at=due_at, department=SECTION, post="discipline-member",
            holder="纪检委员", holder_unit=known.community,
        ),
        Reminded(deadline="by-hand", due_at=due_at, note="请今日内说明"),
        ExplanationAsked(turn=1, reason="逾期未核实", due_at=due_at, provisional=True),
        Asked(report=report, incident=report, question="哪个单元？", reply_by=due_at, provisional=True),
        Recomputed(deadline="confirm", department=SECTION, due_at=due_at, reason="日历已确认"),
    )  # fmt: skip
    async with Speaker("/street/dongsheng", settings) as street:
        for minute, fact in enumerate(facts):
            at = datetime(2021, 3, 1, 2, minute, tzinfo=UTC)
            await street.say(ANSWERS.named(known.community), report, fact, at=at)
    status, out, err = await community(known, "answers")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"2021-03-01 10:00  confirm  {report}  by 2021-03-04 10:00: {SECTION}",
        f"2021-03-01 10:01  remind   {report}  by 2021-03-04 10:00: confirm {SECTION}",
        f"2021-03-01 10:02  remind   {report}  by 2021-03-04 10:00: confirm {SECTION} → 纪检委员 (discipline-member)",
        f"2021-03-01 10:03  remind   {report}  by 2021-03-04 10:00: by-hand 请今日内说明",
        f"2021-03-01 10:04  explain  {report}  by 2021-03-04 10:00 暂定 provisional: 逾期未核实",
        f"2021-03-01 10:05  asked    {report}  哪个单元？ (→ 2021-03-04 10:00 暂定 provisional)",
        f"2021-03-01 10:06  moved    {report}  by 2021-03-04 10:00: confirm {SECTION} (日历已确认)",
    ]


async def test_watching_goes_on(known: House) -> None:
    """`--watch` prints what there is, then what comes, until an interrupt ends it without an error."""
    first, second = uuid4(), uuid4()
    await give(known, first, "已解决", minute=0)
    process = await start(known, "answers", "--watch", "--json")
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        assert json.loads(await process.stdout.readline())["subject"] == str(first)
        await give(known, second, "也已解决", minute=1)
        assert json.loads(await process.stdout.readline())["subject"] == str(second)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


async def test_answers_that_can_t_be_read_are_one_sentence(known: House) -> None:
    """Without a broker there is one sentence, and status 1."""
    status, out, err = await community(known, "answers", WHISTLE_KAFKA__BOOTSTRAP_SERVERS=NOBODY)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert NOBODY in err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("call 152351f2 --as dongsheng --department water --department nobody", "no department nobody"),
        ("call 152351f2 --as dongsheng --department 水务局", "civil-affairs"),
        ("call 152351f2 --as dongsheng --kind loud", "'enforcement'"),
        ("solve 152351f2 --as dongsheng --section water", SECTION),
    ],
)
async def test_a_street_calls_nobody_who_is_not_there(house: House, line: str, told: str) -> None:
    """A code that names nobody is refused with those that there are, before anything is looked up or said."""
    process = await house.start(*line.split(), module="services.street.cli", WHISTLE_CONFIG=str(SHIPPED))
    _, err = await process.communicate()
    assert process.returncode == 2
    assert told in err.decode()
