"""What is legal and still most likely a mistake is a warning with file, line and cure, and nothing else is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from services.domain.configuration import Problem, parse, parse_tree
from services.runtime.files import read

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
Change = Callable[..., list[Problem]]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """What is wrong with the shipped configuration once texts in one of its files have been replaced."""

    def changed(file: str, *replaced: tuple[str, str]) -> list[Problem]:
        folder = tmp_path / "config"
        shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
        text = (folder / file).read_text(encoding="utf-8")
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / file).write_text(text, encoding="utf-8")
        return parse(read(folder))[1]

    return changed


def warned(tmp_path: Path, tree: str) -> list[tuple[int, str]]:
    """The lines and texts of the warnings about a tree alone."""
    file = tmp_path / "tree.yaml"
    file.write_text(tree, encoding="utf-8")
    configuration, problems = parse_tree(read(file)[0])
    assert configuration is not None, problems
    assert all(each.level == "warning" and each.cure for each in problems)
    return [(each.line, each.what) for each in problems]


GAS = "    - name: gas\n      matchers: ['category=\"gas\"']\n"


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("['category=~\"gas|water-supply\"']", "'gas' is never reached: 'before' before it takes"),
        ("['category!=\"power\"']", "'gas' is never reached: 'before' before it takes"),
        ("['category=~\".*\"', 'severity=~\"low|normal|high|critical\"']", "'gas' is never reached"),
    ],
)
def test_a_rule_that_others_leave_nothing_is_never_reached(change: Change, rule: str, what: str) -> None:
    """Alternations, complements, expressions that take anything, and labels that have only a few values are seen."""
    before = f"    - name: before\n      matchers: {rule}\n      departments: [gas]\n"
    found = change("routes.yaml", (GAS, before + GAS))
    assert [each.what for each in found if what in each.what]
    assert {each.level for each in found} == {"warning"}


def test_two_rules_together_take_everything(tmp_path: Path) -> None:
    """Complementary siblings leave nothing to the ones behind them, nor to anything under those."""
    tree = """\
route:
  routes:
  - {name: near, matchers: ['estate=~"a.*"']}
  - {name: far, matchers: ['estate!~"a.*"']}
  - name: rest
    routes: [{name: below, matchers: [a=b]}]
"""
    assert warned(tmp_path, tree) == [
        (5, "the rule 'rest' is never reached: 'near' and 'far' before it take all it would match")
    ]


def test_what_is_taken_above_is_not_reached_below(tmp_path: Path) -> None:
    """A rule may be kept from all it would match by a sibling of the rule above it."""
    tree = """\
route:
  routes:
  - {name: power, matchers: [category=power]}
  - name: high
    matchers: [severity=high]
    routes:
    - {name: high-power, matchers: [category=power]}
    - {name: high-gas, matchers: [category=gas]}
  - {name: never, matchers: ['kind="a"', 'kind=~"b|c"']}
"""
    assert warned(tmp_path, tree) == [
        (7, "the rule 'high-power' is never reached: 'power' before it takes all it would match"),
        (9, 'the rule \'never\' can never match: kind="a" and kind=~"b|c" exclude each other'),
    ]


DROPPING = """\
route:
  departments: [everybody]
  routes:
  - name: estate
    matchers: [estate=a]
    departments: [street, housing]
    routes:
    - name: estate-power
      matchers: [category=power]
      departments: [power, housing]
  - name: other
    routes: [{name: other-power, matchers: [category=power], departments: [power]}]
