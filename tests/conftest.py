"""What every test may ask for: a real broker, a real database server, and an empty database of its own."""

import atexit
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

# A folder for this session alone: where pytest's own is shared, another session that starts takes the way to it from
# PostgreSQL, which as root runs as a user of its own. And no house that runs here lends its settings to a test.
SESSION = tempfile.mkdtemp(prefix="whistle-tests-")
os.environ["PYTEST_DEBUG_TEMPROOT"] = SESSION
os.environ["WHISTLE_HOME"] = f"{SESSION}/home"
# What is started in the background of a script ignores Ctrl-C, and so would every program that a test stops by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(shutil.rmtree, SESSION, ignore_errors=True)

from services.local.kafka import EmbeddedKafka  # noqa: E402 - the environment comes first
from services.local.postgres import EmbeddedPostgres  # noqa: E402 - as above

# The machine may be busy with other things; how long one example takes is no promise.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Shared with `make run`, so that Kafka is fetched and prepared once.
CACHE = Path(__file__).parents[1] / ".whistle" / "cache"


@pytest.fixture(scope="session")
def cache() -> Path:
    """The folder that keeps what is fetched or prepared once."""
    return CACHE


@pytest.fixture(scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedKafka]:
    """One broker for the session; a test that stops it starts it again."""
    async with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), cache=CACHE) as broker:
        yield broker


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """One database server for the session; a test that stops it starts it again."""
    async with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The URL of a fresh, empty database, which is removed after the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield await postgres.create_database(name)
    await postgres.drop_database(name)
