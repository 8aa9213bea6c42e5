"""Reads the journal's records for a rebuild: what looks as the router says it in half the time, all else as the room.

A rebuild needs no id of a cause and no instant of the broker, and of an envelope that looks as ours do only the time
has to be read. What is taken here is what the room's inlet would take, and to the same effect.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from schemas.event import Fact, may_hold_no_json
from schemas.topics import JOURNAL
from services.runtime.clock import WallClock
from services.runtime.inlet import DeadLetter, Inlet
from services.runtime.relay import CONTENT_TYPE_HEADER

_LOG_APPEND_TIME = 1
_HEADERS = tuple(CONTENT_TYPE_HEADER)
_FACTS = {fact.type.encode(): fact for fact in JOURNAL.facts}
_ID = b"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_head = re.compile(
    rb'\{"specversion":"1\.0","id":"' + _ID + rb'","source":"/[a-z]{1,50}","type":"([a-z0-9_.]{1,100})",'
    rb'"subject":"(' + _ID + rb')","time":"(20\d\d-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{6})?Z)",'
    rb'"datacontenttype":"application/json","data":'
).match


class Telling(NamedTuple):
    """What one record tells of an incident, or of a round of inspection: the fact, and its event's own time (UTC).

    `written` is the fact as JSON, where it was read from the text that we ourselves would write.
    """

    key: UUID
    time: datetime
    fact: Fact
    written: str | None = None


class Listener:
    """Reads one record after another."""

    def __init__(self, shards: int) -> None:
        self._inlet = Inlet((JOURNAL,), WallClock(), shards)

    def read(self, record: ConsumerRecord) -> Telling | None:
        """Return what a record tells; None where the room's inlet finds that it can't be read."""
        found = _as_written(record)
        if found is None:
            read = self._inlet.read(record)
            found = None if isinstance(read, DeadLetter) else Telling(read.key, read.event.time, read.event.data)
        return found


def _as_written(record: ConsumerRecord) -> Telling | None:
    value = record.value
    head = _head(value) if value else None
    if head is None or record.headers != _HEADERS or record.timestamp_type != _LOG_APPEND_TIME:
        return None
    kind, subject, time = head.groups()
    fact = _FACTS.get(kind)
    if fact is None or subject != record.key or value[-1:] != b"}" or may_hold_no_json(value):
        return None
    try:
        written = value[head.end() : -1].decode()
        return Telling(
            _uuid(subject), datetime.fromisoformat(time.decode()), fact.model_validate_json(written), written
        )
    except (ValueError, ValidationError):
        return None


@lru_cache(maxsize=10_000)
def _uuid(text: bytes) -> UUID:
    # Nearly every record is about an incident of which others were told before.
    return UUID(text.decode())
