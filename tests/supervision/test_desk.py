"""`whistle supervision` names an incident by the beginning of its id, looked up among its own tellings."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr
from sqlalchemy import event, text

from schemas.action import Reminded
from schemas.escalation import Raised
from schemas.event import Event, parse
from schemas.topics import ACTIONS, ESCALATIONS
from services.local.kafka import EmbeddedKafka
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings, KafkaSettings, Settings
from services.supervision import store
from services.supervision.desk import act, show
from services.supervision.handlers import SupervisionDesk
from services.supervision.store import Telling, metadata, save

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
FACTS = {fact.type: fact for fact in ACTIONS.facts}
NOBODY = DatabaseSettings(url=SecretStr("postgresql+asyncpg://nobody@127.0.0.1:9/none"))
AT = datetime(2021, 3, 1, tzinfo=UTC)
TOLD = UUID("009a71f6-e41c-58f2-a67b-113bc1263416")
ALIKE = UUID("009a71f6-ffff-58f2-a67b-113bc1263416")
TELLING = Telling(
    id=uuid4(), incident=TOLD, told_at=AT, street="dongsheng", unit="water", department="water", deadline="resolve",
    due_at=AT, step=1, post="supervision-office", holder_unit="shuangliu", holder="区政府督查室", summary="停水",
)  # fmt: skip


@pytest.fixture
async def settings(kafka: EmbeddedKafka, database_url: str) -> Settings:
    """A database in which supervision was told of two incidents, of one of them twice; and its topic."""
    made = Settings(
        kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers),
        database=DatabaseSettings(url=SecretStr(database_url)),
        config=CONFIG,
    )
    engine = connect(made.database, "test")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA supervision"))
        await connection.run_sync(metadata.create_all)
        twice = replace(TELLING, id=uuid4(), step=2)
        await save(connection, [TELLING, twice, replace(TELLING, id=uuid4(), incident=ALIKE)])
    await engine.dispose()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    # Where another test has made it already, Kafka says so and nothing happens.
    await admin.create_topics([NewTopic(ACTIONS.name, 1, 1)])
    await admin.close()
    return made


async def last(settings: Settings) -> Event:
    """The last thing that supervision has said."""
    servers = settings.kafka.bootstrap_servers
    async with AIOKafkaConsumer(ACTIONS.name, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        events: list[Event] = []
        while len(events) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                events += [parse(record.value, FACTS) for record in records]
        return max(events, key=lambda event: event.time)


async def test_an_incident_is_found_by_the_beginning_of_its_id(settings: Settings) -> None:
    """Told of it often, it is one incident still; upper case is the same id."""
    await act(settings, "009A71F6-E", Reminded(by="supervision-office"))
    event = await last(settings)
    assert (event.subject, event.data) == (TOLD, Reminded(by="supervision-office"))


async def test_the_list_is_of_the_incident_that_begins_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """`list --incident` takes the beginning of an id too."""
    await show(settings, "009a71f6-f", 50, as_json=True)
    assert [each["incident"] for each in json.loads(capsys.readouterr().out)] == [str(ALIKE)]


async def test_what_nobody_has_taken_on_comes_first(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all there ever were: the undecided and unacknowledged before the others, each part from the newest on."""
    incident = uuid4()
    deadlines = ["acknowledge", "resolve", "decide", "confirm"]
    engine = connect(settings.database, "test")
    async with engine.begin() as connection:
        tellings = [
            replace(TELLING, id=uuid4(), incident=incident, deadline=name, told_at=AT + timedelta(hours=hours))
            for hours, name in enumerate(deadlines)
        ]
        await save(connection, tellings)
    await engine.dispose()
    for limit, listed in ((50, ["decide", "acknowledge", "confirm", "resolve"]), (2, ["decide", "acknowledge"])):
        await show(settings, str(incident), limit, as_json=True)
        assert [each["deadline"] for each in json.loads(capsys.readouterr().out)] == listed


