"""The configuration is parsed as a whole, or everything that is wrong is named with file, line and cure."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.domain.configuration import Configuration, Holder, Problem, parse, parse_tree
from services.domain.working_time import Duration
from services.runtime.files import read

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
WITH_A_RULE = [
    "water-supply",
    "power",
    "gas",
    "drainage",
    "river",
    "road",
    "lighting",
    "greening",
    "sanitation",
    "parking",
    "illegal-building",
    "noise",
    "property-management",
    "elevator",
    "fire-safety",
    "building-safety",
    "self-built-housing",
    "food-safety",
    "traffic",
    "medical",
    "social-security",
    "elderly-care",
    "culture",
    "public-order",
    "neighbour-dispute",
    "family-dispute",
    "labour-dispute",
    "property-dispute",
    "petition",
]
WITHOUT_A_RULE = ["schooling", "bus-route", "property-title", "other", "unclaimed-structure"]

AT = datetime(2021, 3, 1, 2, tzinfo=UTC)
Change = Callable[[str, str, str], list[Problem]]


@pytest.fixture(scope="module")
def shipped() -> Configuration:
    """What is shipped for Dongsheng street."""
    configuration, problems = parse(read(SHIPPED))
    assert configuration is not None, problems
    return configuration


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """What is wrong with the shipped configuration once a text in one of its files has been replaced."""

    def changed(file: str, old: str, new: str) -> list[Problem]:
        folder = tmp_path / "config"
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        configuration, problems = parse(read(folder))
        assert (configuration is None) == any(problem.level == "error" for problem in problems)
        return problems

    return changed


def tree(tmp_path: Path, text: str) -> tuple[Configuration | None, list[Problem]]:
    """A file with nothing but a tree, parsed."""
    file = tmp_path / "tree.yaml"
    file.write_text(text, encoding="utf-8")
    return parse_tree(read(file)[0])


def test_what_is_shipped_has_nothing_wrong() -> None:
    """The Dongsheng configuration has neither errors nor warnings."""
    configuration, problems = parse(read(SHIPPED))
    assert configuration is not None
    assert problems == []


@pytest.mark.parametrize("category", WITH_A_RULE)
def test_each_category_with_a_rule_has_a_lead(shipped: Configuration, category: str) -> None:
    """Whatever the severity and kind, somebody leads, and owes an acknowledgement and a resolution."""
    for more in ({}, {"severity": "high"}, {"severity": "critical"}, {"kind": "hazard"}, {"call": "emergency"}):
        assignments = shipped.plan({"category": category, **more}).assignments
        assert assignments
        assert all({"acknowledge", "resolve"} <= set(each.deadlines) for each in assignments)
        assert all(each.ladder in shipped.ladders for each in assignments)


@pytest.mark.parametrize("category", WITHOUT_A_RULE)
def test_what_has_no_rule_waits_for_the_street(shipped: Configuration, category: str) -> None:
    """A category without a rule has nobody, as a demand, a suggestion or a hazard."""
    for kind in ("demand", "suggestion", "hazard"):
        for severity in ("low", "normal", "high"):
            assert shipped.plan({"category": category, "kind": kind, "severity": severity}).assignments == ()


def test_joint_handling_has_a_lead_and_support(shipped: Configuration) -> None:
    """Wangfu Garden's transformer and the river are put right together."""

    def together(**labels: str) -> list[tuple[str, str]]:
        return [(each.department, each.role) for each in shipped.plan(labels).assignments]

    assert together(category="power", estate="王府花园") == [
        ("power", "lead"), ("housing", "support"), ("dongsheng-urban", "support"),
    ]  # fmt: skip
    assert together(category="river") == [("water", "lead"), ("parks", "support"), ("dongsheng-urban", "support")]


def test_in_an_emergency_all_are_there_within_thirty_minutes(shipped: Configuration) -> None:
    """Everybody called acknowledges and arrives within 30 minutes by the wall clock, the street's own section too."""
    found = shipped.plan({"category": "gas", "severity": "critical"})
    assert [each.department for each in found.assignments] == ["gas", "fire", "dongsheng-safety"]
    assert all(each.deadlines["arrive"] == Duration(30, "m") for each in found.assignments)


