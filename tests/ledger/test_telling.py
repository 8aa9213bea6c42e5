"""What a rebuild reads in its own way is what the room reads."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord

from schemas import response
from schemas.event import Event, dump
from schemas.topics import JOURNAL
from services.ledger.telling import Listener
from services.runtime.clock import WallClock
from services.runtime.inlet import Cause, Inlet
from services.runtime.relay import CONTENT_TYPE_HEADER
from tests.ledger.scenes import SHARDS, History, inspected

AT_MS = 1_614_564_000_000


def record(event: Event) -> ConsumerRecord:
    """A record as the router's relay says it and the broker stamps it."""
    value, key = dump(event), str(event.subject).encode()
    headers = tuple(CONTENT_TYPE_HEADER)
    return ConsumerRecord(JOURNAL.name, 0, 0, AT_MS, 1, key, value, None, len(key), len(value), headers)


def events() -> list[Event]:
    """Some of everything the router tells."""
    told = History(category="river", description='一条"长"\\河\n').called("water", "dongsheng-urban").later(hours=6)
    told.department("water", response.Declined(reason="NaN 不归我们管")).later(days=20)
    found = [
        *told.solved().answered().later(days=30).events,
        inspected(found=[uuid4()]),
        inspected(community="nowhere"),
    ]
    return [*found, replace(found[0], time=found[0].time.replace(microsecond=12))]


def test_what_the_router_says_is_read_as_the_room_reads_it() -> None:
    """Every fact comes out the same, with its key and its time, and as the text that the room would write of it."""
    listener, inlet = Listener(SHARDS), Inlet((JOURNAL,), WallClock(), SHARDS)
    for each in map(record, events()):
        cause = inlet.read(each)
        assert isinstance(cause, Cause)
        told = listener.read(each)
        assert told
        assert told[:3] == (cause.key, cause.event.time, cause.event.data)
        # What a word for no number may hide in goes the long way.
        if b"NaN" not in each.value:
            assert told.written == cause.event.data.model_dump_json(exclude_none=True)


def test_what_the_router_says_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the relay writes doesn't go the long way, or a rebuild takes a third longer and nobody sees why."""
    monkeypatch.setattr(Inlet, "read", None)
    for each in events():
        if b"NaN" not in dump(each):
            assert Listener(SHARDS).read(record(each))


Change = Callable[[ConsumerRecord], ConsumerRecord]


def value(old: bytes, new: bytes) -> Change:
    """Some text of the value is another."""
    return lambda each: replace(each, value=each.value.replace(old, new, 1))


CHANGES: dict[str, Change] = {
    "another key": lambda each: replace(each, key=str(uuid4()).encode()),
    "no key": lambda each: replace(each, key=None),
    "nothing": lambda each: replace(each, value=None),
    "empty": lambda each: replace(each, value=b""),
    "cut short": lambda each: replace(each, value=each.value[:-1]),
    "another end": lambda each: replace(each, value=each.value[:-1] + b"]"),
    "something behind it": lambda each: replace(each, value=each.value + b"x"),
    "a space behind it": lambda each: replace(each, value=each.value + b" "),
    "another fact behind it": lambda each: replace(each, value=each.value[:-1] + b',"data":{}}'),
    "an extension behind it": lambda each: replace(each, value=each.value[:-1] + b',"traceparent":"x"}'),
    "not UTF-8": lambda each: replace(each, value=each.value[:-4] + b"\xff" + each.value[-4:]),
    "no number": value(b'"data":{', b'"data":{"x":NaN,'),
    "no number either": value(b'"data":{', b'"data":{"x":-Infinity,'),
    "capitals": value(b'"data":{', b'"data":{"x":"I, N",'),
    "an unknown field": value(b'"data":{', b'"data":{"x":1,'),
    "an unknown type": value(b"whistle.incident.", b"whistle.accident."),
    "no version": value(b'"version":', b'"venison":'),
    "a version that is none": value(b'"version":1', b'"version":0'),
    "a day that is none": lambda each: replace(each, value=_timed(each, b"2021-02-30T00:00:00Z")),
    "a leap second": lambda each: replace(each, value=_timed(each, b"2021-02-28T23:59:60Z")),
    "an early time": lambda each: replace(each, value=_timed(each, b"1999-12-31T23:59:59Z")),
    "a late time": lambda each: replace(each, value=_timed(each, b"2100-01-01T00:00:00Z")),
    "another offset": lambda each: replace(each, value=_timed(each, b"2021-03-01T10:00:00+08:00")),
    "a time without offset": lambda each: replace(each, value=_timed(each, b"2021-03-01T10:00:00")),
    "capital letters": lambda each: replace(each, value=each.value.replace(each.key, each.key.upper())),
    "capital letters all over": lambda each: replace(
        each, key=each.key.upper(), value=each.value.replace(each.key, each.key.upper())
    ),
    "another source": value(b'"source":"/router"', b'"source":""'),
    "spaces": value(b'"specversion":"1.0",', b'"specversion": "1.0", '),
    "binary mode": lambda each: replace(each, headers=(("ce_specversion", b"1.0"),)),
    "other headers": lambda each: replace(each, headers=(("x", None),)),
    "no headers": lambda each: replace(each, headers=()),
    "a sender's clock": lambda each: replace(each, timestamp_type=0, timestamp=0),
}


def _timed(each: ConsumerRecord, time: bytes) -> bytes:
    head, tail = each.value.split(b'"time":"', 1)
    return b"".join((head, b'"time":"', time, tail[tail.index(b'"') :]))


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_as_the_router_says_it_is_judged_by_the_room(name: str) -> None:
    """A record that a stranger wrote, or another release, is read or refused as the room does it."""
    listener, inlet = Listener(SHARDS), Inlet((JOURNAL,), WallClock(), SHARDS)
    for each in map(record, History().called().events):
        other = CHANGES[name](each)
        cause = inlet.read(other)
        told = listener.read(other)
        if isinstance(cause, Cause):
            assert told
            assert told[:3] == (cause.key, cause.event.time, cause.event.data)
        else:
            assert told is None
