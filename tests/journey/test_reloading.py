"""A changed configuration and the real router: used from the next incident on, whole or not at all, by one process."""

import shutil
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from schemas import decision, incident
from schemas.event import Event, parse
from schemas.report import Raised
from schemas.topics import DECISIONS, JOURNAL
from services.configured import load
from services.runtime.clock import set_clock
from tests.journey.conftest import COMMUNITY, STREET, Matter, Said, Town
from tests.journey.house import Process, heard, until

MORNING = datetime.fromisoformat("2021-01-04T09:00:00+08:00")
_FACTS = {fact.type: fact for fact in JOURNAL.facts}


@pytest.fixture
def config(town: Town, tmp_path: Path) -> Path:
    """The shipped configuration, to be changed while the router runs."""
    copied = tmp_path / "config"
    shutil.copytree(town.settings.config, copied)
    return copied


def change(folder: Path, file: str, old: str, new: str) -> str:
    """Replace a text in one of the files, and return the version that this makes, if it makes any."""
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return load(folder).version


async def in_use(router: Process, version: str) -> None:
    """Wait until the router says that a version is in use."""
    wanted = (f'"version": "{version}"', "a changed configuration is in use")
    await until(
        lambda: any(all(each in line for each in wanted) for line in router.told().splitlines()), why=router.told
    )


async def told(town: Town, subject: UUID) -> list[incident.Entry]:
    """Return the history of an incident."""
    events = [parse(each.value, _FACTS) for each in await heard(town.servers, [JOURNAL.name])]
    entries = [each.data for each in events if each.subject == subject]
    return [each for each in entries if isinstance(each, incident.Entry)]


async def dispatched(town: Town) -> list[tuple[str, str]]:
    """Say one more matter of drainage, and return who owes it, by which version."""
    matter = Matter(uuid.uuid4(), "drainage", 0, MORNING)
    await town.say(matter.said())
    await town.drained()

    async def is_told() -> bool:
        return any(isinstance(each, incident.Dispatched) for each in await told(town, matter.id))

    await until(is_told)
    entries = await told(town, matter.id)
    return [(each.department, each.policy.version) for each in entries if isinstance(each, incident.Dispatched)]


async def test_a_new_rule_is_used_for_the_next_incident_and_a_broken_one_never(town: Town, config: Path) -> None:
    """The same process goes on: under the new rules when they are whole, and under the last whole ones otherwise."""
    await set_clock(town.engine, MORNING)
    first = load(config).version
    drainage = "name: drainage\n      matchers: ['category=\"drainage\"']\n      departments: "
    async with town.router("reloading", config) as router:
        assert await dispatched(town) == [("water", first)]
        second = change(config, "routes.yaml", f"{drainage}[water]", f"{drainage}[housing, water]")
        await in_use(router, second)
        assert await dispatched(town) == [("housing", second), ("water", second)]
        routes = (config / "routes.yaml").read_text(encoding="utf-8")
        cut = routes.replace("[housing, water]", "[power]")
        (config / "routes.yaml").write_text(cut[: cut.index("[power]") + 4], encoding="utf-8")
        await until(lambda: "the old one stays in use" in router.told(), why=router.told)
        assert await dispatched(town) == [("housing", second), ("water", second)]
        (config / "routes.yaml").write_text(routes.replace(f"{drainage}[housing, water]", f"{drainage}[nobody]"))
        await until(lambda: "no department is called 'nobody'" in router.told(), why=router.told)
        assert await dispatched(town) == [("housing", second), ("water", second)]
        (config / "routes.yaml").write_text(routes.replace(f"{drainage}[housing, water]", f"{drainage}[transport]"))
        third = load(config).version
        await in_use(router, third)
        assert await dispatched(town) == [("transport", third)]
        assert router.status is None
        assert first in router.told().splitlines()[0]


async def test_a_ladder_that_climbs_sooner_is_climbed_sooner(town: Town, config: Path) -> None:
    """What is due next was reckoned by the old ladder, and is reckoned anew: nobody has to speak first."""
    await set_clock(town.engine, MORNING)
    silent = uuid.uuid4()
    report = Raised(kind="demand", category="other", description="无人管", channel="visit", happened_at=MORNING)
    opened = decision.Opened(community=COMMUNITY, report=report, reported_at=MORNING)
    topic = DECISIONS.named(STREET)

    async def escalated() -> set[str]:
        return {each.post for each in await told(town, silent) if isinstance(each, incident.Escalated)}

    async def reminded() -> bool:
        return any(isinstance(each, incident.Reminded) for each in await told(town, silent))

    async def section_head_is_told() -> bool:
        return await escalated() == {"section-head"}

    async with town.router("reloading", config) as router:
        await town.say([Said(topic, Event(uuid.uuid4(), f"/street/{STREET}", silent, MORNING, opened))])
        await town.drained()
        # The street has a working day to decide; two hours later only a reminder was due, by the ladder as it is.
        await set_clock(town.engine, MORNING + timedelta(days=1, hours=2))
        await until(reminded, why=router.told)
        assert await escalated() == set()
        before, after = (config / "ladders.yaml").read_text(encoding="utf-8").split("  street:\n")
        (config / "ladders.yaml").write_text(
            f"{before}  street:\n{after.replace('after: 4wh', 'after: 1wh', 1)}", encoding="utf-8"
        )
        await in_use(router, load(config).version)
        await until(section_head_is_told, why=router.told)
        await until(lambda: reckoned(town, load(config).version), why=router.told)


async def reckoned(town: Town, version: str) -> bool:
    """Tell whether every shard has been reckoned by a version."""
    async with town.engine.connect() as connection:
        found = await connection.execute(text("SELECT shard, version FROM router.reckoned"))
        versions = [row.version for row in found]
    return versions == [version] * town.settings.kafka.shards
