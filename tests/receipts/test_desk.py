"""What the room keeps of what a community is told."""

from datetime import timedelta
from uuid import uuid4

from schemas import decision
from schemas.answer import Asked, ConfirmationAsked, Given, Reminded
from schemas.event import Event, Fact
from schemas.topics import ANSWERS
from services.receipts.handlers import ReceiptsDesk
from services.runtime.inlet import Cause
from tests.receipts.conftest import AT, REPORT


def heard(fact: Fact) -> Cause:
    """Something on the stream of Guangdu's answers."""
    event = Event(uuid4(), "/street/dongsheng", REPORT, AT, fact)
    return Cause(uuid4(), REPORT, 0, AT, ANSWERS.named("guangdu"), "community", "guangdu", event)


def test_answers_and_questions_are_kept_under_the_community_of_their_topic() -> None:
    """Each with its own words, one after another, and nothing is said of it."""
    desk = ReceiptsDesk()
    given = Given(report=uuid4(), incident=uuid4(), outcome="interim", answer="已到场")
    page, said = desk.decide(None, heard(given))
    asked = Asked(report=REPORT, incident=REPORT, question="哪里？", reply_by=AT + timedelta(days=5))
    page, said_then = desk.decide(page, heard(asked))
    assert page is not None
    assert [(each.community, each.report, each.outcome, each.text) for each in page] == [
        ("guangdu", REPORT, "interim", "已到场"),
        ("guangdu", REPORT, "asked", "哪里？"),
    ]
    assert (said, said_then) == ([], [])


def test_what_is_for_the_communitys_officers_is_not_kept() -> None:
    """Whatever else comes to be said on that stream, no reporter reads it."""
    for internal in (
        decision.Answered(answer="已修好", note="内部备注"),
        ConfirmationAsked(department="dongsheng-urban", round=1, due_at=AT),
        Reminded(deadline="confirm", due_at=AT, department="dongsheng-urban"),
    ):
        assert ReceiptsDesk().decide(None, heard(internal)) == (None, [])
