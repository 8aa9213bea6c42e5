"""The questions put to a broker, each as its raw request: the admin client hides errors of single partitions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy
from aiokafka.structs import TopicPartition

from services.monitor.lag import Partition

BEGINNING: int = OffsetResetStrategy.EARLIEST
END: int = OffsetResetStrategy.LATEST
CONSUMERS = ("consumer", "")
"""The kinds of groups that read topics; without a kind are those that commit and never join."""
NO_REPLICA = -1
READ_UNCOMMITTED = 0


async def refresh(client: AIOKafkaClient) -> None:
    """Learn again which brokers, topics and leaders there are."""
    if not await client.force_metadata_update():
        raise KafkaConnectionError("no broker answers")


def partitions_of(client: AIOKafkaClient, topics: Iterable[str]) -> set[Partition]:
    """Return the partitions of those topics that exist."""
    return {Partition(topic, each) for topic in topics for each in client.cluster.partitions_for_topic(topic) or ()}


async def list_groups(client: AIOKafkaClient) -> list[str]:
    """Return the names of all groups that read topics, in order; each broker knows those it coordinates."""
    nodes = [each.nodeId for each in client.cluster.brokers()]
    answers = await asyncio.gather(*(client.send(node, ListGroupsRequest()) for node in nodes))
    for answer in answers:
        _check(answer.error_code)
    return sorted({group for answer in answers for group, kind in answer.groups if kind in CONSUMERS})


async def find_coordinator(client: AIOKafkaClient, group: str) -> int:
    """Return the broker that keeps a group's offsets; a group that doesn't exist has one too."""
    node: int = await client.coordinator_lookup(CoordinationType.GROUP, group)
    return node


async def fetch_committed(client: AIOKafkaClient, coordinator: int, group: str) -> dict[Partition, int]:
    """Return all that a group has committed, also for topics that are gone; empty for a group that doesn't exist."""
    answer = await client.send(coordinator, OffsetFetchRequest(group, None))
    _check(answer.error_code)
    committed = {}
    for topic, partitions in answer.topics:
        for partition, offset, _, error_code in partitions:
            if error_code == UnknownTopicOrPartitionError.errno:
                continue
            _check(error_code)
            if offset >= 0:
                committed[Partition(topic, partition)] = offset
    return committed


async def fetch_subscription(client: AIOKafkaClient, coordinator: int, group: str) -> frozenset[str] | None:
    """Return the topics that the members of a group have asked for.

    None where nobody can tell: without members, during a rebalance, or in a group of the newer protocol.
    """
    # One group per request: the client library misreads an answer about several.
    answer = await client.send(coordinator, DescribeGroupsRequest([group]))
    (described,) = answer.groups
    error_code, _, _, kind, _, members, *_ = described
    if error_code or kind != "consumer":
        return None
    try:
        asked = [ConsumerProtocolMemberMetadata.decode(member[3]).subscription for member in members if member[3]]
    except ValueError:
        return None
    return frozenset(topic for topics in asked for topic in topics) if asked else None


async def list_offsets(
    client: AIOKafkaClient, partitions: Iterable[Partition], at: int
) -> tuple[dict[Partition, int], set[Partition]]:
    """Return the first (`BEGINNING`) or next (`END`) offsets, and the partitions whose leader didn't tell."""
    wanted = set(partitions)
    by_leader: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for each in wanted:
        leader = client.cluster.leader_for_partition(TopicPartition(*each))
        if leader is not None and leader >= 0:
            by_leader[leader][each.topic].append((each.partition, at))
    answers = await asyncio.gather(
        *(_list_offsets(client, leader, list(topics.items())) for leader, topics in by_leader.items())
    )
    found = {each: offset for answer in answers for each, offset in answer.items()}
    return found, wanted - found.keys()


async def _list_offsets(
    client: AIOKafkaClient, leader: int, topics: list[tuple[str, list[tuple[int, int]]]]
) -> dict[Partition, int]:
    try:
        answer: Any = await client.send(leader, OffsetRequest(NO_REPLICA, READ_UNCOMMITTED, topics))
    except KafkaError as error:
        if not error.retriable:
            raise
        return {}
    return {
        Partition(topic, partition): offset
        for topic, partitions in answer.topics
        for partition, error_code, _, offset in partitions
        if not error_code
    }


def _check(error_code: int) -> None:
    if error_code != NoError.errno:
        raise for_code(error_code)
