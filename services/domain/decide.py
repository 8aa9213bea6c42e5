"""The router's decision: what follows from a fact that was said, or from a deadline that passed.

Source: states.md, beside this file.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from schemas import action, decision
from schemas import incident as entries
from schemas.event import Fact
from schemas.incident import Entry
from schemas.topics import ACTIONS, DECISIONS, RESPONSES
from services.domain import department_acts, street_acts, supervising, supervision_acts, unseen
from services.domain.clocks import UNSEEN, Due, fire, fire_until
from services.domain.configuration import Configuration
from services.domain.incident import Incident, Waiting
from services.domain.provisional import RECOUNT, recount
from services.domain.story import Refusal, Story, Unknown, Verdict

MOST_WAITING = 50
"""More premature facts than this about one incident are refused: a stranger must not fill our memory."""
_FACTS = {fact.type: fact for topic in (DECISIONS, RESPONSES, ACTIONS) for fact in topic.facts}


class Said(NamedTuple):
    """A fact, and whose topic it came on; `at` is the instant that counts (UTC)."""

    cause: UUID
    party: str
    code: str | None
    at: datetime
    fact: Fact

    @property
    def who(self) -> str:
        """The speaker, as the history names it."""
        return f"{self.party}.{self.code}" if self.code else self.party


class Decision(NamedTuple):
    """What follows: the new state, and the entries that led to it, in order."""

    state: Incident | None
    entries: Sequence[Entry]


def decide_said(state: Incident | None, incident: UUID, said: Said, configuration: Configuration) -> Decision:
    """Decide about something said; what does not fit is refused in the history, and what is early waits."""
    if isinstance(said.fact, decision.Inspected):
        return _inspected(state, said, configuration)
    if isinstance(said.fact, action.BreachesListed):
        return _noticed(state, said, said.fact, configuration)
    story = _story(state, incident, said, configuration)
    recount(story)
    verdict = _decide(story, said)
    if isinstance(verdict, Unknown):
        _keep(story, said)
    elif isinstance(verdict, Refusal):
        story.tell(entries.ActRefused, act=said.fact.type, reason=verdict.reason)
    else:
        _hear_those_who_waited(story)
    return Decision(story.state, story.entries)


def decide_due(state: Incident, due: Due, at: datetime, cause: UUID, configuration: Configuration) -> Decision:
    """Decide about a deadline that passed; nothing follows if it no longer runs."""
    story = Story(configuration, state.id, state, at, cause, who="clock", by="clock")
    recount(story)
    if due.name == "wait":
        _give_up(story)
    elif due.name.startswith(RECOUNT):
        # Even where nothing follows it is written again, so that it is known by which calendars it was counted.
        story.state = replace(story.now_is)
    elif due.name.startswith(UNSEEN):
        unseen.judge(story, due)
    else:
        fire(story, due)
    return Decision(story.state, story.entries)


def _story(state: Incident | None, incident: UUID, said: Said, configuration: Configuration) -> Story:
    who = said.who
    by = vars(said.fact).get("by", who)
    return Story(configuration, incident, state, said.at, said.cause, who=who, by=by)


def _speakers(story: Story, said: Said) -> frozenset[str]:
    """Return whose word comes on the topic: a community's comes by its street, and the district's by supervision."""
    state = story.now_is
    if said.party == "street":
        return frozenset({state.street, state.community} if said.code == state.street else ())
    district = story.configuration.directory.district
    return frozenset({said.code or (district.code if district else "")})


def _decide(story: Story, said: Said) -> Verdict:
    if story.state is None:
        return _acted(story, said)
    speakers = _speakers(story, said)
    overdue = fire_until(story, speakers)
    verdict = _acted(story, said)
    unseen.note(story, overdue, said.fact)
    unseen.hear(story, speakers, said.fact)
    return verdict


def _acted(story: Story, said: Said) -> Verdict:
    if said.party == "street" and said.code:
        return street_acts.decide(story, said.code, said.fact)
    if said.party == "department" and said.code:
        return department_acts.decide(story, said.code, said.fact)
    return supervision_acts.decide(story, said.fact)


def _inspected(state: Incident | None, said: Said, configuration: Configuration) -> Decision:
    """Pass a round of inspection on to the history; it is no incident and has no state."""
    fact = said.fact
    if not isinstance(fact, decision.Inspected) or said.code is None:
        raise TypeError("only a round of inspection comes here")
    kind: type[Entry] = entries.Inspected
    fields: dict[str, Any] = {"street": said.code, "community": fact.community, "round": fact.round}
    if configuration.directory.street_of(fact.community) != said.code:
        kind = entries.ActRefused
        fields = {"act": fact.type, "reason": f"{fact.community} is no community of the street {said.code}"}
    return Decision(state, [kind(version=1, cause=said.cause, who=said.who, by=fact.by, **fields)])


def _noticed(state: Incident | None, said: Said, fact: action.BreachesListed, configuration: Configuration) -> Decision:
    """Pass a notice of breaches on to the history; it is no incident and has no state."""
    unit = configuration.directory.units.get(fact.notice.unit)
    head: dict[str, Any] = {"version": 1, "cause": said.cause, "who": said.who, "by": fact.by}
    wrong = supervising.wrong_with(fact.notice, said.at)
    if unit is None or wrong:
        reason = wrong or f"there is no unit {fact.notice.unit} in the directory"
        return Decision(state, [entries.ActRefused(act=fact.type, reason=reason, **head)])
    department = unit.code if unit.level in {"department", "section"} else None
    return Decision(state, [entries.BreachesListed(notice=fact.notice, department=department, **head)])


# --- what is early ---------------------------------------------------------------------------------------------------


def _keep(story: Story, said: Said) -> None:
    """Keep something said about what isn't known yet; it is no entry of the history until it is decided."""
    state = story.now_is
    if len(state.waiting) >= MOST_WAITING:
        story.tell(entries.ActRefused, act=said.fact.type, reason="too much is waiting for this incident already")
        return
    until = story.after(story.configuration.street.wait)
    data = said.fact.model_dump(mode="json", exclude_none=True)
    waiting = Waiting(said.cause, said.party, said.code, said.at, until, said.fact.type, data)
    story.state = replace(state, waiting=(*state.waiting, waiting))