async def test_the_list_goes_on_where_it_ended(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line, each once, in the order of the whole list, also of one incident or of one part."""
    tellings = [
        replace(TELLING, id=uuid4(), incident=uuid4(), deadline=name, told_at=AT + timedelta(hours=hours // 3))
        for hours, name in enumerate(["acknowledge", "resolve", "decide", "confirm", "lead", "resolve"] * 3)
    ]
    engine = connect(settings.database, "test")
    async with engine.begin() as connection:
        await save(connection, tellings)
    await engine.dispose()

    async def listed(**asked: Any) -> list[dict[str, Any]]:
        await show(settings, None, 50, as_json=True, **asked)
        return list(json.loads(capsys.readouterr().out))

    whole = await listed()
    after, found = None, []
    while True:
        await show(settings, None, 4, as_json=True, after=after)
        told = capsys.readouterr()
        found += json.loads(told.out)
        if "There are more" not in told.err:
            break
        after = told.err.split()[-1]
    assert found == whole
    assert len({each["id"] for each in whole}) == len(tellings) + 3
    untaken = [each["deadline"] in {"acknowledge", "decide", "lead"} for each in whole]
    assert untaken == sorted(untaken, reverse=True)
    assert await listed(untaken=True) + await listed(untaken=False) == whole


async def test_the_list_is_read_by_its_index(settings: Settings) -> None:
    """However much was told: a page of all and of one part is read in order, and one incident's lines are looked up."""
    engine = connect(settings.database, "test")
    incident = uuid4()
    async with engine.begin() as connection:
        await save(connection, [replace(TELLING, id=uuid4(), incident=incident, step=step) for step in range(50)])
        columns = ", ".join(each.name for each in store.telling.columns if each.name != "provisional")
        many = "SELECT gen_random_uuid(), gen_random_uuid(), told_at + random() * interval '1 year', street, unit, "
        more = "department, deadline, due_at, step, post, holder_unit, holder, summary, vacant, note, random() < 0.1 "
        source = "FROM supervision.telling, generate_series(1, 400)"
        await connection.execute(text(f"INSERT INTO supervision.telling ({columns}) {many}{more}{source}"))
    statements: list[tuple[str, Any]] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: statements.append((told[2], told[3])))
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE supervision.telling"))
        first = await store.page(connection, 50)
        assert first
        assert first.more
        statements.clear()
        await store.page(connection, 50, after=first.tellings[-1].id)
        await store.page(connection, 50, untaken=False, after=first.tellings[-1].id)
        await store.page(connection, 50, incident=incident)
        pages = [each for each in statements if "ORDER BY" in each[0]]
        plans = []
        for statement, values in pages:
            rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", values)
            plans.append("\n".join(rows.scalars()))
    await engine.dispose()
    *of_all, of_one = plans
    assert len(of_all) == 2
    assert all("using telling_order" in plan and "Sort" not in plan for plan in of_all)
    assert "telling_incident" in of_one


async def test_a_line_nobody_was_told_is_none_to_go_on_after(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence with the cure, and status 2."""
    for after, told in ((str(uuid4()), "Nobody was told"), ("soon", "no id of a line")):
        with pytest.raises(typer.Exit) as stopped:
            await show(settings, None, 4, as_json=True, after=after)
        assert stopped.value.exit_code == 2
        assert told in capsys.readouterr().err


async def test_who_was_told_is_who_the_history_says(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The holder when it was told and the posts that were passed, as the escalation names them, are kept and shown."""
    desk, incident = SupervisionDesk(), uuid4()
    engine = connect(settings.database, "test")
    for step, more in (
        (2, {"post": "responsible-leader", "holder": "值班领导", "holder_unit": "water", "vacant": ("section-head",)}),
        (3, {"post": "supervision-office", "vacant": ("supervision-office",)}),
    ):
        fields = {"street": "dongsheng", "unit": "water", "round": 1, "deadline": "resolve", "due_at": AT}
        fact = Raised.model_validate({**fields, "summary": "停水", "step": step, **more})
        cause = Cause(
            id=uuid4(), key=incident, shard=0, at=AT, topic=ESCALATIONS.name, party="supervision", code=None,
            event=Event(uuid4(), "/router", incident, AT + timedelta(hours=step), fact),
        )  # fmt: skip
        told, messages = desk.decide(None, cause)
        assert told is not None
        assert messages == []
        async with engine.begin() as connection:
            await desk.save(connection, {incident: (0, told)})
    await engine.dispose()
    logged = capsys.readouterr().out
    assert "nobody holds the post supervision-office" in logged
    assert "section-head" in logged
    await show(settings, str(incident), 50, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [(each["holder"], each["holder_unit"], each["vacant"]) for each in found] == [
        (None, None, ["supervision-office"]),
        ("值班领导", "water", ["section-head"]),
    ]
    await show(settings, str(incident), 50, as_json=False)
    printed = capsys.readouterr().out
    for said in ("值班领导", "section-head: vacant", "nobody holds", "supervision-office"):
        assert said in printed


@pytest.mark.parametrize(
    ("asked", "told"), [("009a71f6", "More than one incident"), ("ffff", "give its whole id"), ("%", "whole id")]
)
async def test_what_names_no_one_incident_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str], asked: str, told: str
) -> None:
    """More than one, or none: a sentence with the cure, and status 2."""
    with pytest.raises(typer.Exit) as stopped:
        await act(settings, asked, Reminded(by="supervision-office"))
    assert stopped.value.exit_code == 2
    assert told in capsys.readouterr().err


async def test_a_whole_id_needs_no_database(settings: Settings) -> None:
    """An incident nobody was told of can be spoken of, whatever the database does."""
    incident = uuid4()
    await act(settings.model_copy(update={"database": NOBODY}), str(incident), Reminded(by="supervision-office"))
    assert (await last(settings)).subject == incident
