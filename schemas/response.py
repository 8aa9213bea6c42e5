"""What a department says on `department.<code>.responses` about its obligation; keyed by the incident's id.

`round` is the turn of work it speaks of; absent means the current one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.event import Code, Fact, Instant, Line, Model, Reason, Text, Words


class Owner(Model):
    """Who does the work: the responsible leader, section and officer (责任领导、科室、人员)."""

    leader: Line
    section: Line
    officer: Line


class Response(Fact):
    """What every response carries."""

    by: Line = "officer"
    round: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None


class Acknowledged(Response):
    """The department has taken the dispatch on (签收); `owner` overrides what the directory says."""

    type: ClassVar[str] = "whistle.response.acknowledged.v1"

    owner: Owner | None = None


class Declined(Response):
    """The department gives the dispatch back (退单)."""

    type: ClassVar[str] = "whistle.response.declined.v1"

    reason: Reason


class Arrived(Response):
    """The department is on the spot (到场)."""

    type: ClassVar[str] = "whistle.response.arrived.v1"

    note: Text = ""


class Progressed(Response):
    """The work has moved on (进展); `step` names the interim step that is done, where the deadline has one."""

    type: ClassVar[str] = "whistle.response.progressed.v1"

    note: Words
    step: Code | None = None


class Resolved(Response):
    """The department says it is put right (办结); `note` is internal, `answer` is a draft for the public answer."""

    type: ClassVar[str] = "whistle.response.resolved.v1"

    note: Words
    answer: Text = ""


class ExtensionRequested(Response):
    """The department asks for a later deadline (延期)."""

    type: ClassVar[str] = "whistle.response.extension_requested.v1"

    until: Instant
    reason: Reason


class ParkingRequested(Response):
    """The department asks to park the matter until a review (挂账)."""

    type: ClassVar[str] = "whistle.response.parking_requested.v1"

    review_at: Instant
    reason: Reason


class Explained(Response):
    """The department explains itself in writing, as a supervision case asks (督办说明); `round` is the case's turn."""

    type: ClassVar[str] = "whistle.response.explained.v1"

    explanation: Words
