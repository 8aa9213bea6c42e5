"""One more chapter of an incident: collects the entries that a decision makes, folding each as it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.incident import Entry, Provisional
from services.domain.configuration import Configuration
from services.domain.fold import evolve
from services.domain.incident import Incident, Obligation
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

    `early`: it had to wait, and its instant is not that of the event it is told in, so its entries say it. `uncertain`
    are the deadlines that were counted beyond what is confirmed, for the entry that sets them.
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
    uncertain: dict[str, tuple[datetime, Provisional]] = field(default_factory=dict)

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
        if self.uncertain and "deadlines" in fields:
            fields["provisional"] = self._provisional(fields["deadlines"]) or None
        head = {"version": before.version + 1, "cause": self.cause, "who": self.who, "by": self.by}
        entry = entry_type(**{**head, **fields})
        self.state = evolve(before, self.incident, entry, self.at)
        self.entries.append(entry)

    def tell_of(self, entry_type: type[Entry], department: str, **fields: Any) -> None:
        """Add an entry about one obligation, in its current round."""
        self.tell(entry_type, **({"department": department, "round": self.owed_by(department).round} | fields))

    def _provisional(self, deadlines: Mapping[str, datetime]) -> dict[str, Provisional]:
        """Return which of an entry's deadlines were counted beyond what is confirmed."""
        found = {name: each for name, (due_at, each) in self.uncertain.items() if deadlines.get(name) == due_at}
        self.uncertain = {name: each for name, each in self.uncertain.items() if name not in found}
        return found

    def after(self, duration: Duration, since: datetime | None = None) -> datetime:
        """Return the instant a duration after this one, or after another, by the street's calendar; UTC."""
        return add(self.configuration.calendar_of(self.now_is.street), since or self.at, duration)

    def deadlines(
        self, unit: str | None = None, since: datetime | None = None, /, **durations: Duration
    ) -> dict[str, datetime]:
        """Return named deadlines of a unit, or of the street, counted from this instant, or from another; UTC."""
        calendar = self.configuration.calendar_of(unit or self.now_is.street)
        start = since or self.at
        found = {name: add(calendar, start, duration) for name, duration in durations.items()}
        certain_before = calendar.certain_before
        if certain_before is not None:
            for name, due_at in found.items():
                if due_at >= certain_before and durations[name].working:
                    self.uncertain[name] = due_at, Provisional(since=start, duration=str(durations[name]))
        return found

    @property
    def above(self) -> str:
        """The code of the district, or of the street itself where there is none: who decides what it may not."""
        district = self.configuration.directory.district
        return district.code if district else self.now_is.street

    def holding(self, unit: str, post: str) -> dict[str, str]:
        """Return who holds a unit's post at this instant, as entries name them; empty where nobody does."""
        holder = self.configuration.directory.holder(unit, post, self.at)
        return {"holder": holder.name, "holder_unit": holder.unit} if holder else {}

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
