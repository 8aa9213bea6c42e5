"""The migrations make the tables that the rooms write to."""

from importlib import util
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pydantic import SecretStr
from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import decision
from services.department.store import metadata as department
from services.ledger.store import metadata as ledger
from services.ledger.store import store
from services.receipts.store import metadata as receipts
from services.router.store import metadata as router
from services.runtime.clock import metadata as clock
from services.runtime.database import connect
from services.runtime.migrations import SCRIPTS, upgrade
from services.runtime.settings import DatabaseSettings
from services.street.store import metadata as street
from services.supervision.store import metadata as supervision
from tests.ledger.conftest import Books
from tests.ledger.scenes import History, attached

METADATA: list[MetaData] = [clock, street, router, department, supervision, ledger, receipts]


# As it was before there were these instants.
OLDER = (
    "UPDATE ledger.incident SET state = "
    "regexp_replace(state, ',\"(acknowledged_at|resolved_at|rated_at)\":\"[^\"]*\"', '', 'g')"
)


@pytest.fixture
async def migrated(database_url: str) -> AsyncEngine:
    """A database with every migration run."""
    engine = connect(DatabaseSettings(url=SecretStr(database_url)), "test")
    await upgrade(engine)
    return engine


async def test_columns_stand_in_the_order_they_are_written_in(migrated: AsyncEngine) -> None:
    """Rows are written as arrays of the table's own type, so the order in the database has to be that in the code."""

    def judge(connection: Connection) -> None:
        for metadata in METADATA:
            assert metadata.tables
            for table in metadata.tables.values():
                found = inspect(connection).get_columns(table.name, schema=table.schema)
                assert [each["name"] for each in found] == [each.name for each in table.columns], table.fullname

    async with migrated.connect() as connection:
        await connection.run_sync(judge)
    await migrated.dispose()


async def test_the_migrations_and_the_code_agree(migrated: AsyncEngine) -> None:
    """Nothing is in the code that no migration makes, and nothing the other way round."""

    def differences(connection: Connection) -> list[object]:
        schemas = {each.schema for each in METADATA}
        options = {
            "target_metadata": METADATA,
            "include_schemas": True,
            "version_table_schema": "public",
            "include_name": lambda name, kind, _parents: kind != "schema" or name in schemas,
        }
        found: list[object] = compare_metadata(
            MigrationContext.configure(connection, opts=options),
            METADATA,  # type: ignore[arg-type]  # as many as the options name, which alone it looks at
        )
        return found

    async with migrated.connect() as connection:
        assert await connection.run_sync(differences) == []
    await migrated.dispose()


async def test_a_ledger_that_is_there_gets_its_new_rows(migrated: AsyncEngine) -> None:
    """What the second migration derives of an older ledger is what the room would have written."""
    first, repeat, again = History(), History(community="wudongqiao"), History()
    attached(repeat, first)
    attached(again, first)
    first.called("water", "gas").later(days=9).solved().answered()
    books = Books(migrated, "")
    async with migrated.begin() as connection:
        await connection.execute(text("INSERT INTO ledger.shard (id) SELECT generate_series(0, 63)"))
    await books.write(first, repeat, again, History("hazard", "gas").called("gas", "dongsheng-urban"))
    before = await books.everything()
    assert before["wording"]
    async with migrated.begin() as connection:
        for table in (store.fates.table, store.wordings.table):
            await connection.execute(table.delete())
        await connection.execute(text("UPDATE ledger.obligation SET due_at = NULL"))
        spoilt = "UPDATE ledger.clock SET category = NULL, community = '', status = NULL, lead = NULL"
        await connection.execute(text(spoilt))
        await connection.run_sync(_fill, "0002_ledger_at_a_million")
    assert await books.everything() == before
    await migrated.dispose()


async def test_a_ledger_that_is_there_gets_its_rates(migrated: AsyncEngine) -> None:
    """What the migration of the rates folds again of an older ledger is what the room would have written."""
    lived, gap = History().called("water", "gas").later(days=9).solved().answered(), History().called()
    lived.street(decision.Rated(community=lived.folded.community, report=lived.id, solved=False, satisfied=False))
    lived.later(days=1).solved().answered()
    books = Books(migrated, "")
    async with migrated.begin() as connection:
        await connection.execute(text("INSERT INTO ledger.shard (id) SELECT generate_series(0, 63)"))
    await books.write(lived, History(), History("hazard", "gas").called("gas"))
    await books.hear([gap.causes[0], *gap.causes[2:]])
    before = await books.everything()
    assert len(before["appraisal"]) > 4
    async with migrated.begin() as connection:
        await connection.execute(store.appraisals.table.delete())
        await connection.execute(text(OLDER))
        newer = "SELECT count(*) FROM ledger.incident WHERE state LIKE '%resolved_at%'"
        assert not await connection.scalar(text(newer))
        await connection.run_sync(_fill, "0007_rates")
    assert await books.everything() == before
    await migrated.dispose()


async def test_a_ledger_that_is_there_knows_which_looks_were_taken(migrated: AsyncEngine) -> None:
    """What histories have told of re-inspections before there was a table of them is in it: the first word of each."""
    looked = History("hazard", "gas")
    for holds in (True, False):
        fields: dict[str, Any] = {"community": "guangdu", "inspection": looked.id, "report": looked.id}
        looked.street(decision.Reinspected(**fields, holds=holds))
    books = Books(migrated, "")
    async with migrated.begin() as connection:
        await connection.execute(text("INSERT INTO ledger.shard (id) SELECT generate_series(0, 63)"))
    await books.write(looked)
    before = await books.everything()
    assert before["reinspection"] == [(looked.id, looked.id, looked.id, True)]
    async with migrated.begin() as connection:
        await connection.execute(store.rounds.reinspections.delete())
        await connection.run_sync(_fill, "0011_watching")
    assert await books.everything() == before
    await migrated.dispose()


def _fill(connection: Connection, migration: str) -> None:
    """Run the part of a migration that derives rows."""
    script = Path(SCRIPTS) / "versions" / f"{migration}.py"
    spec = util.spec_from_file_location(migration, script)
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with Operations.context(MigrationContext.configure(connection)):
        module._fill()
