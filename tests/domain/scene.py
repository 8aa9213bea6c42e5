"""A small district of its own, and a scene in which its parties speak about one incident and time passes.

Whatever happens in a scene, what must always hold is checked: see `Scene._check`.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from schemas import decision
from schemas.event import Event, Fact, dump, parse
from schemas.incident import Entry
from schemas.report import Raised
from schemas.topics import JOURNAL, family
from services.domain.announce import messages
from services.domain.approvals import DEFAULT_APPROVALS
from services.domain.clocks import Due, dues, identity, next_due_at
from services.domain.configuration import Configuration, StreetPolicy
from services.domain.decide import Decision, Said, decide_due, decide_said
from services.domain.directory import Directory, Level, Unit
from services.domain.fold import evolve
from services.domain.incident import Incident, Obligation
from services.domain.ladder import Ladder, Step
from services.domain.routing import Matcher, Route, parse_matchers
from services.domain.whistles import Whistle
from services.domain.working_time import Calendar, Duration
from tests.domain.oracle import Oracle

# Monday, 2021-03-01, 10:00 in Shanghai.
START = datetime(2021, 3, 1, 2, tzinfo=UTC)
INCIDENT = UUID("00000000-0000-7000-8000-000000000001")
OTHER = UUID("00000000-0000-7000-8000-000000000002")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STATES = TypeAdapter(Incident)


def durations(**texts: str) -> dict[str, Duration]:
    """Named durations, as a rule has them."""
    return {name: Duration.parse(text) for name, text in texts.items()}


def _unit(code: str, level: Level, street: str, *posts: str) -> Unit:
    return Unit(code, code, level, street, {post: f"{code}'s {post}" for post in posts})


def _ladder(name: str, *posts: str) -> Ladder:
    """A reminder at once, a post each day after that, and the last again every second day."""
    steps = [Step(Duration(day, "d"), post) for day, post in enumerate(("", *posts))]
    return Ladder(name, tuple(replace(step, post=step.post or None) for step in steps), Duration(2, "d"))


def _matchers(text: str) -> tuple[Matcher, ...]:
    return tuple(parse_matchers(text))


_WORKERS = ("officer", "section-head", "responsible-leader")
DIRECTORY = Directory(
    {
        unit.code: unit
        for unit in (
            _unit("hill", "district", "", "supervision-office"),
            _unit("east", "street", "east", *_WORKERS, "discipline-committee"),
            _unit("elm", "community", "east", "officer", "discipline-member"),
            _unit("oak", "community", "east", "officer", "discipline-member"),
            _unit("east-care", "section", "east", *_WORKERS),
            _unit("east-safety", "section", "east", *_WORKERS),
            _unit("west", "street", "west", *_WORKERS),
            _unit("yew", "community", "west", "officer"),
            _unit("west-care", "section", "west", *_WORKERS),
            _unit("water", "department", "", *_WORKERS),
            _unit("power", "department", "", *_WORKERS),
            _unit("fire", "department", "", *_WORKERS),
        )
    }
)
# `survey` is an interim step, as city management has them.
_WATER = durations(acknowledge="2h", survey="1d", resolve="5d")
_URGENT = durations(acknowledge="30m", arrive="30m", resolve="24h")
ROUTES = Route(
    "root",
    deadlines=durations(acknowledge="4h", resolve="5d"),
    routes=(
        Route("urgent", ("east-safety",), _matchers('severity="critical"'), deadlines=_URGENT),
        Route("urgent-call", ("fire",), _matchers('call="emergency"'), deadlines=_URGENT, ladder="quick"),
        Route("pipes", ("water",), _matchers('category="water"'), deadlines=_WATER),
        Route("river", ("water", "power", "east-care"), _matchers('category="river"'), deadlines=_WATER),
        Route(
            "care", ("east-care",), _matchers('category="care"'), deadlines=durations(acknowledge="4h", resolve="5d")
        ),
    ),
)
CONFIGURATION = Configuration(
    version="first",
    directory=DIRECTORY,
    routes=ROUTES,
    ladders={
        "district": _ladder("district", "section-head", "responsible-leader", "supervision-office"),
        "section": _ladder("section", "section-head", "responsible-leader", "discipline-committee"),
        "street": _ladder("street", "responsible-leader", "discipline-committee"),
        "community": _ladder("community", "discipline-member"),
        "quick": Ladder(
            "quick", (Step(Duration(0, "m"), None), Step(Duration(10, "m"), "supervision-office")), Duration(1, "h")
        ),
    },
    owed_by={"district": "district", "section": "section", "street": "street", "community": "community"},
    street=StreetPolicy(
        **durations(decide="1d", confirm="3d", answer="2d", close="7d", approve="1d", lead="1d", wait="1h")
    ),
    whistles={
        "general": Whistle(Duration(30, "d")),
        "enforcement": Whistle(Duration(20, "d")),
        "emergency": Whistle(Duration(10, "d"), durations(acknowledge="30m", arrive="30m")),
    },
    approvals=DEFAULT_APPROVALS,
    calendar=Calendar(ZoneInfo("Asia/Shanghai")),
)


def report(category: str = "water", **fields: Any) -> Raised:
    """A report of a category; its other fields may be given."""
    known: dict[str, Any] = {
        "kind": "demand",
        "description": "no water since morning",
        "channel": "visit",
        "happened_at": START,
    }
    return Raised(category=category, **(known | fields))


def opened(category: str = "water", community: str = "elm", **fields: Any) -> decision.Opened:
    """The street's first decision about a report."""
    return decision.Opened(community=community, report=report(category, **fields), reported_at=START)


