"""What a community says on `community.<code>.reports` about a matter; keyed by the report's id."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.event import Code, Fact, Flag, Instant, Line, Model, Reason, Text, Words

Kind = Literal["demand", "suggestion", "hazard", "dispute", "instability"]
Severity = Literal["low", "normal", "high", "critical"]
Channel = Literal["courtyard-meeting", "tea-talk", "office-hours", "visit", "inspection", "hotline", "online"]
GridLevel = Annotated[int, Field(ge=1, le=4, strict=True)]
Proved = Literal["true", "not-true", "unclear"]
"""Whether what was reported proved true (是否属实); unclear: it could not be established."""
Fault = Literal["handler", "other"]
"""Through whose fault a reporter is not satisfied: that of whoever handled it, or not."""
ContactChannel = Literal["phone", "visit", "message", "letter", "online"]


class Place(Model):
    """Where it is; latitude and longitude are WGS 84 degrees."""

    address: Line | None = None
    estate: Line | None = None
    latitude: Annotated[float, Field(strict=True, ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(strict=True, ge=-180, le=180)] | None = None


_HREF = r"^(https?://[^\s\x00]+|urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$"


class Link(Model):
    """A pointer from a report: a picture, a document, or (`rel` is `repeats`) the report it repeats."""

    rel: Literal["picture", "document", "repeats", "inspection"]
    href: Annotated[str, StringConstraints(max_length=500, pattern=_HREF)]


class Raised(Fact):
    """The community has reported a matter (上报)."""

    type: ClassVar[str] = "whistle.report.raised.v1"

    kind: Kind
    category: Code
    severity: Severity = "normal"
    description: Words
    place: Place = Place()
    channel: Channel
    grid_level: GridLevel | None = None
    happened_at: Instant
    links: Annotated[tuple[Link, ...], Field(max_length=20)] = ()
    reporter: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None, description="A reference into the street's vault, never a name, number or address."
    )

    @property
    def repeats(self) -> UUID | None:
        """The report this one says it repeats, if it says so."""
        for link in self.links:
            if link.rel == "repeats" and link.href.startswith("urn:uuid:"):
                return UUID(link.href.removeprefix("urn:uuid:"))
        return None


class Verified(Fact):
    """The community has looked on the spot whether what a department did holds (核实)."""

    type: ClassVar[str] = "whistle.report.verified.v1"

    holds: Flag
    department: Code | None = None
    proved: Proved | None = None
    note: Text = ""


class Confirmed(Fact):
    """The community confirms the work of a section of the street (确认)."""

    type: ClassVar[str] = "whistle.report.confirmed.v1"

    department: Code
    proved: Proved | None = None
    note: Text = ""


class SentBack(Fact):
    """The community sends the work of a section of the street back (返工)."""

    type: ClassVar[str] = "whistle.report.sent_back.v1"

    department: Code
    reason: Reason


class Rated(Fact):
    """The reporter has rated the answer (评价): solved and satisfied are two questions."""

    type: ClassVar[str] = "whistle.report.rated.v1"

    solved: Flag
    satisfied: Flag
    fault: Fault | None = Field(default=None, description="Of a reporter who is not satisfied.")
    note: Text = ""


class Replied(Fact):
    """The reporter has replied to what the street asked, as far as it names nobody."""

    type: ClassVar[str] = "whistle.report.replied.v1"

    reply: Words


class Contacted(Fact):
    """The community has contacted the reporter, or tried to; nothing is said of whom, where or what number."""

    type: ClassVar[str] = "whistle.report.contacted.v1"

    contacted_at: Instant | None = Field(default=None, description="When it is said, if left out.")
    channel: ContactChannel
    reached: Flag


class Explained(Fact):
    """The community explains itself in writing, as a supervision case asks (督办说明)."""

    type: ClassVar[str] = "whistle.report.explained.v1"

    explanation: Words
