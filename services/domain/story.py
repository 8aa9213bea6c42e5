"""One more chapter of an incident: collects the entries that a decision makes, folding each as it is told."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.incident import Entry
from services.domain.configuration import Configuration
from services.domain.incident import Incident, Obligation, evolve
from services.domain.working_time import Duration, add


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was said does not fit, and changes nothing; the reason is for whoever said it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """What was said is about something that hasn't been heard of yet; it may only be early."""


Verdict = Refusal | Unknown | None
"""What became of an act; None means that it was accepted."""


@dataclass(slots=True)
class Story:
    """A decision in the making, about one incident at one instant (UTC), under one configuration.

    `early`: it had to wait, and its instant is not that of the event it is told in, so its entries say it.
    """

    configuration: Configuration
    incident: UUID
    state: Incident | None
    at: datetime
    cause: UUID
    who: str
    by: str
    early: bool = False
    entries: list[Entry] = field(default_factory=list)

    @property
    def now_is(self) -> Incident:
        """The state as it stands after what has been told so far."""
        return self.state or Incident(self.incident)

    def owed_by(self, department: str) -> Obligation:
        """The obligation of a department that is known to have one."""
        return self.now_is.obligations[department]

    def tell(self, entry_type: type[Entry], /, **fields: Any) -> None:
        """Add an entry, and fold it."""
        before = self.now_is
        if self.early:
            fields["happened_at"] = self.at
        head = {"version": before.version + 1, "cause": self.cause, "who": self.who, "by": self.by}
        entry = entry_type(**{**head, **fields})
        self.state = evolve(before, self.incident, entry, self.at)
        self.entries.append(entry)

    def tell_of(self, entry_type: type[Entry], department: str, **fields: Any) -> None:
        """Add an entry about one obligation, in its current round."""
        self.tell(entry_type, **({"department": department, "round": self.owed_by(department).round} | fields))

    def after(self, duration: Duration, since: datetime | None = None) -> datetime:
        """Return the instant a duration after this one, or after another; UTC."""
        return add(self.configuration.calendar, since or self.at, duration)

    def deadlines(self, **durations: Duration) -> dict[str, datetime]:
        """Return named deadlines, counted from this instant."""
        calendar, at = self.configuration.calendar, self.at
        return {name: add(calendar, at, duration) for name, duration in durations.items()}

    def labels(self, call: str | None) -> dict[str, str]:
        """Return what the routes look at."""
        state = self.now_is
        if state.report is None:
            return {}
        return labels_of(state.report, state.community, state.street, call)


def labels_of(report: Any, community: str, street: str, call: str | None) -> dict[str, str]:
    """Return the labels of a report; what it doesn't say is absent, which a matcher sees as the empty string."""
    found = {
        "kind": report.kind,
        "category": report.category,
        "severity": report.severity,
        "channel": report.channel,
        "grid_level": str(report.grid_level or ""),
        "community": community,
        "street": street,
        "estate": report.place.estate or "",
        "call": call or "",
    }
    return {name: value for name, value in found.items() if value}
