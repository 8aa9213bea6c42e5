"""From a raw record to a cause, or to a dead letter: nothing here raises, whatever a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord

from schemas.event import EARLIEST, LATEST, Event, Fact, InvalidEventError, beside, parse
from schemas.topics import Topic, family
from services.runtime.clock import Clock
from services.runtime.kafka import shard_of

MAX_LETTER_BYTES = 1_000_000
"""What a dead letter holds at most without its origin and reason; a compressed record may be far larger."""
_EARLIEST_MS, _LATEST_MS = (int(each.timestamp() * 1000) for each in (EARLIEST, LATEST))
_Headers = list[tuple[str, bytes | None]]


class Cause(NamedTuple):
    """A fact that a room handles.

    `id` is made of the event's id and the topic, so that nobody can suppress another party's fact by reusing its id.
    `at` is the instant that counts (UTC): when the record reached the broker, or in sample time the event's own.
    `party` and `code` say whose topic it came on, which is who said it, whatever the payload claims.
    """

    id: UUID
    key: UUID
    shard: int
    at: datetime
    topic: str
    party: str
    code: str | None
    event: Event


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be handled, and why."""

    record: ConsumerRecord
    reason: str

    def written(self) -> tuple[bytes | None, bytes | None, _Headers]:
        """Return value, key and headers to say: the original ones, and where and why.

        What no topic takes is cut to what one does, and `whistle-cut` tells how long it was; the whole of it is still
        where it came from.
        """
        record = self.record
        value, key, headers = record.value, record.key, list(record.headers)
        told = {
            "whistle-topic": record.topic,
            "whistle-partition": str(record.partition),
            "whistle-offset": str(record.offset),
            "whistle-reason": self.reason,
        }
        if value is None and key is None:
            # A client can read such a record, and not write it.
            value, told["whistle-value"] = b"", "null"
        if _length(value, key, headers) > MAX_LETTER_BYTES:
            value, key = value or b"", key or b""
            told["whistle-cut"] = f"value {len(value)} bytes, key {len(key)} bytes, {len(headers)} headers"
            value, key, headers = value[: MAX_LETTER_BYTES // 2], key[: MAX_LETTER_BYTES // 4], []
        return value, key, [*headers, *((name, text.encode()) for name, text in told.items())]


def _length(value: bytes | None, key: bytes | None, headers: _Headers) -> int:
    # Each header costs a few bytes more than it holds.
    in_headers = sum(len(name.encode()) + len(text or b"") + 10 for name, text in headers)
    return len(value or b"") + len(key or b"") + in_headers


def cause_id(subject: UUID, event: UUID, topic: str) -> UUID:
    """Return the id under which a fact about a subject, from a topic, is remembered."""
    return beside(subject, event.bytes + topic.encode())


class _Heard(NamedTuple):
    """A topic that a room hears: whose it is, and the facts that it takes, by type."""

    party: str
    code: str | None
    facts: Mapping[str, type[Fact]]


class Inlet:
    """Reads the records of the topics that a room hears."""

    def __init__(self, topics: Sequence[Topic], clock: Clock, shards: int) -> None:
        self._facts: dict[str, Mapping[str, type[Fact]]] = {
            topic.name: {fact.type: fact for fact in topic.facts} for topic in topics
        }
        self._heard: dict[str, _Heard] = {}
        self._clock = clock
        self._shards = shards

    def read(self, record: ConsumerRecord) -> Cause | DeadLetter:
        """Parse and check one record by itself."""
        try:
            return self._read(record)
        except InvalidEventError as error:
            return DeadLetter(record, str(error))

    def _read(self, record: ConsumerRecord) -> Cause:
        heard = self._heard.get(record.topic) or self._family(record.topic)
        event = parse(record.value, heard.facts, _text_headers(record))
        if record.key != str(event.subject).encode():
            raise InvalidEventError(f"the record's key is not its subject {event.subject}, written as text")
        return Cause(
            id=cause_id(event.subject, event.id, record.topic),
            key=event.subject,
            shard=shard_of(record.key, self._shards),
            at=self._instant(event, record),
            topic=record.topic,
            party=heard.party,
            code=heard.code,
            event=event,
        )

    def _family(self, topic: str) -> _Heard:
        of, code = family(topic) or (None, None)
        if of is None or of.name not in self._facts:
            raise InvalidEventError(f"{topic} is not a topic this room reads")
        self._heard[topic] = heard = _Heard(of.name.split(".", 1)[0], code, self._facts[of.name])
        return heard

    def _instant(self, event: Event, record: ConsumerRecord) -> datetime:
        if self._clock.sample:
            # Nobody speaks from the future, not even a command stamped by the wall's clock.
            return min(event.time, self._clock.now())
        # The broker's own clock, unless somebody has taken LogAppendTime off the topic.
        if not _EARLIEST_MS <= record.timestamp < _LATEST_MS:
            raise InvalidEventError(f"the record's timestamp {record.timestamp} is not of this century")
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _text_headers(record: ConsumerRecord) -> dict[str, str]:
    """Return the headers that are text; others are nobody's business here, and no reason to lose a record."""
    found: dict[str, str] = {}
    # They only matter in CloudEvents' binary mode.
    if "ce_specversion" not in [name for name, _ in record.headers]:
        return found
    for name, value in record.headers:
        if isinstance(value, bytes):
            try:
                found[name] = value.decode()
            except UnicodeDecodeError:
                continue
    return found