"""


def test_a_rule_that_silently_drops_whom_the_one_above_calls_is_named(tmp_path: Path) -> None:
    """Both rules and whom is dropped are named; whom the root calls where nothing else does is not dropped."""
    what = "the rule 'estate-power' silently drops street, whom 'estate' above it calls"
    assert warned(tmp_path, DROPPING) == [(10, what)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    departments: [street, housing]\n", "    departments: [street, housing]\n    always: true\n"),
        ("departments: [power, housing]", "departments: [power, street, housing]"),
        ("      departments: [power, housing]\n", ""),
        (
            "      departments: [power, housing]\n",
            "      departments: [power]\n      continue: true\n    - {name: too, departments: [street, housing]}\n",
        ),
        ("    departments: [street, housing]\n", ""),
    ],
)
def test_whom_another_rule_calls_too_is_not_dropped(tmp_path: Path, old: str, new: str) -> None:
    """`always`, naming them again, inheriting them, and a sibling that follows a `continue` all keep them."""
    assert old in DROPPING
    assert warned(tmp_path, DROPPING.replace(old, new, 1)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        (
            "ladders.yaml",
            "      - {after: 5wd, post: supervision-office}\n",
            "",
            "'district', which what a district owes climbs, ends below",
        ),
        (
            "ladders.yaml",
            "      - {after: 5wd, post: discipline-committee}\n",
            "",
            "at leading-group, not at discipline-committee",
        ),
        (
            "ladders.yaml",
            "community: community",
            "community: section",
            "at discipline-committee, not at discipline-member",
        ),
        (
            "ladders.yaml",
            "{after: 30m, post: supervision-office}",
            "after: 30m",
            "at a reminder, not at supervision-office",
        ),
        (
            "ladders.yaml",
            "    instead: {section: emergency-section, street: emergency-section}\n",
            "",
            "what dongsheng-safety owes climbs here",
        ),
        (
            "routes.yaml",
            'category="gas"\']\n',
            'category="gas"\']\n      ladder: section\n',
            "'leading-group' of the ladder 'section' is held by nobody for gas",
        ),
        (
            "policy.yaml",
            "ladder: emergency",
            "ladder: district",
            "the ladder 'district', which what a street owes after this whistle climbs, ends below the top",
        ),
        (
            "policy.yaml",
            "decide: 1wd",
            "decide: 400wh",
            "decide in 400wh is always later than the whole incident's overall",
        ),
        (
            "policy.yaml",
            "overall: 40wd",
            "overall: 14d",
            "resolve in 20wd is always later than the whole incident's overall, 14d",
        ),
        (
            "policy.yaml",
            "enforcement: {overall: 40wd}",
            "enforcement: {overall: 40wd, on-site-report: 45wd}",
            "on-site-report in 45wd is always later than the enforcement whistle's overall, 40wd",
        ),
        ("routes.yaml", "penalty: 7wd", "penalty: 21wd", "penalty in 21wd is always later than resolve in 20wd"),
        ("routes.yaml", "{stop-work: 4wh}", "{stop-work: 12d}", "stop-work in 12d is always later than resolve in 7wd"),
        (
            "routes.yaml",
            "{acknowledge: 2wh, resolve: 1wd}",
            "{acknowledge: 20wh, resolve: 1wd}",
            "acknowledge in 20wh is always later than resolve in 1wd",
        ),
        (
            "routes.yaml",
            "{acknowledge: 2wh, resolve: 1wd}",
            "{acknowledge: 3wh, survey: 2wd, resolve: 1wd}",
            "survey in 2wd is always later",
        ),
        ("routes.yaml", "arrive: 30m", "arrive: 1wh", "arrive in 1wh waits for the office to open"),
        (
            "routes.yaml",
            "{acknowledge: 30m, ",
            "{acknowledge: 1wh, ",
            "acknowledge in 1wh waits for the office to open",
        ),
        ("routes.yaml", 'community=~"sanyiqiao|', 'community=~"sanyi|', "community is never 'sanyi'"),
        ("routes.yaml", 'kind="dispute"', 'kind=~"disputes.*"', "kind is never 'disputes.*'"),
    ],
)
def test_each_suspicion_is_a_warning_with_line_and_cure(
    change: Change, file: str, old: str, new: str, what: str
) -> None:
    """It is found in the line that has to be mended, and is no reason not to start."""
    problems = change(file, (old, new))
    assert {problem.level for problem in problems} == {"warning"}
    [found, *_] = [each for each in problems if what in each.what]
    assert found.cure
    assert Path(found.file).name in {file, "routes.yaml", "ladders.yaml", "policy.yaml"}
    if Path(found.file).name == file and "ladders" not in file and "overall" not in old:
        text = (SHIPPED / file).read_text(encoding="utf-8")
        assert abs(found.line - (text[: text.index(old)].count("\n") + 1)) <= 1


def test_what_may_be_met_at_some_hour_is_no_warning(change: Change) -> None:
    """Only what can't be met whenever it begins is named: in the morning a working day is over within 24 hours."""
    change_of_one = "{acknowledge: 2h, resolve: 24h}", "{acknowledge: 1wd, resolve: 24h}"
    assert change("routes.yaml", change_of_one) == []


@pytest.mark.parametrize("duration", ["4000d", "99999h", "2501wd", "999999wh"])
@pytest.mark.parametrize(
    ("file", "old", "key"), [("routes.yaml", "resolve: 20wd", "resolve: "), ("ladders.yaml", "after: 5wd", "after: ")]
)
def test_what_no_calendar_can_count_is_an_error(change: Change, file: str, old: str, key: str, duration: str) -> None:
    """A duration that would run out of the calendar's years never starts: each act under it would fail."""
    [found] = change(file, (old, key + duration))
    assert (found.level, Path(found.file).name) == ("error", file)
    assert "which no calendar can count" in found.what
    assert "at most" in found.cure


