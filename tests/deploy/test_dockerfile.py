"""The Dockerfile, as far as it can be checked where no container engine is at hand."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy" / "Dockerfile"
IGNORE = ROOT / "deploy" / "Dockerfile.dockerignore"
Instruction = tuple[str, str]


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    """The instructions of each stage, in order; continued lines are joined, comments are gone."""
    text = re.sub(r"^\s*#.*\n", "", PATH.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def copied(stage: list[Instruction]) -> list[str]:
    """Return what a stage copies from the project's folder."""
    return [
        source
        for word, rest in stage
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]


def test_what_is_copied_is_there(stages: list[list[Instruction]]) -> None:
    """Every source of a COPY exists in the project."""
    sources = [source for stage in stages for source in copied(stage)]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_what_is_copied_is_not_ignored(stages: list[list[Instruction]]) -> None:
    """The list of what may get into the image, and the Dockerfile, name the same."""
    lines = IGNORE.read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert allowed == {source for stage in stages for source in copied(stage)}


def test_packages_are_those_of_the_lock(stages: list[list[Instruction]]) -> None:
    """Packages come from the lock, each with its hash; the project itself brings none."""
    installing = [rest for stage in stages for word, rest in stage if word == "RUN" and "pip install" in rest]
    assert len(installing) == 2
    assert "pip install --require-hashes -r deploy/requirements.txt" in installing[0]
    assert "pip install --no-deps --no-build-isolation" in installing[1]


def test_the_embedded_servers_are_left_out(stages: list[list[Instruction]]) -> None:
    """What only a house on one machine needs is taken out again before the image is made of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    local = {re.split(r"[<>=]", each)[0] for each in project["optional-dependencies"]["local"]}
    (removed,) = re.findall(r"pip uninstall --yes ([\w -]+)", "\n".join(rest for _, rest in stages[0]))
    assert set(removed.split()) == local


def test_the_image_runs_as_nobody_in_particular(stages: list[list[Instruction]]) -> None:
    """The last stage ends as a user by number, who isn't root, and holds no compiler's leftovers: two stages."""
    assert len(stages) == 2
    users = [rest for word, rest in stages[-1] if word == "USER"]
    assert [re.fullmatch(r"[1-9]\d*:[1-9]\d*", each) is not None for each in users] == [True]


def test_the_python_is_new_enough(stages: list[list[Instruction]]) -> None:
    """Both stages have the same Python, which the project accepts: the packages are moved from one to the other."""
    images = {rest.split()[0] for stage in stages for word, rest in stage if word == "FROM"}
    assert len(images) == 1
    version = re.match(r"python:(\d+)\.(\d+)", images.pop())
    assert version is not None
    assert (int(version[1]), int(version[2])) >= (3, 11)
