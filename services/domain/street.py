"""The street's decisions that need no officer: by rule, and by what the history says.

What no rule catches waits for an officer, under the deadline that the router keeps.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from schemas import answer, decision, report
from schemas import incident as entries
from schemas.decision import CallKind
from schemas.event import Fact
from schemas.inspection import Recorded
from schemas.topics import ANSWERS, DECISIONS
from services.domain.announce import may_move
from services.domain.clocks import debtor
from services.domain.community import told_to_officers
from services.domain.configuration import Configuration
from services.domain.incident import Incident
from services.domain.story import labels_of

Said = tuple[str, UUID, Fact]
"""A fact to say: (topic, subject, fact)."""


def hear_community(
    state: Incident | None, key: UUID, community: str, fact: Fact, at: datetime, configuration: Configuration
) -> Iterator[Said]:
    """Yield what the street says about something a community of its own said about a report or inspection `key`."""
    street = configuration.directory.street_of(community)
    if street is None:
        raise ValueError(f"no street has the community {community}")
    topic = DECISIONS.named(street)
    incident = _home(state, key, fact)
    fields = fact.model_dump(exclude_none=True)
    match fact:
        case report.Raised():
            yield from _raised(key, community, street, fact, at, configuration)
        case Recorded():
            yield from _walked(key, community, street, fact)
        # A case stays with the incident it was opened about, whatever that was attached to.
        case report.Explained():
            yield topic, key, decision.Explained(by=community, community=community, **fields)
        case _ if type(fact) in _OF_INCIDENT:
            yield topic, incident, _OF_INCIDENT[type(fact)](by=community, community=community, **fields)
        case _ if type(fact) in _OF_REPORTER:
            yield topic, incident, _OF_REPORTER[type(fact)](by=community, community=community, report=key, **fields)
        case _:
            raise TypeError(f"a community does not say {fact.type}")


def _home(state: Incident | None, key: UUID, fact: Fact) -> UUID:
    """Return the incident that a community's word about a report is about."""
    if state is None or state.attached_to is None:
        return key
    # A question that was put before the report was attached is still its own incident's.
    asked = isinstance(fact, report.Replied) and any(each.report == key for each in state.asked)
    return key if asked else state.attached_to


# What the street passes on as it was said: about the work, and from the reporter of one report.
_OF_INCIDENT: Mapping[type[Fact], Callable[..., Fact]] = MappingProxyType(
    {
        report.Verified: decision.Verified,
        report.Confirmed: decision.Confirmed,
        report.SentBack: decision.SentBack,
        report.Contacted: decision.Contacted,
    }
)
_OF_REPORTER: Mapping[type[Fact], Callable[..., Fact]] = MappingProxyType(
    {report.Rated: decision.Rated, report.Replied: decision.Replied}
)


def _raised(
    key: UUID, community: str, street: str, fact: report.Raised, at: datetime, configuration: Configuration
) -> Iterator[Said]:
    topic = DECISIONS.named(street)
    yield topic, key, decision.Opened(by="rule:reports", community=community, report=fact, reported_at=at)
    if fact.repeats:
        attached = decision.RepeatAttached(by="rule:repeats", report=key, community=community)
        yield topic, fact.repeats, attached
        return
    call = call_of(fact)
    plan = configuration.plan(labels_of(fact, community, street, call))
    departments = tuple(each.department for each in plan.assignments)
    if departments:
        own = all(configuration.directory.is_section(each, street) for each in departments)
        by = f"rule:{plan.rules[0]}"
        # The street needs no whistle to set its own to work, but an emergency is one whoever does it.
        kind = None if own and call == "general" else call
        yield topic, key, decision.Called(by=by, kind=kind, departments=departments)


def call_of(fact: report.Raised) -> CallKind:
    """Return the kind of whistle that a rule blows for a report."""
    return "emergency" if fact.severity == "critical" else "general"


def _walked(key: UUID, community: str, street: str, walked: Recorded) -> Iterator[Said]:
    """Yield the round itself, and what it found of each report looked at again, which is its own incident's history."""
    topic = DECISIONS.named(street)
    yield topic, key, decision.Inspected(by="rule:inspections", community=community, round=walked)
    for each in walked.rechecks:
        fields = each.model_dump()
        yield topic, each.report, decision.Reinspected(by=community, community=community, inspection=key, **fields)


