"""Reading the route tree from a configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from services.domain.approvals import Approval
from services.domain.checking import check_tree
from services.domain.directory import Directory
from services.domain.ladder_checks import warn_of_the_unacknowledged
from services.domain.matchers import Matcher, parse_matchers
from services.domain.policy_reading import APPROVALS, NO_DEADLINES
from services.domain.reaching import literals
from services.domain.reading import Place
from services.domain.routing import Route
from services.domain.working_time import Duration

LABELS: Final = ("kind", "category", "severity", "channel", "grid_level", "community", "street", "estate", "call")
NEEDED: Final = ("acknowledge", "resolve")
_KEYS: Final = ("name", "departments", "matchers", "continue", "always", "deadlines", "ladder", "allow", "routes")
_MATCHERS: Final = "see https://prometheus.io/docs/alerting/latest/configuration/#matcher"
_EXPRESSIONS: Final = (
    "mend it, with a backslash before each sign that means itself: https://github.com/google/re2/wiki/Syntax"
)
_VALUES: Final = {
    "kind": ("demand", "suggestion", "hazard", "dispute", "instability"),
    "severity": ("low", "normal", "high", "critical"),
    "channel": ("courtyard-meeting", "tea-talk", "office-hours", "visit", "inspection", "hotline", "online"),
    "grid_level": ("1", "2", "3", "4"),
    "call": ("general", "enforcement", "emergency"),
}
_MAY_BE_ABSENT: Final = frozenset({"grid_level", "call"})


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
        # What isn't legal yet isn't judged any further.
        if not any(problem.level == "error" for problem in place.problems):
            check_tree(place, tree, self._known())
        return tree

    def _known(self) -> dict[str, tuple[str, ...]]:
        """The values that some labels of a report have at all; empty stands for an absent one."""
        if self.directory is None:
            return {}
        return {
            **{label: (*(("",) if label in _MAY_BE_ABSENT else ()), *values) for label, values in _VALUES.items()},
            "community": tuple(unit.code for unit in self.directory.communities),
            "street": tuple(unit.code for unit in self.directory.streets),
        }

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
            allow=_allowed(keys["allow"]) if "allow" in keys else parent.allow,
        )
        self._warn_of_values(keys.get("matchers"), own.matchers)
        if "deadlines" in keys and self.directory is not None:
            warn_of_the_unacknowledged(keys["deadlines"], own.deadlines)
        if "routes" not in keys:
            return own
        children = tuple(
            self._node(child, f"{path}.routes[{index}]", own) for index, child in enumerate(keys["routes"].items())
        )
        # Everything but the children was known before them, for they inherit it.
        return replace(own, routes=children)

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
        values = self._known()
        for matcher in matchers:
            if matcher.label not in LABELS:
                place.warn(f"no report has the label {matcher.label!r}", f"use one of {', '.join(LABELS)}")
            known = [value for value in values.get(matcher.label, ()) if value]
            named = literals(matcher.value) if matcher.op in {"=~", "!~"} else (matcher.value,)
            never = [value for value in named or () if value and value not in known]
            if known and named is None and not any(matcher.matches({matcher.label: value}) for value in known):
                never = [matcher.value]
            for value in never if known else ():
                place.warn(f"{matcher.label} is never {value!r}", f"use one of {', '.join(known)}")


def _matchers(place: Place) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    for each in place.items():
        if not isinstance(each.value, str):
            each.error(f"{each.value!r} is no matcher", "write a text, as in 'category=\"water-supply\"'")
            continue
        try:
            found.extend(parse_matchers(each.value))
        except ValueError as error:
            each.error(str(error), _EXPRESSIONS if "regular expression" in str(error) else _MATCHERS)
    return tuple(found)


def _deadlines(place: Place) -> dict[str, Duration]:
    found = {}
    for name, each in place.keys().items():
        if name in NO_DEADLINES:
            each.error(f"{name} is no deadline of a department", "name an interim step otherwise, or see policy.yaml")
        elif each.at(name, name).code():
            found[name] = each.duration()
    return found


def _allowed(place: Place) -> tuple[Approval, ...]:
    """What may be asked for under a rule; an empty list is nothing at all."""
    found: list[Approval] = []
    for each in place.items():
        if each.value in APPROVALS:
            found.append(each.value)
        else:
            each.error(f"{each.value!r} is nothing that is approved", f"write some of {', '.join(APPROVALS)}, or []")
    return tuple(found)
