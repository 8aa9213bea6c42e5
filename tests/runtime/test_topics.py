import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import ROOMS_WITH_DEAD_LETTERS, TOPICS, dead_letters
from services.local.kafka import EmbeddedKafka
from services.runtime.settings import KafkaSettings
from services.runtime.topics import Change, Existing, TopicsError, apply, describe, plan, preview

ROOT = Path(__file__).parents[2]
KAFKA = KafkaSettings(partitions=4, shards=64, replication_factor=1)
PARTIES = {"community": ["guangdu", "wudongqiao"], "street": ["dongsheng"], "department": ["water", "dongsheng-urban"]}
# The families with one topic for each party: the broker is shared, and other tests have the other topics.
BY_PARTY = tuple(topic for topic in TOPICS if topic.party)


def as_made(changes: Sequence[Change]) -> dict[str, Existing]:
    """What a cluster has once the changes are made."""
    return {
        each.topic: Existing(each.partitions, each.replication_factor, {**each.config, "segment.ms": "1"}, each.config)
        for each in changes
    }


def test_an_empty_cluster_needs_everything() -> None:
    """Each party gets the topics of its kind, everybody the common ones, every consuming room its dead letters."""
    assert {change.topic for change in plan(TOPICS, PARTIES, KAFKA, {})} == {
        "community.guangdu.reports",
        "community.guangdu.answers",
        "community.wudongqiao.reports",
        "community.wudongqiao.answers",
        "street.dongsheng.decisions",
        "department.water.dispatches",
        "department.water.responses",
        "department.dongsheng-urban.dispatches",
        "department.dongsheng-urban.responses",
        "incident.journal",
        "supervision.escalations",
        "supervision.actions",
        *(dead_letters(room) for room in ROOMS_WITH_DEAD_LETTERS),
    }


def test_topics_keep_facts_for_ever_with_the_brokers_own_time() -> None:
    """Facts are kept for ever and dead letters for 90 days, and every record has the instant it reached the broker."""
    by_name = {change.topic: change for change in plan(TOPICS, PARTIES, KAFKA, {})}
    journal, dead = by_name["incident.journal"], by_name["router.dead"]
    assert journal.config["retention.ms"] == "-1"
    assert dead.config["retention.ms"] == str(90 * 86_400_000)
    assert journal.partitions == 4
    assert all(change.config["message.timestamp.type"] == "LogAppendTime" for change in by_name.values())
    assert all(change.config["cleanup.policy"] == "delete" for change in by_name.values())
    assert int(dead.config["max.message.bytes"]) > int(journal.config["max.message.bytes"])


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_one_broker_may_be_away(replicas: int, in_sync: str) -> None:
    """Two replicas must have a record where there are three or more; fewer could not be written with one away."""
    changes = plan(TOPICS, PARTIES, KAFKA.model_copy(update={"replication_factor": replicas}), {})
    assert {(change.replication_factor, change.config["min.insync.replicas"]) for change in changes} == {
        (replicas, in_sync)
    }


def test_what_is_as_wanted_stays() -> None:
    """A second plan after the first is made is empty, also with topics on the cluster that are nobody's here."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    existing["orders"] = Existing(1, 1, {})
    existing["department.abolished.responses"] = Existing(9, 1, {})
    assert plan(TOPICS, PARTIES, KAFKA, existing) == []


def test_a_new_party_gets_its_own_topics_only() -> None:
    """Adding a community adds its two topics and touches nothing else."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    grown = {**PARTIES, "community": [*PARTIES["community"], "sanyiqiao"]}
    assert [change.topic for change in plan(TOPICS, grown, KAFKA, existing)] == [
        "community.sanyiqiao.reports",
        "community.sanyiqiao.answers",
    ]


def test_drift_is_set_right_and_nothing_else() -> None:
    """Only what differs of a topic's configuration is in the change."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    journal = existing["incident.journal"]
    existing["incident.journal"] = replace(journal, config={**journal.config, "retention.ms": "604800000"})
    (change,) = plan(TOPICS, PARTIES, KAFKA, existing)
    assert (change.topic, change.config, change.before) == (
        "incident.journal",
        {"retention.ms": "-1"},
        existing["incident.journal"],
    )


def test_more_replicas_wanted_than_a_topic_has_do_not_make_it_unwritable() -> None:
    """A topic made with one replica doesn't come to need two in sync because the settings now say three."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    assert plan(TOPICS, PARTIES, KAFKA.model_copy(update={"replication_factor": 3}), existing) == []