def test_a_sibling_keeps_only_whom_it_calls_in_any_case(tmp_path: Path) -> None:
    """A sibling that is looked at too keeps whom it calls where it takes all that the rule does, and not else."""
    tree = """\
route:
  routes:
  - name: demand
    matchers: [kind=demand]
    departments: [water]
    routes:
    - {name: first, matchers: [severity=high], departments: [water], continue: true}
    - {name: gas, matchers: [category=gas], departments: [gas], continue: true}
    - {name: later, matchers: [severity=high], departments: [water]}
"""
    assert warned(tmp_path, tree) == [(8, "the rule 'gas' silently drops water, whom 'demand' above it calls")]
    for name in ("first", "later"):
        kept = tree.replace(f"{name}, matchers: [severity=high]", f"{name}, matchers: [kind=demand]")
        assert warned(tmp_path, kept) == []


def test_a_street_that_is_misspelt_hides_nothing(change: Change) -> None:
    """A rule that nothing can match, because it names no street there is, leaves what others take as it is."""
    before = """\
    - {name: typo, matchers: ['street="nowhere"'], departments: [gas]}
    - {name: everything, matchers: ['street="dongsheng"'], departments: [gas]}
"""
    whats = [each.what for each in change("routes.yaml", (GAS, before + GAS))]
    assert "street is never 'nowhere'" in whats
    assert "the rule 'typo' can never match: no report has street=\"nowhere\"" in whats
    assert any("'gas' is never reached: 'everything' before it" in each for each in whats)


@pytest.mark.parametrize(
    ("matchers", "what"),
    [
        ("['estate=\"nowhere\"']", "no community has the estate 'nowhere'"),
        ("['estate=~\"欣和苑|nowhere\"']", "no community has the estate 'nowhere'"),
        ("['estate=\"欣和苑\"', 'community=\"huayuejie\"']", "the estate '欣和苑' is in guangdu, not in huayuejie"),
        ("['estate=\"欣和苑\"', 'community=\"guangdu\"']", None),
        ("['estate!=\"欣和苑\"', 'community=\"huayuejie\"']", None),
        ("['estate=~\".*花园\"']", None),
    ],
)
def test_an_estate_is_one_of_the_directorys(change: Change, matchers: str, what: str | None) -> None:
    """And of the community that the rule is about; what a pattern takes is not known."""
    before = f"    - {{name: estate, matchers: {matchers}, departments: [gas]}}\n"
    whats = [each.what for each in change("routes.yaml", (GAS, before + GAS))]
    assert whats == ([what] if what else [])


@pytest.mark.parametrize("ladder", ["community", "street"])
def test_a_rule_that_calls_nobody_is_judged_by_whomever_an_officer_may_call(change: Change, ladder: str) -> None:
    """One of each level is named, and every post that somebody lacks."""
    before = f"    - {{name: by-hand, matchers: ['category=\"x\"'], departments: [], ladder: {ladder}}}\n"
    problems = change("routes.yaml", (GAS, before + GAS))
    assert {each.level for each in problems} == {"warning"}
    low = [each.what for each in problems if "ends below the top" in each.what]
    assert any("what a department that an officer calls, as water, owes climbs here" in each for each in low)
    assert any("what a section that an officer calls" in each for each in low) is (ladder == "community")
    assert len(low) == (2 if ladder == "community" else 1)


@pytest.mark.parametrize(
    ("file", "replaced"),
    [
        ("routes.yaml", [("      ladder: emergency\n", "")]),
        ("ladders.yaml", [("{after: 10m, post: section-head}", "{after: 4wh, post: section-head}")]),
        (
            "routes.yaml",
            [("allow: [extension]\n      ladder: emergency", "allow: [extension]\n      ladder: district")],
        ),
    ],
)
def test_an_emergency_does_not_climb_by_office_hours(
    change: Change, file: str, replaced: list[tuple[str, str]]
) -> None:
    """Where the rule names no ladder, or one on which nobody is told before the office opens."""
    problems = change(file, *replaced)
    assert {each.level for each in problems} == {"warning"}
    [found, *_] = [each for each in problems if "is about emergencies, and the first post on the ladder" in each.what]
    assert "when the office is open" in found.what
    assert "by the wall clock" in found.cure
    assert Path(found.file).name == "routes.yaml"


