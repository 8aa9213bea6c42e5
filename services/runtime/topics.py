"""Topics as registry and directory want them: what differs on a cluster, and making it so. Nothing is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.topics import DEAD_LETTER_RETENTION_MS, ROOMS_WITH_DEAD_LETTERS, Topic, dead_letters
from services.runtime.settings import KafkaSettings

MAX_MESSAGE_BYTES = 1_000_000
"""What a topic takes in one batch: less than a producer of ours sends at most, so that even the largest record still
fits with its reason into a dead letter."""
MAX_DEAD_LETTER_BYTES = 1_048_588
_DEAD_LETTER_PARTITIONS = 1
_REACH_S = 8.0
_MAKE_S = 60.0
_CHUNK = 200
# The source that DescribeConfigs names for what was set on the topic itself. Source: KIP-226.
_SET_ON_TOPIC = 1


class TopicsError(Exception):
    """Topics could not be read or made; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the cluster has it: `config` is in force, `own` the part of it that was set on the topic itself."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One topic to make, or (`before` is the topic as it is) whose configuration to set; `config` is what differs."""

    topic: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    before: Existing | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    partitions: int
    retention_ms: int
    max_bytes: int = MAX_MESSAGE_BYTES
    exempt: bool = False

    def config(self, replication_factor: int) -> dict[str, str]:
        """Return the configuration; how many replicas must have a record follows how many there are."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": "2" if replication_factor >= 3 else "1",  # noqa: PLR2004 - one may be away
            "max.message.bytes": str(self.max_bytes),
        }


def plan(
    registry: Sequence[Topic],
    parties: Mapping[str, Sequence[str]],
    kafka: KafkaSettings,
    existing: Mapping[str, Existing],
) -> list[Change]:
    """Return what must be made or set, in the registry's order; empty where the cluster is as wanted.

    `parties` are codes by the kind of party (`community`, `street`, `department`).

    Raises:
        TopicsError: the partitions don't divide the shards, or an existing topic has another count of them.

    """
    if kafka.shards % kafka.partitions:
        raise TopicsError(
            f"{kafka.partitions} partitions don't divide {kafka.shards} shards: every shard must lie in one partition,"
            f" so choose a number of partitions that divides {kafka.shards}"
        )
    wanted = list(_wanted(registry, parties, kafka.partitions))
    unequal = [
        f"{each.name} has {there.partitions}"
        for each in wanted
        if (there := existing.get(each.name)) and not each.exempt and there.partitions != each.partitions
    ]
    if unequal:
        raise TopicsError(
            f"topics that are read together need {kafka.partitions} partitions each, or a shard's records lie in"
            f" different hands: {', '.join(unequal)}. Nothing was changed; set WHISTLE_KAFKA__PARTITIONS to the number"
            " they have, or move them to topics made anew"
        )
    changes = [_change(each, kafka.replication_factor, existing.get(each.name)) for each in wanted]
    return [change for change in changes if change is not None]


def _change(wanted: _Wanted, replication_factor: int, there: Existing | None) -> Change | None:
    if there is None:
        return Change(wanted.name, wanted.partitions, replication_factor, wanted.config(replication_factor))
    config = wanted.config(there.replication_factor)
    differs = {name: value for name, value in config.items() if there.config.get(name) != value}
    return Change(wanted.name, there.partitions, there.replication_factor, differs, there) if differs else None


def _wanted(registry: Sequence[Topic], parties: Mapping[str, Sequence[str]], partitions: int) -> Iterator[_Wanted]:
    for topic in registry:
        codes = parties.get(topic.party, ()) if topic.party else ("",)
        for code in codes:
            # Of a community's matters it is the street's decisions that are read together with others.
            yield _Wanted(topic.named(code), partitions, topic.retention_ms, exempt=topic.party == "community")
    for room in ROOMS_WITH_DEAD_LETTERS:
        yield _Wanted(
            dead_letters(room),
            _DEAD_LETTER_PARTITIONS,
            DEAD_LETTER_RETENTION_MS,
            max_bytes=MAX_DEAD_LETTER_BYTES,
            exempt=True,
        )


async def preview(
    kafka: KafkaSettings, registry: Sequence[Topic], parties: Mapping[str, Sequence[str]]
) -> list[Change]:
    """Return what `apply` would change, and change nothing.

    Raises:
        TopicsError: the cluster can't be reached, or can't be brought to what is wanted.

    """
    async with _connected(kafka) as admin:
        return plan(registry, parties, kafka, await admin.read())


async def apply(kafka: KafkaSettings, registry: Sequence[Topic], parties: Mapping[str, Sequence[str]]) -> list[Change]:
    """Make the topics that are missing, set what has drifted, wait until all can be used; return what was changed.

    Raises:
        TopicsError: the cluster can't be reached, refuses, or can't be brought to what is wanted.

    """
    async with _connected(kafka) as admin:
        changes = plan(registry, parties, kafka, await admin.read())
        await admin.make([change for change in changes if change.before is None])
        await admin.set([change for change in changes if change.before is not None])
        return changes


async def describe(kafka: KafkaSettings) -> dict[str, Existing]:
    """Return the topics of a cluster by name, Kafka's own left out.

    Raises:
        TopicsError: the cluster can't be reached.

    """
    async with _connected(kafka) as admin:
        return await admin.read()


@asynccontextmanager
async def _connected(kafka: KafkaSettings) -> AsyncIterator[_Admin]:
    client = AIOKafkaAdminClient(
        bootstrap_servers=kafka.bootstrap_servers,
        client_id="whistle-topics",
        request_timeout_ms=int(_MAKE_S * 1000),
    )
    try:
        try:
            async with asyncio.timeout(_REACH_S):
                await client.start()
        except (KafkaError, OSError, ValueError) as error:
            why = "no answer" if isinstance(error, TimeoutError) else "no connection"
            raise TopicsError(f"Kafka can't be reached at {kafka.bootstrap_servers} ({why}): is it running?") from error
        yield _Admin(client)
    finally:
        await client.close()


class _Admin:
    """aiokafka's admin client with limits, errors in sentences, and answers in our words."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def read(self) -> dict[str, Existing]:
        async with _in_words("read the topics"):
            # All of them: to ask for a topic by name may make it.
            found = [each for each in await self._client.describe_topics() if not each["is_internal"]]
            configs = await self._configs([each["topic"] for each in found])
        return {
            each["topic"]: Existing(
                partitions=len(each["partitions"]),
                replication_factor=min((len(one["replicas"]) for one in each["partitions"]), default=0),
                config=configs[each["topic"]][0],
                own=configs[each["topic"]][1],
            )
            for each in found
        }

    async def _configs(self, names: Sequence[str]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
        """Return of each topic the configuration in force, and the part of it that was set on the topic itself."""
        found = {}
        for start in range(0, len(names), _CHUNK):
            wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names[start : start + _CHUNK]]
            for response in await self._client.describe_configs(wanted):
                for resource in response.to_object()["resources"]:
                    _check(resource["error_code"], resource["error_message"], resource["resource_name"])
                    found[resource["resource_name"]] = _split(resource["config_entries"])
        return found

    async def make(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        topics = [
            NewTopic(each.topic, each.partitions, each.replication_factor, topic_configs=dict(each.config))
            for each in changes
        ]
        async with _in_words("make topics"):
            response = await self._client.create_topics(topics, timeout_ms=int(_MAKE_S / 2 * 1000))
            for name, code, message in (each[:3] for each in response.topic_errors):
                # Somebody else was quicker, which is all right.
                if code != TopicAlreadyExistsError.errno:
                    _check(code, message, name)
            await self._usable({each.topic for each in changes})

    async def _usable(self, names: set[str]) -> None:
        """Wait until every partition has a leader: a topic is made before it can be written."""
        while True:
            led = {
                each["topic"]
                for each in await self._client.describe_topics()
                if each["partitions"] and all(one["leader"] >= 0 for one in each["partitions"])
            }
            if names <= led:
                return
            await asyncio.sleep(0.1)

    async def set(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        # Kafka replaces all that was set on the topic, so what somebody else has set there is said again.
        resources = [
            ConfigResource(
                ConfigResourceType.TOPIC,
                each.topic,
                {**(each.before.own if each.before else {}), **each.config},
            )
            for each in changes
        ]
        async with _in_words("set the configuration of topics"):
            for response in await self._client.alter_configs(resources):
                for code, message, _kind, name in response.resources:
                    _check(code, message, name)
            await self._told(changes)

    async def _told(self, changes: Sequence[Change]) -> None:
        """Wait until the broker that is asked knows what was set: it hears of it a moment later."""
        while True:
            there = await self._configs([each.topic for each in changes])
            if all(each.config.items() <= there[each.topic][0].items() for each in changes):
                return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _in_words(what: str) -> AsyncIterator[None]:
    """Bound what is done inside, and turn what goes wrong with the cluster into a `TopicsError`."""
    try:
        async with asyncio.timeout(_MAKE_S):
            yield
    except TimeoutError:
        raise TopicsError(f"could not {what}: Kafka took longer than {_MAKE_S:.0f} s") from None
    except (KafkaError, OSError) as error:
        raise TopicsError(f"could not {what}: {error or type(error).__name__}") from None


def _split(entries: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    in_force = {each["config_names"]: each["config_value"] for each in entries}
    own = {each["config_names"] for each in entries if each["config_source"] == _SET_ON_TOPIC}
    return in_force, {name: value for name, value in in_force.items() if name in own}


def _check(code: int, message: str | None, topic: str) -> None:
    if code:
        raise TopicsError(f"topic {topic}: {message or for_code(code).description}")
