"""The README tells nothing that isn't there: its commands, code, figures, tests and places are held against the tree."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from typer.main import get_command

from services.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDS = sorted((ROOT / "services/decisions").glob("[0-9]*.md"))
WRITTEN = [ROOT / "README.md", ROOT / "services/decisions/README.md", *RECORDS]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, and what it says."""

    language: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]


def shell_lines() -> Iterator[list[str]]:
    """Yield each command of the shell blocks as words, without comments and what goes into files."""
    for block in BLOCKS:
        if block.language != "sh":
            continue
        without_files = re.sub(r"<<'END'\n.*?^END$", "", block.text, flags=re.MULTILINE | re.DOTALL)
        for line in without_files.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def lines_of(program: str) -> list[list[str]]:
    """Return what follows a program's name, for each line that begins with it."""
    return [words[1:] for words in shell_lines() if words[0] == program]


def inline(pattern: str) -> list[str]:
    """Return what is written between backticks, in every page, where all of it matches."""
    pages = (re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S) for page in WRITTEN)
    found = (each for page in pages for each in re.findall(r"`([^`\n]+)`", page))
    return sorted({each for each in found if re.fullmatch(pattern, each)})


@pytest.mark.parametrize("words", lines_of("whistle"), ids=" ".join)
def test_each_command_is_one(words: list[str]) -> None:
    """Every `whistle` line of a shell block parses: its commands, options, choices and required values are there."""
    parsed(words)


@pytest.mark.parametrize("text", inline(r"whistle( .+)?"))
def test_each_command_named_in_passing_is_one(text: str) -> None:
    """A command in the running text exists, with the options named; what it needs besides may be left out."""
    command: click.Command = get_command(app)
    context = click.Context(command)
    words = shlex.split(text)[1:]
    while words and isinstance(command, click.Group) and (found := command.get_command(context, words[0])):
        command, words = found, words[1:]
    options = {name for each in command.params for name in each.opts} | {"--help"}
    assert not [word for word in words if word.startswith("--") and word not in options]
    assert not (words and isinstance(command, click.Group) and not words[0].startswith("-")), f"no command {words[0]}"


def parsed(words: list[str]) -> click.Context:
    """Parse a line as the command would, without running anything."""
    command: click.Command = get_command(app)
    context = command.make_context("whistle", list(words)) if words != ["--help"] else click.Context(command)
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        found = context.command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        context = found.make_context(rest[0], rest[1:], parent=context)
    return context


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)(?=[ `\n])", TEXT)) & {"x"} or []))
def test_placeholder(target: str) -> None:
    assert target
