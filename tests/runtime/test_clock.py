"""The time by which somebody speaks who is outside of the house."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from services.runtime.clock import present, set_clock
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings

AT = datetime(2021, 3, 1, 2, tzinfo=UTC)


async def test_who_speaks_to_a_house_of_sample_time_speaks_in_that_time(database_url: str) -> None:
    """What is inspected now was not inspected years after everything else."""
    settings = DatabaseSettings(url=SecretStr(database_url))
    engine = connect(settings, "test")
    await upgrade(engine)
    assert abs(await present(settings) - datetime.now(UTC)) < timedelta(minutes=1)
    await set_clock(engine, AT)
    await engine.dispose()
    assert await present(settings) == AT


async def test_without_a_database_the_time_is_the_wall_s() -> None:
    """A community must be able to speak where it reaches Kafka alone."""
    nowhere = DatabaseSettings(url=SecretStr("postgresql+asyncpg://nobody@127.0.0.1:9/none"))
    assert abs(await present(nowhere) - datetime.now(UTC)) < timedelta(minutes=1)
