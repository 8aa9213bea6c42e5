"""Alembic's way in: the tables of every room, each in a schema of its own.

`whistle migrate` passes a connection; Alembic's own command line (`alembic revision --autogenerate`) makes one.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

from services.department.store import metadata as department
from services.ledger.store import metadata as ledger
from services.receipts.store import metadata as receipts
from services.router.store import metadata as router
from services.runtime.clock import metadata as clock
from services.runtime.database import connect
from services.runtime.settings import Settings
from services.street.store import metadata as street
from services.supervision.store import metadata as supervision

METADATA: list[MetaData] = [clock, street, router, department, supervision, ledger, receipts]
SCHEMAS = {each.schema for each in METADATA}


def migrate(connection: Connection) -> None:
    """Run what was asked for on a connection."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name in SCHEMAS,
        version_table_schema="public",
    )
    with context.begin_transaction():
        context.run_migrations()


async def by_itself() -> None:
    """Connect as the settings say."""
    engine = connect(Settings.load().database, "migrations")
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(by_itself())
