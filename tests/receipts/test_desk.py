"""What the room keeps of what a community is told."""

from datetime import timedelta
from uuid import uuid4

from schemas import decision
from schemas.answer import Asked, ConfirmationAsked, Given, Recomputed, Reminded
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


def test_a_time_to_reply_that_may_move_is_kept_as_such_until_it_is_certain() -> None:
    """As it was asked, and then as it was counted again."""
    desk = ReceiptsDesk()
    asked = Asked(report=REPORT, incident=REPORT, question="哪里？", reply_by=AT, provisional=True)
    page, _ = desk.decide(None, heard(asked))
    later = AT + timedelta(days=1)
    page, _ = desk.decide(page, heard(Recomputed(deadline="reply", due_at=later, reason="日历已确认")))
    assert page is not None
    assert [(each.outcome, each.text, each.reply_by, each.provisional) for each in page] == [
        ("asked", "哪里？", AT, True),
        ("recomputed", "", later, None),
    ]


def test_what_is_for_the_communitys_officers_is_not_kept() -> None:
    """Whatever else comes to be said on that stream, no reporter reads it."""
    for internal in (
        decision.Answered(answer="已修好", note="内部备注"),
        ConfirmationAsked(department="dongsheng-urban", round=1, due_at=AT),
        Reminded(deadline="confirm", due_at=AT, department="dongsheng-urban"),
        Recomputed(deadline="explain", due_at=AT, reason="日历已确认"),
    ):
        assert ReceiptsDesk().decide(None, heard(internal)) == (None, [])
