"""Brings the database to the version that this code needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

SCRIPTS = Path(__file__).parents[2] / "deploy" / "migrations"
_LOCK = 0x77_68_69_73
"""Two processes that migrate at once wait for each other (the key is arbitrary, and only ours)."""


async def upgrade(engine: AsyncEngine) -> None:
    """Run every migration that has not run yet, in one transaction; as often as you like."""
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    # Starting alembic's machinery for nothing costs a second of every start.
    at = MigrationContext.configure(connection, opts={"version_table_schema": "public"}).get_current_revision()
    if at == ScriptDirectory.from_config(config).get_current_head():
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
