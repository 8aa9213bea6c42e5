"""What a street says on `street.<code>.decisions`; keyed by the incident's id.

`by` is the post that decided, or `rule:<name>` where a rule of the configuration did.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schemas.event import Code, Fact, Flag, Instant, Line, Reason, Text, Words
from schemas.inspection import Recorded
from schemas.report import Kind, Raised, Severity

CallKind = Literal["general", "enforcement", "emergency"]
Request = Literal["extension", "parking"]


class Decision(Fact):
    """What every decision carries."""

    by: Line = "officer"


class Opened(Decision):
    """The street has opened an incident for a report; the incident's id is the report's."""

    type: ClassVar[str] = "whistle.decision.opened.v1"

    community: Code
    report: Raised
    reported_at: Instant


class Called(Decision):
    """The street has blown the whistle (呼叫); no departments named means whoever the routes name.

    `kind` is absent where only sections of the street itself are set to work: no whistle was needed.
    """

    type: ClassVar[str] = "whistle.decision.called.v1"

    kind: CallKind | None = None
    departments: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    note: Text = ""
    resolve_by: Instant | None = Field(
        default=None, description="Set where those called have a term of their own, in place of their rule's."
    )


class Reclassified(Decision):
    """The matter is of another kind than was reported; what is absent stays, and so does every deadline."""

    type: ClassVar[str] = "whistle.decision.reclassified.v1"

    reason: Reason
    category: Code | None = None
    kind: Kind | None = None
    severity: Severity | None = None


class Attached(Decision):
    """The incident repeats another one, which has taken its report over; it ends here."""

    type: ClassVar[str] = "whistle.decision.attached.v1"

    to: UUID


class RepeatAttached(Decision):
    """Another report, of the same matter, is attached to this incident and will be answered with it."""

    type: ClassVar[str] = "whistle.decision.repeat_attached.v1"

    report: UUID
    community: Code


class Refused(Decision):
    """The street does not take the matter on; the reporter is answered with the reason."""

    type: ClassVar[str] = "whistle.decision.refused.v1"

    reason: Reason


class Insisted(Decision):
    """The street does not accept a department's refusal (责成): a new round begins."""

    type: ClassVar[str] = "whistle.decision.insisted.v1"

    department: Code
    reason: Reason


class Withdrawn(Decision):
    """The street takes a department's obligation back."""

    type: ClassVar[str] = "whistle.decision.withdrawn.v1"

    department: Code
    reason: Reason


class Verified(Decision):
    """The community has looked on the spot, and the street passes it on (核实)."""

    type: ClassVar[str] = "whistle.decision.verified.v1"

    holds: Flag
    department: Code | None = None
    community: Code | None = None
    note: Text = ""


class Confirmed(Decision):
    """The work is confirmed (确认): of one department, or of every one that has resolved."""

    type: ClassVar[str] = "whistle.decision.confirmed.v1"

    department: Code | None = None
    community: Code | None = Field(default=None, description="Set where the community confirmed a section's work.")
    note: Text = ""


class SentBack(Decision):
    """The work is sent back (返工): a new round begins."""

    type: ClassVar[str] = "whistle.decision.sent_back.v1"

    department: Code
    reason: Reason
    community: Code | None = None


class Granted(Decision):
    """An extension or a parking that a department asked for is granted."""

    type: ClassVar[str] = "whistle.decision.granted.v1"

    department: Code
    request: Request
    note: Text = ""


class Denied(Decision):
    """An extension or a parking that a department asked for is not granted."""

    type: ClassVar[str] = "whistle.decision.denied.v1"

    department: Code
    request: Request
    reason: Reason


class Answered(Decision):
    """The street gives the public answer (答复)."""

    type: ClassVar[str] = "whistle.decision.answered.v1"

    answer: Words


class Rated(Decision):
    """The reporter's rating, as the street received it from its community (评价)."""

    type: ClassVar[str] = "whistle.decision.rated.v1"

    report: UUID
    solved: Flag
    satisfied: Flag
    note: Text = ""


class Explained(Decision):
    """The street, or its community, explains itself in writing, as a supervision case asks (督办说明)."""

    type: ClassVar[str] = "whistle.decision.explained.v1"

    explanation: Words
    community: Code | None = Field(default=None, description="Set where the community explained itself.")


class Inspected(Decision):
    """A round of inspection a community has walked, as the street received it; keyed by the inspection's id."""

    type: ClassVar[str] = "whistle.decision.inspected.v1"

    community: Code
    round: Recorded
