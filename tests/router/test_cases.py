"""`whistle route test --file`: whoever changes the routes learns what else has changed with them."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from services.domain.case_reading import read_cases
from services.domain.configuration import parse
from services.router.cli import route_app
from services.runtime.files import read
from tests.router.test_route_cli import TREE

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "config"
CASE = """\
cases:
- name: no power
  labels: {category: power, estate: 王府花园}
  at: 2021-03-01T10:00+08:00
  expect:
    departments: [grid, housing, street]
    rules: [power, estate]
    deadlines:
      grid: {acknowledge: 3wh, arrive: 2021-03-01T10:30}
      street: {resolve: 2021-03-03T02:00Z}
    ladders: {grid: district, street: short}
"""

app = typer.Typer()
app.add_typer(route_app, name="route")


def tried(folder: Path, cases: str, *more: str, config: str = TREE) -> Result:
    """What the command says of cases under a tree."""
    (folder / "tree.yaml").write_text(config, encoding="utf-8")
    (folder / "cases.yaml").write_text(cases, encoding="utf-8")
    file, tree = str(folder / "cases.yaml"), str(folder / "tree.yaml")
    return CliRunner().invoke(app, ["route", "test", "--file", file, "--config", tree, *more])


def test_the_shipped_cases_hold_for_the_shipped_routes() -> None:
    """Every kind of whistle, class of the hotline and exception of Dongsheng leads where it is said to lead."""
    arguments = ["route", "test", "--file", str(SHIPPED / "cases.yaml"), "--config", str(SHIPPED)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.match(r"(1[2-9]|[2-9]\d) cases, 0 of them otherwise", result.stdout)
    configuration, _ = parse(read(SHIPPED))
    assert configuration is not None
    cases, _ = read_cases(read(SHIPPED / "cases.yaml")[0], configuration)
    plans = [configuration.plan(each.labels) for each in cases]
    assert {each.labels.get("call") for each in cases} >= {"general", "enforcement", "emergency"}
    assert any(not plan.assignments for plan in plans)


def test_cases_are_no_part_of_the_configuration_they_lie_beside() -> None:
    """Another case makes no other version: what obligations name is the rules alone."""
    with_cases, _ = parse(read(SHIPPED))
    alone, _ = parse([each for each in read(SHIPPED) if not each.file.endswith("cases.yaml")])
    assert with_cases is not None
    assert alone is not None
    assert with_cases.version == alone.version


def test_what_is_as_expected_is_status_0(tmp_path: Path) -> None:
    """Departments, rules, deadlines as durations or instants in any zone, and ladders are all compared."""
    result = tried(tmp_path, CASE)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "[grid, housing, street]",
            "[housing, grid, street]",
            "departments: expected housing, grid, street, got grid,",
        ),
        ("[grid, housing, street]", "[]", "departments: expected nobody, got grid, housing, street"),
        ("[power, estate]", "[power]", "rules: expected power, got power, estate"),
        ("3wh", "4wh", "acknowledge of grid: expected 4wh, got 3wh"),
        ("T10:30", "T10:31", "arrive of grid: expected 2021-03-01T10:31+08:00, got 2021-03-01T10:30+08:00 (30m)"),
        ("02:00Z", "03:00Z", "resolve of street: expected 2021-03-03T11:00+08:00, got 2021-03-03T10:00+08:00 (2d)"),
        ("street: {resolve", "street: {survey", "survey of street: expected 2021-03-03T10:00+08:00, got no survey"),
        ("grid: {ack", "gas: {ack", "acknowledge of gas: expected 3wh, got owes nothing"),
        ("street: short", "street: long", "ladder of street: expected long, got short"),
        ("grid: district", "gas: district", "ladder of gas: expected district, got owes nothing"),
    ],
)
def test_each_difference_is_told_by_field_and_is_status_1(tmp_path: Path, old: str, new: str, said: str) -> None:
    """File, line and name of the case, and of each field what was expected and what there is; in JSON too."""
    assert old in CASE
    result = tried(tmp_path, CASE.replace(old, new, 1))
    assert result.exit_code == 1
    assert f"cases.yaml:2: no power: {said}" in result.stderr
    assert result.stdout.startswith("1 cases, 1 of them otherwise than expected")
    as_json = tried(tmp_path, CASE.replace(old, new, 1), "--json")
    assert as_json.exit_code == 1
    [different] = json.loads(as_json.stdout)["different"]
    assert (different["name"], different["line"]) == ("no power", 2)
    assert different["differences"][0]["what"] == said.partition(":")[0]


def test_what_a_case_does_not_name_is_not_compared(tmp_path: Path) -> None:
    """A case that is about one thing stays true when another changes."""
    case = "cases: [{labels: {category: power}, at: 2021-03-01T10:00, expect: {ladders: {grid: district}}}]"
    assert tried(tmp_path, case).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("2021-03-01T10:00+08:00", "Monday", 4, "'Monday' is no time"),
        ("  at: 2021-03-01T10:00+08:00\n", "", 2, "this case has no time"),
        ("3wh", "3 hours", 9, "'3 hours' is no duration"),
        ("    rules: [power, estate]\n", "    rule: [power, estate]\n", 7, "unknown key 'rule'"),
        ("[power, estate]", "power", 7, "'rules' is no list"),
        ("  labels:", "  label:", 2, "needs labels or a report"),
        ("  at:", "  call: loud\n  at:", 4, "'loud' is no kind of whistle"),
        ("cases:\n", "case:\n", 1, "unknown key 'case'"),
        ("cases:\n", "cases: [\n", 2, "this is no YAML"),
        ("  labels: {category: power, estate: 王府花园}", "  report: {kind: x}", 2, "no street has the community ''"),
    ],
)
def test_a_file_that_is_wrong_is_status_2(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    """Nothing is tried, and what is wrong is told with file, line and cure."""
    assert old in CASE
    result = tried(tmp_path, CASE.replace(old, new, 1))
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(rf"cases.yaml:{line}: error: .*{re.escape(said)}.*; \w+", result.stderr), result.stderr


@pytest.mark.parametrize("more", [["a=b"], ["--at", "2021-03-01"], ["--expect", "grid"]])
def test_a_file_of_cases_comes_alone(tmp_path: Path, more: list[str]) -> None:
    """What would be passed over in silence is refused: labels, a time or an expectation beside the file."""
    assert tried(tmp_path, CASE, *more).exit_code == 2
    assert tried(tmp_path, CASE, config="route: {a: b}").exit_code == 2
    nowhere = CliRunner().invoke(app, ["route", "test", "--file", str(tmp_path / "no"), "--config", str(SHIPPED)])
    assert nowhere.exit_code == 2


def test_a_report_has_the_labels_that_the_street_would_see() -> None:
    """Community, street, estate and the rule's own kind of whistle follow from the report; a label's name is known."""
    configuration, _ = parse(read(SHIPPED))
    assert configuration is not None
    cases, _ = read_cases(read(SHIPPED / "cases.yaml")[0], configuration)
    leak = next(each for each in cases if "gas leak" in each.name)
    assert leak.labels == {
        "kind": "hazard",
        "category": "gas",
        "severity": "critical",
        "channel": "inspection",
        "community": "guangdu",
        "street": "dongsheng",
        "estate": "欣和苑",
        "call": "emergency",
    }


def test_a_label_that_no_report_has_is_refused(tmp_path: Path) -> None:
    """A typing error in a label would otherwise be a case that tries something else."""
    file = tmp_path / "cases.yaml"
    file.write_text(CASE.replace("category", "categroy"), encoding="utf-8")
    configuration, _ = parse(read(SHIPPED))
    assert configuration is not None
    cases, [problem] = read_cases(read(file)[0], configuration)
    assert (cases, problem.line) == ([], 3)
    assert "no report has the label 'categroy'" in problem.what
