"""What supervision says on `supervision.actions`; keyed by the incident's id, or a notice's own."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.decision import Request
from schemas.event import Code, Fact, Line, Reason, Text
from schemas.notice import Notice


class Action(Fact):
    """What every action carries."""

    by: Line = "supervision-office"


class Reminded(Action):
    """Somebody is reminded by hand (催办): a department, or the street where none is named.

    So is the unit, whichever it is, of which a supervision case waits for an explanation.
    `copies` (抄送) are posts of whoever is reminded, or codes of other units, whose responsible leader then gets one.
    """

    type: ClassVar[str] = "whistle.action.reminded.v1"

    department: Code | None = Field(
        default=None, description="Whom: a department, or any unit that a case asks; the street, if left out."
    )
    note: Text = ""
    copies: Annotated[tuple[Code, ...], Field(max_length=20)] = ()


class LeadNamed(Action):
    """The district names who leads (指定主办) what others have declined; it may not be declined."""

    type: ClassVar[str] = "whistle.action.lead_named.v1"

    department: Code
    reason: Reason


class Granted(Action):
    """A request that only supervision may grant is granted."""

    type: ClassVar[str] = "whistle.action.granted.v1"

    department: Code
    request: Request
    note: Text = ""


class Denied(Action):
    """A request that only supervision may grant is not granted."""

    type: ClassVar[str] = "whistle.action.denied.v1"

    department: Code
    request: Request
    reason: Reason


class CaseOpened(Action):
    """A unit that has a part in the incident is put under supervision (督办): it owes a written explanation."""

    type: ClassVar[str] = "whistle.action.case_opened.v1"

    unit: Code
    reason: Reason


class CaseAccepted(Action):
    """A unit's explanation is accepted, and its case is over (销号)."""

    type: ClassVar[str] = "whistle.action.case_accepted.v1"

    unit: Code
    note: Text = ""


class CaseRejected(Action):
    """A unit's explanation is not accepted: it owes another one."""

    type: ClassVar[str] = "whistle.action.case_rejected.v1"

    unit: Code
    reason: Reason


class BreachesListed(Action):
    """A unit is given a list of the promises it broke (通报); keyed by the notice's id."""

    type: ClassVar[str] = "whistle.action.breaches_listed.v1"

    notice: Notice
