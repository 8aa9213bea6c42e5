"""The route tree has Alertmanager's semantics, which test_routing_amtool.py compares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.routing import Matcher, Route, match, parse_matchers, plan, policy_for
from services.domain.working_time import Duration

LABELS = ("a", "b", "c")
VALUES = ("", "x", "y", "xy")


def rule(name: str, *matchers: str, routes: tuple[Route, ...] = (), **more: bool) -> Route:
    """A node whose only department has its name."""
    parsed = tuple(each for text in matchers for each in parse_matchers(text))
    return Route(
        name, (name,), parsed, continue_=more.get("continue_", False), always=more.get("always", False), routes=routes
    )


def names(tree: Route, **labels: str) -> str:
    """The names of the nodes that count, with commas, as `amtool` prints receivers."""
    return ",".join(node.name for node in match(tree, labels))


TREE = rule(
    "root",
    routes=(
        rule(
            "first",
            "a=x",
            routes=(rule("first-b", "b=~x.*", continue_=True), rule("first-c", "c!=x"), rule("first-d")),
            continue_=True,
        ),
        rule("second", "a=~x|y", "c!~.+", routes=(rule("second-b", "b=y"),)),
        rule("third", "b=~.*"),
        rule("fourth"),
    ),
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "third"),
        ({"a": "x"}, "first-c,second"),
        ({"a": "x", "b": "xy"}, "first-b,first-c,second"),
        ({"a": "x", "b": "xy", "c": "x"}, "first-b,first-d,third"),
        ({"a": "x", "c": "x"}, "first-d,third"),
        ({"a": "y", "b": "y"}, "second-b"),
        ({"a": "y", "b": "y", "c": "z"}, "third"),
        ({"a": "xy"}, "third"),
        ({"z": "1"}, "third"),
    ],
)
def test_a_tree_is_walked_as_alertmanager_walks_it(labels: dict[str, str], expected: str) -> None:
    """Depth first, the first match ends the scan unless it continues, and a node counts only without its children."""
    assert names(TREE, **labels) == expected


def test_an_always_node_counts_after_its_children() -> None:
    """`always` counts a node although a child matched, behind the child, and once only when none did."""
    tree = rule("root", routes=(rule("estate", "a=x", routes=(rule("power", "b=x"),), always=True),), always=True)
    assert names(tree, a="x", b="x") == "power,estate,root"
    assert names(tree, a="x") == "estate,root"
    assert names(tree) == "root"


def test_each_department_owes_once_by_the_first_rule_that_names_it() -> None:
    """Repeats count once, the first department leads, and each has the policy of the rule that named it first."""
    slow, quick = {"resolve": Duration(9, "d")}, {"resolve": Duration(1, "h")}
    tree = Route(
        "root",
        routes=(
            Route("one", ("water", "parks"), continue_=True, deadlines=quick, ladder="short"),
            Route("two", ("parks", "housing", "water"), deadlines=slow, ladder="long"),
        ),
    )
    found = plan(tree, {})
    assert found.rules == ("one", "two")
    assert [(each.department, each.role, each.rule, each.ladder) for each in found.assignments] == [
        ("water", "lead", "one", "short"),
        ("parks", "support", "one", "short"),
        ("housing", "support", "two", "long"),
    ]
    assert policy_for(tree, {}, "housing").deadlines == slow
    assert (policy_for(tree, {}, "police").rule, policy_for(tree, {}, "police").deadlines) == ("one", quick)


def test_interim_steps_are_for_those_whom_their_rule_names() -> None:
    """Whom an officer calls beside them owes the rule's other deadlines; a rule that names nobody asks all alike."""
    deadlines = {name: Duration(1, "d") for name in ("acknowledge", "arrive", "survey", "resolve")}
    tree = Route("root", ("water",), deadlines=deadlines)
    assert policy_for(tree, {}, "water").deadlines == deadlines
    assert sorted(policy_for(tree, {}, "police").deadlines) == ["acknowledge", "arrive", "resolve"]
    assert policy_for(Route("root", deadlines=deadlines), {}, "police").deadlines == deadlines


