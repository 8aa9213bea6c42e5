"""A round of inspection (排查), said on `community.<code>.reports` and keyed by the inspection's id."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schemas.event import Fact, Flag, Instant, Model, Remark, Text
from schemas.report import GridLevel, Place

Purpose = Literal["safety", "disputes"]


class Recheck(Model):
    """What an earlier report was about, looked at again on a later round: whether what was done holds (复查)."""

    report: UUID
    holds: Flag
    note: Remark = ""


class Recorded(Fact):
    """A round was walked; `found` are the reports it gave rise to, and an empty tuple is a result too.

    `rechecks` are earlier reports whose place was inspected again.
    """

    type: ClassVar[str] = "whistle.inspection.recorded.v1"

    purpose: Purpose
    grid_level: GridLevel
    place: Place = Place()
    inspected_at: Instant
    found: Annotated[tuple[UUID, ...], Field(max_length=1000)] = ()
    rechecks: Annotated[tuple[Recheck, ...], Field(max_length=500)] = ()
    note: Text = ""
