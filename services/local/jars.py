"""The jars of Apache Kafka: fetched once, checked against the lock, then used without a network."""

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Coordinate

from services.local.errors import LocalError

KAFKA = Coordinate(groupId="org.apache.kafka", artifactId="kafka_2.13", version="4.3.0", scope="compile")
# Kafka brings log4j itself, and not what binds its own logging to it.
LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl")
LOCK = files("services.local") / "kafka-jars.sha256"
FETCH_TIMEOUT_S = 120

log = logging.getLogger(__name__)


async def kafka_jars(cache: Path) -> list[Path]:
    """The jars of Kafka, in the order of the lock, which is the order of the class path.

    Raises `LocalError` when they can't be fetched, or are not the ones that the lock names.
    """
    locked = read_lock(LOCK.read_text(encoding="ascii"))
    jars = [cache / "kafka" / name for name in locked]
    if not all(jar.exists() for jar in jars):
        log.info("fetching Apache Kafka %s (45 MB, once)", KAFKA.version)
        fetched = await asyncio.to_thread(fetch, cache / "maven")
        keep(fetched, locked, cache / "kafka")
    return jars


def read_lock(text: str) -> dict[str, str]:
    """File name → SHA-256, from lines of `sha256  name`."""
    return {name: digest for digest, name in (line.split() for line in text.splitlines() if line)}


def fetch(repository: Path) -> list[Path]:
    """Resolve Kafka and all it needs into `repository`, from where the person's own jgo settings point."""
    remotes = {**MavenContext().remote_repos, **GlobalSettings.load().repositories}
    maven = MavenContext(
        resolver=PythonResolver(), repo_cache=repository, remote_repos=remotes, timeout=FETCH_TIMEOUT_S
    )
    try:
        return [artifact.resolve() for artifact in artifacts(maven)]
    except Exception as error:  # jgo lets through whatever its transport, its XML or its files raise
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise LocalError(
            f"Apache Kafka {KAFKA.version} could not be fetched ({first_line}): "
            "check that this machine reaches a Maven repository, then start again."
        ) from error


def artifacts(maven: MavenContext) -> list[Artifact]:
    """Kafka's jars and its log binding.

    The binding is added by itself: resolved along with Kafka, its own wishes bring an older Kafka client in.
    """
    asked, needed = maven.resolver.resolve([maven.create_dependency(KAFKA)])
    found: list[Artifact] = [
        dependency.artifact for dependency in (*asked, *needed) if dependency.scope in {"compile", "runtime"}
    ]
    version = next(artifact.version for artifact in found if artifact.artifactId == "log4j-core")
    return [*found, maven.project(*LOG_BINDING).at_version(version).artifact()]


def keep(fetched: Iterable[Path], locked: dict[str, str], folder: Path) -> None:
    """Move the fetched jars to where they are used, each once its digest is the lock's.

    Only whole, right files ever stand there, so finding a file there is enough at the next start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {path.name: path for path in fetched}
    for name, digest in locked.items():
        path = by_name.get(name)
        if path is None or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            if path is not None:
                path.unlink()
            raise LocalError(f"The fetched {name} is not the file that was locked: start again to fetch it anew.")
        path.replace(folder / name)


if __name__ == "__main__":
    # Writes the lock anew, after KAFKA was changed: python -m services.local.jars > services/local/kafka-jars.sha256
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        for jar in fetch(Path(scratch)):
            print(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}")  # noqa: T201 - this is its output