def test_what_no_rule_catches_has_no_department() -> None:
    """A root without departments names nobody, and still has a policy for whom an officer calls."""
    tree = Route("root", routes=(rule("power", "category=power"),), ladder="district")
    assert plan(tree, {"category": "schooling"}).assignments == ()
    assert plan(tree, {"category": "schooling"}).rules == ("root",)
    assert policy_for(tree, {"category": "schooling"}, "power").rule == "root"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="b"', [("a", "=", "b")]),
        ("a=b", [("a", "=", "b")]),
        (' a = "b, c" ', [("a", "=", "b, c")]),
        ('{a="b",c!="d"}', [("a", "=", "b"), ("c", "!=", "d")]),
        ('a="b", c=~d , e!~"f.*",', [("a", "=", "b"), ("c", "=~", "d"), ("e", "!~", "f.*")]),
        (r'a="she said: \"hi\"\n\\"', [("a", "=", 'she said: "hi"\n\\')]),
        (r'a=~"\d+"', [("a", "=~", r"\d+")]),
        (r'a=~"\\d+"', [("a", "=~", r"\d+")]),
        ("a=b c", [("a", "=", "b c")]),
        ("a=", [("a", "=", "")]),
        ("a==~(", [("a", "=", "=~(")]),
        ("1a=b", [("1a", "=", "b")]),
        ('a=""', [("a", "=", "")]),
        ("{}", []),
        ("", []),
        ('"小区"="王府花园"', [("小区", "=", "王府花园")]),
        ('{小区=~"王府.*", "a b"!="c"}', [("小区", "=~", "王府.*"), ("a b", "!=", "c")]),
        (r'"小区"="\u738b\t"', [("小区", "=", "王\t")]),
    ],
)
def test_matchers_are_read_as_alertmanager_reads_them(text: str, expected: list[tuple[str, str, str]]) -> None:
    """Quotes, braces, commas, spaces, escapes and labels in UTF-8: the classic grammar first, then the newer."""
    assert [(each.label, each.op, each.value) for each in parse_matchers(text)] == expected


@pytest.mark.parametrize("text", ["a", "=b", 'a="b', 'a=b"c', 'a="b" c="d"', "a=b,,c=d", '小区="'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    """A text that neither grammar takes is a `ValueError`, never a rule that is skipped in silence."""
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("x|y", ["x", "y"], ["xy", ""]),
        ("x$", ["x"], ["x\n"]),
        (".*", ["", "x"], ["x\n"]),
        ("(?s).*", ["x\n"], []),
        (".", ["小", "\ud800"], ["小区", "\n"]),
        ("x(?i)y|z", ["xy", "xY", "Z"], ["XY"]),
        ("(?i)été", ["ÉTÉ"], ["ete"]),
        (r"\d+", ["12"], ["１２"]),
        (r"\pL+", ["ab小é"], ["1", ""]),
        (r"\p{Greek}", ["α"], ["a"]),
        (r"\w+", ["ab_1"], ["小区"]),
        (r"[^\W]", ["a"], ["小", "-"]),
        (r"\bx\b.*", ["x", "x小"], ["xy"]),
        (r"[[:alpha:]]+[[:^digit:]]", ["ab-"], ["ab1"]),
        ("[一-龥]+", ["王府"], ["wang"]),
        ("[]x-]+", ["]-x"], ["y"]),
        (r"\Q\C\E\\C", [r"\C\C"], ["xx"]),
        (r"\Qx.y\E+", ["x.yy"], ["xzy"]),
        (r"\x{738b}\p{Han}+", ["王府花园"], ["王fu"]),
        ("x{,2}", ["x{,2}"], ["xx"]),
        ("(?P<n>x)y\\z", ["xy"], ["x"]),
        ("", [""], ["x"]),
    ],
)
def test_regular_expressions_mean_what_they_mean_in_re2(pattern: str, matching: list[str], others: list[str]) -> None:
    """An expression is anchored at both ends, and its classes, flags and escapes are RE2's, not Python's."""
    matcher, negated = Matcher("a", "=~", pattern), Matcher("a", "!~", pattern)
    for text in matching:
        assert matcher.matches({"a": text}), text
        assert not negated.matches({"a": text}), text
    for text in others:
        assert not matcher.matches({"a": text}), text
        assert negated.matches({"a": text}), text


@pytest.mark.parametrize(
    "pattern",
    ["(?=x)", "(?!x)", "(?<=x)", "(?<!x)x", r"(x)\1", "(?P=n)", "(?>x)", "x++", "x*+", "x**", "(?x)x", r"\Z", r"\C",
     "(", ")", "[", "[z-a]", "*", "x{1001}", "x{2,1}", r"\p{greek}", r"\y", r"\小", "x\\", "[[:word", "(?#x)",
     r"\\\C", "((x{100}){100}){100}", "\ud800"],
)  # fmt: skip
def test_what_re2_refuses_is_refused(pattern: str) -> None:
    """Look-around, back-references, possessive repetition and what can't be read are a `ValueError` with a sentence."""
    with pytest.raises(ValueError, match=r"the regular expression .* is refused by RE2: [a-z]"):
        Matcher("a", "=~", pattern)


