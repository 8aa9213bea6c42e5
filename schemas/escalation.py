"""What the router says on `supervision.escalations`; keyed by the incident's id."""

from __future__ import annotations

from typing import ClassVar

from schemas.event import Code, Count, Fact, Instant, Line, Model, Text


class Copy(Model):
    """Who gets a copy (抄送): the holder of a post, looked up for a unit when it is given."""

    unit: Code
    post: Code


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
