"""The supervision cases in the ledger: which are open, in which order, and how each stands."""

import io
from uuid import uuid4

from rich.console import Console

from schemas import action, response
from services.domain.decide import Said, decide_said
from services.ledger.cases import Supervised, cases
from services.ledger.names import named
from services.ledger.tables import cases_table
from tests.ledger.conftest import Books
from tests.ledger.scenes import CONFIGURATION, History


def supervised(history: History, fact: action.Action) -> History:
    """Supervision does something about an incident."""
    said = Said(cause := uuid4(), "supervision", None, history.at, fact)
    history._take(cause, decide_said(history.state, history.id, said, CONFIGURATION))
    return history


def asked(unit: str, days: int = 0) -> History:
    """An incident of which supervision wants an explanation, after so many days."""
    history = History().called("water").later(days=days)
    return supervised(history, action.CaseOpened(unit=unit, reason="逾期未办"))


async def listed(books: Books, **asked_for: object) -> list[Supervised]:
    """The cases, as they are listed."""
    async with books.engine.connect() as connection:
        return await cases(connection, **({"limit": 10} | asked_for))  # type: ignore[arg-type]


async def test_open_cases_are_listed_what_nobody_has_explained_first(books: Books) -> None:
    """Each group by its deadline; those that are over only on request, last; and of one unit alone, if asked."""
    soon, late, explained = asked("water"), asked("dongsheng", 1), asked("water")
    explained.department("water", response.Explained(explanation="配件未到"))
    over = supervised(asked("guangdu"), action.CaseAccepted(unit="guangdu", note="误立"))
    silent = asked("water")
    silent.later(days=20)
    await books.write(explained, late, over, soon, silent)
    found = await listed(books)
    assert [(each.incident, each.unit, each.status) for each in found] == [
        *((each.id, "water", "asked") for each in sorted((soon, silent), key=lambda each: each.id)),
        (late.id, "dongsheng", "asked"),
        (explained.id, "water", "explained"),
    ]
    assert {each.incident: each.late for each in found}[silent.id]
    assert all(each.due_at for each in found)
    everything = await listed(books, everything=True)
    assert [each.incident for each in everything] == [*(each.incident for each in found), over.id]
    assert (everything[-1].status, everything[-1].due_at, everything[-1].side) == ("accepted", None, "community")
    assert [each.incident for each in await listed(books, unit="dongsheng")] == [late.id]


async def test_the_table_says_of_what_each_case_is(books: Books) -> None:
    """Whom it asks, until when, about which incident, and how that stands."""
    closed = History().called("water").solved().answered().later(days=40)
    assert closed.folded.status == "closed"
    supervised(closed, action.CaseOpened(unit="water", reason="逾期未办"))
    await books.write(closed)
    console = Console(width=220, file=io.StringIO())
    console.print(cases_table(await listed(books), named(CONFIGURATION)))
    told = console.file.getvalue()  # type: ignore[attr-defined]  # it is the file that was given
    assert "督办 supervision cases: 1" in told
    assert "待说明" in told
    assert str(closed.id) in told
    assert "没有水" in told
