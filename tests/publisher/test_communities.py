"""Which communities a program knows that goes on while the directory changes."""

import shutil
from pathlib import Path

from services.publisher.communities import Communities
from services.runtime import seal
from services.runtime.files import read, sealed_as
from services.runtime.settings import Settings

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"


def renamed(folder: Path, old: str, new: str) -> None:
    """Replace a text in the directory."""
    text = (folder / "directory.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "directory.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")


async def test_a_new_community_is_known_without_a_restart(tmp_path: Path) -> None:
    """It is found when somebody speaks for it; while the directory is broken, whoever was known stays known."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    communities = Communities(Settings(config=folder), again_s=0)
    assert await communities.judge("guangdu") is None
    assert "no community 'gaoqiao'" in (await communities.judge("gaoqiao") or "")
    renamed(
        folder, "communities:\n", "communities:\n      - {code: gaoqiao, name: 高桥社区, posts: {officer: 网格员}}\n"
    )
    assert await communities.judge("gaoqiao") is None
    renamed(folder, "communities:\n", "communities: [\n")
    assert "no community 'nowhere'" in (await communities.judge("nowhere") or "")
    assert await communities.judge("gaoqiao") is None


async def test_the_directory_is_not_read_for_each_mistake(tmp_path: Path) -> None:
    """Whoever posts nonsense again and again makes nobody read files each time."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    communities = Communities(Settings(config=folder), again_s=60)
    renamed(
        folder, "communities:\n", "communities:\n      - {code: gaoqiao, name: 高桥社区, posts: {officer: 网格员}}\n"
    )
    assert "no community 'gaoqiao'" in (await communities.judge("gaoqiao") or "")


async def test_a_directory_that_is_not_as_it_was_sealed_is_not_believed(tmp_path: Path) -> None:
    """Half of a release makes no community known; with its seal, all of it does."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    seal.write(folder, sealed_as(read(folder)))
    communities = Communities(Settings(config=folder), again_s=0)
    renamed(
        folder, "communities:\n", "communities:\n      - {code: gaoqiao, name: 高桥社区, posts: {officer: 网格员}}\n"
    )
    assert "no community 'gaoqiao'" in (await communities.judge("gaoqiao") or "")
    seal.write(folder, sealed_as(read(folder)))
    assert await communities.judge("gaoqiao") is None
