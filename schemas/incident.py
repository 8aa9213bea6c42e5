"""The history of every incident, as only the router says it on `incident.journal`; keyed by the incident's id.

Each entry has the incident's next version, so that a reader can put them in order whatever order they arrive in, and
carries all that a reader needs: the state of an incident is the fold of its entries, nothing else.
`deadlines` are the instants this entry sets, by name.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schemas.decision import CallKind, Request
from schemas.dispatch import Bound, Deadlines, Role, Round
from schemas.escalation import Copy
from schemas.event import Code, Count, Fact, Flag, Instant, Line, Model, Ordinal, Reason, Remark, Text, Words
from schemas.inspection import Recorded
from schemas.notice import Notice
from schemas.report import ContactChannel, Fault, Kind, Proved, Raised, Severity
from schemas.response import Owner


class Rung(Model):
    """One rung of a ladder: how long after the deadline, or before it, and which post is told; no post: a reminder."""

    after: Line | None = None
    before: Line | None = None
    post: Code | None = None


class Ladder(Model):
    """The ladder as it stood when the dispatch was issued; its top repeats every `repeat`."""

    name: Line
    rungs: tuple[Rung, ...]
    repeat: Line


class Policy(Model):
    """By which rule, of which version of the configuration, with which durations and ladder."""

    rule: Line
    version: Line
    durations: dict[Line, Line]
    ladder: Ladder
    allow: tuple[Literal["decline", "extension", "parking"], ...] | None = Field(
        default=None, description="What may be asked for; absent means everything."
    )


class Approver(Model):
    """Who has to approve, at least: a post of the street, or one of the district, which supervision speaks for."""

    party: Literal["street", "supervision"]
    post: Code


class Provisional(Model):
    """From which instant a deadline is counted, and how long: it ends where its calendar is not confirmed yet."""

    since: Instant
    duration: Line


class Entry(Fact):
    """What every entry carries: `who` spoke (a topic's party, or `clock`), `by` which post or rule."""

    version: Ordinal
    cause: UUID
    who: Line
    by: Line
    happened_at: Instant | None = Field(
        default=None,
        description="Set where it isn't the event's own time: it came early, and was heard with what it waited for.",
    )
    provisional: dict[Line, Provisional] | None = Field(
        default=None,
        description="Those of its deadlines that may still move, by name; they are set again once they are certain.",
    )


class OfDepartment(Entry):
    """An entry about one obligation."""

    department: Code
    round: Round


class Opened(Entry):
    """An incident was opened for a report; the street owes a decision."""

    type: ClassVar[str] = "whistle.incident.opened.v1"

    street: Code
    community: Code
    report: Raised
    reported_at: Instant
    deadlines: Deadlines


class Called(Entry):
    """The whistle was blown."""

    type: ClassVar[str] = "whistle.incident.called.v1"

    kind: CallKind | None = None
    rules: tuple[Line, ...]
    departments: tuple[Code, ...]
    deadlines: Deadlines
    note: Text = ""


class Reclassified(Entry):
    """The street found the matter to be of another kind; an emergency is to be decided sooner, else nothing moves."""

    type: ClassVar[str] = "whistle.incident.reclassified.v1"

    reason: Reason
    category: Code
    kind: Kind
    severity: Severity
    deadlines: Deadlines | None = None


class LeadSought(Entry):
    """All who were called have declined: the district owes the name of a lead, and until then the first one leads."""

    type: ClassVar[str] = "whistle.incident.lead_sought.v1"

    unit: Code = Field(description="Who has to name it: the district.")
    post: Code
    holder: Line | None = Field(default=None, description="Who held the post then, of `holder_unit`.")
    holder_unit: Code | None = None
    deadlines: Deadlines


class LeadNamed(Entry):
    """A department leads from now on; `bound`: it may not decline, and why."""

    type: ClassVar[str] = "whistle.incident.lead_named.v1"

    lead: Code
    reason: Reason
    bound: Bound | None = None


class Dispatched(OfDepartment):
    """A department owes its part, from now on."""

    type: ClassVar[str] = "whistle.incident.dispatched.v1"

    role: Role
    section: Flag = Field(description="A section of the street itself, whose work the community confirms.")
    owner: Owner
    policy: Policy
    deadlines: Deadlines
    note: Text = ""
    bound: Bound | None = Field(default=None, description="Set where it may not be declined, and why.")
    term: Instant | None = Field(default=None, description="Set where it has one of its own, which nothing outlasts.")


class Acknowledged(OfDepartment):
    """The department took it on."""

    type: ClassVar[str] = "whistle.incident.acknowledged.v1"

    owner: Owner


class Declined(OfDepartment):
    """The department gave it back; the street owes a decision."""

    type: ClassVar[str] = "whistle.incident.declined.v1"

    reason: Reason
    deadlines: Deadlines


class Arrived(OfDepartment):
    """The department is on the spot."""

    type: ClassVar[str] = "whistle.incident.arrived.v1"

    note: Text = ""


class Progressed(OfDepartment):
    """The work moved on."""

    type: ClassVar[str] = "whistle.incident.progressed.v1"

    note: Text
    step: Code | None = None


class Resolved(OfDepartment):
    """The department says it is put right; a confirmation is owed."""

    type: ClassVar[str] = "whistle.incident.resolved.v1"

    note: Text
    answer: Text = ""
    deadlines: Deadlines


class Requested(OfDepartment):
    """The department asked for an extension or for parking; an approval is owed, and the deadline stands."""

    type: ClassVar[str] = "whistle.incident.requested.v1"

    request: Request
    until: Instant
    reason: Reason
    unit: Code = Field(description="Who has to decide: the street, or the district.")
    approver: Approver
    holder: Line | None = Field(default=None, description="Who held the approver's post then, of `holder_unit`.")
    holder_unit: Code | None = None
    deadlines: Deadlines


class Granted(OfDepartment):
    """What the department asked for was granted."""

    type: ClassVar[str] = "whistle.incident.granted.v1"

    request: Request
    deadlines: Deadlines
    note: Text = ""


class Denied(OfDepartment):
    """What the department asked for was not granted."""

    type: ClassVar[str] = "whistle.incident.denied.v1"

    request: Request
    reason: Reason


class Hastened(OfDepartment):
    """A stricter whistle was blown for what the department owes already: from now on it owes that by this policy.

    `deadlines` are those that end sooner by it. What was parked is owed again.
    """

    type: ClassVar[str] = "whistle.incident.hastened.v1"

    policy: Policy
    deadlines: Deadlines


class Unparked(OfDepartment):
    """The review date of a parked obligation came: it is owed again."""

    type: ClassVar[str] = "whistle.incident.unparked.v1"

    deadlines: Deadlines


class Insisted(OfDepartment):
    """The street did not accept the department's refusal; a dispatch of a new round follows."""

    type: ClassVar[str] = "whistle.incident.insisted.v1"

    reason: Reason


class Withdrawn(OfDepartment):
    """The department owes nothing any more."""

    type: ClassVar[str] = "whistle.incident.withdrawn.v1"

    reason: Reason


class Verified(Entry):
    """The community looked on the spot."""

    type: ClassVar[str] = "whistle.incident.verified.v1"

    department: Code | None = None
    holds: Flag
    proved: Proved | None = None
    note: Text = ""


class SentBack(OfDepartment):
    """The work was sent back: `round` is the new round."""

    type: ClassVar[str] = "whistle.incident.sent_back.v1"

    reason: Reason
    deadlines: Deadlines


class WorkConfirmed(OfDepartment):
    """The department's work was confirmed."""

    type: ClassVar[str] = "whistle.incident.work_confirmed.v1"

    proved: Proved | None = None
    note: Text = ""


class Confirmed(Entry):
    """Every department's work is confirmed or withdrawn; the street owes the answer."""

    type: ClassVar[str] = "whistle.incident.confirmed.v1"

    deadlines: Deadlines


class Returned(Entry):
    """Every obligation was withdrawn: the incident waits for the street's decision again."""

    type: ClassVar[str] = "whistle.incident.returned.v1"

    deadlines: Deadlines


class Attached(Entry):
    """The incident repeats another one, and ended in it."""

    type: ClassVar[str] = "whistle.incident.attached.v1"

    to: UUID


class RepeatAttached(Entry):
    """Another report of the same matter is answered with this incident."""

    type: ClassVar[str] = "whistle.incident.repeat_attached.v1"

    report: UUID
    community: Code
    deadlines: Deadlines | None = Field(
        default=None, description="Set where there is an answer, which its reporter may object to as long as anybody."
    )


class Refused(Entry):
    """The street did not take the matter on."""

    type: ClassVar[str] = "whistle.incident.refused.v1"

    reason: Reason
    proved: Proved | None = None
    note: Text = ""


class Answered(Entry):
    """The public answer was given; the rating window is open until the deadline `close`. The note is internal."""

    type: ClassVar[str] = "whistle.incident.answered.v1"

    answer: Text
    deadlines: Deadlines
    proved: Proved | None = None
    note: Text = ""


class InterimAnswered(Entry):
    """The reporters were told how far it is; nothing else changes, and every deadline stands."""

    type: ClassVar[str] = "whistle.incident.interim_answered.v1"

    answer: Text


class Asked(Entry):
    """A reporter was asked for more, and may reply until the deadline `reply`; every other deadline stands."""

    type: ClassVar[str] = "whistle.incident.asked.v1"

    report: UUID
    question: Words
    deadlines: Deadlines


class Replied(Entry):
    """The reporter replied."""

    type: ClassVar[str] = "whistle.incident.replied.v1"

    report: UUID
    reply: Words


class Unreplied(Entry):
    """The reporter has not replied in time: nobody waits for it any more."""

    type: ClassVar[str] = "whistle.incident.unreplied.v1"

    report: UUID


class Contacted(Entry):
    """The citizen was contacted, or it was tried; by the community where one is named, else by the street."""

    type: ClassVar[str] = "whistle.incident.contacted.v1"

    contacted_at: Instant
    channel: ContactChannel
    reached: Flag
    community: Code | None = None


class Rated(Entry):
    """A reporter rated the answer."""

    type: ClassVar[str] = "whistle.incident.rated.v1"

    report: UUID
    solved: Flag
    satisfied: Flag
    fault: Fault | None = None
    note: Text = ""


class Reinspected(Entry):
    """A later round of inspection looked again whether what was done holds."""

    type: ClassVar[str] = "whistle.incident.reinspected.v1"

    community: Code
    inspection: UUID
    report: UUID
    holds: Flag
    note: Remark = ""


class Reopened(Entry):
    """It was rated, or re-inspected, as not done: each department whose work was confirmed owes it again.

    `times` counts.
    """

    type: ClassVar[str] = "whistle.incident.reopened.v1"

    times: Ordinal
    deadlines: Deadlines


class Closed(Entry):
    """The rating window is over."""

    type: ClassVar[str] = "whistle.incident.closed.v1"


class _OfDeadline(Entry):
    """An entry about a deadline that is near or has passed.

    `unit` is who owes, with its department and round where it has one; `holder`, of `holder_unit`, is who held the
    `post` that is told, when it was; nobody did where they are absent.
    """

    deadline: Line
    due_at: Instant
    step: Count
    unit: Code
    department: Code | None = None
    round: Count = 0
    case: Code | None = Field(default=None, description="The unit whose supervision case it is about, if any.")
    skipped: tuple[Count, ...] = Field(default=(), description="Lower rungs that came due in the same silence.")
    vacant: tuple[Code, ...] | None = Field(
        default=None, description="Posts that were to be told first, and that nobody held: from the lowest up."
    )
    holder: Line | None = None
    holder_unit: Code | None = None


class Reminded(_OfDeadline):
    """A deadline is near or has passed, and whoever owes was reminded; or, before it, the post that is named."""

    type: ClassVar[str] = "whistle.incident.reminded.v1"

    post: Code | None = None


class Escalated(_OfDeadline):
    """A deadline stays unkept, and a post above was told."""

    type: ClassVar[str] = "whistle.incident.escalated.v1"

    post: Code


class _Unseen(Entry):
    """An entry about a promise whose deadline passed before anybody looked; `since` is the version that had set it."""

    deadline: Line
    due_at: Instant
    unit: Code = Field(description="Who owed it.")
    department: Code | None = None
    round: Count = 0
    case: Code | None = Field(default=None, description="The unit whose supervision case it is about, if any.")
    since: Ordinal


class PassedUnseen(_Unseen):
    """Somebody else's act has ended the wait for it: whether it was kept shows once everything said in time is read."""

    type: ClassVar[str] = "whistle.incident.passed_unseen.v1"

    act: Line = Field(description="The type of what was said that ended it.")


class SeenAfterwards(_Unseen):
    """By now it is known whether it was kept."""

    type: ClassVar[str] = "whistle.incident.seen_afterwards.v1"

    kept: bool


class Recomputed(Entry):
    """Provisional deadlines were counted again, from the same instants, by a calendar that is confirmed for them.

    `post` is the district's where one of them is a decision it was asked for; `holder`, of `holder_unit`, held it then.
    """

    type: ClassVar[str] = "whistle.incident.recomputed.v1"

    department: Code | None = None
    case: Code | None = Field(default=None, description="The unit whose supervision case the deadlines are of.")
    round: Count = 0
    deadlines: Deadlines
    reason: Reason
    post: Code | None = None
    holder: Line | None = None
    holder_unit: Code | None = None


class RemindedByHand(Entry):
    """Somebody reminded a department, a community, or the street where none is named (催办).

    `due_at` is the first deadline that whoever is reminded owed then.
    """

    type: ClassVar[str] = "whistle.incident.reminded_by_hand.v1"

    department: Code | None = None
    case: Code | None = Field(
        default=None, description="The unit that was reminded, where it owes nothing but what its case asks."
    )
    community: Code | None = None
    due_at: Instant
    note: Text = ""
    copies: tuple[Copy, ...] = ()


class OfCase(Entry):
    """An entry about the supervision case against a unit (督办); `turn` counts the explanations asked of it."""

    unit: Code
    turn: Ordinal


class CaseOpened(OfCase):
    """Supervision wants a written explanation of the unit."""

    type: ClassVar[str] = "whistle.incident.case_opened.v1"

    judge: Code = Field(description="Who judges it: the district.")
    reason: Reason
    deadlines: Deadlines


class Explained(OfCase):
    """The unit explained itself; supervision owes its judgement."""

    type: ClassVar[str] = "whistle.incident.explained.v1"

    explanation: Text
    judge: Code
    post: Code
    holder: Line | None = Field(default=None, description="Who held the judge's post then, of `holder_unit`.")
    holder_unit: Code | None = None
    deadlines: Deadlines


class CaseRejected(OfCase):
    """The explanation was not accepted: `turn` is the new turn."""

    type: ClassVar[str] = "whistle.incident.case_rejected.v1"

    reason: Reason
    deadlines: Deadlines


class CaseAccepted(OfCase):
    """The explanation was accepted, or none is wanted any more, as the note says: the case is over."""

    type: ClassVar[str] = "whistle.incident.case_accepted.v1"

    note: Text = ""


class HeldOpen(Entry):
    """The rating window is over, but a supervision case is not: the incident closes when that is."""

    type: ClassVar[str] = "whistle.incident.held_open.v1"


class ActRefused(Entry):
    """Something that was said about the incident does not fit its state, and changed nothing."""

    type: ClassVar[str] = "whistle.incident.act_refused.v1"

    act: Line
    reason: Reason


class Inspected(Entry):
    """A round of inspection was walked; the subject is the inspection, not an incident."""

    type: ClassVar[str] = "whistle.incident.inspected.v1"

    street: Code
    community: Code
    round: Recorded


class BreachesListed(Entry):
    """A unit was given a list of the promises it broke (通报); the subject is the notice, not an incident."""

    type: ClassVar[str] = "whistle.incident.breaches_listed.v1"

    notice: Notice
    department: Code | None = Field(default=None, description="The unit, where it is one that has dispatches.")


Status = Literal["received", "called", "responding", "confirmed", "answered", "closed", "refused", "attached"]
