"""Reads topics from an offset to their end, outside every group: it moves nobody's place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.runtime.settings import KafkaSettings

POLL_MS = 500
STALLED_S = 30
"""A broker that gives nothing for so long, while there is more to read, is away."""
REACH_S = 10
AT_ONCE = 2_000
FETCH_BYTES = 4 * 1024 * 1024


class Unreadable(Exception):
    """What was to be read can't be, just now or at all; the text is a sentence for people."""


async def partitions_of(kafka: KafkaSettings, topics: Iterable[str]) -> set[TopicPartition]:
    """Return the partitions of topics.

    Raises:
        Unreadable: the broker is away, or doesn't show one of the topics.

    """
    async with _told(kafka):
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers, client_id="whistle-ledger")
        try:
            async with asyncio.timeout(REACH_S):
                await admin.start()
                described = await admin.describe_topics()
        finally:
            await admin.close()
    there = {each["topic"]: each["partitions"] for each in described if not each["error_code"]}
    missing = sorted(set(topics) - there.keys())
    if missing:
        raise Unreadable(f"Kafka shows no topic {', '.join(missing)}: apply the topics, or let the ledger read them")
    return {TopicPartition(topic, part["partition"]) for topic in topics for part in there[topic]}


@asynccontextmanager
async def reader(
    kafka: KafkaSettings, places: Mapping[TopicPartition, int | None], *, fetch_bytes: int = FETCH_BYTES
) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a reader at the given offsets; None means the first there is.

    Of each partition about `fetch_bytes` are in memory at once, fetched while others are read.

    Raises:
        Unreadable: the broker is away.

    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        client_id="whistle-ledger",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=fetch_bytes,
        # Where a topic ends is asked for on the same connection, after the fetch that waits for more.
        fetch_max_wait_ms=20,
    )
    try:
        async with _told(kafka):
            async with asyncio.timeout(REACH_S):
                await consumer.start()
            consumer.assign(list(places))
            await consumer.seek_to_beginning(*[each for each, offset in places.items() if offset is None])
            for partition, offset in places.items():
                if offset is not None:
                    consumer.seek(partition, offset)
        # Who reads uses the database meanwhile, whose errors are not Kafka's.
        async with _told(kafka, (KafkaError,)):
            yield consumer
    finally:
        await consumer.stop()


async def to_the_end(
    consumer: AIOKafkaConsumer, alive: Callable[[], Awaitable[object]] | None = None, *, most: int = AT_ONCE
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield what there is up to the ends as they are now, in order within each partition.

    `alive` is called between polls, for whoever must not fall silent meanwhile; no more than `most` come at once.

    Raises:
        Unreadable: the broker gives nothing any more.

    """
    partitions = list(consumer.assignment())
    ends = await consumer.end_offsets(partitions)
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    left = {each for each in partitions if await consumer.position(each) < ends[each]}
    while left:
        polled = await consumer.getmany(*left, timeout_ms=POLL_MS, max_records=most)
        if polled:
            heard_at = loop.time()
        # All partitions together: what is done with them costs less in one.
        wanted = [each for partition, records in polled.items() for each in records if each.offset < ends[partition]]
        if wanted:
            yield wanted
        if alive:
            await alive()
        left = {each for each in left if await consumer.position(each) < ends[each]}
        if loop.time() - heard_at > STALLED_S:
            raise Unreadable(f"Kafka has given nothing for {STALLED_S} s, though there is more to read")


@asynccontextmanager
async def _told(
    kafka: KafkaSettings, kinds: tuple[type[Exception], ...] = (KafkaError, OSError)
) -> AsyncIterator[None]:
    # The client writes an error for every try to connect; whoever asked is told once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    except kinds as error:
        raise Unreadable(f"Kafka can't be read at {kafka.bootstrap_servers} ({type(error).__name__})") from error
