"""The README and the decision records name nothing that isn't there: they are held against the tree they describe."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from schemas.topics import ROOMS_WITH_DEAD_LETTERS, TOPICS, dead_letters
from services.cli import app
from services.configured import load
from services.ledger.settings import LedgerSettings
from services.local.rooms import ROOMS
from services.local.sample import Sample
from services.monitor.settings import MonitorSettings
from services.publisher.reading import Fault, read_lines
from services.publisher.settings import PublisherSettings
from services.receipts.settings import ReceiptsSettings
from services.runtime.settings import DatabaseSettings, KafkaSettings

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "services/decisions"
README = ROOT / "README.md"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
PAGES = [README, DECISIONS / "README.md", *RECORDS]
TEXT = README.read_text(encoding="utf-8")
SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, and what it says."""

    language: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]


def of(language: str) -> list[str]:
    """Return the blocks in a language."""
    return [block.text for block in BLOCKS if block.language == language]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def spans() -> list[str]:
    """Return what stands between backticks in the running text of every page, each once."""
    return sorted({each for page in PAGES for each in SPAN.findall(prose(page))})


def shell_lines() -> Iterator[list[str]]:
    """Yield each command of the shell blocks as words, without comments and without what goes into files."""
    for block in of("sh"):
        for line in re.sub(r"<<'END'\n.*?^END$", "", block, flags=re.MULTILINE | re.DOTALL).splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def whistle_lines() -> list[str]:
    """Return the lines of the shell blocks that begin with `whistle`, without that word, each once."""
    return list(dict.fromkeys(shlex.join(words[1:]) for words in shell_lines() if words[0] == "whistle"))


Command = TyperGroup | TyperCommand


def found_command(words: list[str]) -> tuple[Command, list[str]]:
    """Return the command that words lead to, and the words left."""
    command: Any = get_command(app)
    while words and isinstance(command, TyperGroup):
        context = command.make_context("whistle", [], resilient_parsing=True)
        found = command.get_command(context, words[0])
        if found is None:
            break
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("line", whistle_lines())
def test_every_command_of_a_block_can_be_given(line: str) -> None:
    """Commands, options, choices and whatever is required are as the program has them."""
    command, words = found_command(shlex.split(line))
    words = [word for word in words if word != "--help"]
    if words or shlex.split(line)[-1] != "--help":
        context = command.make_context("whistle", words)
        left = [*getattr(context, "_protected_args", ()), *context.args]
        assert not left, f"nobody takes {left}"


@pytest.mark.parametrize("span", [each for each in spans() if re.match(r"whistle( |$)", each)])
def test_every_command_in_the_text_is_there(span: str) -> None:
    """What is named in passing has the options it is named with; the rest of it may be left out."""
    command, words = found_command(shlex.split(span)[1:])
    options = {name for each in command.params for name in each.opts} | {"--help"}
    assert not [word for word in words if word.startswith("--") and word not in options]
    assert not (isinstance(command, TyperGroup) and words and not words[0].startswith("-")), f"no command {words[0]}"


