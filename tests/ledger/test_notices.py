"""A notice of breaches goes through the router to the ledger, and to the stream of the department it is about."""

import io
from datetime import timedelta
from typing import Any
from uuid import uuid4, uuid5

import pytest
from rich.console import Console

from schemas import action, dispatch
from schemas.event import Event
from schemas.incident import ActRefused, BreachesListed, Entry
from schemas.notice import Breach, Notice
from services.domain.announce import messages
from services.domain.decide import Said, decide_said
from services.ledger.names import named
from services.ledger.notices import Notice as Listed
from services.ledger.notices import notices
from services.ledger.tables import notices_table
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, START, cause, told

MONTH = timedelta(days=31)
TWICE = Breach(incident=uuid4(), deadline="confirm", due_at=START)
KEPT = Breach(incident=uuid4(), deadline="resolve", due_at=START, ended_at=START - timedelta(1))


def notice(unit: str, **more: Any) -> Notice:
    """A notice about two promises, one of them still open."""
    breaches = (
        Breach(incident=uuid4(), deadline="resolve", due_at=START, post="responsible-leader"),
        Breach(incident=uuid4(), deadline="acknowledge", due_at=START, ended_at=START + MONTH),
    )
    known: dict[str, Any] = {"begins": START, "ends": START + MONTH, "total": 2, "still_open": 1, "note": "引以为戒"}
    return Notice(unit=unit, **({"breaches": breaches} | known | more))


def issued(about: Notice, days: int = 0) -> tuple[Event, Entry]:
    """The notice as supervision issues it and the router passes it on."""
    subject = uuid4()
    said = Said(uuid5(subject, "said"), "supervision", None, START, action.BreachesListed(by="office", notice=about))
    decided = decide_said(None, subject, said, CONFIGURATION)
    assert decided.state is None
    (event,) = told(said.cause, subject, START + timedelta(days=days), decided.entries)
    return event, decided.entries[0]


def test_a_department_sees_its_notice_on_its_stream() -> None:
    """A section too; what a street and a community are given, the street hears in the history."""
    for unit, topics in (
        ("water", ["incident.journal", "department.water.dispatches"]),
        ("dongsheng-urban", ["incident.journal", "department.dongsheng-urban.dispatches"]),
        ("dongsheng", ["incident.journal"]),
        ("guangdu", ["incident.journal"]),
    ):
        about = notice(unit)
        said = list(messages(None, issued(about)[1]))
        assert [topic for topic, _ in said] == topics
        assert [fact for _, fact in said[1:]] == [dispatch.BreachesListed(notice=about)] * (len(topics) - 1)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"ends": START}, "no time at all"),
        ({"begins": START + timedelta(seconds=1)}, "is not in the period"),
        ({"begins": START - MONTH, "ends": START}, "is not in the period"),
        ({"total": 300}, "counts other breaches"),
        ({"unlisted": 1}, "counts other breaches"),
        ({"total": 1}, "counts other breaches"),
        ({"still_open": 0}, "counts other breaches"),
        ({"still_open": 3}, "counts other breaches"),
        ({"breaches": (Breach(incident=uuid4(), deadline="resolve", due_at=START + MONTH / 2),)}, "still to come"),
        ({"breaches": (TWICE, TWICE), "still_open": 2}, "twice: name the department"),
        ({"breaches": (KEPT,), "total": 1, "still_open": 0}, "ended before its deadline"),
    ],
    ids=str,
)
def test_a_notice_that_belies_itself_is_refused(wrong: dict[str, Any], why: str) -> None:
    """Its period, its lines and its counts fit together, and nothing in it is still to come."""
    assert isinstance(issued(notice("water", total=300, unlisted=298))[1], BreachesListed)
    (_, entry) = issued(notice("water", **wrong))
    assert isinstance(entry, ActRefused)
    assert why in entry.reason


def test_two_departments_deadlines_in_one_incident_are_two_lines() -> None:
    """The street let pass the confirmation of both, which their names tell apart."""
    both = tuple(TWICE.model_copy(update={"department": each}) for each in ("water", "power"))
    assert isinstance(issued(notice("dongsheng", breaches=both, still_open=2), days=1)[1], BreachesListed)


def test_nobody_can_be_given_a_notice_who_is_not_there() -> None:
    """The refusal is in the journal, and names the unit."""
    (_, entry) = issued(notice("nobody"))
    assert isinstance(entry, ActRefused)
    assert "nobody" in entry.reason


def test_a_notice_that_lists_not_all_says_so_in_the_table() -> None:
    """With how many more there are, and the command that lists them."""
    given = Listed(uuid4(), START, "office", "water", START, START + MONTH, 203, 1, "引以为戒", [{}] * 200)
    console = Console(width=200, file=io.StringIO())
    console.print(notices_table([given], named(CONFIGURATION)))
    told = console.file.getvalue()  # type: ignore[attr-defined]  # it is the file that was given
    assert "另有 3 件未列" in told
    assert "whistle ledger broken unit=water from=2021-03-01 to=2021-03-31" in " ".join(told.split())


async def test_the_ledger_keeps_notices_and_shows_the_newest_first(books: Books) -> None:
    """Each once, however often it is told; of one unit, or of all; a refused one is none."""
    first, second, third = (issued(notice(unit), days)[0] for days, unit in enumerate(("water", "gas", "water")))
    refused = issued(notice("nobody"))[0]
    await books.hear([cause(each) for each in (first, second, third, refused)])
    await books.hear([cause(Event(uuid4(), each.source, each.subject, each.time, each.data)) for each in (first,)])
    async with books.engine.connect() as connection:
        everybodys = await notices(connection, None, 10)
        waters = await notices(connection, "water", 10)
    assert [each.id for each in everybodys] == [third.subject, second.subject, first.subject]
    assert [each.id for each in waters] == [third.subject, first.subject]
    newest = waters[0]
    assert (newest.by, newest.total, newest.still_open, newest.note) == ("office", 2, 1, "引以为戒")
    assert (newest.begins, newest.ends) == (START, START + MONTH)
    assert [(each["deadline"], "ended_at" in each) for each in newest.breaches] == [
        ("resolve", False),
        ("acknowledge", True),
    ]
