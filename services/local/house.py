"""The whole house on one machine: servers, topics, tables and rooms."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.topics import TOPICS
from services.configured import ConfigurationError, load
from services.local.errors import LocalError
from services.local.kafka import EmbeddedKafka
from services.local.ports import settle_ports
from services.local.postgres import EmbeddedPostgres
from services.runtime import topics
from services.runtime.database import connect, is_transient
from services.runtime.migrations import upgrade
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import HOUSE_FILE, Settings

KAFKA = "WHISTLE_KAFKA__BOOTSTRAP_SERVERS"
DATABASE = "WHISTLE_DATABASE__URL"
CONFIG = "WHISTLE_CONFIG"
PORTS = {
    "WHISTLE_PAGE_PORT": 8080,
    "WHISTLE_PUBLISHER__PORT": 8081,
    "WHISTLE_RECEIPTS_PORT": 8082,
    "WHISTLE_METRICS_PORT": 9308,
}


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Kafka and PostgreSQL are, whether both belong to somebody else, and which configuration the house has."""

    kafka: str
    database: str
    own: bool
    ports: Mapping[str, int]
    config: str

    @property
    def environment(self) -> dict[str, str]:
        """What rooms and commands need to find them."""
        ports = {name: str(port) for name, port in self.ports.items()}
        return {KAFKA: self.kafka, DATABASE: self.database, CONFIG: self.config, **ports}


@asynccontextmanager
async def servers(home: Path) -> AsyncIterator[Servers]:
    """Start the servers that the environment doesn't name, and tell `whistle` in other terminals where they are."""
    async with AsyncExitStack() as stack:
        ports = settle_ports(PORTS, os.environ)
        kafka, database = os.environ.get(KAFKA), os.environ.get(DATABASE)
        own = bool(kafka and database)
        if not database:
            database = (await stack.enter_async_context(EmbeddedPostgres(home))).url
        if not kafka:
            kafka = (await stack.enter_async_context(EmbeddedKafka(home))).bootstrap_servers
        found = Servers(kafka, database, own, ports, config_of(os.environ))
        stack.callback(HOUSE_FILE.unlink, missing_ok=True)
        tell(found)
        yield found


def config_of(environment: Mapping[str, str]) -> str:
    """Return the folder that the environment names, from wherever it is read; what a house before left counts not."""
    given = environment.get(CONFIG)
    return str(Path(given).resolve()) if given else str(Settings.model_fields["config"].default)


def tell(found: Servers) -> None:
    """Write how to reach the house; only its owner may read it, since a database URL may hold a password."""
    HOUSE_FILE.parent.mkdir(parents=True, exist_ok=True)
    HOUSE_FILE.touch(mode=0o600)
    HOUSE_FILE.write_text("".join(f"{name}={value}\n" for name, value in found.environment.items()), encoding="utf-8")


async def install(settings: Settings) -> AsyncEngine:
    """Bring tables and topics to what this version needs, and return a connected engine.

    The key of the receipts is made too: the room that shows them makes none.

    Raises:
        LocalError: the configuration is broken, no key can be made, or a server does not answer.

    """
    try:
        receipt_key(settings, make=True)
    except NoKeyError as error:
        raise LocalError(f"{error}.") from error
    try:
        directory = load(settings.config).directory
    except ConfigurationError as error:
        raise LocalError(str(error)) from error
    engine = connect(settings.database, "local")
    try:
        await upgrade(engine)
    except Exception as error:
        if not is_transient(error):
            raise
        raise LocalError(f"PostgreSQL did not answer ({error}): check WHISTLE_DATABASE__URL.") from error
    try:
        await topics.apply(settings.kafka, TOPICS, directory.parties)
    except topics.TopicsError as error:
        raise LocalError(str(error)) from error
    return engine