@pytest.mark.parametrize(
    "line", [each for each in whistle_lines() if each.startswith(("route test", "route show", "config "))]
)
def test_every_command_that_needs_only_files_succeeds(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped configuration is good, and the routes tried in the README lead where it says."""
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, shlex.split(line))
    assert result.exit_code == 0, result.output


def test_every_party_spoken_for_is_in_the_directory() -> None:
    """Who is named after --as, --community, --department or --section takes part."""
    directory = load(ROOT / "deploy/config").directory
    known = {each.code for each in (*directory.communities, *directory.streets, *directory.departments)}
    named = re.findall(r"--(?:as|community|department|section) (\S+)", " ".join(whistle_lines()))
    assert named
    assert set(named) <= known


def test_every_incident_is_one_of_the_sample() -> None:
    """An id that is to be copied begins one report's id and no other's."""
    ids = [str(each.id) for each in Sample.load(None).reports]
    named = set(re.findall(r"\b[0-9a-f]{8}(?:-[0-9a-f-]{27})?\b", " ".join(whistle_lines())))
    assert named
    assert {each: sum(known.startswith(each) for known in ids) for each in named} == dict.fromkeys(named, 1)


def test_the_file_of_reports_is_valid() -> None:
    """Each line of the file that a community writes is a report."""
    [text] = re.findall(r"<<'END'\n(.*?)^END$", "".join(of("sh")), re.MULTILINE | re.DOTALL)
    read = list(read_lines(text.encode().splitlines(keepends=True)))
    assert len(read) == text.count("\n") - 1
    assert not [each for each in read if isinstance(each, Fault)]


@pytest.mark.parametrize("code", of("python"))
def test_every_program_compiles_and_finds_its_imports(code: str) -> None:
    """A program that is to be copied is Python, and what it imports is there."""
    tree = ast.parse(code)
    compile(tree, "README.md", "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert not [each.name for each in node.names if not hasattr(module, each.name)]
        elif isinstance(node, ast.Import):
            for each in node.names:
                importlib.import_module(each.name)


@cache
def article() -> dict[str, Any]:
    """Return the figures of the article by their path in the ledger's JSON."""
    content = yaml.safe_load((ROOT / "services/local/sample/article.yaml").read_text(encoding="utf-8"))
    return {each["name"]: each for each in content["figures"]}


def test_the_json_shown_has_the_figures_of_the_article() -> None:
    """The line is the ledger's, and agrees with the article wherever the article says something."""
    [line] = of("json")
    shown = json.loads(line)
    for path, figure in article().items():
        found = shown
        for key in path.split("."):
            found = found[key]
        assert (path, found) == (path, figure["value"])
    assert (shown["lost"], shown["duplicates"]) == (0, 0)


def test_the_table_shown_has_the_figures_of_the_article() -> None:
    """Each line of the table is one of the article's, with the figure that it prints, counted twice."""
    named = {each["zh"]: each for each in article().values()}
    [printed_ledger] = of("text")
    rows = re.findall(
        r"│ (\S+)\s+│ ([^│]+?)\s+│\s+(\d+)[^│]*│\s+(\d+) │", printed_ledger.split("the article beside")[1]
    )
    assert rows
    for zh, en, printed, counted in rows:
        assert (en, int(printed), int(counted)) == (named[zh]["en"], named[zh]["value"], named[zh]["value"])


def test_the_year_is_as_long_as_it_says() -> None:
    """The number of reports, inspections and acts in the sample is the sample's."""
    sample = Sample.load(None)
    assert f"{len(sample.reports) + len(sample.inspections) + len(sample.script):,} reports" in TEXT


def test_every_make_target_is_there() -> None:
    """Whatever is made in the text or in a block can be made."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for words in shell_lines() if words[0] == "make"}
    named |= {found for span in spans() for found in re.findall(r"^make ([a-z-]+)", span)}
    assert {"run", "test"} <= named <= targets


@pytest.mark.parametrize("span", [each for each in spans() if re.match(r"(schemas|services|tests|deploy)/", each)])
def test_every_place_is_there(span: str) -> None:
    """A path between backticks exists, and so does what `::` names in it."""
    path, _, name = span.partition("::")
    assert (ROOT / path).exists()
    if name:
        code = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(?:(?:async )?def|class) {name}\b|^{name} =", code, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link is to a file of the repository."""
    links = re.findall(r"\]\(([^)#]+)", prose(page))
    assert not [each for each in links if not each.startswith("http") and not (page.parent / each).exists()]


def test_every_variable_is_a_setting() -> None:
    """Whatever is to be set from outside is read by somebody, and has the default that is told."""
    known: dict[str, Any] = {}
    for prefix, kind in (
        ("", LedgerSettings),
        ("", MonitorSettings),
        ("", ReceiptsSettings),
        ("PUBLISHER__", PublisherSettings),
        ("KAFKA__", KafkaSettings),
        ("DATABASE__", DatabaseSettings),
    ):
        known |= {f"WHISTLE_{prefix}{name}".upper(): field.default for name, field in kind.model_fields.items()}
    # As it is where this runs may be another folder.
    known["WHISTLE_HOME"] = ".whistle"
    known["WHISTLE_INSTANCE"] = "the host's name"
    assert set(re.findall(r"\bWHISTLE_[A-Z_]+\b", TEXT)) <= set(known)
    told = re.findall(r"^\| `(WHISTLE_[A-Z_]+)` \| `?([^|`]+?)`? \|", TEXT, re.MULTILINE)
    assert told
    assert told == [(name, str(known[name])) for name, _ in told]


def test_the_picture_has_every_room_and_topic() -> None:
    """The flow is drawn with the rooms there are, and with every topic of the registry."""
    [picture] = of("mermaid")
    assert set(re.findall(r"^    (\w+)\[", picture, re.MULTILINE)) == set(ROOMS)
    drawn = set(re.findall(r'-- "(.+?)" -->', picture))
    assert drawn == {each.name.replace("{code}", "*") for each in TOPICS}
    assert dead_letters("<room>") in spans()
    assert set(ROOMS_WITH_DEAD_LETTERS) <= set(ROOMS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_every_record_has_its_parts(record: Path) -> None:
    """A decision says what was at stake, what was decided and rejected, and what would make us look again."""
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.stem[:4]}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Rejected", "Revisit when"]
    assert re.search(r"^Status: \w+", text, re.MULTILINE)
    assert f"]({record.name})" in (DECISIONS / "README.md").read_text(encoding="utf-8")


def test_records_are_numbered_without_gaps() -> None:
    """Each number is there once, from 0001."""
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]
