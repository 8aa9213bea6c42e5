"""What supervision says on `supervision.actions`; keyed by the incident's id."""

from __future__ import annotations

from typing import ClassVar

from schemas.decision import Request
from schemas.event import Code, Fact, Line, Reason, Text


class Action(Fact):
    """What every action carries."""

    by: Line = "supervision-office"


class Reminded(Action):
    """Somebody is reminded by hand (催办): a department, or the street where none is named."""

    type: ClassVar[str] = "whistle.action.reminded.v1"

    department: Code | None = None
    note: Text = ""


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
