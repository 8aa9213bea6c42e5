"""`whistle route` and `whistle config`: an operator tries a tree before it is real."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner, Result

from services.router.cli import config_app, route_app

SHIPPED = str(Path(__file__).parents[2] / "deploy" / "config")
TREE = """
route:
  routes:
  - name: power
    matchers: ['category="power"']
    departments: [grid, housing, grid]
    deadlines: {acknowledge: 3wh, arrive: 30m}
    continue: true
  - name: estate
    matchers: ['estate=~".*花园"']
    departments: [housing, street]
    deadlines: {resolve: 2d}
    ladder: short
"""

app = typer.Typer()
app.add_typer(route_app, name="route")
app.add_typer(config_app, name="config")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with nothing but a tree."""
    path = tmp_path / "tree.yaml"
    path.write_text(TREE, encoding="utf-8")
    return str(path)


def whistle(*arguments: str) -> Result:
    """What the command does with these arguments."""
    return CliRunner().invoke(app, arguments)


def told(*arguments: str) -> dict[str, Any]:
    """What the command says in JSON, on one line."""
    result = whistle("route", "test", *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_json_says_who_by_when_and_up_which_ladder(file: str) -> None:
    """Departments in order, each once, with rules, instants in the configured zone, and each one's own policy."""
    answer = told("category=power", "estate=王府花园", "--config", file, "--at", "2021-03-01T10:00")
    assert answer["departments"] == ["grid", "housing", "street"]
    assert answer["rules"] == ["power", "estate"]
    assert answer["at"] == "2021-03-01T10:00:00+08:00"
    assert answer["deadlines"] == {
        "acknowledge": "2021-03-01T14:00:00+08:00",
        "resolve": "2021-03-08T10:00:00+08:00",
        "arrive": "2021-03-01T10:30:00+08:00",
    }
    assert answer["ladder"] == "district"
    assert answer["obligations"][2] == {
        "department": "street",
        "role": "support",
        "rule": "estate",
        "deadlines": {"acknowledge": "2021-03-01T15:00:00+08:00", "resolve": "2021-03-03T10:00:00+08:00"},
        "ladder": "short",
    }


def test_nobody_is_an_answer_too(file: str) -> None:
    """Without labels no rule catches it: no departments, no deadlines and no ladder, and it waits for the street."""
    answer = told("--config", file, "--at", "2021-03-01T02:00Z")
    assert (answer["departments"], answer["rules"], answer["deadlines"]) == ([], ["root"], {})
    assert (answer["obligations"], answer["ladder"], answer["at"]) == ([], None, "2021-03-01T10:00:00+08:00")
    result = whistle("route", "test", "--config", SHIPPED, "--at", "2021-03-01T10:00")
    assert "waits for the street's decision until 2021-03-02 10:00" in result.stdout


def test_the_way_through_the_tree_is_told() -> None:
    """Without --json, a person sees the rules that matched, who leads, and by when."""
    result = whistle(
        "route", "test", "category=power", "estate=王府花园", "--config", SHIPPED, "--at", "2021-03-01T10:00"
    )
    assert result.exit_code == 0
    for text in ("wangfu-garden", "power", "主办", "housing", "协办"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("expected", "status"),
    [("grid,housing", 0), (" grid , housing ", 0), ("housing,grid", 1), ("grid", 1), ("", 1)],
)
def test_expectations_are_checked_in_order(file: str, expected: str, status: int) -> None:
    """Exit status 1 and both lists on standard error when the departments differ from what was expected."""
    result = whistle("route", "test", "category=power", "--config", file, "--json", "--expect", expected)
    assert result.exit_code == status
    assert json.loads(result.stdout)["departments"] == ["grid", "housing"]
    assert bool(result.stderr) == bool(status)
    if status:
        assert "got grid,housing" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["category"],
        ["=power"],
        ["category!=power"],
        ["category=~power"],
        ["kind=hazard", "kind=demand"],
        ["catgory=power"],
        ["--at", "tomorrow"],
        ["--at", "9999-12-31"],
        ["--config", "/nowhere"],
        ["--config", "/dev/null"],
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str]) -> None:
    """Exit status 2, nothing on standard output, and one sentence that says what to write instead."""
    config = [] if "--config" in arguments else ["--config", SHIPPED]
    result = whistle(
        "route", "test", *arguments, *config, "--json", "category=power" if "--at" in arguments else "call=emergency"
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_tree_is_shown() -> None:
    """`route show` prints every rule with its departments."""
    result = whistle("route", "show", "--config", SHIPPED)
    assert result.exit_code == 0
    assert "river-banks" in result.stdout
    assert "continue" in result.stdout
    assert "always" in result.stdout


def confirmed(folder: Path, until: str) -> str:
    """What is shipped, with a calendar that is confirmed until a day."""
    shutil.copytree(SHIPPED, folder)
    file = folder / "calendar.yaml"
    entered = f"calendar-days: {{china: {{confirmed-until: {until}}}}}"
    file.write_text(file.read_text(encoding="utf-8").replace("calendar-days: {}", entered), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(("days", "when"), [(-1, "already"), (0, "in 0 days"), (50, "in 50 days"), (62, None)])
def test_a_calendar_that_runs_out_is_warned_of(tmp_path: Path, days: int, when: str | None) -> None:
    """60 days before the calendar runs out `config check` says so, with file, line and cure; nothing is an error."""
    until = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=days)).date()
    result = whistle("config", "check", "--config", confirmed(tmp_path / "config", str(until)))
    assert result.exit_code == 0
    warned = [line for line in result.stdout.splitlines() if "warning" in line and "good" not in line]
    if when is None:
        assert warned == []
    else:
        assert (
            f"calendar.yaml:7: warning: the calendar 'china' runs out {when}: it is confirmed until {until}"
            in warned[0]
        )
        assert "enter the next notice under calendar-days:" in warned[0]


