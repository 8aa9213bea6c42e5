"""The desks that follow the history, given what the router would never write."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from schemas import answer, decision
from schemas.event import Event
from schemas.incident import ActRefused, Arrived, BreachesListed, Entry
from schemas.notice import Breach, Notice
from schemas.report import Rated
from schemas.topics import ANSWERS, JOURNAL, REPORTS
from services.configured import load
from services.ledger.handlers import LedgerDesk
from services.runtime.batch import Bench, Message
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings, Settings
from services.street import store
from services.street.desk import show_notices
from services.street.handlers import StreetDesk

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
INCIDENT = uuid.uuid4()


def heard(entry: Entry) -> Cause:
    """An entry as it arrives from the journal's topic."""
    event = Event(uuid.uuid4(), "/router", INCIDENT, AT, entry)
    return Cause(uuid.uuid4(), INCIDENT, 0, AT, JOURNAL.name, "incident", None, event)


def entry_of(kind: type[Entry], **fields: object) -> Entry:
    """An entry with what every entry has."""
    return kind.model_validate({"version": 1, "cause": uuid.uuid4(), "who": "clock", "by": "test"} | fields)


@pytest.mark.parametrize("desk", [StreetDesk(load(CONFIG)), LedgerDesk()], ids=["street", "ledger"])
def test_an_impossible_entry_is_a_dead_letter(desk: StreetDesk | LedgerDesk) -> None:
    """One history that can't be true stands still and is told; the room goes on with all the others."""
    arrived = entry_of(Arrived, department="water", round=1)
    room = "street" if isinstance(desk, StreetDesk) else "ledger"
    state, messages = desk.decide(None, heard(arrived))
    assert state is None
    assert messages == [Message(f"{room}.dead", INCIDENT, arrived)]


def test_a_refused_round_of_inspection_is_no_version_of_an_incident() -> None:
    """The street keeps no state for it, so that an incident with that id would still be opened."""
    refused = entry_of(ActRefused, act=decision.Inspected.type, reason="no community of the street")
    assert StreetDesk(load(CONFIG)).decide(None, heard(refused)) == (None, [])


@pytest.mark.parametrize(
    ("code", "admitted"), [("guangdu", True), ("dongsheng", False), ("dongsheng-urban", False), ("nobody", False)]
)
def test_only_a_community_is_heard_as_one(code: str, *, admitted: bool) -> None:
    """A street or a section has no topic for answers: the first one to it would hold up everybody else's."""
    event = Event(uuid.uuid4(), f"/community/{code}", INCIDENT, AT, Rated(solved=True, satisfied=True))
    said = Cause(uuid.uuid4(), INCIDENT, 0, AT, REPORTS.named(code), "community", code, event)
    reason = StreetDesk(load(CONFIG)).admit(said)
    assert reason is None if admitted else reason == f"the community {code} is not in the directory"


# --- notices of breaches ---------------------------------------------------------------------------------------------


def notice(unit: str, **more: Any) -> Notice:
    """A notice about one promise that is still open."""
    breach = Breach(incident=INCIDENT, deadline="confirm", due_at=AT)
    known = {"begins": AT, "ends": AT + timedelta(days=31), "total": 1, "still_open": 1, "note": "引以为戒"}
    return Notice.model_validate({"unit": unit, "breaches": (breach,), **known, **more})


@pytest.mark.parametrize("unit", ["guangdu", "dongsheng", "water", "dongsheng-urban", "gone"])
def test_a_community_finds_its_notice_on_its_stream(unit: str) -> None:
    """And nobody else's: a street keeps its own, and a department has it from the router."""
    given = notice(unit)
    state, said = StreetDesk(load(CONFIG)).decide(None, heard(entry_of(BreachesListed, notice=given)))
    passed_on = [Message(ANSWERS.named("guangdu"), INCIDENT, answer.BreachesListed(notice=given))]
    assert said == (passed_on if unit == "guangdu" else [])
    assert (state is not None) == (unit == "dongsheng")


async def test_a_street_lists_the_notices_it_was_given(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest first, each once however often it is told, with what it lists and how many more there are."""
    settings = Settings(database=DatabaseSettings(url=SecretStr(database_url)), config=CONFIG)
    engine = connect(settings.database, "test")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA street"))
        await connection.run_sync(store.metadata.create_all)
        await store.journal.prepare(connection, 1)
    bench, desk = Bench(engine, store.journal, "/street"), StreetDesk(load(CONFIG))
    await show_notices(settings, "dongsheng", 50, as_json=False)
    assert "no notice was given" in capsys.readouterr().out
    for day, given in enumerate((notice("dongsheng"), notice("water"), notice("dongsheng", **NOT_ALL))):
        event = Event(
            uuid.uuid4(), "/router", uuid.uuid4(), AT + timedelta(days=day), entry_of(BreachesListed, notice=given)
        )
        for again in (uuid.uuid4(), uuid.uuid4()):
            await bench.handle(
                desk, [Cause(again, event.subject, 0, event.time, JOURNAL.name, "incident", None, event)]
            )
    await engine.dispose()
    await show_notices(settings, "dongsheng", 50, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [(each["total"], each.get("unlisted")) for each in found] == [(204, 203), (1, None)]
    await show_notices(settings, "dongsheng", 1, as_json=False)
    told = capsys.readouterr().out
    for word in (
        "2026-03-04",
        "引以为戒",
        str(INCIDENT),
        "still open",
        f"203 件未列 not listed: {NOT_ALL['list_all']}",
    ):
        assert word in told
    assert told.count("通报") == 1


NOT_ALL = {"total": 204, "unlisted": 203, "list_all": "whistle ledger broken unit=dongsheng"}