def test_unequal_partitions_are_refused() -> None:
    """Topics that are read together have one count of partitions; the refusal names each that differs, and the cure."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    for name in ("street.dongsheng.decisions", "incident.journal"):
        existing[name] = replace(existing[name], partitions=3)
    with pytest.raises(TopicsError, match="need 4 partitions") as refusal:
        plan(TOPICS, PARTIES, KAFKA, existing)
    assert "street.dongsheng.decisions has 3, incident.journal has 3" in str(refusal.value)
    assert "WHISTLE_KAFKA__PARTITIONS" in str(refusal.value)


def test_communities_may_have_any_count_of_partitions() -> None:
    """A community's topics are exempt: what is read together with others are its street's decisions."""
    existing = as_made(plan(TOPICS, PARTIES, KAFKA, {}))
    for name in ("community.guangdu.reports", "community.guangdu.answers", "street.dead"):
        existing[name] = replace(existing[name], partitions=7)
    assert plan(TOPICS, PARTIES, KAFKA, existing) == []


@pytest.mark.parametrize("partitions", [3, 5, 65, 128])
def test_partitions_divide_the_shards(partitions: int) -> None:
    """A number of partitions that doesn't divide the shards is refused before anything is looked at."""
    with pytest.raises(TopicsError, match=f"{partitions} partitions don't divide 64 shards"):
        plan(TOPICS, PARTIES, KAFKA.model_copy(update={"partitions": partitions}), {})


@pytest.fixture
def settings(kafka: EmbeddedKafka) -> KafkaSettings:
    """How to reach the real broker."""
    return KAFKA.model_copy(update={"bootstrap_servers": kafka.bootstrap_servers})


@pytest.fixture
def parties() -> Mapping[str, Sequence[str]]:
    """Parties that no other test has."""
    code = f"t{uuid.uuid4().hex[:8]}"
    return {"community": [f"{code}-a", f"{code}-b"], "street": [code], "department": [f"{code}-water"]}


