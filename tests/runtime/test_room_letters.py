"""What a room does with records that nobody can handle."""

import asyncio
import gzip
import json
import random
import struct
import uuid
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from schemas.event import dump
from schemas.topics import dead_letters
from tests.journey.house import heard
from tests.runtime.conftest import World, progressed

Headers = list[tuple[str, bytes | None]]
Record = tuple[bytes | None, bytes | None, Headers]
# Where a batch has its checksum, which covers all that follows it. Source: Kafka's record batch format, version 2.
CRC_AT = 17
KEY = str(uuid.UUID(int=7)).encode()


def envelope(**changes: object) -> bytes:
    """Return a valid record about the subject of `KEY`, with some of its attributes changed."""
    record = json.loads(dump(progressed(uuid.UUID(KEY.decode()))))
    return json.dumps(record | changes).encode()


def with_headers(event_key: bytes, value: bytes) -> list[Record]:
    """Return a valid record, with headers that are none of our business."""
    headers: Headers = [("trace", b"\xff\xfe"), ("none", None), ("吹哨", "社区".encode())]
    return [(event_key, value, headers)]


HOSTILE: Sequence[tuple[bytes | None, bytes | None, Headers, str]] = (
    (KEY, None, [], "empty"),
    (KEY, b"", [], "empty"),
    (None, envelope(), [], "key"),
    (b"somebody else", envelope(), [], "key"),
    (KEY.upper().replace(b"0", b"1"), envelope(), [], "key"),
    (KEY, envelope()[:-1] + b"\xff}", [], "not JSON"),
    (KEY, b"\xff\xfe\x00", [("bad", b"\xff"), ("null", None)], "not JSON"),
    (KEY, b"[" * 100_000 + b"]" * 100_000, [], "not JSON"),
    (KEY, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, [], "JSON"),
    (KEY, b"[]", [], "not an object"),
    (KEY, envelope(data={"note": "a\u0000b"}), [], "NUL"),
    (KEY, envelope(data={"note": "\ud800"}), [], "JSON"),
    (KEY, envelope(data={"note": ""}), [], "note"),
    (KEY, envelope(data=[1]), [], "data"),
    (KEY, envelope(type="whistle.response.exploded.v1"), [], "does not belong"),
    (KEY, envelope(type="whistle.response.progressed.v2"), [], "does not belong"),
    (KEY, envelope(type="whistle.decision.called.v1"), [], "does not belong"),
    (KEY, envelope(specversion="2.0"), [], "specversion"),
    (KEY, envelope(id="not a uuid"), [], "id"),
    (KEY, envelope(time="9999-12-31T23:59:59Z"), [], "between the years"),
    (KEY, envelope(time="2026-03-02T09:00:00"), [], "offset"),
    (KEY, envelope(time=1), [], "ISO 8601"),
    (KEY, envelope(subject="7"), [], "subject"),
)


async def send(producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> None:
    """Send records just as they are."""
    sent = [await producer.send(topic, value, key, headers=headers) for key, value, headers in records]
    await asyncio.gather(*sent)


async def send_nothing(world: World) -> None:
    """Send a record without key or value, as only other clients do."""
    batch = world.producer.create_batch()
    batch.append(key=None, value=None, timestamp=None)
    batch.close()
    await (await world.producer.send_batch(batch, world.inputs[1], partition=0))


async def test_whatever_is_invalid_becomes_a_dead_letter_and_everything_valid_has_its_effect(world: World) -> None:
    """Among valid facts, each hostile record is kept with its key, bytes, headers and a reason; no lag is left."""
    good = [progressed(uuid.uuid4()) for _ in range(300)]
    world.said += good
    records = [each for event in good for each in with_headers(str(event.subject).encode(), dump(event))]
    bad: list[Record] = [(key, value, headers) for key, value, headers, _ in HOSTILE]
    mixed = [*records, *bad]
    random.shuffle(mixed)
    async with world.process() as room:
        await send(world.producer, world.inputs[1], mixed)
        await send_nothing(world)
        await world.drained()
        await world.judge()
        assert room.status is None, room.told()
    letters = await heard(world.servers, [dead_letters(world.name)])
    assert len(letters) == len(HOSTILE) + 1
    reasons = {}
    for letter in letters:
        told = {name: value.decode() for name, value in letter.headers if name.startswith("whistle-") and value}
        own = [each for each in letter.headers if not each[0].startswith("whistle-")]
        assert told["whistle-topic"] == world.inputs[1]
        assert int(told["whistle-offset"]) >= 0
        assert told["whistle-reason"]
        if "whistle-value" not in told:
            reasons[letter.key, letter.value, str(own)] = told["whistle-reason"]
    for key, value, headers, reason in HOSTILE:
        assert reason in reasons[key, value, str(headers)]


async def test_a_record_larger_than_any_topic_takes_is_cut_and_stops_nobody(world: World) -> None:
    """A record that was small only while it was compressed becomes a dead letter that tells where all of it is."""
    huge = b"0" * 5_000_000
    assert len(gzip.compress(huge)) < 10_000
    options = {"bootstrap_servers": world.servers, "compression_type": "gzip", "max_request_size": 20_000_000}
    async with AIOKafkaProducer(**options) as squeezing:
        await squeezing.send_and_wait(world.inputs[1], huge, key=KEY, headers=[("large", b"1" * 2_000_000)])
    async with world.process() as room:
        await world.say([progressed(uuid.uuid4())])
        await world.drained()
        await world.judge()
        assert room.status is None, room.told()
    [letter] = await heard(world.servers, [dead_letters(world.name)])
    headers = dict(letter.headers)
    assert huge.startswith(letter.value)
    assert letter.key == KEY
    assert headers["whistle-cut"] == f"value 5000000 bytes, key {len(KEY)} bytes, 1 headers".encode()
    assert b"JSON" in headers["whistle-reason"]


class _Misspelt:
    """A builder of a batch that writes the header name `zz` in bytes that are no text, as a C client may."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        """Return the batch, with the checksum it has then."""
        batch = bytearray(self._builder.build())
        at = batch.index(b"\x04zz") + 1
        batch[at : at + 2] = b"\xff\xfe"
        struct.pack_into(">I", batch, CRC_AT, calc_crc32c(bytes(batch[CRC_AT + 4 :])))
        return batch


async def test_what_the_client_cannot_read_is_passed_over(world: World) -> None:
    """A record that fails a whole poll ends the process once; it is a dead letter, and what is around it has effect."""
    good = [progressed(uuid.uuid4()) for _ in range(40)]
    world.said += good
    records = [each for event in good for each in with_headers(str(event.subject).encode(), dump(event))]
    await send(world.producer, world.inputs[1], records[:20])
    batch = world.producer.create_batch()
    batch.append(key=KEY, value=envelope(), timestamp=None, headers=[("zz", b"")])
    batch._builder = _Misspelt(batch._builder)
    batch.close()
    # Without a number of its own in the batch, which would be written after the checksum.
    async with AIOKafkaProducer(bootstrap_servers=world.servers) as plain:
        await (await plain.send_batch(batch, world.inputs[1], partition=0))
    await send(world.producer, world.inputs[1], records[20:])
    async with world.process() as room:
        assert await room.ended() == 1
        assert "UnicodeDecodeError" in room.log.read_text(encoding="utf-8")
    async with world.process() as room:
        await world.drained()
        await world.judge()
        assert room.status is None, room.told()
    [letter] = await heard(world.servers, [dead_letters(world.name)])
    told = {name: value.decode() for name, value in letter.headers if value}
    assert told["whistle-topic"] == world.inputs[1]
    assert "can't read it" in told["whistle-reason"]
