"""What a street says on `street.<code>.decisions`; keyed by the incident's id.

`by` is the post that decided, or `rule:<name>` where a rule of the configuration did.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schemas.event import Code, Fact, Flag, Instant, Line, Reason, Remark, Text, Words
from schemas.inspection import Recorded
from schemas.report import ContactChannel, Fault, Kind, Proved, Raised, Severity

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

    `kind` is absent where only sections of the street itself are set to work, and not in an emergency: no whistle was
    needed.
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
    """The incident repeats another one, which has taken its report over; it ends here, and only a rule says so."""

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
    proved: Proved | None = None
    note: Text = Field(default="", description="Internal: the reporter never reads it.")


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
    proved: Proved | None = None
    note: Text = ""


class Confirmed(Decision):
    """The work is confirmed (确认): of one department, or of every one that has resolved."""

    type: ClassVar[str] = "whistle.decision.confirmed.v1"

    department: Code | None = None
    community: Code | None = Field(default=None, description="Set where the community confirmed a section's work.")
    proved: Proved | None = None
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
    proved: Proved | None = None
    note: Text = Field(default="", description="Internal: the reporter never reads it.")


class InterimAnswered(Decision):
    """The street tells the reporters how far it is (阶段性答复), while the work goes on."""

    type: ClassVar[str] = "whistle.decision.interim_answered.v1"

    answer: Words


class Asked(Decision):
    """The street asks a reporter for more (补充情况); no report named means that of the incident itself."""

    type: ClassVar[str] = "whistle.decision.asked.v1"

    question: Words
    report: UUID | None = None


class Replied(Decision):
    """A reporter's reply, as the street received it from its community."""

    type: ClassVar[str] = "whistle.decision.replied.v1"

    community: Code
    report: UUID
    reply: Words


class Contacted(Decision):
    """The citizen was contacted, or it was tried (联系群众), by the street, or by the community where it is named."""

    type: ClassVar[str] = "whistle.decision.contacted.v1"

    contacted_at: Instant | None = Field(default=None, description="When it is said, if left out.")
    channel: ContactChannel
    reached: Flag
    community: Code | None = None


class Rated(Decision):
    """The reporter's rating, as the street received it from its community (评价)."""

    type: ClassVar[str] = "whistle.decision.rated.v1"

    community: Code
    report: UUID
    solved: Flag
    satisfied: Flag
    fault: Fault | None = None
    note: Text = ""


class Reinspected(Decision):
    """A round of inspection has looked at an earlier report's place again (复查), as the street received it."""

    type: ClassVar[str] = "whistle.decision.reinspected.v1"

    community: Code
    inspection: UUID
    report: UUID
    holds: Flag
    note: Remark = ""


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
