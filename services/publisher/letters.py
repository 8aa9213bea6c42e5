"""What is said on a community's topic, ready to be sent: made by pure functions, the same each time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.event import Event, Fact, dump, follow
from schemas.inspection import Recorded
from schemas.report import Raised
from schemas.topics import REPORTS

FUTURE_LIMIT = timedelta(days=1)
"""Clocks go wrong by minutes, time zones by hours; a matter of the day after tomorrow has not happened."""
_CONTENT = uuid5(NAMESPACE_URL, "whistle:content")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,62}")


class RejectedError(ValueError):
    """What was to be said can never be said; the text is one sentence for the one who tried."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as Kafka gets it; `subject` is the report's or inspection's id, and the record key."""

    topic: str
    subject: UUID
    payload: bytes


def is_code(text: str) -> bool:
    """Whether a text has the form of a party's code."""
    return _CODE.fullmatch(text) is not None


def content_id(community: str, fact: Raised | Recorded) -> UUID:
    """The id of a report or inspection to which nobody gave one: the same words from the same place are the same.

    What only has its default value doesn't count, so that a field added later leaves older ids as they are.
    """
    return uuid5(_CONTENT, f"{community}\n{fact.type}\n{fact.model_dump_json(exclude_defaults=True)}")


def open_event(community: str, fact: Raised | Recorded, *, id: UUID | None, at: datetime) -> Event:  # noqa: A002 - CloudEvents' name
    """Return the event that raises a report or records an inspection; said twice it is the same fact."""
    subject = id or content_id(community, fact)
    return Event(follow(subject, fact.type), f"/community/{community}", subject, at, fact)


def act_event(community: str, report: UUID, fact: Fact, *, act: str, at: datetime) -> Event:
    """Return the event of a community's act on a report; `act` tells one act from the next of its type."""
    return Event(follow(report, f"{fact.type}/{act}"), f"/community/{community}", report, at, fact)


def letter(community: str, event: Event) -> Letter:
    """Put an event on its community's topic."""
    return Letter(REPORTS.named(community), event.subject, dump(event))


def judge_time(fact: Raised | Recorded, now: datetime) -> str | None:
    """Say in one sentence what is wrong with the instant at which it happened; None if nothing is."""
    name, at = ("happened_at", fact.happened_at) if isinstance(fact, Raised) else ("inspected_at", fact.inspected_at)
    if at - now > FUTURE_LIMIT:
        return (
            f"{name}: lies more than a day in the future ({at.isoformat()}, and it is {now.isoformat('T', 'minutes')})"
        )
    return None
