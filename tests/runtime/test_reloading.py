"""A changed configuration: taken over whole, between two batches, or not at all."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from schemas.topics import JOURNAL
from services.configured import STILL_LOOKS, ConfigurationError, Watch, follow, load
from services.domain.configuration import Configuration
from services.router.app import make
from services.router.store import journal
from services.runtime import seal
from services.runtime.files import read, sealed_as
from services.runtime.inlet import Cause
from services.runtime.room import Plumbing, Room
from services.runtime.seal import NAME
from services.runtime.settings import Settings
from services.street.app import make as make_street
from tests.journey.house import until

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped configuration, to be changed."""
    copied = tmp_path / "config"
    shutil.copytree(SHIPPED, copied)
    return copied


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Replace a text in one of the files."""
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def sealed(folder: Path) -> None:
    """Seal the folder as it is."""
    seal.write(folder, sealed_as(read(folder)))


async def looks(watch: Watch, times: int = STILL_LOOKS + 2) -> list[Configuration]:
    """Look so many times, and return what was to be taken over."""
    return [found for found in [await watch.look() for _ in range(times)] if found is not None]


async def test_a_changed_configuration_is_taken_over_once(folder: Path) -> None:
    """It is told when it is there, and not again; what only reads otherwise is no change."""
    before = load(folder)
    watch = Watch(folder, before)
    assert await looks(watch) == []
    change(folder, "policy.yaml", "decide: 1wd", "decide: 2wd")
    [found] = await looks(watch)
    assert found.version == load(folder).version != before.version
    assert watch.current is found
    change(folder, "policy.yaml", "# Who approves", "# Somebody approves")
    assert await looks(watch) == []


@pytest.mark.parametrize("wrong", ["departments: [gass]", "departments: {gas]"])
async def test_a_broken_one_leaves_the_old_one_and_is_told_once(folder: Path, wrong: str) -> None:
    """File, line, cure and the version that stays in use are in the log; mended, it is taken over."""
    watch = Watch(folder, load(folder))
    change(folder, "routes.yaml", "departments: [gas]", wrong)
    with capture_logs() as logs:
        assert await looks(watch, STILL_LOOKS + 4) == []
    [said] = logs
    assert (said["log_level"], said["version"]) == ("error", watch.current.version)
    assert f"{folder}/routes.yaml:" in said["wrong"]
    assert "; " in said["wrong"]
    change(folder, "routes.yaml", wrong, "departments: [gas, fire]")
    with capture_logs() as logs:
        [found] = await looks(watch)
    assert found.plan({"category": "gas"}).assignments[1].department == "fire"
    assert "can be used again" in logs[0]["event"]


async def test_what_is_still_being_written_is_waited_for(folder: Path) -> None:
    """Files that are copied one after the other, each with a look between, are taken over together or not yet."""
    watch = Watch(folder, load(folder))
    await looks(watch)
    text = (folder / "routes.yaml").read_text(encoding="utf-8")
    changed = text.replace("name: gas\n", "name: gas-mains\n")
    for cut in (len(text) // 3, len(text) // 2, len(changed)):
        (folder / "routes.yaml").write_text(changed[:cut], encoding="utf-8")
        assert await watch.look() is None
    [found] = await looks(watch)
    assert found.plan({"category": "gas"}).rules == ("gas-mains",)


async def test_files_that_come_some_seconds_apart_are_taken_over_together(folder: Path) -> None:
    """Each looks whole by itself, and only what nothing has been added to for a while is all there is."""
    watch = Watch(folder, load(folder))
    await looks(watch)
    change(folder, "routes.yaml", "{acknowledge: 4wh, resolve: 5wd}", "{acknowledge: 2wh, resolve: 5wd}")
    assert await looks(watch, STILL_LOOKS - 1) == []
    change(folder, "policy.yaml", "decide: 1wd", "decide: 4wh")
    assert await looks(watch, STILL_LOOKS - 1) == []
    [found] = await looks(watch, 1)
    assert (str(found.routes.deadlines["acknowledge"]), str(found.street.decide)) == ("2wh", "4wh")


async def test_a_sealed_folder_is_believed_only_as_it_was_sealed(folder: Path) -> None:
    """However slowly its files come, or cut at whatever line; with its seal it is taken over at once."""
    sealed(folder)
    before = load(folder)
    watch = Watch(folder, before)
    change(folder, "routes.yaml", "{acknowledge: 4wh, resolve: 5wd}", "{acknowledge: 2wh, resolve: 5wd}")
    text = (folder / "routes.yaml").read_text(encoding="utf-8")
    (folder / "routes.yaml").write_text(text[: text.index("    - name: lighting")], encoding="utf-8")
    with capture_logs() as logs:
        assert await looks(watch, 3 * STILL_LOOKS) == []
    [said] = logs
    assert "SHA256SUMS:" in said["wrong"]
    assert "routes.yaml is not as it was sealed" in said["wrong"]
    with pytest.raises(ConfigurationError, match="not as it was sealed"):
        load(folder)
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    change(folder, "policy.yaml", "decide: 1wd", "decide: 4wh")
    assert await looks(watch) == []
    sealed(folder)
    [found] = await looks(watch, 2)
    assert found.version == load(folder).version != before.version


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda folder: (folder / "policy.yaml").unlink(), "policy.yaml is not here"),
        (lambda folder: (folder / "more.yaml").write_text("route: {}\n"), "more.yaml is not in it"),
        (lambda folder: (folder / NAME).write_text("half a line"), "'half a line' is no line of sha256sum"),
        (lambda folder: (folder / NAME).write_text(""), "calendar.yaml is not in it"),
    ],
)
def test_a_seal_that_doesnt_fit_is_told_with_line_and_cure(
    folder: Path, spoil: Callable[[Path], object], what: str
) -> None:
    """What is missing, what is there beside it, and a seal that was itself cut short."""
    sealed(folder)
    load(folder)
    spoil(folder)
    with pytest.raises(ConfigurationError, match=rf"{NAME}:\d+: error: .*; .*whistle config seal") as refused:
        load(folder)
    assert what in str(refused.value)


def test_a_seal_is_what_sha256sum_writes(folder: Path) -> None:
    """Whoever has no `whistle` where files are released can write it, and everybody can check it."""
    sealed(folder)
    ours = (folder / NAME).read_text(encoding="utf-8")
    subprocess.run(f"sha256sum -c --strict {NAME}", shell=True, cwd=folder, capture_output=True, check=True)  # noqa: S602 - of this module
    theirs = subprocess.run("sha256sum *.yaml", shell=True, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S602, S607 - of this module
    assert theirs.stdout == ours


async def test_what_is_cut_short_is_refused_though_it_makes_sense(folder: Path) -> None:
    """What is left of a file may be a configuration: a rule without its matchers would take everything."""
    watch = Watch(folder, load(folder))
    text = (folder / "routes.yaml").read_text(encoding="utf-8")
    cut = text[: text.index("name: gas\n") + len("name: gas")]
    (folder / "routes.yaml").write_text(cut, encoding="utf-8")
    assert load(folder).plan({"category": "petition"}).rules == ("gas",)
    with capture_logs() as logs:
        assert await looks(watch) == []
    [said] = logs
    assert f"routes.yaml:{cut.count(chr(10)) + 1}: error: this file ends in the middle of a line" in said["wrong"]


async def test_a_folder_that_is_away_is_no_configuration(folder: Path) -> None:
    """Whoever unmounts it, empties it or makes it unreadable stops nobody; when it is back, work goes on as before."""
    watch = Watch(folder, load(folder))
    aside = folder.with_name("aside")
    shutil.move(folder, aside)
    with capture_logs() as logs:
        assert await looks(watch) == []
    assert ["can't be read" in each["wrong"] for each in logs] == [True]
    shutil.copytree(aside, folder, ignore=lambda _, names: names)
    assert await looks(watch) == []
    shutil.rmtree(folder)
    shutil.move(aside, folder)
    assert await looks(watch) == []
    assert watch.current.version == load(folder).version


async def test_a_folder_swapped_by_a_link_is_seen(tmp_path: Path) -> None:
    """Kubernetes links each file to a folder that is itself a link, and moves that link to another folder at once."""
    mounted, link = tmp_path / "mounted", tmp_path / "mounted" / "..data"
    mounted.mkdir()
    for name in ("..one", "..two"):
        shutil.copytree(SHIPPED, mounted / name)
    link.symlink_to("..one")
    for each in SHIPPED.glob("*.yaml"):
        (mounted / each.name).symlink_to(f"..data/{each.name}")
    watch = Watch(mounted, load(mounted))
    assert await looks(watch) == []
    change(mounted / "..two", "policy.yaml", "decide: 1wd", "decide: 2wd")
    assert await looks(watch) == []
    fresh = mounted / "..fresh"
    fresh.symlink_to("..two")
    fresh.rename(link)
    assert len(await looks(watch)) == 1


async def test_a_start_reads_no_half_of_a_folder_that_is_swapped(tmp_path: Path) -> None:
    """What is read while a link is renamed is one release or the other, and never some of each."""
    versions = set()
    for name, decide in (("one", "1wd"), ("two", "4wh")):
        shutil.copytree(SHIPPED, tmp_path / name)
        change(tmp_path / name, "policy.yaml", "decide: 1wd", f"decide: {decide}")
        change(tmp_path / name, "directory.yaml", "name: 双流区", f"name: {name}")
        versions.add(load(tmp_path / name).version)
    current, fresh = tmp_path / "current", tmp_path / "fresh"
    current.symlink_to("two")
    for turn in range(24):
        loading = asyncio.create_task(asyncio.to_thread(load, current))
        await asyncio.sleep(turn * 0.004)
        fresh.symlink_to(("one", "two")[turn % 2])
        fresh.rename(current)
        assert (await loading).version in versions


class Seen:
    """A desk that only tells which it is."""

    def __init__(self, name: str) -> None:
        self.name = name


class SlowBench:
    """A bench that lets others work between each two of its happenings, and notes who decided about each."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, Any]]] = []

    async def handle(self, desk: Seen, happenings: Sequence[int]) -> None:
        """Decide about a batch."""
        decided: list[tuple[int, Any]] = []
        self.batches.append(decided)
        for each in happenings:
            await asyncio.sleep(0)
            decided.append((each, desk.name))


