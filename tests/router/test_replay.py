"""`whistle route replay`: what the router remembers, judged by another configuration."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from services.configured import load
from services.router import store
from services.router.cli import route_app
from services.runtime.database import connect
from services.runtime.migrations import upgrade
from services.runtime.settings import DatabaseSettings, Settings
from tests.bench.million import fill

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
MANY = 2_500
app = typer.Typer()
app.add_typer(route_app, name="route")


@pytest.fixture(scope="module")
async def engine(postgres: Any) -> AsyncIterator[AsyncEngine]:
    """A database with more incidents than a page has, of half a year."""
    url = await postgres.create_database("replay")
    settings = Settings(database=DatabaseSettings.model_validate({"url": url}), config=SHIPPED)
    made = connect(settings.database, "test")
    await upgrade(made)
    await fill(made, settings, MANY)
    yield made
    await made.dispose()
    await postgres.drop_database("replay")


async def replay(engine: AsyncEngine, *arguments: str) -> Result:
    """What the command says of this database."""
    url = engine.url.render_as_string(hide_password=False)
    runner = CliRunner(env={"WHISTLE_DATABASE__URL": url})
    return await asyncio.to_thread(runner.invoke, app, ["route", "replay", *arguments])


def lines(result: Result) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What is told of each incident, and the counts."""
    assert result.exit_code == 0, result.output
    *each, counts = [json.loads(line) for line in result.stdout.splitlines()]
    return each, counts


async def remembered(engine: AsyncEngine) -> dict[UUID, Any]:
    """Every state that the router has."""
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT id, state FROM router.incident"))).all()
    return {row.id: store.incidents.read(row.state) for row in rows}


async def test_the_rules_by_which_all_went_send_nothing_elsewhere(engine: AsyncEngine) -> None:
    """Every incident is looked at, over all pages, and none would have gone elsewhere."""
    each, counts = lines(await replay(engine, "--since", "2000-01-01", "--config", str(SHIPPED), "--json"))
    assert each == []
    assert counts == {"version": load(SHIPPED).version, "incidents": MANY, "elsewhere": 0}


async def test_what_another_configuration_would_have_sent_elsewhere_is_told(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """Each incident of the categories it changes, with who was called by which rule and version, and who would be."""
    states = await remembered(engine)
    called = Counter(each.report.category for each in states.values())
    category = min(called, key=lambda each: (called[each], each))
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    routes = (SHIPPED / "routes.yaml").read_text(encoding="utf-8")
    new = (
        f"  routes:\n    - {{name: moved, matchers: ['category=\"{category}\"'], departments: [civil-affairs, gas]}}\n"
    )
    (folder / "routes.yaml").write_text(routes.replace("  routes:\n", new, 1), encoding="utf-8")
    version = load(folder).version
    each, counts = lines(await replay(engine, "--since", "2000-01-01", "--config", str(folder), "--json"))
    assert counts == {"version": version, "incidents": MANY, "elsewhere": called[category]}
    assert {UUID(line["incident"]) for line in each} == {
        key for key, state in states.items() if state.report.category == category
    }
    for line in each:
        state = states[UUID(line["incident"])]
        assert line["category"] == category
        assert line["would"] == [
            {"department": department, "rule": "moved", "version": version} for department in ("civil-affairs", "gas")
        ]
        first = [each for each in state.obligations.values() if each.dispatched_at == state.called_at]
        assert line["was"] == [
            {"department": each.department, "rule": each.policy.rule, "version": each.policy.version} for each in first
        ]
    told = await replay(engine, "--since", "2000-01-01", "--config", str(folder))
    assert told.exit_code == 0
    assert f"{MANY} incidents, {called[category]} of them would have gone elsewhere by version {version}" in told.stdout
    assert told.stdout.count(f"would be civil-affairs, gas (moved of {version})") == called[category]


async def test_only_what_was_reported_in_that_time_is_looked_at(engine: AsyncEngine) -> None:
    """From an instant on, and before another; in the configured zone where none is given."""
    states = await remembered(engine)
    middle = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
    later = middle + timedelta(days=7)
    wanted = sum(middle <= each.reported_at < later for each in states.values())
    assert 0 < wanted < MANY
    times = ["--since", middle.isoformat(), "--until", later.isoformat()]
    _, counts = lines(await replay(engine, *times, "--config", str(SHIPPED), "--json"))
    assert counts["incidents"] == wanted


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "spring"],
        ["--since", "2021-03-01", "--until", "2021-03-01"],
        ["--since", "2021-03-01", "--until", "x"],
    ],
)
async def test_a_time_that_is_none_is_status_2(engine: AsyncEngine, arguments: list[str]) -> None:
    """One sentence, and nothing is read."""
    result = await replay(engine, *arguments, "--config", str(SHIPPED))
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.strip().splitlines()) == 1
