"""`whistle route test --file`: tries cases against the routes, and tells each thing that is otherwise than expected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from services.domain.case_reading import read_cases
from services.domain.cases import Case, Difference, differences
from services.domain.configuration import Configuration
from services.runtime.files import read
from services.runtime.terminal import BAD_INPUT, FAILED, stop

Judged = tuple[Case, Sequence[Difference]]


def try_cases(path: Path, configuration: Configuration, *, as_json: bool) -> None:
    """Tell every difference; the status is 1 where there is one, and 2 where the file can't be used."""
    try:
        found = [(case, list(differences(case, configuration))) for case in _cases(path, configuration)]
    except ValueError as error:
        stop(str(error), BAD_INPUT)
    if as_json:
        typer.echo(json.dumps(_as_json(configuration, found), ensure_ascii=False))
    else:
        _tell(configuration, found)
    if any(different for _, different in found):
        raise typer.Exit(FAILED)


def _cases(path: Path, configuration: Configuration) -> list[Case]:
    try:
        documents = read(path)
    except OSError as error:
        stop(f"{path} can't be read ({error.strerror}): give --file a YAML file of cases", BAD_INPUT)
    if path.is_dir() or not documents:
        stop(f"{path} is a folder: give --file a YAML file of cases", BAD_INPUT)
    cases, problems = read_cases(documents[0], configuration)
    if problems:
        stop("\n".join(str(each) for each in problems), BAD_INPUT)
    return cases


def _tell(configuration: Configuration, found: Sequence[Judged]) -> None:
    for case, different in found:
        for each in different:
            typer.echo(
                f"{case.file}:{case.line}: {case.name}: {each.what}: expected {each.expected}, got {each.got}", err=True
            )
    wrong = sum(bool(different) for _, different in found)
    typer.echo(f"{len(found)} cases, {wrong} of them otherwise than expected: version {configuration.version}")


def _as_json(configuration: Configuration, found: Sequence[Judged]) -> dict[str, object]:
    return {
        "version": configuration.version,
        "cases": len(found),
        "different": [
            {
                "name": case.name,
                "file": case.file,
                "line": case.line,
                "differences": [{"what": each.what, "expected": each.expected, "got": each.got} for each in different],
            }
            for case, different in found
            if different
        ],
    }