def hear_history(after: Incident, entry: entries.Entry) -> Iterator[Said]:
    """Yield what the street says about an entry of the history, given the state after it."""
    owed = told_to_officers(after, entry)
    if owed:
        yield ANSWERS.named(after.community), after.id, owed
    match entry:
        case entries.Answered():
            yield from _give(after, "settled", entry.answer)
        case entries.Refused():
            yield from _give(after, "refused", entry.reason)
        case entries.InterimAnswered():
            yield from _give(after, "interim", entry.answer)
        case entries.Asked():
            yield _asked(after, entry)
        case entries.Recomputed() if entry.department is None and "reply" in entry.deadlines:
            yield _recomputed(after, entry)
        case entries.Reinspected() if after.attached_to:
            fields = entry.model_dump(include={"community", "inspection", "report", "holds", "note"})
            yield DECISIONS.named(after.street), after.attached_to, decision.Reinspected(by=entry.by, **fields)
        case entries.RepeatAttached():
            yield DECISIONS.named(after.street), entry.report, decision.Attached(by="rule:repeats", to=after.id)
            if after.status == "answered":
                yield _given(entry.report, entry.community, after, "settled", after.answer)


def hear_notice(key: UUID, entry: entries.BreachesListed, configuration: Configuration) -> Iterator[Said]:
    """Yield a notice of breaches on the stream of the community it was given to; of all others nothing is said."""
    unit = configuration.directory.units.get(entry.notice.unit)
    if unit and unit.level == "community":
        yield ANSWERS.named(unit.code), key, answer.BreachesListed(notice=entry.notice)


def _everyone(state: Incident) -> Iterator[tuple[UUID, str]]:
    yield state.id, state.community
    for repeat in state.repeats:
        yield repeat.report, repeat.community


def _give(state: Incident, outcome: str, text: str) -> Iterator[Said]:
    """Yield an answer to everyone who reported it: nothing else of a decision, above all no note, leaves the house."""
    for reported, community in _everyone(state):
        yield _given(reported, community, state, outcome, text)


def _given(reported: UUID, community: str, state: Incident, outcome: str, text: str) -> Said:
    fact = answer.Given(report=reported, incident=state.id, outcome=outcome, answer=text)  # type: ignore[arg-type]
    return ANSWERS.named(community), reported, fact


def _asked(state: Incident, entry: entries.Asked) -> Said:
    fact = answer.Asked(
        report=entry.report,
        incident=state.id,
        question=entry.question,
        reply_by=entry.deadlines["reply"],
        provisional=may_move(entry, "reply"),
    )
    return _to_reporter(state, entry.report, fact)


def _recomputed(state: Incident, entry: entries.Recomputed) -> Said:
    fact = answer.Recomputed(deadline="reply", due_at=entry.deadlines["reply"], reason=entry.reason)
    return _to_reporter(state, state.asked[-1].report, fact)


def _to_reporter(state: Incident, report: UUID, fact: Fact) -> Said:
    community = next(each for reported, each in _everyone(state) if reported == report)
    return ANSWERS.named(community), report, fact


def owes(state: Incident) -> tuple[str, datetime] | None:
    """Return what the street owes next about an incident, and by when (UTC): None when it is others' turn.

    The name is the clock's: `decide`, `approve`, `confirm` or `answer`, with the department's behind it where it has
    one, as in `confirm water`; or `explain`, where a supervision case asks the street. Where none runs, it is what
    became of a question of its own, by the incident's last deadline; and else `overall`, once that has passed.
    """
    found = [(clock.due_at, name) for name, clock in state.clocks.items() if name in {"decide", "answer"}]
    found += [
        (clock.due_at, f"{name} {owed.department}")
        for owed in state.obligations.values()
        for name, clock in owed.clocks.items()
        if name in {"decide", "approve", "confirm"} and debtor(state, owed, name) == state.street
    ]
    case = state.cases.get(state.street)
    if case and "explain" in case.clocks:
        found.append((case.clocks["explain"].due_at, "explain"))
    if found:
        due_at, name = min(found)
        return name, due_at
    until = _read_until(state)
    if until:
        return _READ[bool(state.replied)], until
    # The whole incident's time is the street's too, but others' turn while it lasts.
    overall = state.clocks.get("overall") if "overall" in state.late else None
    return ("overall", overall.due_at) if overall else None


_READ = {True: "read the reply", False: "go on without a reply"}


def _read_until(state: Incident) -> datetime | None:
    """Return until when the street can act on what became of its question; None where there is nothing to act on."""
    if state.replied is None:
        return None
    # Once it is held open only for its supervision cases, no deadline of its own is left.
    clocks = state.clocks or {name: each for case in state.cases.values() for name, each in case.clocks.items()}
    return max((each.due_at for each in clocks.values()), default=None)


def remarks(state: Incident) -> tuple[str, ...]:
    """Return what the street should know before it acts: of its question, and of the work that it has to judge."""
    looks = (
        f"{owed.department}: {'not verified' if owed.holds is None else 'does not hold'}"
        for owed in state.obligations.values()
        if "confirm" in owed.clocks and not owed.holds and debtor(state, owed, "confirm") == state.street
    )
    replied = ("replied" if state.replied else "not replied",) if _read_until(state) else ()
    return (*replied, *looks)