def test_a_configuration_is_checked(tmp_path: Path, file: str) -> None:
    """Errors stop with status 1 and are named with file, line and cure; warnings and trees alone are good."""
    good = whistle("config", "check", "--config", confirmed(tmp_path / "good", "2090-12-31"))
    assert good.exit_code == 0
    assert good.stdout.startswith("good, with 0 warnings")
    warned = tmp_path / "warned.yaml"
    warned.write_text(TREE.replace("continue: true", "continue: false").replace("['category=\"power\"']", "[]"))
    result = whistle("config", "check", "--config", str(warned))
    assert result.exit_code == 0
    assert "never reached" in result.stdout
    assert "runs out" not in result.stdout
    Path(file).write_text(TREE.replace("3wh", "3 hours"), encoding="utf-8")
    broken = whistle("config", "check", "--config", file)
    assert broken.exit_code == 1
    assert f"{file}:7: error: '3 hours' is no duration; write one number and one unit" in broken.stderr


def test_a_check_in_json_and_a_strict_one(tmp_path: Path, file: str) -> None:
    """A warning leaves with status 0, and with 1 when asked to be strict; JSON has version, counts and each problem."""
    good = whistle("config", "check", "--config", SHIPPED, "--strict", "--json")
    assert good.exit_code == 0
    told = json.loads(good.stdout)
    version = whistle("config", "version", "--config", SHIPPED).stdout.strip()
    assert (told["version"], told["errors"]) == (version, 0)
    # A calendar may run out on the day of the test, which no file can help.
    assert all("runs out" in problem["what"] for problem in told["problems"])
    warned = tmp_path / "warned.yaml"
    warned.write_text(TREE.replace("continue: true", "continue: false").replace("['category=\"power\"']", "[]"))
    assert whistle("config", "check", "--config", str(warned)).exit_code == 0
    strict = whistle("config", "check", "--config", str(warned), "--strict", "--json")
    assert strict.exit_code == 1
    [problem] = [each for each in json.loads(strict.stdout)["problems"] if "never reached" in each["what"]]
    assert (problem["level"], problem["line"], Path(problem["file"]).name) == ("warning", 9, "warned.yaml")
    assert "continue: true" in problem["cure"]
    Path(file).write_text(TREE.replace("3wh", "3 hours"), encoding="utf-8")
    broken = whistle("config", "check", "--config", file, "--json")
    assert broken.exit_code == 1
    assert (json.loads(broken.stdout)["version"], json.loads(broken.stdout)["errors"]) == (None, 1)
    assert whistle("config", "version", "--config", file).exit_code == 2