def test_a_ladder_belongs_to_whoever_owes(shipped: Configuration) -> None:
    """A section's ladder ends within the street, a department's at the district, a community's at its own member."""
    tops = {
        code: shipped.ladders[shipped.ladder_of(code)].steps[-1].post
        for code in ("water", "dongsheng-urban", "guangdu")
    }
    assert tops == {
        "water": "supervision-office",
        "dongsheng-urban": "discipline-committee",
        "guangdu": "discipline-member",
    }
    assert shipped.policy_for({}, "dongsheng-urban").ladder == "section"
    assert shipped.policy_for({}, "water").ladder == "district"


def test_in_an_emergency_each_side_climbs_to_its_own_top(shipped: Configuration) -> None:
    """A street has no power over a district's department, and its sections' emergencies end within the street.

    So it is for whoever the rules name, and for whoever an officer calls besides.
    """
    tops = {"dongsheng-safety": "discipline-committee", "dongsheng-urban": "discipline-committee"}
    for labels in ({"severity": "critical"}, {"call": "emergency"}):
        for category in ("gas", "fire-safety", "noise", "other"):
            found = {
                each.department: each.ladder for each in shipped.plan({**labels, "category": category}).assignments
            }
            assert "dongsheng-safety" in found
            called = {code: shipped.policy_for(labels, code).ladder for code in ("water", "parks", "dongsheng-urban")}
            for code, name in (found | called).items():
                ladder = shipped.ladders[name]
                assert ladder.steps[-1].post == tops.get(code, "supervision-office"), (code, name)
                assert {step.offset.unit for step in ladder.steps} <= {"m", "h"}
                assert "supervision-office" not in {step.post for step in ladder.steps} or code not in tops


