"""What the router says on `supervision.escalations`; keyed by the incident's id."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from schemas.event import Code, Count, Fact, Flag, Instant, Line, Model, Text


class Copy(Model):
    """Who gets a copy (抄送): the holder of a unit's post, of `holder_unit`, as looked up when it was given."""

    unit: Code
    post: Code
    holder: Line | None = None
    holder_unit: Code | None = None


class Asked(Fact):
    """Something waits for an act of a post above the street: an approval, the name of a lead, or a judgement.

    `unit` is whose post it is, and `department` who asked, or explained itself; without one, all who were called have
    declined, or the explanation is the street's or a community's. `holder`, of
    `holder_unit`, held the post when it was asked; nobody did where they are absent. A `due_at` that is `provisional`
    may still move, and is asked again once it is certain, with that as the reason.
    """

    type: ClassVar[str] = "whistle.escalation.asked.v1"

    street: Code
    unit: Code
    department: Code | None = None
    request: Literal["extension", "parking", "lead", "judge"]
    until: Instant | None = None
    reason: Text = ""
    deadline: Line
    due_at: Instant
    provisional: Flag | None = None
    post: Code
    holder: Line | None = None
    holder_unit: Code | None = None
    summary: Line


class Raised(Fact):
    """A promise was not kept, or is due soon, and a post above is told (升级).

    `step` counts the rungs of the ladder from 0; past the top it goes on counting the repeats. `holder`, of
    `holder_unit`, is who held the post when it was told; nobody did where they are absent.
    """

    type: ClassVar[str] = "whistle.escalation.raised.v1"

    street: Code
    unit: Code
    department: Code | None = None
    case: Code | None = Field(default=None, description="The unit whose supervision case it is about.")
    round: Count
    deadline: Line
    due_at: Instant
    step: Count
    post: Code
    holder: Line | None = None
    holder_unit: Code | None = None
    vacant: tuple[Code, ...] | None = Field(
        default=None, description="Posts that were to be told first, and that nobody held: from the lowest up."
    )
    summary: Line


class Copied(Fact):
    """A reminder by hand is copied to a post (抄送); `unit` was reminded, and its next deadline is `due_at`."""

    type: ClassVar[str] = "whistle.escalation.copied.v1"

    street: Code
    unit: Code
    department: Code | None = None
    due_at: Instant
    copy_to: Copy
    note: Text = ""
    summary: Line
