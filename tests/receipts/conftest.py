"""The room's tables in an empty database, and what somebody with a receipt sees of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.receipts.page import make_page
from services.receipts.store import Told, metadata, save
from services.runtime.clock import WallClock
from services.runtime.database import connect
from services.runtime.settings import DatabaseSettings

KEY = b"a key of thirty-two characters.."
REPORT = UUID("0176cb1e-6c00-7a10-9b3e-2f6f1f0c5d01")
AT = datetime(2021, 3, 1, 2, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The tables, empty."""
    made = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    async with made.begin() as connection:
        await connection.execute(text("CREATE SCHEMA receipts"))
        await connection.run_sync(metadata.create_all)
    yield made
    await made.dispose()


@pytest.fixture
async def page(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who looks."""
    transport = httpx.ASGITransport(app=make_page(engine, KEY, lambda: ZONE, WallClock()))
    async with httpx.AsyncClient(transport=transport, base_url="http://receipts") as client:
        yield client


def told(
    outcome: str, words: str, *, minute: int = 0, community: str = "guangdu", reply_by: datetime | None = None
) -> Told:
    """Something the reporter was told."""
    return Told(uuid4(), community, REPORT, AT.replace(minute=minute), outcome, words, reply_by)


async def tell(engine: AsyncEngine, *page: Told) -> None:
    """Write down what the reporter was told."""
    async with engine.begin() as connection:
        await save(connection, page)