def test_a_post_is_looked_up_from_the_unit_upward(shipped: Configuration) -> None:
    """A unit's own post comes first, then its street's, then the district's."""
    directory = shipped.directory
    assert directory.holder("water", "supervision-office", AT) == Holder(
        "supervision-office", "shuangliu", "区政府督查室"
    )
    assert directory.holder("guangdu", "leading-group", AT) == Holder("leading-group", "dongsheng", "街道领导小组")
    found = directory.holder("guangdu", "discipline-member", AT)
    assert found is not None
    assert found.unit == "guangdu"
    assert directory.holder("water", "leading-group", AT) is None
    assert directory.holder("nowhere", "officer", AT) is None
    assert directory.street_of("guangdu") == directory.street_of("dongsheng-peace") == "dongsheng"
    assert directory.street_of("water") is None
    assert directory.is_section("dongsheng-peace", "dongsheng")
    assert not directory.is_section("water", "dongsheng")
    assert len(directory.communities_of("dongsheng")) == 5


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("routes.yaml", "departments: [gas]", "departments: [gass]", "no department is called 'gass'"),
        ("routes.yaml", "name: gas\n", "name: power\n", "two rules are named 'power'"),
        ("routes.yaml", "ladder: emergency", "ladder: urgent", "no ladder is called 'urgent'"),
        ("routes.yaml", "resolve: 20wd", "resolve: 20 days", "'20 days' is no duration"),
        ("routes.yaml", "resolve: 20wd", "resolve: 0wd", "is no time at all"),
        ("routes.yaml", """'category="gas"'""", "'category=~\"gas(\"'", "missing )"),
        ("routes.yaml", """'category="gas"'""", "'gas'", "is no matcher"),
        ("routes.yaml", "{acknowledge: 4wh, resolve: 5wd}", "{resolve: 5wd}", "no acknowledge deadline"),
        ("routes.yaml", "continue: true", "contineu: true", "unknown key 'contineu'"),
        ("routes.yaml", "continue: true", "continue: perhaps", "'continue' is 'perhaps'"),
        ("routes.yaml", "  name: root", "  name: root\n  matchers: [a=b]", "the root has matchers"),
        ("directory.yaml", "code: gas", "code: water", "'water' is the code of a department already"),
        ("directory.yaml", "code: gas", "code: Gas!", "is no code"),
        ("directory.yaml", "    name: 区水务局", "    name: 区水务局\n    name: twice", "'name' is here twice"),
        ("directory.yaml", "departments:\n", "departments: [\n", "this is no YAML"),
        ("ladders.yaml", "post: supervision-office", "post: supervision-ofice", "nobody holds the post"),
        ("ladders.yaml", "    repeat: 1h", "", "has no repeat"),
        ("ladders.yaml", "- before: 10m", "- {before: 10m, after: 5m}", "says both after and before"),
        ("ladders.yaml", "- before: 10m", "- post: officer", "doesn't say after how long"),
        ("ladders.yaml", "- before: 10m", "- before: 0m", "is no time at all"),
        ("ladders.yaml", "- before: 10m", "- before: 251wd", "more than a year before"),
        (
            "ladders.yaml",
            "- after: 0m",
            "- after: 0m\n      - before: 1wh",
            "and the one above it in the file after it",
        ),
        ("ladders.yaml", "{after: 30m, post: supervision-office}", "{before: 1m}", "ends before the deadline"),
        (
            "ladders.yaml",
            "      - after: 0m\n      - {after: 4wh",
            "      - {after: 4wh",
            "has no step at the deadline",
        ),
        ("ladders.yaml", "- after: 0m", "- after: 0wh", "has no step at the deadline"),
        ("ladders.yaml", "- after: 0m", "- after: 1m", "has no step at the deadline"),
        ("ladders.yaml", "section: emergency-section", "section: urgent", "no ladder is called 'urgent'"),
        ("ladders.yaml", "section: emergency-section", "sections: emergency", "unknown key 'sections'"),
        ("ladders.yaml", "community: community", "community: village", "no ladder is called 'village'"),
        ("policy.yaml", "  decide: 1wd", "  decided: 1wd", "the street has no time to decide"),
        ("calendar.yaml", "Asia/Shanghai", "Asia/Chengdu", "no time zone is called 'Asia/Chengdu'"),
        ("calendar.yaml", "[09:00-12:00, 13:00-17:00]", "[13:00-17:00, 09:00-12:00]", "overlap or are out of order"),
        ("policy.yaml", "parking: supervision-office", "parking: anyone", "'anyone' is none of the ranks"),
        ("policy.yaml", "decline: section-head", "", "nobody approves of decline"),
        ("policy.yaml", "{party: street, post: section-head}", "{party: city, post: a}", "'city' approves of nothing"),
        ("policy.yaml", "{party: street, post: section-head}", "{post: section-head}", "this rank has no party"),
        (
            "policy.yaml",
            "{party: street, post: section-head}",
            "{party: supervision, post: section-head}",
            "a post of the street stands above the district's",
        ),
        ("policy.yaml", "{party: street, post: section-head}", "{party: street, post: responsible-leader}", "already"),
        ("policy.yaml", "general: {overall: 40wd}", "general: {resolve: 40wd}", "has no overall time"),
        ("policy.yaml", "general: {overall: 40wd}", "general: {overall: 40wd, close: 1h}", "close is no deadline"),
        ("policy.yaml", "ladder: emergency", "ladder: none", "no ladder is called 'none'"),
        ("policy.yaml", "decide: 30m", "decide: soon", "'soon' is no duration"),
        ("policy.yaml", "  general: {overall: 40wd}\n", "", "the general whistle has no limits"),
        ("routes.yaml", "  name: root", "  name: root\n  allow: [holiday]", "'holiday' is nothing that is approved"),
        ("calendar.yaml", "calendar: china", "routes: {}\ncalendar: china", "unknown key 'routes'"),
        ("calendar.yaml", "calendar: china", "departments: []\ncalendar: china", "'departments' is set in"),
    ],
)
def test_each_mistake_is_named_with_line_and_cure(change: Change, file: str, old: str, new: str, what: str) -> None:
    """A mistake is an error with its file, a line and a cure, and nothing starts with it."""
    found = [problem for problem in change(file, old, new) if what in problem.what]
    assert found
    assert found[0].level == "error"
    assert found[0].line >= 1
    assert found[0].cure


def test_the_line_is_the_mistakes_own(change: Change) -> None:
    """The line that is named is the one to be mended."""
    text = (SHIPPED / "routes.yaml").read_text(encoding="utf-8")
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "departments: [gas]" in each)
    assert [problem.line for problem in change("routes.yaml", "departments: [gas]", "departments: [gass]")] == [line]