def room(name: str, bench: SlowBench) -> Room:
    """A room with a desk of that name, open as far as `work` needs it."""

    async def publish(_: object) -> None:
        """Say nothing."""

    made = Room(name, (JOURNAL,), None, journal, Settings(), make_desk=lambda _: cast("Any", Seen(name)))
    made.plumbing = cast("Plumbing", SimpleNamespace(bench=bench, relay=SimpleNamespace(publish_written=publish)))
    made.desk = made.make_desk(made.plumbing)
    return made


async def test_a_batch_never_sees_two_configurations() -> None:
    """What is in hand ends as it began, however often the configuration changes meanwhile; the next batch sees it."""
    bench = SlowBench()
    working = room("0", bench)

    async def work() -> None:
        for start in range(0, 400, 10):
            async with working.busy:
                await working.work(range(start, start + 10))

    async def reload() -> None:
        for number in range(1, 30):
            await working.become(room(str(number), bench))
            await asyncio.sleep(0)

    await asyncio.gather(work(), reload())
    desks = [{name for _, name in batch} for batch in bench.batches]
    assert all(len(each) == 1 for each in desks)
    assert len(set.union(*desks)) > 5
    assert [each for batch in bench.batches for each, _ in batch] == list(range(400))
    assert working.desk.name == "29"  # type: ignore[attr-defined]


