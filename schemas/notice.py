"""A notice of breaches (通报): which promises a unit has broken in a period, as it is issued and passed on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.event import Code, Count, Instant, Line, Model, Ordinal, Text

MOST_LISTED = 200
"""How many breaches one notice lists; `unlisted` says how many more there were."""


class Breach(Model):
    """One promise that was broken: since when, up to which post, and when the wait ended (absent while it is open)."""

    incident: UUID
    deadline: Line
    due_at: Instant
    post: Code | None = None
    ended_at: Instant | None = None
    department: Code | None = Field(default=None, description="Whose work it was about, where that is not the unit's.")


class Notice(Model):
    """What is said to one unit of the deadlines it let pass from `begins` until before `ends`."""

    unit: Code
    begins: Instant
    ends: Instant
    total: Ordinal
    still_open: Count
    breaches: Annotated[tuple[Breach, ...], Field(min_length=1, max_length=MOST_LISTED)]
    unlisted: Ordinal | None = Field(default=None, description="How many more were broken than are listed.")
    list_all: Line | None = Field(default=None, description="The command that lists all, where not all are listed.")
    note: Text = ""
