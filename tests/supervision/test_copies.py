"""A copy of a reminder reaches whoever holds the post, and is kept as escalations are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import text

from schemas.escalation import Copied, Copy, Raised
from schemas.event import Event, Fact
from schemas.topics import ESCALATIONS
from services.runtime.batch import Bench
from services.runtime.database import connect
from services.runtime.inlet import Cause
from services.runtime.settings import DatabaseSettings
from services.supervision import store
from services.supervision.handlers import BY_HAND, SupervisionDesk

AT = datetime(2021, 3, 1, tzinfo=UTC)
INCIDENT = uuid.uuid4()


def heard(fact: Fact) -> Cause:
    """A message as it arrives at supervision."""
    event = Event(uuid.uuid4(), "/router", INCIDENT, AT, fact)
    return Cause(event.id, INCIDENT, 0, AT, ESCALATIONS.name, "supervision", None, event)


async def test_a_copy_is_told_to_whoever_holds_the_post(database_url: str) -> None:
    """With its note, beside the escalations, as the history says who held the post."""
    engine = connect(DatabaseSettings.model_validate({"url": database_url}), "test")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA supervision"))
        await connection.run_sync(store.metadata.create_all)
        await store.journal.prepare(connection, 1)
    raised = Raised(
        street="dongsheng", unit="water", round=1, deadline="resolve", due_at=AT, step=1,
        post="section-head", holder="区水务局业务科室负责人", holder_unit="water", summary="停水",
    )  # fmt: skip
    copied = [
        Copied(
            street="dongsheng",
            unit="water",
            department="water",
            due_at=AT,
            note="请今天反馈",
            copy_to=each,
            summary="停水",
        )
        for each in (
            Copy(unit="water", post="responsible-leader", holder="区水务局分管领导", holder_unit="water"),
            Copy(unit="guangdu", post="responsible-leader", holder="街道分管领导", holder_unit="dongsheng"),
        )
    ]
    await Bench(engine, store.journal, "/supervision").handle(
        SupervisionDesk(), [heard(fact) for fact in (raised, *copied)]
    )
    async with engine.connect() as connection:
        found = await store.page(connection, 10, incident=INCIDENT)
    await engine.dispose()
    assert found
    assert {(each.deadline, each.holder_unit, each.holder, each.note, each.unit) for each in found.tellings} == {
        ("resolve", "water", "区水务局业务科室负责人", None, "water"),
        (BY_HAND, "water", "区水务局分管领导", "请今天反馈", "water"),
        (BY_HAND, "dongsheng", "街道分管领导", "请今天反馈", "water"),
    }
