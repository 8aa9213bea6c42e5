"""Histories as the router tells them, under the configuration that is shipped."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from schemas import decision, response
from schemas.event import Event, Fact, follow
from schemas.incident import Entry
from schemas.inspection import Recheck, Recorded
from schemas.report import Kind, Place, Raised
from schemas.topics import JOURNAL
from services.configured import load
from services.domain.clocks import dues, identity
from services.domain.decide import Decision, Said, decide_due, decide_said
from services.domain.incident import Incident
from services.runtime.inlet import Cause, cause_id
from services.runtime.kafka import shard_of

CONFIGURATION = load(Path(__file__).parents[2] / "deploy" / "config")
# Monday, 10:00 in Chengdu.
START = datetime(2021, 3, 1, 2, tzinfo=UTC)
SHARDS = 64


def raised(kind: Kind = "demand", category: str = "water-supply", **fields: Any) -> Raised:
    """A report."""
    known: dict[str, Any] = {
        "description": "没有水",
        "channel": "visit",
        "happened_at": START,
        "place": Place(estate="欣和苑"),
    }
    return Raised(kind=kind, category=category, **(known | fields))


class History:
    """One incident, told by the router; `at` is the present instant."""

    def __init__(self, kind: Kind = "demand", category: str = "water-supply", **fields: Any) -> None:
        self.id: UUID = fields.pop("incident", None) or uuid4()
        self.at: datetime = fields.pop("at", START)
        self.state: Incident | None = None
        self.events: list[Event] = []
        self._said = 0
        community = fields.pop("community", "guangdu")
        report = raised(kind, category, **fields)
        self.street(decision.Opened(community=community, report=report, reported_at=self.at))

    def street(self, fact: Fact) -> "History":
        """The street says something."""
        return self._hear("street", "dongsheng", fact)

    def department(self, code: str, fact: Fact) -> "History":
        """A department says something."""
        return self._hear("department", code, fact)

    def called(self, *departments: str) -> "History":
        """The street calls whom the routes name, or those named here."""
        return self.street(decision.Called(kind="general", departments=departments))

    def solved(self) -> "History":
        """Everybody called resolves, and the street and the community confirm."""
        assert self.state is not None
        owed = list(self.state.obligations.values())
        for each in owed:
            self.department(each.department, response.Resolved(note="修好了", answer="已经修好"))
        for section in {each.section for each in owed}:
            self.street(decision.Confirmed(community=self.state.community if section else None))
        return self

    def answered(self) -> "History":
        """The street gives the public answer."""
        return self.street(decision.Answered(answer="已经修好，感谢反映。"))

    def later(self, **time: float) -> "History":
        """Time passes, and everything that becomes due fires at its instant."""
        until = self.at + timedelta(**time)
        while self.state and (due := min(dues(self.state, CONFIGURATION), key=lambda each: each.at, default=None)):
            if due.at > until:
                break
            self.at = max(due.at, self.at)
            cause = identity(self.id, due)
            self._take(cause, decide_due(self.state, due, self.at, cause, CONFIGURATION))
        self.at = until
        return self

    def _hear(self, party: str, code: str, fact: Fact) -> "History":
        self._said += 1
        cause = uuid5(self.id, f"said {self._said}")
        said = Said(cause, party, code, self.at, fact)
        self._take(cause, decide_said(self.state, self.id, said, CONFIGURATION))
        return self

    def _take(self, cause: UUID, decided: Decision) -> None:
        self.state = decided.state
        self.events += told(cause, self.id, self.at, decided.entries)

    @property
    def folded(self) -> Incident:
        """The state as the history alone tells it."""
        assert self.state is not None
        return replace(self.state, waiting=())

    @property
    def causes(self) -> list[Cause]:
        """The events as the ledger reads them."""
        return [cause(event) for event in self.events]


def told(cause: UUID, subject: UUID, at: datetime, entries: Iterable[Entry]) -> list[Event]:
    """Entries as events, as the batch mechanism makes them."""
    return [Event(follow(cause, ordinal), "/router", subject, at, entry) for ordinal, entry in enumerate(entries)]


def cause(event: Event) -> Cause:
    """An event as it is read from the journal."""
    shard = shard_of(str(event.subject).encode(), SHARDS)
    return Cause(
        cause_id(event.subject, event.id, JOURNAL.name),
        event.subject,
        shard,
        event.time,
        JOURNAL.name,
        "incident",
        None,
        event,
    )


def causes(*histories: History) -> list[Cause]:
    """Every event of some histories, one history after another."""
    return [each for history in histories for each in history.causes]


def attached(repeat: History, first: History) -> Sequence[History]:
    """One report is attached to another's incident, as both histories say."""
    community = repeat.folded.community
    repeat.street(decision.Attached(by="rule:repeats", to=first.id))
    first.street(decision.RepeatAttached(report=repeat.id, community=community))
    return repeat, first


def inspected(
    community: str = "guangdu",
    found: Sequence[UUID] = (),
    subject: UUID | None = None,
    *,
    again: Sequence[tuple[UUID, bool]] = (),
    level: int = 2,
    at: datetime = START,
) -> Event:
    """A round of inspection, as the router passes it on; `again` says of earlier reports whether they hold."""
    subject = subject or uuid4()
    rechecks = tuple(Recheck(report=report, holds=holds) for report, holds in again)
    walk = Recorded(purpose="safety", grid_level=level, inspected_at=at, found=tuple(found), rechecks=rechecks)
    of = uuid5(subject, "inspected")
    said = Said(of, "street", "dongsheng", at, decision.Inspected(community=community, round=walk))
    return told(of, subject, at, decide_said(None, subject, said, CONFIGURATION).entries)[0]
