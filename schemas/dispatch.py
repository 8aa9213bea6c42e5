"""What the router says on `department.<code>.dispatches`; keyed by the incident's id."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from schemas.decision import CallKind
from schemas.escalation import Copy
from schemas.event import Code, Fact, Instant, Line, Ordinal, Reason, Text
from schemas.notice import Notice
from schemas.report import Kind, Place, Severity

Role = Literal["lead", "support"]
Status = Literal["dispatched", "acknowledged", "parked", "declined", "resolved", "confirmed", "withdrawn"]
Round = Ordinal
# Why a department may not decline: it was called first and leads until a lead is named, or it is the one named, or it
# has declined, and the street insists.
Bound = Literal["first", "named", "insisted"]
CaseStatus = Literal["asked", "explained", "accepted"]
Deadlines = dict[Line, Instant]
# Those of the deadlines that may still move, since their calendar is not confirmed that far.
ProvisionalNames = tuple[Line, ...]


class Issued(Fact):
    """The department owes something (派单): what, as lead or support, by which rule, by when."""

    type: ClassVar[str] = "whistle.dispatch.issued.v1"

    street: Code
    community: Code
    round: Round
    role: Role
    lead: Code
    call: CallKind | None = None
    rule: Line
    deadlines: Deadlines
    bound: Bound | None = Field(default=None, description="Set where the department may not decline.")
    provisional: ProvisionalNames | None = None
    kind: Kind
    category: Code
    severity: Severity
    description: Text
    place: Place
    note: Text = ""


class Changed(Fact):
    """The obligation stands differently now: what was said of it has been accepted, or a new round has begun."""

    type: ClassVar[str] = "whistle.dispatch.changed.v1"

    status: Status
    round: Round
    deadlines: Deadlines
    provisional: ProvisionalNames | None = None
    done: Line | None = Field(
        default=None, description="Set where a named deadline has no more to wait for: `arrive`, or an interim step."
    )
    reason: Text = ""


class LeadNamed(Fact):
    """Another department leads now than the one before: `lead`, which may be the reader itself (指定主办)."""

    type: ClassVar[str] = "whistle.dispatch.lead_named.v1"

    round: Round
    lead: Code
    bound: Bound | None = Field(default=None, description="Set where the lead may not decline.")
    reason: Reason


class Reminded(Fact):
    """A deadline is near or past, and the department is told before anyone above it is (催办)."""

    type: ClassVar[str] = "whistle.dispatch.reminded.v1"

    round: Round
    deadline: Line
    due_at: Instant
    note: Text = ""
    copies: tuple[Copy, ...] = ()


class Supervised(Fact):
    """A supervision case against the department (督办) stands like this; `reason` is why it was opened or rejected.

    While it is `asked`, an explanation is owed by the deadline `explain`. `turn` counts how often one was asked for.
    """

    type: ClassVar[str] = "whistle.dispatch.supervised.v1"

    status: CaseStatus
    turn: Ordinal
    deadlines: Deadlines
    provisional: ProvisionalNames | None = None
    reason: Text = ""


class BreachesListed(Fact):
    """The department is given a list of the promises it broke (通报); keyed by the notice's id."""

    type: ClassVar[str] = "whistle.dispatch.breaches_listed.v1"

    notice: Notice


class Refused(Fact):
    """What the department said was not accepted, and why."""

    type: ClassVar[str] = "whistle.dispatch.refused.v1"

    act: Line
    reason: Reason
