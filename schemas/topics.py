"""The registry of topics: what each carries, how it is keyed and kept, who may write and read it.

One row per family of topics; `{code}` stands for one party of the directory. Everything that makes topics, access
rules, documents and parsers reads this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from schemas import action, answer, decision, dispatch, escalation, incident, inspection, report, response
from schemas.event import Fact

Party = Literal["community", "street", "department", "router", "supervision", "ledger", "receipts", "monitor"]
DAY_MS = 24 * 60 * 60 * 1000
FOREVER_MS = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """One family of topics.

    `writers` and `readers` are parties: one that the topic's name holds (`community`, `street`, `department`) means the
    party with that very code. `retention_ms` is -1 for keeping records for ever.
    """

    name: str
    key: str
    facts: tuple[type[Fact], ...]
    writers: tuple[Party, ...]
    readers: tuple[Party, ...]
    retention_ms: int = FOREVER_MS
    about: str = ""

    @property
    def party(self) -> str | None:
        """The kind of party each topic of the family belongs to, or None where there is just one topic."""
        return self.name.split(".", 1)[0] if "{code}" in self.name else None

    def named(self, code: str) -> str:
        """Return the topic of the party with this code."""
        return self.name.replace("{code}", code)

    @property
    def pattern(self) -> str:
        """A regular expression that the family's topics match from end to end."""
        return "^" + re.escape(self.name).replace(r"\{code\}", "([a-z][a-z0-9-]*)") + "$"


def _facts(*modules: object, but: tuple[str, ...] = ()) -> tuple[type[Fact], ...]:
    """Collect the facts that modules define, in the order they are written."""
    return tuple(
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Fact)
        and "type" in vars(value)
        and value.__module__ == module.__name__  # type: ignore[attr-defined]
        and name not in but
    )


REPORTS = Topic(
    name="community.{code}.reports",
    key="report or inspection id",
    facts=_facts(report, inspection),
    writers=("community",),
    readers=("street",),
    about="What a community has found, verified, confirmed and heard from the reporter.",
)
ANSWERS = Topic(
    name="community.{code}.answers",
    key="report id",
    facts=_facts(answer),
    writers=("street",),
    # The room reads for the communities: it is theirs, with their credential.
    readers=("community", "receipts"),
    about="The answers a community passes on to its reporters, what its street asks them, and what it owes itself.",
)
DECISIONS = Topic(
    name="street.{code}.decisions",
    key="incident or inspection id",
    facts=_facts(decision),
    writers=("street",),
    readers=("router",),
    about="What a street has decided about its incidents.",
)
DISPATCHES = Topic(
    name="department.{code}.dispatches",
    key="incident or notice id",
    facts=_facts(dispatch),
    writers=("router",),
    readers=("department",),
    about="What a department owes, and how each of its obligations stands.",
)
RESPONSES = Topic(
    name="department.{code}.responses",
    key="incident id",
    facts=_facts(response),
    writers=("department",),
    readers=("router",),
    about="What a department has done about its obligations.",
)
JOURNAL = Topic(
    name="incident.journal",
    key="incident, inspection or notice id",
    facts=_facts(incident),
    writers=("router",),
    readers=("street", "ledger"),
    about="The whole history of every incident, from one writer.",
)
ESCALATIONS = Topic(
    name="supervision.escalations",
    key="incident id",
    facts=_facts(escalation),
    writers=("router",),
    readers=("supervision",),
    about="Promises that were not kept, and the post that is told.",
)
ACTIONS = Topic(
    name="supervision.actions",
    key="incident or notice id",
    facts=_facts(action),
    writers=("supervision",),
    readers=("router",),
    about="What supervision has done.",
)

TOPICS: tuple[Topic, ...] = (
    REPORTS,
    ANSWERS,
    DECISIONS,
    DISPATCHES,
    RESPONSES,
    JOURNAL,
    ESCALATIONS,
    ACTIONS,
)
ROOMS_WITH_DEAD_LETTERS = ("street", "router", "department", "supervision", "ledger", "receipts")
DEAD_LETTER_RETENTION_MS = 90 * DAY_MS


def dead_letters(room: str) -> str:
    """Name the topic for what a room can never read: original key, bytes and headers, and why."""
    return f"{room}.dead"


def family(topic: str) -> tuple[Topic, str | None] | None:
    """Find the family a topic belongs to and the code of its party; None for a topic that is not ours."""
    for each in TOPICS:
        found = re.fullmatch(each.pattern, topic)
        if found:
            return each, found.group(1) if found.groups() else None
    return None
