"""What the router says on `supervision.escalations`; keyed by the incident's id."""

from __future__ import annotations

from typing import ClassVar

from schemas.event import Code, Count, Fact, Instant, Line


class Raised(Fact):
    """A promise was not kept, and a post above is told (升级).

    `step` counts the rungs of the ladder from 0; past the top it goes on counting the repeats.
    """

    type: ClassVar[str] = "whistle.escalation.raised.v1"

    street: Code
    unit: Code
    department: Code | None = None
    round: Count
    deadline: Line
    due_at: Instant
    step: Count
    post: Code
    summary: Line