def test_a_refusal_says_what_re2_says(capfd: pytest.CaptureFixture[str]) -> None:
    """The sentence has the expression as it was written and RE2's own words, and nothing is logged besides."""
    with pytest.raises(ValueError, match=r"the regular expression '小\(\?=x\)' .*: invalid perl operator: \(\?="):
        Matcher("a", "=~", "小(?=x)")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("pattern", ["(a+)+", "(a+)+$", "(a|a)*", "(.*a){20}", "((a*)*)*"])
def test_no_expression_hangs(pattern: str) -> None:
    """What a backtracking engine would be at for ever is answered, be the text long."""
    matcher = Matcher("a", "=~", pattern)
    assert matcher.matches({"a": "a" * 200})
    assert not matcher.matches({"a": "a" * 200 + "b"})


@given(st.text(alphabet="xy1小()[]{}|*+?^$.\\-,:=<P!idwsbBAzQEpHan", max_size=12), st.text(max_size=5))
def test_an_expression_is_compiled_or_refused(pattern: str, text: str) -> None:
    """Whatever is written, reading it either succeeds, without a warning, or is a `ValueError` with a sentence."""
    try:
        matcher = Matcher("a", "=~", pattern)
    except ValueError as refused:
        assert "is refused by RE2: " in str(refused)  # noqa: PT017 (most expressions are refused, some are not)
        return
    assert matcher.matches({"a": text}) is not Matcher("a", "!~", pattern).matches({"a": text})


@given(st.text(max_size=20))
def test_a_text_is_read_or_refused(text: str) -> None:
    """Whatever is written as a matcher is read, and reads the same again as written, or is a `ValueError`."""
    try:
        found = parse_matchers(text)
    except ValueError:
        return
    assert parse_matchers(",".join(str(each) for each in found)) == found


@given(st.sampled_from(LABELS), st.sampled_from(["=", "!="]), st.text(max_size=10))
def test_what_is_written_is_read_again(label: str, op: str, value: str) -> None:
    """Any value survives being written as Alertmanager writes it."""
    matcher = Matcher(label, op, value)  # type: ignore[arg-type]  # one of the operators
    assert parse_matchers(str(matcher)) == (matcher,)


matchers = st.builds(
    Matcher, st.sampled_from(LABELS), st.sampled_from(["=", "!=", "=~", "!~"]), st.sampled_from([*VALUES, "x|y", ".+"])
)
nodes = st.recursive(
    st.builds(Route, st.uuids().map(str), st.just(("d",)), st.lists(matchers, max_size=2).map(tuple), st.booleans()),
    lambda children: st.builds(
        Route,
        st.uuids().map(str),
        st.just(("d",)),
        st.lists(matchers, max_size=2).map(tuple),
        st.booleans(),
        st.booleans(),
        routes=st.lists(children, max_size=3).map(tuple),
    ),
    max_leaves=12,
)
labels = st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES))


def plainly(node: Route, said: dict[str, str]) -> list[str]:
    """Alertmanager's `Route.Match`, word for word, with `always`."""
    if not all(matcher.matches(said) for matcher in node.matchers):
        return []
    found: list[str] = []
    for child in node.routes:
        matched = plainly(child, said)
        found += matched
        if matched and not child.continue_:
            break
    return [*found, node.name] if node.always or not found else found


@given(nodes, labels)
def test_an_absent_label_is_the_empty_string(node: Route, said: dict[str, str]) -> None:
    """Leaving a label out and giving it empty come to the same, and the walk is Alertmanager's."""
    full = {label: said.get(label, "") for label in LABELS}
    assert match(node, said) == match(node, full)
    assert [each.name for each in match(node, said)] == plainly(node, said)


@given(nodes, labels)
def test_a_node_that_matches_always_leads_to_a_rule(node: Route, said: dict[str, str]) -> None:
    """Something counts exactly when the tree's own matchers do, and each node counts once."""
    found = [each.name for each in match(node, said)]
    assert bool(found) == node.matches(said)
    assert len(found) == len(set(found))
