"""What a street says on `community.<code>.answers`; keyed by the report's id."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from schemas.event import Fact, Text


class Given(Fact):
    """The reporter has an answer (回音); `incident` is the one the report was attached to, or its own."""

    type: ClassVar[str] = "whistle.answer.given.v1"

    report: UUID
    incident: UUID
    outcome: Literal["settled", "refused"]
    answer: Text
