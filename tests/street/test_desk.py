"""The desks that follow the history, given what the router would never write."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas import decision
from schemas.event import Event
from schemas.incident import ActRefused, Arrived, Entry
from schemas.report import Rated
from schemas.topics import JOURNAL, REPORTS
from services.configured import load
from services.ledger.handlers import LedgerDesk
from services.runtime.batch import Message
from services.runtime.inlet import Cause
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
