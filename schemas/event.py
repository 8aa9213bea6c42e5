"""The envelope of every message: CloudEvents 1.0, and the small types all facts are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import blake2b, sha1
from typing import Annotated, Any, ClassVar, Literal
from unicodedata import category
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import from_json, to_json

CONTENT_TYPE = "application/cloudevents+json"
# An instant outside these years is a mistake, and the far ones overflow deadline arithmetic.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class InvalidEventError(ValueError):
    """A record that can never be understood; the text says why, for the one who sent it."""


@lru_cache(maxsize=10_000)
def isoformat(instant: datetime) -> str:
    """Write an instant in UTC, with `Z`, the same way everywhere (it is part of golden files).

    Raises:
        ValueError: the instant has no offset, and whose clock it was read from can't be known.

    """
    if instant.tzinfo is None:
        raise ValueError("an instant has an offset")
    return f"{instant.astimezone(UTC).isoformat()[:-6]}Z"


_WRITTEN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$"
_NO_INSTANT = "an instant is written in ISO 8601 with its offset, such as 2021-01-04T09:00:00+08:00"
_is_written = re.compile(_WRITTEN).fullmatch
# PostgreSQL stores no NUL; halves of surrogate pairs are refused by the reader of JSON and by pydantic themselves.
_STORABLE = r"^[^\x00]*$"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _instant(value: object) -> datetime:
    """Read an instant; pydantic alone would take numbers, and digits in a string, for one."""
    if isinstance(value, str):
        return _read_instant(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return _in_utc(value)
    raise ValueError(_NO_INSTANT)


@lru_cache(maxsize=10_000)
def _read_instant(text: str) -> datetime:
    # The deadlines of a day are few, and each is written on many records.
    if not _is_written(text):
        raise ValueError(_NO_INSTANT)
    return _in_utc(datetime.fromisoformat(text))


def _in_utc(instant: datetime) -> datetime:
    # Compared before it is converted: converting overflows at the far ends.
    if not EARLIEST <= instant < LATEST:
        raise ValueError("an instant lies between the years 2000 and 2100")
    return instant.astimezone(UTC)


# In UTC once read, whatever the offset it was written with.
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _WRITTEN}),
]
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
# Fillers, which are letters and symbols by name.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def visible(text: str) -> bool:
    """Whether a reader sees anything of a text: of a zero width space, nobody does."""
    # Nearly always the first character is: a generator would cost more than all the rest.
    for each in text:  # noqa: SIM110
        if category(each) not in _UNSEEN and each not in _BLANK:
            return True
    return False


def _visible(text: str) -> str:
    if visible(text):
        return text
    raise ValueError("nothing of it can be seen: write words")


Text = Annotated[str, StringConstraints(max_length=4000, pattern=_STORABLE)]
Remark = Annotated[str, StringConstraints(max_length=200, pattern=_STORABLE)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=_STORABLE), AfterValidator(_visible)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_STORABLE)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_STORABLE), AfterValidator(_visible)]
# Strict: pydantic alone would take "yes" for true, true for 1 and "1" for 1. No larger than PostgreSQL's integer.
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=2_147_483_647)]
Ordinal = Annotated[int, Field(strict=True, ge=1, le=2_147_483_647)]


class Model(BaseModel):
    """A value inside a fact: frozen, and blind to keys that a later version may add."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class Fact(Model):
    """Something that happened, in the past tense; `type` is its name on the wire."""

    type: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Event:
    """A fact, who said it, about what, and when.

    `id` names the fact for ever: saying it again is the same fact. `subject` is the id of the incident (or of the
    report or inspection, on a community's topic) and the record key. `time` is UTC.
    """

    id: UUID
    source: str
    subject: UUID
    time: datetime
    data: Fact


class Envelope(BaseModel):
    """The attributes of CloudEvents 1.0 that we rely on; extensions are ignored."""

    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    id: UUID
    source: Line
    type: str
    subject: UUID
    time: Instant
    datacontenttype: Annotated[str, StringConstraints(pattern=r"^application/json( *;.*)?$")] = "application/json"
    data: dict[str, Any] = {}


def follow(cause: UUID, ordinal: int | str) -> UUID:
    """Return the id of the fact that follows from `cause` at that ordinal: the same each time it is said."""
    # A UUIDv5, in half the time that `uuid5` takes: every message has one. Source: RFC 9562, 5.5.
    hashed = sha1(cause.bytes + str(ordinal).encode(), usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(hashed[:16]) & ~_FIXED_BITS | _VERSION_5)


