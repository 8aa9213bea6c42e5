"""The state of an incident: what is owed, by whom and until when, and what was said and found.

Source: states.md, beside this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.decision import CallKind, Request
from schemas.dispatch import Bound, CaseStatus, Role
from schemas.dispatch import Status as ObligationStatus
from schemas.incident import Approver, Provisional, Status
from schemas.report import Fault, Proved, Raised
from services.domain.broken import Broken
from services.domain.frozen import FrozenOwner, FrozenPolicy

ENDED: frozenset[Status] = frozenset({"closed", "refused", "attached"})
DONE: frozenset[ObligationStatus] = frozenset({"confirmed", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline that runs: `fired` rungs of its ladder have been climbed; `since` is the version that set it.

    It is `provisional` where its calendar is not confirmed for it yet. `set_at` is when it was first set, where it was
    moved since by being counted again.
    """

    due_at: datetime
    since: int
    fired: int = 0
    provisional: Provisional | None = None
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for approval, the instant it asks for, and which unit's post has to approve, at least."""

    request: Request
    until: datetime
    unit: str
    approver: Approver


@dataclass(frozen=True, slots=True)
class Rating:
    """What the reporter of one report has said of an answer, the last time they did."""

    report: UUID
    solved: bool
    satisfied: bool
    fault: Fault | None = None


@dataclass(frozen=True)
class Obligation:
    """What one department owes (责任); each `round` is one turn of work, with deadlines of its own.

    `bound`: it may not be declined, and why; `refused`: it was, and was not acknowledged since. `term` is one of its
    own, which only an extension moves. `late` names the deadlines that passed unkept: what was late stays late.
    `acknowledged_at` is of the first time, `resolved_at` of the last in this round; `reopened` counts how often
    confirmed work was called for again. `anew_at` is the last call that followed one of which nothing had become;
    `ratings` are those given while its work was confirmed; `holds` is what the last look on the spot found of it in
    this round.
    """

    department: str
    role: Role
    section: bool
    status: ObligationStatus
    round: int
    owner: FrozenOwner
    policy: FrozenPolicy
    dispatched_at: datetime
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    request: Pending | None = None
    extensions: int = 0
    arrived: bool = False
    bound: Bound | None = None
    term: datetime | None = None
    refused: bool = False
    late: tuple[str, ...] = ()
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    reopened: int = 0
    anew_at: datetime | None = None
    ratings: tuple[Rating, ...] = ()
    holds: bool | None = None

    @property
    def open(self) -> bool:
        """Whether anybody still waits for something about it."""
        return self.status not in DONE


@dataclass(frozen=True)
class Case:
    """A supervision case (督办) against a unit with a part in the incident; each `turn` asks for one explanation.

    `judge` is the unit that judges what is explained. `late` names the deadlines that passed unkept, in any turn.
    """

    unit: str
    status: CaseStatus
    turn: int
    opened_at: datetime
    judge: str
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    late: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether anybody still waits for something about it."""
        return self.status != "accepted"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something said about what is not known yet, kept as it was said, until an instant."""

    cause: UUID
    party: str
    code: str | None
    at: datetime
    until: datetime
    type: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A report attached to the incident."""

    report: UUID
    community: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the reporter of one report was asked and has not replied to yet, and until when they were told they may."""

    report: UUID
    until: datetime


@dataclass(frozen=True)
class Incident:
    """An incident (事件); one of which only something premature has been heard has no status yet.

    `overall` is the clock of that name that ran when it was refused, as it had been called and taken back before.
    `naming` is the unit that has to name the lead, while the clock `lead` runs. `told_at` is when an answer was last
    told to who came after it. `ratings` are the last of each reporter who rated, the latest last; `proved` is what was
    last found of the report; `asked` are the questions without a reply, the one that the clock `reply` is about last,
    and `replied` is whether there was one in the end, until the street has acted on that; `contacts` counts the tries
    to reach the citizen, and the last that succeeded was at `reached_at`; `holds` is what the last re-inspection found;
    `raised` is what the report said of itself where it was reclassified.
    """

    id: UUID
    version: int = 0
    status: Status | None = None
    street: str = ""
    community: str = ""
    report: Raised | None = None
    reported_at: datetime | None = None
    call: CallKind | None = None
    called_at: datetime | None = None
    called_by: str = ""
    rules: tuple[str, ...] = ()
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    obligations: Mapping[str, Obligation] = field(default_factory=dict)
    repeats: tuple[Repeat, ...] = ()
    attached_to: UUID | None = None
    answer: str = ""
    answered_at: datetime | None = None
    told_at: datetime | None = None
    confirmed_at: datetime | None = None
    reopened: int = 0
    escalations: int = 0
    late: tuple[str, ...] = ()
    overall: Clock | None = None
    naming: str = ""
    ratings: tuple[Rating, ...] = ()
    proved: Proved | None = None
    asked: tuple[Question, ...] = ()
    replied: bool | None = None
    contacts: int = 0
    reached_at: datetime | None = None
    holds: bool | None = None
    waiting: tuple[Waiting, ...] = ()
    # When each version was told that has set a deadline: a rung that would have come before that is passed over.
    set_at: Mapping[int, datetime] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()
    # What will be broken, by an act of somebody else that ended the wait, unless something said in time turns up.
    unseen: tuple[Broken, ...] = ()
    raised: Mapping[str, str] = field(default_factory=dict)

    @property
    def as_raised(self) -> Raised | None:
        """The report as it was raised, however it was classified since."""
        return self.report.model_copy(update=self.raised) if self.report and self.raised else self.report

    @property
    def kind(self) -> CallKind:
        """The kind of whistle it is for: what was reported as critical is an emergency, whatever was blown."""
        if self.report is not None and self.report.severity == "critical":
            return "emergency"
        return self.call or "general"

    @property
    def ended(self) -> bool:
        """Whether nobody waits for anything any more, but perhaps for what a supervision case asks."""
        return self.status in ENDED

    @property
    def solved(self) -> bool | None:
        """Whether all who rated call it solved; None where nobody has."""
        return all(each.solved for each in self.ratings) if self.ratings else None

    @property
    def satisfied(self) -> bool | None:
        """Whether all who rated are satisfied; None where nobody has."""
        return all(each.satisfied for each in self.ratings) if self.ratings else None

    @property
    def supervised(self) -> bool:
        """Whether some supervision case is not over."""
        return any(each.open for each in self.cases.values())

    @property
    def lead(self) -> Obligation | None:
        """The obligation of the department that leads (主办), or led to the end; None where it was withdrawn."""
        for each in self.obligations.values():
            if each.role == "lead" and each.status != "withdrawn":
                return each
        return None

    @property
    def owned(self) -> bool:
        """Whether some department owes it, or has done it."""
        return any(each.status != "withdrawn" for each in self.obligations.values())
