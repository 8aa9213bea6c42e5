"""What a street says on `community.<code>.answers`; keyed by the report's id.

An instant that is `provisional` may still move, since its calendar is not confirmed that far.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from schemas.escalation import Copy
from schemas.event import Code, Fact, Flag, Instant, Line, Ordinal, Reason, Text, Words


class Given(Fact):
    """The reporter has an answer (回音); `incident` is the one the report was attached to, or its own.

    `interim`: the work goes on, and an answer follows.
    """

    type: ClassVar[str] = "whistle.answer.given.v1"

    report: UUID
    incident: UUID
    outcome: Literal["settled", "refused", "interim"]
    answer: Text


class Asked(Fact):
    """The reporter is asked for more (补充情况), and may reply until an instant."""

    type: ClassVar[str] = "whistle.answer.asked.v1"

    report: UUID
    incident: UUID
    question: Words
    reply_by: Instant
    provisional: Flag | None = None


class ExplanationAsked(Fact):
    """Supervision has put the community under a case (督办): it owes a written explanation by an instant."""

    type: ClassVar[str] = "whistle.answer.explanation_asked.v1"

    turn: Ordinal
    reason: Reason
    due_at: Instant
    provisional: Flag | None = None


class ConfirmationAsked(Fact):
    """A section of the street has resolved its part: the community owes a look on the spot, and its confirmation."""

    type: ClassVar[str] = "whistle.answer.confirmation_asked.v1"

    department: Code
    round: Ordinal
    due_at: Instant
    provisional: Flag | None = None


class Reminded(Fact):
    """What the community owes is due soon, or overdue: it is reminded (催办), or a post above it is told (升级).

    `department` is whose work it has to confirm. `holder`, of `holder_unit`, held the `post` when it was told; nobody
    did where they are absent.
    """

    type: ClassVar[str] = "whistle.answer.reminded.v1"

    deadline: Line
    due_at: Instant
    department: Code | None = None
    post: Code | None = None
    holder: Line | None = None
    holder_unit: Code | None = None
    note: Text = ""
    copies: tuple[Copy, ...] = ()


class Recomputed(Fact):
    """An instant that was provisional was counted again, by a calendar that is confirmed for it, and is certain.

    `deadline` is the reporter's own, `reply`, or the community's: `explain`, or `confirm` with the department's code.
    """

    type: ClassVar[str] = "whistle.answer.recomputed.v1"

    deadline: Line
    due_at: Instant
    department: Code | None = None
    reason: Reason
