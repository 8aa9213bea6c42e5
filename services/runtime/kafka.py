"""Kafka's clients, set up once as their traps demand, and the shard of a key."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from services.runtime.settings import KafkaSettings

MAX_RECORD_BYTES = 900_000
"""Above this a message is refused before it is journaled; brokers take 1 MiB with headers by default."""
METADATA_MAX_AGE_MS = 5_000
"""How soon a topic made while rooms run is heard of."""


@lru_cache(maxsize=8_192)
def _hash_of(key: bytes) -> int:
    # In Python it costs as much as reading the record, and what is about one incident comes close together.
    return int(murmur2(key) & 0x7FFFFFFF)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a record key, as the default partitioners of Kafka's own client and ours choose it."""
    return _hash_of(key) % partitions


def shard_of(key: bytes, shards: int) -> int:
    """Return the shard of a record key: the partitioner's own hash, so that shard % partitions is the partition."""
    return _hash_of(key) % shards


def producer(settings: KafkaSettings, name: str, **overrides: Any) -> AIOKafkaProducer:
    """Return a producer, not yet started, that loses and reorders nothing."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": f"whistle-{name}",
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 5,
        "max_batch_size": 256 * 1024,
        "max_request_size": 1024 * 1024,
        "request_timeout_ms": 15_000,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }
    return AIOKafkaProducer(**(options | overrides))


def consumer_options(name: str, instance: str) -> dict[str, Any]:
    """Return the options of a room's group member.

    `instance` is unique per replica: a restart keeps the member's partitions, and no rebalance is needed.
    """
    return {
        "group_id": name,
        "group_instance_id": f"{name}-{instance}",
        "auto_offset_reset": "earliest",
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 1_000,
        "rebalance_timeout_ms": 20_000,
        "max_poll_interval_ms": 300_000,
        # A partition just read waits for the fetch under way: long enough to be cheap, short enough not to be felt.
        "fetch_max_wait_ms": 100,
        # What waits in memory while the database is away: so much of each partition, and of a large record all of it.
        "max_partition_fetch_bytes": 256 * 1024,
        "fetch_max_bytes": 8 * 1024 * 1024,
        # What a stranger's transaction has taken back was never said.
        "isolation_level": "read_committed",
    }