@pytest.mark.parametrize("members", ["[~]", "[~, ~]"])
def test_a_roster_without_anybody_holds_no_post(change: Change, members: str) -> None:
    """At the top of a ladder that is an error: nobody would ever be told."""
    roster = f"{{members: {members}, turn: day, from: 2021-03-01}}"
    problems = change("directory.yaml", ("discipline-committee: 街道纪工委", f"discipline-committee: {roster}"))
    assert {"nobody holds the post 'discipline-committee'"} == {each.what for each in problems if each.level == "error"}
    problems = change(
        "directory.yaml",
        (
            "discipline-committee: 街道纪工委",
            f"discipline-committee: {roster[:-1]}, overrides: [{{from: 2021-05-01, to: 2021-05-05, who: 值班组}}]}}",
        ),
    )
    assert problems == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "post: section-head}\n    - {party: street, post: resp",
            "post: clerk}\n    - {party: street, post: resp",
            "'clerk'",
        ),
        ("{party: supervision, post: supervision-office}", "{party: supervision, post: vice-mayor}", "'vice-mayor'"),
        (
            "{party: supervision, post: supervision-office}",
            "{party: supervision, post: leading-group}",
            "'leading-group'",
        ),
    ],
)
def test_a_rank_of_approval_is_held_by_somebody(change: Change, old: str, new: str, what: str) -> None:
    """In the streets, or at the district: what nobody may approve would climb for ever."""
    errors = [each for each in change("policy.yaml", (old, new)) if each.level == "error"]
    assert any(f"nobody holds the post {what}, so nobody approves" in each.what for each in errors)
    assert all(each.cure and Path(each.file).name == "policy.yaml" for each in errors)


def test_an_expression_that_does_not_compile_has_a_cure_of_its_own(change: Change) -> None:
    """The error quotes it, says what RE2 says, and where its syntax is written."""
    [found] = change("routes.yaml", ("power|property", "po(wer|property"))
    assert found.level == "error"
    assert "missing )" in found.what
    assert "re2" in found.cure


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("routes.yaml", "{resolve: 7wd}", "{acknowlege: 2h, resolve: 7wd}", "'acknowlege' is an interim step"),
        ("routes.yaml", "{resolve: 7wd}", "{resolve: 7wd, resolved: 2h}", "'resolved' is an interim step"),
        ("policy.yaml", "arrive: 30m, ladder", "arrive: 30m, arrived: 30m, ladder", "'arrived' is an interim step"),
        ("policy.yaml", "decide: 30m, ack", "decide: 4wh, ack", "decide in 4wh waits for the office"),
        ("policy.yaml", "decide: 30m, ack", "ack", "decide in 1wd waits for the office"),
        ("policy.yaml", "arrive: 30m, ladder", "ladder", "the emergency whistle has no arrive"),
        ("policy.yaml", "arrive: 30m, ladder", "arrive: 30m, resolve: 30m, ladder", "is not after arrive in 30m"),
        ("policy.yaml", "approve: 1wd", "approve: 39wd", "approve in 39wd is later than every rule's resolve"),
        (
            "routes.yaml",
            "arrive: 30m, resolve: 24h}",
            "arrive: 30m}",
            "'emergency' is about emergencies, and has every",
        ),
        ("ladders.yaml", "before: 4wh", "before: 60wd", "reminds 60wd before, and every deadline that climbs it"),
        ("ladders.yaml", "before: 10m", "before: 60wd", "reminds 60wd before, and every deadline that climbs it"),
        ("ladders.yaml", "repeat: 5wd", "repeat: 365d", "repeat in 365d leaves the ladder silent"),
        ("ladders.yaml", "{after: 5wd, post: supervision-office}", "{after: 300wd, post: supervision-office}", "300wd"),
        ("directory.yaml", "estates: [王府花园]", "estates: [王府花园, 欣和苑]", "has the estate '欣和苑' already"),
    ],
)
def test_what_makes_a_deadline_or_a_ladder_mean_nothing_is_told(
    change: Change, file: str, old: str, new: str, what: str
) -> None:
    """With the file and the cure; nothing else that is serious passes for the shipped configuration."""
    found = [each for each in change(file, (old, new)) if what in each.what]
    assert found
    assert all(each.level == "warning" and each.cure and Path(each.file).name == file for each in found)


@pytest.mark.parametrize("step", ["stop-work", "penalty", "survey", "remove", "on-spot"])
def test_a_step_of_a_name_of_its_own_is_no_mistake(change: Change, step: str) -> None:
    """A removal is a step of illegal building, and no misspelt resolve."""
    assert not change("routes.yaml", ("deadlines: {resolve: 7wd}", f"deadlines: {{{step}: 2h, resolve: 7wd}}"))


WEST = """\
  - code: west
    name: 西街道
    posts: {officer: a, section-head: b, responsible-leader: c, leading-group: d, discipline-committee: e}
    communities:
      - {code: yew, name: 榆, posts: {officer: x, section-head: y, responsible-leader: z, discipline-member: q}}

departments:
  - code: water
"""


def test_a_section_is_not_called_for_another_street(change: Change) -> None:
    """Each rule that names one is told, but for those about that street, its communities or its estates."""
    told = [each.what for each in change("directory.yaml", ("departments:\n  - code: water\n", WEST))]
    assert "the rule 'sanitation' calls dongsheng-urban, a section of dongsheng, for west too" in told
    named = {each.split("'")[1] for each in told if "a section of dongsheng" in each}
    assert "gas" not in named
    assert not named & {"wangfu-garden", "car-parks", "longqiao-car-park"}
