"""The route tree beside Alertmanager's own: the same trees, the same labels, the same receivers.

`amtool config routes test` is Debian's, from the package `prometheus-alertmanager`. Without it these tests fail rather
than pass unseen.
"""

import json
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.domain.configuration import parse_tree
from services.domain.matchers import Matcher, Op
from services.domain.routing import match
from services.runtime.files import read

TREES = 500
LABEL_SETS = 2
LABELS = ("a", "b", "estate")
# Absent where it is None; the empty text is the same to a matcher.
VALUES = (None, None, "", "x", "y", "xy", "王府花园", "x y", 'q"q', "1", "back\\slash", "two\nlines")
PATTERNS = (
    "x|y", "x.*", ".*", ".+", "", "[xy]+", "(?i)X", "^x$", "x?y?", r"\d+", "王.*", r"\p{Han}+", "[^x]", "x y|1",
    r"two\nlines", "(x)(y)?", r"\w{2}", "(?s).*s", '.*"q',
)  # fmt: skip
OPS: tuple[Op, ...] = ("=", "!=", "=~", "!~")
CURE = (
    "amtool is not installed, so nothing is compared: apt-get install --no-install-recommends prometheus-alertmanager"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One tree, in Alertmanager's file and in ours, and labels to route by it."""

    theirs: Path
    ours: Path
    labels: dict[str, str]


def _text(draw: random.Random, matcher: Matcher) -> str:
    """A matcher as people write it: quoted, bare, in braces, with spaces."""
    bare = f"{matcher.label}{matcher.op}{matcher.value}"
    forms = [str(matcher), f"{{{matcher}}}", f" {matcher.label} {matcher.op} {str(matcher).partition(matcher.op)[2]} "]
    if not set(matcher.value) & set('"\\,{}\n') and matcher.value == matcher.value.strip():
        forms.append(bare)
    return draw.choice(forms)


def _matcher(draw: random.Random) -> Matcher:
    op = draw.choice(OPS)
    value = draw.choice(PATTERNS) if op in {"=~", "!~"} else draw.choice(VALUES) or ""
    return Matcher(draw.choice(LABELS), op, value)


def _node(draw: random.Random, names: Iterator[int], depth: int) -> dict[str, Any]:
    """A rule that takes what its matchers say, with a receiver of its own or its parent's."""
    node: dict[str, Any] = {"matchers": [_text(draw, _matcher(draw)) for _ in range(draw.choice((0, 1, 1, 1, 2)))]}
    if draw.random() < 0.85:
        node["receiver"] = f"r{next(names)}"
    if draw.random() < 0.4:
        node["continue"] = True
    if depth < 4 and draw.random() < 0.6:
        node["routes"] = [_node(draw, names, depth + 1) for _ in range(draw.randint(1, 3))]
    return node


def _tree(draw: random.Random) -> dict[str, Any]:
    names = iter(range(1, 1000))
    return {"receiver": "r0", "routes": [_node(draw, names, 1) for _ in range(draw.randint(1, 4))]}


def _ours(node: dict[str, Any]) -> dict[str, Any]:
    """The same node, as our files have it."""
    same: dict[str, Any] = {key: node[key] for key in ("matchers", "continue") if key in node}
    if "receiver" in node:
        same["departments"] = [node["receiver"]]
    return same | ({"routes": [_ours(each) for each in node["routes"]]} if "routes" in node else {})


def _receivers(node: dict[str, Any]) -> Iterator[str]:
    if "receiver" in node:
        yield node["receiver"]
    for each in node.get("routes", ()):
        yield from _receivers(each)


def _cases(folder: Path) -> Iterator[Case]:
    """So many trees, each with so many sets of labels; always the same ones."""
    for seed in range(TREES):
        draw = random.Random(seed)
        tree = _tree(draw)
        theirs, ours = folder / f"{seed}.alertmanager.yaml", folder / f"{seed}.yaml"
        # JSON is YAML.
        whole = {"route": tree, "receivers": [{"name": each} for each in _receivers(tree)]}
        theirs.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
        ours.write_text(json.dumps({"route": _ours(tree)}, ensure_ascii=False), encoding="utf-8")
        for _ in range(LABEL_SETS):
            drawn = {label: draw.choice(VALUES) for label in LABELS}
            yield Case(theirs, ours, {label: value for label, value in drawn.items() if value is not None})


def _theirs_of(case: Case) -> str:
    """The receivers that Alertmanager would tell, in order, with commas between."""
    said = [str(Matcher(label, "=", value)) for label, value in case.labels.items()]
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={case.theirs}", *said],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"amtool refuses {case.theirs.read_text(encoding='utf-8')}: {done.stderr}"
    return done.stdout.strip()


def _ours_of(case: Case) -> str:
    configuration, problems = parse_tree(read(case.ours)[0])
    assert configuration is not None, problems
    return ",".join(node.departments[0] for node in match(configuration.routes, case.labels))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, str, str]]:
    """Every case, with what Alertmanager says of it and what we do."""
    if shutil.which("amtool") is None:
        pytest.fail(CURE)
    cases = list(_cases(tmp_path_factory.mktemp("trees")))
    with ThreadPoolExecutor(max_workers=2) as pool:
        theirs = list(pool.map(_theirs_of, cases))
    return [(case, said, _ours_of(case)) for case, said in zip(cases, theirs, strict=True)]


def test_a_tree_leads_where_alertmanager_leads(compared: list[tuple[Case, str, str]]) -> None:
    """On 500 generated trees, with two sets of labels each, the receivers are the same, in the same order."""
    assert len({case.theirs for case, _, _ in compared}) == TREES
    # The smallest one is the easiest to understand.
    wrong = sorted((each for each in compared if each[1] != each[2]), key=lambda each: each[0].ours.stat().st_size)
    told = [
        f"{case.ours.read_text(encoding='utf-8')} with {case.labels}: Alertmanager says {theirs}, we say {ours}"
        for case, theirs, ours in wrong[:3]
    ]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(compared)} differ:", *told])


def test_what_is_compared_is_worth_comparing(compared: list[tuple[Case, str, str]]) -> None:
    """Some labels lead to one receiver, some to several, some deep in a tree, and some to the root alone."""
    sizes = Counter(theirs.count(",") + 1 for _, theirs, _ in compared)
    assert min(sizes[1], sum(many for size, many in sizes.items() if size > 1)) > 200
    assert 50 < sum(theirs == "r0" for _, theirs, _ in compared) < len(compared) / 2
    assert len({theirs for _, theirs, _ in compared}) > 100
    texts = [case.ours.read_text(encoding="utf-8") for case, _, _ in compared]
    assert all(sum(f"{op}" in text for text in texts) > 200 for op in ("!=", "=~", "!~", "continue"))