def _hear_those_who_waited(story: Story) -> None:
    """Decide again about what was early, in the order it was said, as long as that helps."""
    while any(_hear(story, waiting) for waiting in sorted(story.now_is.waiting, key=lambda each: each.at)):
        pass


def _hear(story: Story, waiting: Waiting) -> bool:
    """Decide again about one thing that was early; False, and nothing has changed, while it is so still."""
    # What it waited for came too late: it is given up, whether or not the sweeper has been here first.
    if waiting.until <= story.at:
        return False
    said = _unkept(waiting)
    retold = _story(story.state, story.incident, said, story.configuration)
    # The instant that counts is when it was said, but nothing happens before what it waited for.
    retold.at = max(waiting.at, story.at)
    retold.early = retold.at != story.at
    verdict = _decide(retold, said)
    if isinstance(verdict, Unknown):
        return False
    if isinstance(verdict, Refusal):
        retold.tell(entries.ActRefused, act=waiting.type, reason=verdict.reason)
    story.entries.extend(retold.entries)
    left = tuple(each for each in retold.now_is.waiting if each.cause != waiting.cause)
    story.state = replace(retold.now_is, waiting=left)
    return True


def _unkept(waiting: Waiting) -> Said:
    fact = _FACTS[waiting.type].model_validate(waiting.said)
    return Said(waiting.cause, waiting.party, waiting.code, waiting.at, fact)


def _give_up(story: Story) -> None:
    """Refuse what has waited for too long."""
    for waiting in [each for each in story.now_is.waiting if each.until <= story.at]:
        said = _unkept(waiting)
        teller = _story(story.state, story.incident, said, story.configuration)
        teller.at = story.at
        teller.tell(entries.ActRefused, act=waiting.type, reason=_never(said))
        story.entries.extend(teller.entries)
        left = tuple(each for each in teller.now_is.waiting if each.cause != waiting.cause)
        story.state = replace(teller.now_is, waiting=left)


def _never(said: Said) -> str:
    if said.party == "department":
        return f"nothing was ever dispatched to {said.code} for this incident"
    return "nobody ever opened this incident"
