"""`whistle supervision notify` gives each unit on the ledger's list a notice of its own."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.action import BreachesListed
from schemas.event import Event, parse
from schemas.notice import MOST_LISTED
from schemas.topics import ACTIONS
from services.local.kafka import EmbeddedKafka
from services.runtime.settings import KafkaSettings, Settings
from services.supervision.breaches import notify

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
FACTS = {fact.type: fact for fact in ACTIONS.facts}
MARCH = ("2021-03-01", "2021-03-31")


@pytest.fixture
async def settings(kafka: EmbeddedKafka) -> Settings:
    """Supervision's topic, and the shipped directory."""
    made = Settings(kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), config=CONFIG)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(ACTIONS.name, 1, 1)])
    await admin.close()
    return made


def line(unit: str, day: int = 9, **more: Any) -> dict[str, Any]:
    """One line of the ledger's list, of which a notice needs only a part."""
    known = {"incident": str(uuid4()), "unit": unit, "deadline": "resolve", "due_at": f"2021-03-{day:02}T02:00:00Z"}
    return known | {"side": "department", "late_s": 3600, "post": "", "ended_at": None} | more


def written(folder: Path, content: bytes) -> Path:
    """A file with what the ledger's command wrote."""
    path = folder / "list.json"
    path.write_bytes(content)
    return path


async def issued(settings: Settings) -> list[Event]:
    """Every notice that was said, in the order in which they were."""
    servers = settings.kafka.bootstrap_servers
    async with AIOKafkaConsumer(ACTIONS.name, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        events: list[Event] = []
        while len(events) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                events += [parse(record.value, FACTS) for record in records]
    # Partitions are read in no order.
    events.sort(key=lambda each: each.time)
    return [each for each in events if isinstance(each.data, BreachesListed)]


async def test_each_unit_is_given_its_own_lines(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One fact a unit under an id of its own, with how many are open, and the period of the offices."""
    before = len(await issued(settings))
    lines = [line("water", post="section-head"), line("gas"), line("water", ended_at="2021-03-12T02:00:00Z")]
    await notify(settings, written(tmp_path, json.dumps(lines).encode()), *MARCH, "引以为戒", "office")
    out = capsys.readouterr().out
    assert "water: 2 broken, 1 still open" in out
    assert "gas: 1 broken, 1 still open" in out
    said = sorted((await issued(settings))[before:], key=lambda each: each.data.notice.unit, reverse=True)  # type: ignore[attr-defined]
    water, gas = (each.data for each in said)
    assert isinstance(water, BreachesListed)
    assert isinstance(gas, BreachesListed)
    assert len({each.subject for each in said}) == 2
    assert (water.by, water.notice.note) == ("office", "引以为戒")
    assert [(each.post, each.ended_at) for each in water.notice.breaches] == [
        ("section-head", None),
        (None, datetime(2021, 3, 12, 2, tzinfo=UTC)),
    ]
    assert (water.notice.begins, water.notice.ends) == (
        datetime(2021, 2, 28, 16, tzinfo=UTC),
        datetime(2021, 3, 31, 16, tzinfo=UTC),
    )
    assert (gas.notice.unit, gas.notice.total) == ("gas", 1)


async def test_a_long_list_is_cut_and_says_how_many_there_were(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record has room for so many lines; it says how many more there are, and by which command all are listed."""
    before = len(await issued(settings))
    lines = [line("power")] * (MOST_LISTED + 1)
    await notify(settings, written(tmp_path, json.dumps(lines).encode()), *MARCH, "", "office")
    (event,) = (await issued(settings))[before:]
    assert isinstance(event.data, BreachesListed)
    notice = event.data.notice
    assert (notice.total, len(notice.breaches), notice.unlisted) == (MOST_LISTED + 1, MOST_LISTED, 1)
    whole = "whistle ledger broken unit=power from=2021-03-01 to=2021-03-31"
    assert notice.list_all == whole
    assert f"1 of them are not listed: `{whole}`" in capsys.readouterr().out


async def test_a_list_that_has_room_says_nothing_of_more(settings: Settings, tmp_path: Path) -> None:
    """As many as are listed are all there are."""
    before = len(await issued(settings))
    lines = [line("power")] * MOST_LISTED
    await notify(settings, written(tmp_path, json.dumps(lines).encode()), *MARCH, "", "office")
    (event,) = (await issued(settings))[before:]
    assert isinstance(event.data, BreachesListed)
    assert (event.data.notice.unlisted, event.data.notice.list_all) == (None, None)


async def test_a_unit_that_is_in_no_directory_keeps_no_other_from_its_notice(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is passed over, and named with what it broke."""
    before = len(await issued(settings))
    lines = [line("nobody"), line("water"), line("nobody")]
    await notify(settings, written(tmp_path, json.dumps(lines).encode()), *MARCH, "", "office")
    [event] = (await issued(settings))[before:]
    assert isinstance(event.data, BreachesListed)
    assert event.data.notice.unit == "water"
    assert "There is no unit nobody in the directory: its 2 broken promises are in no notice" in capsys.readouterr().err


async def test_a_notice_that_is_given_twice_is_the_same_notice(settings: Settings, tmp_path: Path) -> None:
    """One with other lines is another one."""
    before = len(await issued(settings))
    lines = [line("water"), line("water", day=10)]
    for given in (lines, lines[::-1], lines[:1]):
        await notify(settings, written(tmp_path, json.dumps(given).encode()), *MARCH, "", "office")
    first, again, other = (await issued(settings))[before:]
    assert (again.id, again.subject) == (first.id, first.subject)
    assert (other.id, other.subject) != (first.id, first.subject)


@pytest.mark.parametrize(
    ("given", "period", "told"),
    [
        (b"what?", MARCH, "whistle ledger broken --json"),
        (json.dumps([line("nobody")]).encode(), MARCH, "Nobody on the list is in the directory"),
        (json.dumps([line("water", day=31, due_at="2021-03-31T16:00:00Z")]).encode(), MARCH, "not in the period"),
        (b"[]", ("2021-03-01", "soon"), "as in 2021-03-01"),
        (b"[]", ("2021-03-31", "2021-03-01"), "no time at all"),
    ],
    ids=str,
)
async def test_what_is_no_list_of_the_period_is_told(
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: bytes,
    period: tuple[str, str],
    told: str,
) -> None:
    """One sentence with status 2, and nobody is given anything."""
    before = len(await issued(settings))
    with pytest.raises(typer.Exit) as stopped:
        await notify(settings, written(tmp_path, given), *period, "", "office")
    assert stopped.value.exit_code == 2
    assert told in capsys.readouterr().err
    assert len(await issued(settings)) == before


async def test_where_nothing_was_broken_nobody_is_given_a_notice(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty list is no mistake."""
    before = len(await issued(settings))
    await notify(settings, written(tmp_path, b"[]"), *MARCH, "", "office")
    assert "Nothing was broken" in capsys.readouterr().out
    assert len(await issued(settings)) == before


async def test_a_file_that_is_not_there_is_told(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name, with status 2."""
    with pytest.raises(typer.Exit) as stopped:
        await notify(settings, Path("no-such-list.json"), *MARCH, "", "office")
    assert stopped.value.exit_code == 2
    assert "no-such-list.json" in capsys.readouterr().err
