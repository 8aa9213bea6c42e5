"""`whistle route` and `whistle config`: an operator tries a tree before it is real."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner, Result

from schemas import decision
from services.configured import ConfigurationError, load
from services.domain.story import labels_of
from services.router.cli import config_app, route_app
from tests.domain.scene import Scene, opened, report

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
        "by_whistle": [],
        "ladder": "short",
    }


@pytest.fixture
def lax(tmp_path: Path) -> Path:
    """The shipped configuration, in which the rules leave it to the whistle how soon an emergency is seen to."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    text = (folder / "routes.yaml").read_text(encoding="utf-8")
    strict = "deadlines: {acknowledge: 30m, arrive: 30m, resolve: 24h}"
    assert strict in text
    (folder / "routes.yaml").write_text(text.replace(strict, "deadlines: {resolve: 24h}"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["general", "emergency"])
def test_what_is_told_is_what_is_dispatched(lax: Path, kind: Literal["general", "emergency"]) -> None:
    """By the same code: the whistle's own limits come before a rule that is not as strict."""
    at = datetime(2021, 3, 6, 23, 40, tzinfo=ZoneInfo("Asia/Shanghai"))
    scene = Scene(load(lax))
    scene.at = at.astimezone(UTC)
    scene.street(opened("drainage", community="guangdu"), "dongsheng")
    scene.street(decision.Called(by="officer", kind=kind), "dongsheng")
    labels = [f"{name}={value}" for name, value in labels_of(report("drainage"), "guangdu", "dongsheng", kind).items()]
    answer = told(*labels, "--config", str(lax), "--at", at.isoformat())
    assert answer["departments"] == list(scene.now.obligations)
    for each in answer["obligations"]:
        really = scene.owed(each["department"]).clocks
        due = {name: datetime.fromisoformat(instant) for name, instant in each["deadlines"].items()}
        assert {name: clock.due_at for name, clock in really.items()} == due
        assert each["by_whistle"] == (["acknowledge", "arrive"] if kind == "emergency" else [])


def test_a_limit_of_the_whistle_is_told_as_such(lax: Path, tmp_path: Path) -> None:
    """To a person, for what is critical by itself, and in a case that expects it."""
    said = ["--config", str(lax), "--at", "2021-03-06T23:40"]
    assert "(30m, whistle)" in whistle("route", "test", "category=drainage", "call=emergency", *said).stdout
    assert told("category=drainage", "severity=critical", *said)["obligations"][0]["by_whistle"]
    assert not told("category=drainage", "call=unknown", *said)["obligations"][0]["by_whistle"]
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "cases:\n- {labels: {category: drainage}, call: emergency, at: 2021-03-06T23:40,"
        " expect: {deadlines: {water: {arrive: 30m, acknowledge: 2021-03-07T00:10}}}}\n",
        encoding="utf-8",
    )
    tried = whistle("route", "test", "--file", str(cases), "--config", str(lax))
    assert (tried.exit_code, tried.stderr) == (0, "")


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


def test_a_folder_is_sealed_once_it_is_good(tmp_path: Path) -> None:
    """The seal is of all its files; what has changed since is told by the check, and believed by nobody else."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    arguments = ["--config", str(folder)]
    result = whistle("config", "seal", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    version = whistle("config", "version", *arguments).stdout.strip()
    assert result.stdout.endswith(f"sealed: {len(list(folder.glob('*.yaml')))} files, version {version}\n")
    assert load(folder).version == version
    assert "it was sealed" not in whistle("config", "check", *arguments).stdout
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text(encoding="utf-8").replace("decide: 1wd", "decide: 2wd"), encoding="utf-8")
    checked = whistle("config", "check", "--strict", *arguments)
    assert checked.exit_code == 0
    assert "SHA256SUMS:" in checked.stdout
    assert "policy.yaml is not as it was sealed, so no room takes this over" in checked.stdout
    with pytest.raises(ConfigurationError):
        load(folder)
    assert whistle("config", "seal", *arguments).exit_code == 0
    assert load(folder).version != version


def test_what_is_broken_is_not_sealed(lax: Path, file: str) -> None:
    """A seal says that the files are all there, and good; a single file has none."""
    (lax / "policy.yaml").write_text("street-policy: {decide: never}\n", encoding="utf-8")
    result = whistle("config", "seal", "--config", str(lax))
    assert (result.exit_code, (lax / "SHA256SUMS").exists()) == (1, False)
    assert "not sealed" in result.stderr
    assert whistle("config", "seal", "--config", file).exit_code == 2
