"""The process of one Kafka broker that is its own controller (KRaft): format, start, ask whether it answers, stop."""

import asyncio
import base64
import contextlib
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.local.errors import LocalError
from services.local.ports import HOST, busy, is_free
from services.local.process import ENVIRONMENT, STOP_GRACE_S, ServerProcess, reached, telling_line

READY_LIMIT_S = 90.0
PORT_FREED_LIMIT_S = 10.0

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    # Relative to the home, where the broker runs: a properties file can't hold every path as it is.
    "log.dirs": "kafka",
    "auto.create.topics.enable": "false",
    # Its default of 5 ms makes one commit cost 6 ms instead of 1.6.
    "group.coordinator.append.linger.ms": "0",
    "group.initial.rebalance.delay.ms": "0",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "2",
    # After a crash the new broker must wait until the old one's session ends: 3 s, not 9.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # One house doesn't need the threads and buffers of a data centre (the cleaner alone would take 128 MB).
    "log.cleaner.dedupe.buffer.size": "16777216",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
}


class Broker:
    """A broker with its data in `home/kafka` and its log in `home/logs/kafka.log`, on two ports of this machine.

    `java` is the command up to the main class. Raises `LocalError`.
    """

    def __init__(
        self, home: Path, java: Sequence[str], ports: tuple[int, int], settings: Mapping[str, str] | None = None
    ) -> None:
        self._home = home
        self._java = java
        self._ports = ports
        self._own_settings = dict(settings or {})
        self._process = ServerProcess("Kafka", home / "logs" / "kafka.log")

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, `host:port`."""
        return f"{HOST}:{self._ports[0]}"

    @property
    def alive(self) -> bool:
        """Whether the broker's process is running."""
        return self._process.alive

    @property
    def pid(self) -> int:
        """The broker's process id; 0 before the start."""
        return self._process.pid

    async def start(self) -> None:
        """Start the broker and wait until it answers; its data folder is made at the first start."""
        if not await reached(lambda: all(map(is_free, self._ports)), PORT_FREED_LIMIT_S):
            raise busy(self._ports[0])
        self._write_settings()
        await self._format_once()
        # Killed outright when the house dies: its log is made for that, and nothing can hold it up.
        main = ("kafka.Kafka", "kafka.properties")
        self._process.start([*self._java, *main], cwd=self._home, death_signal=signal.SIGKILL)
        await self._judge_ready()

    async def stop(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """Stop the broker cleanly; after `grace_s` seconds, by force."""
        await self._process.stop(signal.SIGTERM, grace_s=grace_s)

    async def kill(self) -> None:
        """End the broker at once, as a crash would."""
        await self._process.stop(signal.SIGKILL)

    def _write_settings(self) -> None:
        port, controller_port = self._ports
        settings = {
            **SETTINGS,
            "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            **self._own_settings,
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._home / "kafka.properties").write_text(text, encoding="ascii")

    async def _format_once(self) -> None:
        """Make the data folder a Kafka one, where it isn't one yet."""
        if self._meta.exists():
            return
        arguments = ("format", "--cluster-id", new_cluster_id(), "--config", "kafka.properties", "--ignore-formatted")
        process = await asyncio.create_subprocess_exec(
            *self._java,
            "kafka.tools.StorageTool",
            *arguments,
            cwd=self._home,
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise LocalError(
                f"Kafka's data folder {self._home / 'kafka'} could not be formatted ({telling_line(output)}): "
                "mend that or move the folder away, then start again."
            )

    async def _judge_ready(self) -> None:
        """Wait until a broker answers on the port, and make sure that it is the one just started.

        One started on a busy port ends, while the other one there answers in its place.
        """
        if not await reached(lambda: not self.alive or not is_free(self._ports[0]), READY_LIMIT_S):
            raise self._process.failure(f"did not open its port within {READY_LIMIT_S:.0f} s")
        answered = await self._answered_cluster_id()
        if not self.alive:
            raise self._process.failure("ended while it was starting")
        if answered != self._formatted_cluster_id():
            raise LocalError(
                f"Another Kafka answers on {self.bootstrap_servers}: stop it or ask for another port, then start again."
            )

    async def _answered_cluster_id(self) -> str:
        """The cluster id that the broker on our port gives; empty when our process ends before one is given."""
        until = time.monotonic() + READY_LIMIT_S
        while self.alive:
            with contextlib.suppress(KafkaError, OSError):
                return await ask_cluster_id(self.bootstrap_servers)
            if time.monotonic() > until:
                raise self._process.failure(f"did not answer within {READY_LIMIT_S:.0f} s")
            await asyncio.sleep(0.1)
        return ""

    def _formatted_cluster_id(self) -> str:
        lines = self._meta.read_text(encoding="ascii").splitlines()
        return next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))

    @property
    def _meta(self) -> Path:
        return self._home / "kafka" / "meta.properties"


async def ask_cluster_id(bootstrap_servers: str) -> str:
    """The id of the cluster that answers there; raises `KafkaError` when none does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=10_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    return str(cluster["cluster_id"])


def new_cluster_id() -> str:
    """A fresh cluster id: 16 random bytes in URL-safe base64, not beginning with a dash, which looks like an option."""
    while (cluster_id := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return cluster_id