@pytest.fixture
async def admin(kafka: EmbeddedKafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """Somebody else who administers the cluster."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    yield client
    await client.close()


async def test_applying_makes_the_topics_once(settings: KafkaSettings, parties: Mapping[str, Sequence[str]]) -> None:
    """On a real broker the topics are made as planned, can be written at once, and a second time nothing is done."""
    planned = await preview(settings, BY_PARTY, parties)
    assert await apply(settings, BY_PARTY, parties) == planned
    there = await describe(settings)
    for change in planned:
        assert there[change.topic].partitions == change.partitions
        assert there[change.topic].replication_factor == 1
        assert change.config.items() <= there[change.topic].config.items()
    assert await apply(settings, BY_PARTY, parties) == []

    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, acks="all") as producer:
        written = await producer.send_and_wait(f"street.{parties['street'][0]}.decisions", b"{}", timestamp_ms=1)
    assert written.timestamp_type == 1, "the broker's own time"
    assert written.timestamp > 1_600_000_000_000


async def test_previewing_changes_nothing(settings: KafkaSettings, parties: Mapping[str, Sequence[str]]) -> None:
    """A dry run makes no topic, however often it is repeated."""
    first = await preview(settings, BY_PARTY, parties)
    assert await preview(settings, BY_PARTY, parties) == first
    assert not {change.topic for change in first if change.before is None} & set(await describe(settings))


async def test_applying_sets_drift_right_and_keeps_the_rest(
    settings: KafkaSettings, parties: Mapping[str, Sequence[str]], admin: AIOKafkaAdminClient
) -> None:
    """What has drifted is set again, what an operator has set besides stays, and a topic too many is left alone."""
    await apply(settings, BY_PARTY, parties)
    topic, stranger = f"street.{parties['street'][0]}.decisions", f"stranger-{uuid.uuid4().hex}"
    drifted = {"retention.ms": "604800000", "segment.bytes": "1048576", "min.insync.replicas": "1"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, drifted)])
    await admin.create_topics([NewTopic(stranger, 2, 1)])

    async with asyncio.timeout(30):  # a broker hears of a change a moment after it is made
        while True:
            if changes := await preview(settings, BY_PARTY, parties):
                break
            await asyncio.sleep(0.05)
    (change,) = changes
    assert change.topic == topic
    assert set(change.config) == {"retention.ms", "message.timestamp.type", "max.message.bytes"}
    assert await apply(settings, BY_PARTY, parties) == [change]

    there = await describe(settings)
    assert change.config.items() <= there[topic].config.items()
    assert there[topic].own["segment.bytes"] == "1048576"
    assert there[stranger].partitions == 2
    assert await apply(settings, BY_PARTY, parties) == []


async def test_applying_refuses_unequal_partitions_before_it_changes_anything(
    settings: KafkaSettings, parties: Mapping[str, Sequence[str]], admin: AIOKafkaAdminClient
) -> None:
    """One topic of another count of partitions stops everything: no other topic is made."""
    topic = f"street.{parties['street'][0]}.decisions"
    await admin.create_topics([NewTopic(topic, 3, 1)])
    with pytest.raises(TopicsError, match=f"{topic} has 3"):
        await apply(settings, BY_PARTY, parties)
    assert not [name for name in await describe(settings) if name.startswith(f"department.{parties['street'][0]}")]


async def test_two_may_apply_at_once(settings: KafkaSettings, parties: Mapping[str, Sequence[str]]) -> None:
    """Two who apply at the same moment both succeed."""
    await asyncio.gather(*(apply(settings, BY_PARTY, parties) for _ in range(2)))
    assert await apply(settings, BY_PARTY, parties) == []


async def test_too_many_replicas_are_refused_in_a_sentence(
    settings: KafkaSettings, parties: Mapping[str, Sequence[str]]
) -> None:
    """What the broker refuses is told in its own words, with the topic's name."""
    with pytest.raises(TopicsError, match=r"topic community\..*replication factor"):
        await apply(settings.model_copy(update={"replication_factor": 3}), BY_PARTY, parties)


async def whistle_topics(servers: str, home: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `whistle topics` as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from services.router.cli_topics import topics_app; topics_app()",
        *arguments,
        cwd=home,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": servers,
            "WHISTLE_CONFIG": str(ROOT / "deploy" / "config"),
            "COLUMNS": "200",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_makes_the_shipped_directory(tmp_path: Path, cache: Path) -> None:
    """`whistle topics apply` prints what it would do, does it, and has nothing left to do; `show` lists it."""
    async with EmbeddedKafka(tmp_path / "house", cache=cache) as kafka:
        status, out, err = await whistle_topics(kafka.bootstrap_servers, tmp_path, "apply", "--dry-run")
        assert (status, err) == (0, "")
        assert "department.dongsheng-urban.dispatches" in out
        assert "would be made" in out
        status, out, err = await whistle_topics(kafka.bootstrap_servers, tmp_path, "show")
        assert (status, out.count("missing") > 50) == (0, True)
        status, out, err = await whistle_topics(kafka.bootstrap_servers, tmp_path, "apply")
        assert (status, err) == (0, "")
        assert "were made" in out
        status, out, err = await whistle_topics(kafka.bootstrap_servers, tmp_path, "apply", "--dry-run")
        assert (status, out) == (0, "All topics are as wanted: nothing to change.\n")
        status, out, err = await whistle_topics(kafka.bootstrap_servers, tmp_path, "show")
        assert (status, "missing" in out) == (0, False)


@pytest.mark.parametrize("arguments", [["apply"], ["apply", "--dry-run"], ["show"]])
async def test_an_absent_broker_is_one_sentence(arguments: list[str], tmp_path: Path, unused_tcp_port: int) -> None:
    """Where nobody listens, a command ends with status 1 and one sentence that names the address."""
    status, out, err = await whistle_topics(f"127.0.0.1:{unused_tcp_port}", tmp_path, *arguments)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert f"127.0.0.1:{unused_tcp_port}" in err


async def test_a_silent_broker_is_given_up(tmp_path: Path) -> None:
    """Where somebody listens and never answers, the command ends too, within its limit."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with asyncio.timeout(20):
            status, out, err = await whistle_topics(f"{host}:{port}", tmp_path, "apply")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "no answer" in err


async def test_a_missing_configuration_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a directory nothing is asked of the broker, and the sentence says what to set."""
    monkeypatch.setitem(os.environ, "WHISTLE_HOME", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from services.router.cli_topics import topics_app; topics_app()",
        "apply",
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "WHISTLE_CONFIG": "nowhere"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.count(b"\n") == 1
    assert b"WHISTLE_CONFIG" in err