def test_a_ladder_without_a_step_at_the_deadline_is_told_where_to_write_one(change: Change) -> None:
    """Its line is that of the first step that comes after the deadline."""
    text = (SHIPPED / "ladders.yaml").read_text(encoding="utf-8")
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "- after: 0m" in each)
    problem = change("ladders.yaml", "- after: 0m", "- after: 5m")[0]
    assert (problem.line, problem.cure) == (line, "write - after: 0m above it")


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """Whoever mends a configuration learns of everything in one go, in every file."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    mistakes = {"routes.yaml": ("[gas]", "[gass]"), "ladders.yaml": ("repeat: 1h", ""), "policy.yaml": ("1wd", "soon")}
    for file, (old, new) in mistakes.items():
        text = (folder / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    configuration, problems = parse(read(folder))
    assert configuration is None
    assert {Path(problem.file).name for problem in problems if problem.level == "error"} == set(mistakes)


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("routes.yaml", "    - name: power\n", "    - name: all\n    - name: power\n", "'power' is never reached"),
        (
            "routes.yaml",
            """['category="power"']\n          dep""",
            """['category="gas"']\n          dep""",
            "can never match",
        ),
        ("routes.yaml", """'category="gas"'""", """'categroy="gas"'""", "no report has the label 'categroy'"),
        ("routes.yaml", 'severity="critical"', 'severity="urgent"', "severity is never 'urgent'"),
        (
            "directory.yaml",
            (
                "posts: {officer: 广都社区网格员, section-head: 广都社区网格长, responsible-leader: 广都社区党委书记,"
                " discipline-member: 广都社区纪检委员}"
            ),
            "posts: {}",
            "guangdu has no posts",
        ),
        (
            "ladders.yaml",
            "{after: 1wd, post: responsible-leader}",
            "{after: 1wh, post: responsible-leader}",
            "come together",
        ),
        ("ladders.yaml", "- before: 4wh\n", "- before: 4wh\n      - before: 5wh\n", "come together"),
        (
            "directory.yaml",
            "officer: 街道值班员",
            "officer: {members: [甲], away: [{who: 乙, from: 2021-03-01, to: 2021-03-02}]}",
            "'乙' is away, and is never on duty",
        ),
        ("routes.yaml", "{acknowledge: 4wh, resolve: 3wd}", "{acknowledge: 4wd, resolve: 3wd}", "climbs last"),
    ],
)
def test_what_is_likely_a_mistake_is_a_warning(change: Change, file: str, old: str, new: str, what: str) -> None:
    """Rules never reached, labels no report has, units nobody is told of: warned of, and no reason not to start."""
    problems = change(file, old, new)
    assert {problem.level for problem in problems} == {"warning"}
    assert any(what in problem.what for problem in problems)


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        (
            "[after: 0m, {after: 5wh, post: section-head}, {after: 5wd, post: discipline-committee}]",
            "first told 5wh, but 4wh on",
        ),
        ("[{after: 0m}, {after: 3wd, post: leading-group}]", "first told 3wd, but 4wh on 'section'"),
        ("[after: 0m, {after: 4wh, post: section-head}]", "'section-head', which is not the top of 'district'"),
        ("[after: 0m]", "first told never"),
    ],
)
def test_what_nobody_owns_must_not_climb_later_or_end_lower(change: Change, steps: str, what: str) -> None:
    """A street's ladder, which undecided reports climb, that is slower or shorter than the others is warned of."""
    slower = f"  street: {{steps: {steps}, repeat: 1d}}\n  before:\n"
    problems = change("ladders.yaml", "  street:\n", slower)
    assert {problem.level for problem in problems} == {"warning"}
    assert any(what in problem.what for problem in problems), problems


def test_the_version_names_the_content(change: Change, tmp_path: Path, shipped: Configuration) -> None:
    """Comments and the order of files don't change the version, any value does."""
    change("policy.yaml", "# Who approves", "# Somebody approves")
    same, _ = parse(reversed(read(tmp_path / "config")))
    assert same is not None
    assert same.version == shipped.version
    change("policy.yaml", "decide: 1wd", "decide: 2wd")
    other, _ = parse(read(tmp_path / "config"))
    assert other is not None
    assert other.version != shipped.version


def test_a_tree_alone_has_defaults(tmp_path: Path) -> None:
    """What the root doesn't set is 4 working hours, 5 working days and the district's ladder, inherited one by one."""
    text = "route: {routes: [{departments: [anyone], deadlines: {resolve: 2h}, routes: [{matchers: [a=b]}]}]}"
    configuration, problems = tree(tmp_path, text)
    assert configuration is not None
    assert problems == []
    found = configuration.plan({"a": "b"})
    assert found.rules == ("root.routes[0].routes[0]",)
    assert found.assignments[0].department == "anyone"
    assert found.assignments[0].deadlines == {"acknowledge": Duration(4, "wh"), "resolve": Duration(2, "h")}
    assert found.assignments[0].ladder == "district"