async def test_whom_a_room_admits_changes_with_its_desk(folder: Path) -> None:
    """A community that is new in the directory is heard from the next batch on, and before that it is a stranger."""
    street = make_street(Settings(config=folder), load(folder))
    street.plumbing = cast("Plumbing", None)
    street.desk = street.make_desk(street.plumbing)
    spoke = cast("Cause", SimpleNamespace(party="community", code="gaoqiao"))
    assert street.admit(spoke) == "the community gaoqiao is not in the directory"
    new = "communities:\n      - {code: gaoqiao, name: 高桥社区, posts: {officer: 网格员}}\n"
    change(folder, "directory.yaml", "communities:\n", new)
    await street.become(make_street(street.settings, load(folder)))
    assert street.admit(spoke) is None


async def test_a_room_follows_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room becomes what it would be if it were started now: its desk, and whom it admits; the log names both."""
    monkeypatch.setattr("services.configured.LOOK_EVERY_S", 0.01)
    settings = Settings(config=folder)
    before = load(folder)
    running = make(settings, before)
    running.plumbing = cast("Plumbing", None)
    running.desk = running.make_desk(running.plumbing)
    following = asyncio.ensure_future(follow(running, Watch(folder, before), make))
    change(folder, "policy.yaml", "decide: 1wd", "decide: 2wd")
    with capture_logs() as logs:
        await until(lambda: running.desk.configuration.version != before.version)  # type: ignore[attr-defined]
    following.cancel()
    after = load(folder).version
    assert running.desk.configuration.version == after  # type: ignore[attr-defined]
    assert [(each["version"], each["before"]) for each in logs] == [(after, before.version)]