class Scene:
    """One incident, from nothing; `at` is the present instant, and `told` its history, with each entry's event time."""

    def __init__(self, configuration: Configuration = CONFIGURATION, incident: UUID = INCIDENT) -> None:
        self.configuration = configuration
        self.incident = incident
        self.at = START
        self.state: Incident | None = None
        self.told: list[tuple[datetime, Entry]] = []
        self.said: list[tuple[str, Fact]] = []
        self.fired: dict[UUID, Due] = {}
        self.oracle = Oracle()
        self._causes = 0

    # --- speaking ---

    def street(self, fact: Fact, code: str = "east") -> list[Entry]:
        """A street says something now; the entries that follow."""
        return self.hear("street", code, fact)

    def department(self, code: str, fact: Fact) -> list[Entry]:
        """A department says something now; the entries that follow."""
        return self.hear("department", code, fact)

    def supervision(self, fact: Fact) -> list[Entry]:
        """Supervision does something now; the entries that follow."""
        return self.hear("supervision", None, fact)

    def hear(self, party: str, code: str | None, fact: Fact, at: datetime | None = None) -> list[Entry]:
        """Anybody says something, now or at an instant of its own; the entries that follow."""
        said = Said(self._cause(), party, code, at or self.at, fact)
        decided = decide_said(self.state, self.incident, said, self.configuration)
        assert decided == decide_said(self.state, self.incident, said, self.configuration)
        return self._take(decided, said.at)

    # --- time ---

    def later(self, time: timedelta) -> "Scene":
        """Time passes, and nobody looks at any clock."""
        self.at += time
        return self

    def sweep(self) -> list[Entry]:
        """Everything that is due by now fires, the earliest first, as after an outage."""
        first = len(self.told)
        while due := self.next_due():
            if due.at > self.at:
                break
            self.fire(due)
        return [entry for _, entry in self.told[first:]]

    def pass_(self, time: timedelta) -> list[Entry]:
        """Time passes, and whatever becomes due fires at its instant."""
        end, first = self.at + time, len(self.told)
        while (due := self.next_due()) and due.at <= end:
            self.at = max(due.at, self.at)
            self.fire(due)
        self.at = end
        return [entry for _, entry in self.told[first:]]

    def next_due(self) -> Due | None:
        """The next firing of any clock."""
        found = dues(self.state or Incident(self.incident), self.configuration)
        return min(found, key=lambda each: (each.at, each.department or "", each.name), default=None)

    def fire(self, due: Due) -> list[Entry]:
        """One clock fires, now; to do it again has no effect."""
        decided = self._due(due)
        entries = self._take(decided, self.at)
        assert entries or due.name == "wait", f"{due} fired without effect"
        key = identity(self.incident, due)
        assert key not in self.fired, f"{due} has the id of {self.fired.get(key)}"
        self.fired[key] = due
        again = self._due(due)
        assert not again.entries
        assert again.state == self.state
        return entries

    def _due(self, due: Due) -> Decision:
        return decide_due(self.now, due, self.at, identity(self.incident, due), self.configuration)

    # --- looking ---

    @property
    def now(self) -> Incident:
        """The state, of which there is one."""
        assert self.state is not None
        return self.state

    def owed(self, department: str = "water") -> Obligation:
        """A department's obligation."""
        return self.now.obligations[department]

    def next_due_at(self) -> datetime | None:
        """When something fires next."""
        return next_due_at(self.now, self.configuration)

    def history(self) -> list[str]:
        """The names of all entries so far."""
        return names([entry for _, entry in self.told])

    def copy(self) -> "Scene":
        """The same scene, which goes its own way from here."""
        other = Scene(self.configuration, self.incident)
        vars(other).update(vars(self) | {"told": [*self.told], "said": [*self.said], "fired": {**self.fired}})
        other.oracle = deepcopy(self.oracle)
        return other

    # --- what always holds ---

    def _cause(self) -> UUID:
        self._causes += 1
        return uuid5(self.incident, f"said {self._causes}")

    def _take(self, decided: Decision, at: datetime) -> list[Entry]:
        before = self.state
        self._check(before, decided, at)
        self.oracle.see(before, decided.state, decided.entries, at)
        self.state = decided.state
        self.told += [(at, entry) for entry in decided.entries]
        self.said += [each for entry in decided.entries for each in self._messages(entry, at)]
        return list(decided.entries)

    def _check(self, before: Incident | None, decided: Decision, at: datetime) -> None:
        """Versions follow each other, the fold of the entries is the state, and all of it survives JSON."""
        folded = before
        for entry in decided.entries:
            folded = evolve(folded, self.incident, entry, at)
            assert through_json(entry, at) == entry
        state = decided.state
        if state is None:
            return
        assert replace(folded or Incident(self.incident), waiting=state.waiting) == state
        assert STATES.validate_json(STATES.dump_json(state)) == state
        waits = state.status is not None and not state.ended
        assert next_due_at(state, self.configuration) or not (waits or state.waiting)
        assert not waits or state.clocks or state.supervised, "the incident waits without a clock of its own"
        for case in state.cases.values():
            assert bool(case.clocks) == case.open, f"the case against {case.unit} waits without a clock"
        assert {each.deadline for each in state.broken} == {
            *state.late, *(name for each in state.obligations.values() for name in each.late),
            *(name for each in state.cases.values() for name in each.late),
        }, "what was late stays late"  # fmt: skip
        if before is not None:
            kept = [replace(each, ended_at=None, ended_by="", step=0, post="") for each in state.broken]
            assert kept[: len(before.broken)] == [
                replace(each, ended_at=None, ended_by="", step=0, post="") for each in before.broken
            ]
        for owed in state.obligations.values():
            assert bool(owed.clocks) == (owed.open and not state.ended), f"{owed.department} waits without a clock"
            assert ("approve" in owed.clocks) == (owed.request is not None)
        leads = [each for each in state.obligations.values() if each.role == "lead" and each.status != "withdrawn"]
        assert len(leads) <= 1
        assert leads or not any(each.open for each in state.obligations.values()), "nobody leads what goes on"
        if state.status in {"answered", "closed"}:
            assert not any(each.open for each in state.obligations.values())
            assert state.answer
            assert state.answered_at
        assert _late(before) <= _late(state), "what was late stays late"

    def _messages(self, entry: Entry, at: datetime) -> Sequence[tuple[str, Fact]]:
        """Who is told of an entry: on a topic that exists and takes such a fact."""
        found = list(messages(self.state, entry))
        assert found[0] == (JOURNAL.name, entry)
        for topic, fact in found:
            known = family(topic)
            assert known is not None
            assert through_json(fact, at, known[0].facts) == fact
        return found


def _late(state: Incident | None) -> set[tuple[str, str]]:
    """Every deadline that ever passed unkept."""
    if state is None:
        return set()
    own = {("", name) for name in state.late}
    return own | {(each.department, name) for each in state.obligations.values() for name in each.late}


def through_json(fact: Fact, at: datetime, facts: Sequence[type[Fact]] = JOURNAL.facts) -> Fact:
    """What is read of a fact after it was written."""
    event = Event(INCIDENT, "whistle.router", INCIDENT, at, fact)
    read = parse(dump(event), {each.type: each for each in facts})
    assert read == event
    return read.data


def names(entries: Sequence[Entry]) -> list[str]:
    """The names of entries."""
    return [type(entry).__name__ for entry in entries]