def test_only_what_may_be_inherited_is(tmp_path: Path) -> None:
    """Departments, deadlines and ladder are inherited; name, matchers, `continue` and `always` are a node's own."""
    text = """
route:
  departments: [top]
  ladder: up
  routes:
  - name: outer
    matchers: [a=b]
    continue: true
    always: true
    routes: [{}, {departments: []}]
"""
    configuration, _ = tree(tmp_path, text)
    assert configuration is not None
    outer = configuration.routes.routes[0]
    inner, nobody = outer.routes
    assert (inner.departments, inner.ladder) == (("top",), "up")
    assert (inner.name, inner.matchers, inner.continue_, inner.always) == ("root.routes[0].routes[0]", (), False, False)
    assert nobody.departments == ()


@pytest.mark.parametrize(
    "text",
    ["", "route", "[]", "route: []", "route: {routes: {}}", "route: {departments: water}", "a: &a [*a]", "{" * 2000,
     "route: {a: b}", "route: {routes: [x]}", "route: {deadlines: [1d]}", "route: {routes: [{matchers: a=b}]}", "\x00",
     "route: !!python/object:os.system {}", "route: {routes: [{matchers: [{a: b}]}]}"],
)  # fmt: skip
def test_a_file_that_is_no_tree_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever is in the file, what comes of it is errors with a cure, never an exception."""
    configuration, problems = tree(tmp_path, text)
    assert configuration is None
    assert all(problem.cure for problem in problems if problem.level == "error")


def test_no_configuration_at_all_is_refused() -> None:
    """An empty folder names everything that is missing."""
    configuration, problems = parse([])
    assert configuration is None
    assert any("'route'" in problem.what for problem in problems)


def test_plain_words_stay_what_they_are(tmp_path: Path) -> None:
    """An office hour isn't 780, a date is no object and `no` is a department: only true, false and null are special."""
    file = tmp_path / "plain.yaml"
    file.write_text("a: [13:00, 2021-10-01, no, 1e3, 0x10, true, null, 'true', ~]\n", encoding="utf-8")
    assert read(file)[0].content == {"a": ["13:00", "2021-10-01", "no", "1e3", "0x10", True, None, "true", None]}


@pytest.mark.parametrize("name", ["close", "review", "reply", "decide", "by-hand"])
def test_a_clock_of_the_state_machine_is_no_deadline_of_a_rule(tmp_path: Path, name: str) -> None:
    """A rule can't set a clock that means something else, such as `close`, which would end the incident."""
    configuration, problems = tree(tmp_path, f"route:\n  departments: [water]\n  deadlines: {{{name}: 5wd}}\n")
    assert configuration is None
    assert [(problem.line, problem.what) for problem in problems] == [(3, f"{name} is no deadline of a department")]


def test_the_times_of_a_supervision_case_may_be_set(change: Change, tmp_path: Path) -> None:
    """What is asked for and what is judged have their own; left out, each has two working days."""
    assert change("policy.yaml", "explain: 2wd", "explain: soon")[0].what == "'soon' is no duration"
    for line, expected in (("explain: 3wd", Duration(3, "wd")), ("", Duration(2, "wd"))):
        folder = tmp_path / f"with {line}"
        shutil.copytree(SHIPPED, folder)
        policy = folder / "policy.yaml"
        text = policy.read_text(encoding="utf-8").replace("explain: 2wd", line or "#")
        policy.write_text(text, encoding="utf-8")
        configuration, problems = parse(read(folder))
        assert configuration is not None, problems
        assert configuration.street.explain == expected
        assert configuration.street.judge == Duration(2, "wd")


def test_a_reporter_has_five_days_to_reply_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    """What a policy leaves out has its default, and what it sets is what stands."""
    folder = tmp_path / "config"
    shutil.copytree(SHIPPED, folder)
    policy = folder / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    [line] = [each for each in text.splitlines(keepends=True) if each.startswith("  reply:")]
    for written, meant in (("", "5d"), ("  reply: 2wd\n", "2wd")):
        policy.write_text(text.replace(line, written), encoding="utf-8")
        configuration, problems = parse(read(folder))
        assert configuration is not None, problems
        assert configuration.street.reply == Duration.parse(meant)