def beside(subject: UUID, name: bytes) -> UUID:
    """Return the id that a name has under a subject: the same each time, and sorted close to the subject's own.

    An index of such ids is written and read where the incidents of the day are, however many there have been: subjects
    are UUIDv7, whose first 48 bits are the time. The other bits are a hash of all of the subject and the name (UUIDv8).
    """
    whole = subject.bytes
    hashed = blake2b(whole + name, digest_size=10).digest()
    # Source: RFC 9562, 5.8.
    return UUID(int=int.from_bytes(whole[:6] + hashed) & ~_FIXED_BITS | _VERSION_8)


# The version and the variant.
_FIXED_BITS = 0xF000 << 64 | 0xC000 << 48
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48
_VERSION_8 = 0x8000 << 64 | 0x8000 << 48


def dump(event: Event) -> bytes:
    """Write an event as structured CloudEvents JSON, keys in a fixed order."""
    whole = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.data.type,
        "subject": event.subject,
        "time": isoformat(event.time),
        "datacontenttype": "application/json",
        "data": event.data,
    }
    return to_json(whole, exclude_none=True)


def parse(value: bytes | None, facts: Mapping[str, type[Fact]], headers: Mapping[str, str] | None = None) -> Event:
    """Read one record in structured mode, or in binary mode where `ce_*` headers hold the attributes.

    `facts` are the classes the topic allows, by type.

    Raises:
        InvalidEventError: what is wrong, in one sentence.

    """
    if not value:
        raise InvalidEventError("the record is empty")
    whole = None if headers else _read_as_written(value, facts)
    if whole is not None:
        return whole
    try:
        envelope = _read(value, headers or {})
        fact = facts.get(envelope.type)
        if fact is None:
            raise InvalidEventError(
                f"type {envelope.type[:100]!r} does not belong on this topic, which takes: {', '.join(facts)}"
            )
        data = fact.model_validate(envelope.data)
    except ValidationError as error:
        raise InvalidEventError(explain(error)) from None
    return Event(envelope.id, envelope.source, envelope.subject, envelope.time, data)


def _read_as_written(value: bytes, facts: Mapping[str, type[Fact]]) -> Event | None:
    """Read a record that looks as `dump` writes it, in one go and a third faster; None where anything is wrong with it.

    What is wrong is then found, and said, by the long way.
    """
    found = _begins_as_written(value)
    fact = facts.get(found[1].decode()) if found else None
    if fact is None or may_hold_no_json(value):
        return None
    try:
        envelope = _reader(fact)(value)
    except ValidationError:
        return None
    return Event(envelope.id, envelope.source, envelope.subject, envelope.time, envelope.data)


def may_hold_no_json(value: bytes) -> bool:
    """Tell whether NaN or Infinity may be in it: pydantic lets them pass where they stand in what is ignored."""
    # Looking for one letter, which is seldom there, takes a tenth of looking for the word.
    return (b"N" in value and b"NaN" in value) or (b"I" in value and b"Infinity" in value)


_begins_as_written = re.compile(
    rb'\{"specversion":"1\.0","id":"[^"]{36}","source":"[^"\\]{1,200}","type":"([a-z0-9_.]{1,100})","subject"'
).match


@cache
def _reader(fact: type[Fact]) -> Callable[[bytes], Any]:
    """Return what reads an envelope with one class of fact in it."""
    fields: dict[str, Any] = {"type": (Literal[fact.type], ...), "data": (fact, ...)}
    return create_model(f"Whole{fact.__name__}", __base__=Envelope, **fields).__pydantic_validator__.validate_json


def _read(value: bytes, headers: Mapping[str, str]) -> Envelope:
    try:
        content = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidEventError(f"the record is not JSON: {error}") from None
    if "ce_specversion" in headers and not headers.get("content-type", "").startswith("application/cloudevents"):
        attributes = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
        return Envelope.model_validate({**attributes, "data": content})
    if not isinstance(content, dict):
        raise InvalidEventError("the record is JSON, but not an object with the attributes of CloudEvents")
    return Envelope.model_validate(content)


def explain(error: ValidationError, *, most: int = 3) -> str:
    """Say in one line what a validation found: each field with its trouble, at most `most` of them."""
    told = [
        f"{'.'.join(str(part)[:64] for part in item['loc']) or 'record'}: {_in_words(item['msg'])}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:most]
    ]
    more = error.error_count() - len(told)
    # A key that the sender chose can be part of it, and the text must be storable wherever it goes.
    return _UNSTORABLE.sub("\ufffd", "; ".join(told)) + (f" (and {more} more)" if more > 0 else "")


def _in_words(message: str) -> str:
    return (
        "text holds no NUL character and no half of a surrogate pair"
        if _STORABLE in message
        else message.removeprefix("Value error, ")
    )
