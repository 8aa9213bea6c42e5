"""Reading the route tree from a configuration, and judging what can never be reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.domain.directory import Directory
from services.domain.matchers import Matcher, parse_matchers
from services.domain.reading import Place
from services.domain.routing import Route
from services.domain.working_time import Duration

LABELS: Final = ("kind", "category", "severity", "channel", "grid_level", "community", "street", "estate", "call")
NEEDED: Final = ("acknowledge", "resolve")
# Clocks of the state machine that run against others, or end a wait by themselves.
_NO_DEADLINES: Final = frozenset(
    {"decide", "confirm", "approve", "review", "close", "answer", "overall", "wait", "reply", "by-hand"}
)
_KEYS: Final = ("name", "departments", "matchers", "continue", "always", "deadlines", "ladder", "routes")
_VALUES: Final = {
    "kind": ("demand", "suggestion", "hazard", "dispute", "instability"),
    "severity": ("low", "normal", "high", "critical"),
    "channel": ("courtyard-meeting", "tea-talk", "office-hours", "visit", "inspection", "hotline", "online"),
    "grid_level": ("1", "2", "3", "4"),
    "call": ("general", "enforcement", "emergency"),
}


@dataclass(frozen=True, slots=True)
class TreeReader:
    """Reads one tree; without a directory, any department, label and ladder will do."""

    directory: Directory | None
    ladders: frozenset[str] | None
    lines: dict[str, int] = field(default_factory=dict)

    def read(self, place: Place, defaults: Route) -> Route:
        """The tree with everything inherited filled in, from what the root inherits."""
        keys = place.keys()
        for key in ("matchers", "continue"):
            if key in keys and keys[key].value not in ([], "false", False):
                keys[key].error(f"the root has {key}, and it takes whatever no other rule takes", f"remove {key}")
        tree = self._node(place, "root", defaults)
        if self.directory is not None:
            for name in NEEDED:
                if name not in tree.deadlines:
                    place.error(
                        f"the root has no {name} deadline, so some departments would owe without one",
                        f"write deadlines: {{{name}: 5wd}} or the like at the root",
                    )
        _warn_of_unreachable(place, tree, ())
        return tree

    def _node(self, place: Place, path: str, parent: Route) -> Route:
        keys = place.keys(_KEYS)
        name = keys["name"].text() if "name" in keys else path
        if name in self.lines:
            place.error(f"two rules are named {name!r}, first on line {self.lines[name]}", "give each its own name")
        self.lines.setdefault(name, place.document.line(place.path))
        own = Route(
            name=name,
            departments=self._departments(keys["departments"]) if "departments" in keys else parent.departments,
            matchers=_matchers(keys["matchers"]) if "matchers" in keys else (),
            continue_=keys["continue"].flag() if "continue" in keys else False,
            always=keys["always"].flag() if "always" in keys else False,
            deadlines={**parent.deadlines, **(_deadlines(keys["deadlines"]) if "deadlines" in keys else {})},
            ladder=self._ladder(keys["ladder"]) if "ladder" in keys else parent.ladder,
        )
        self._warn_of_values(keys.get("matchers"), own.matchers)
        if "routes" not in keys:
            return own
        children = tuple(
            self._node(child, f"{path}.routes[{index}]", own) for index, child in enumerate(keys["routes"].items())
        )
        # Everything but the children was known before them, for they inherit it.
        return Route(
            own.name, own.departments, own.matchers, own.continue_, own.always, own.deadlines, own.ladder, children
        )

    def _departments(self, place: Place) -> tuple[str, ...]:
        found: list[str] = []
        known = None if self.directory is None else {unit.code for unit in self.directory.departments}
        for each in place.items():
            code = each.text()
            if known is not None and code and code not in known:
                each.error(f"no department is called {code!r}", f"use one of {', '.join(sorted(known)) or 'none yet'}")
            if code in found:
                each.warn(f"{code!r} is here twice", "remove the second")
            elif code:
                found.append(code)
        return tuple(found)

    def _ladder(self, place: Place) -> str:
        name = place.text()
        if self.ladders is not None and name and name not in self.ladders:
            place.error(f"no ladder is called {name!r}", f"use one of {', '.join(sorted(self.ladders)) or 'none yet'}")
        return name

    def _warn_of_values(self, place: Place | None, matchers: Sequence[Matcher]) -> None:
        if place is None or self.directory is None:
            return
        values = {
            **_VALUES,
            "community": tuple(unit.code for unit in self.directory.communities),
            "street": tuple(unit.code for unit in self.directory.streets),
        }
        for matcher in matchers:
            if matcher.label not in LABELS:
                place.warn(f"no report has the label {matcher.label!r}", f"use one of {', '.join(LABELS)}")
            known = values.get(matcher.label, ())
            if known and matcher.op == "=" and matcher.value and matcher.value not in known:
                place.warn(f"{matcher.label} is never {matcher.value!r}", f"use one of {', '.join(known)}")


def _matchers(place: Place) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    for each in place.items():
        if not isinstance(each.value, str):
            each.error(f"{each.value!r} is no matcher", "write a text, as in 'category=\"water-supply\"'")
            continue
        try:
            found.extend(parse_matchers(each.value))
        except ValueError as error:
            each.error(str(error), "see https://prometheus.io/docs/alerting/latest/configuration/#matcher")
    return tuple(found)


def _deadlines(place: Place) -> dict[str, Duration]:
    found = {}
    for name, each in place.keys().items():
        if name in _NO_DEADLINES:
            each.error(f"{name} is no deadline of a department", "name an interim step otherwise, or see policy.yaml")
        elif each.at(name, name).code():
            found[name] = each.duration()
    return found


def _warn_of_unreachable(place: Place, node: Route, above: tuple[Matcher, ...]) -> None:
    """Warn of nodes whose matchers contradict each other, or whose siblings take everything first."""
    for index, (child, child_place) in enumerate(zip(node.routes, _children(place), strict=False)):
        path = (*above, *child.matchers)
        if _contradiction(path):
            child_place.warn(f"the rule {child.name!r} can never match: {_contradiction(path)}", "mend its matchers")
        taker = next(
            (
                earlier
                for earlier in node.routes[:index]
                if not earlier.continue_ and set(earlier.matchers) <= set(path)
            ),
            None,
        )
        if taker is not None:
            child_place.warn(
                f"the rule {child.name!r} is never reached: {taker.name!r} before it takes all it would match",
                f"move it up, or write continue: true in {taker.name!r}",
            )
        _warn_of_unreachable(child_place, child, path)


def _children(place: Place) -> Iterator[Place]:
    routes = place.keys().get("routes")
    return iter(()) if routes is None else routes.items()


def _contradiction(matchers: Sequence[Matcher]) -> str:
    """Two matchers that no labels satisfy together, where one of them asks for one value; empty when there are none."""
    for fixed in matchers:
        if fixed.op == "=":
            for other in matchers:
                if other.label == fixed.label and not other.matches({fixed.label: fixed.value}):
                    return f"{fixed} and {other} exclude each other"
    return ""
