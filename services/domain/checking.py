"""What is legal in a configuration and still most likely a mistake: each a warning with file, line and cure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from services.domain.matchers import Matcher
from services.domain.reaching import Reach
from services.domain.reading import Place
from services.domain.routing import Route
from services.domain.working_time import Calendar, Duration, add

if TYPE_CHECKING:
    from services.domain.configuration import Configuration

# Whom a ladder must reach, by the level of whoever owes: over a district's department a street has no power.
TOPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "department": "supervision-office",
        "district": "supervision-office",
        "section": "discipline-committee",
        "street": "discipline-committee",
        "community": "discipline-member",
    }
)
_URGENT: Final = (Matcher("severity", "=", "critical"), Matcher("call", "=", "emergency"))
_AT_ONCE: Final = ("acknowledge", "arrive")
_OFFICE: Final = frozenset({"wh", "wd"})
# Every third hour of a fortnight: nights, weekends, and each hour of the office's day.
_STARTS: Final = tuple(datetime(2021, 3, 1, tzinfo=UTC) + timedelta(hours=3 * each) for each in range(14 * 8))


@dataclass(frozen=True, slots=True)
class Rule:
    """A node of the tree where it is written, with the matchers on the way to it and the nodes above it."""

    place: Place
    route: Route
    path: tuple[Matcher, ...] = ()
    above: tuple[Route, ...] = ()

    @property
    def keys(self) -> Mapping[str, Place]:
        """What is written in it."""
        return self.place.keys()

    def children(self) -> Iterator["Rule"]:
        """The nodes under it, in order."""
        routes = self.keys.get("routes")
        for child, place in zip(self.route.routes, routes.items() if routes else (), strict=False):
            yield Rule(place, child, (*self.path, *child.matchers), (*self.above, self.route))


# ---------------------------------------------------------------------------------------------------- a tree by itself


def check_tree(place: Place, tree: Route, known: Mapping[str, Iterable[str]]) -> None:
    """Warn of rules that no labels reach, and of rules that drop whom the rule above them calls.

    `known` has the values that a label has at all, where that is known.
    """
    _warn_of_unreachable(Rule(place, tree), (), Reach(known))
    _warn_of_dropped(Rule(place, tree), named=False)


def _warn_of_unreachable(rule: Rule, above: Sequence[Route], reach: Reach) -> None:
    earlier = list(above)
    for child in rule.children():
        name = child.route.name
        if not reach.possible(child.path):
            child.place.warn(
                f"the rule {name!r} can never match: {_contradiction(child.path, reach)}", "mend its matchers"
            )
            continue
        takers = [earlier[each] for each in reach.takers(child.path, [each.matchers for each in earlier])]
        if takers:
            names = " and ".join(repr(each.name) for each in takers)
            child.place.warn(
                f"the rule {name!r} is never reached: {names} before it {'take' if takers[1:] else 'takes'} all it"
                " would match",
                f"move it up, or write continue: true in {takers[-1].name!r}",
            )
        else:
            _warn_of_unreachable(child, earlier, reach)
        if not child.route.continue_:
            earlier.append(child.route)


def _contradiction(path: Sequence[Matcher], reach: Reach) -> str:
    pair = next((pair for pair in combinations(path, 2) if not reach.possible(pair)), None)
    return f"{pair[0]} and {pair[1]} exclude each other" if pair else "its matchers exclude each other"


def _warn_of_dropped(rule: Rule, *, named: bool) -> None:
    """Warn where a rule calls others instead of whom the rule above calls; whom the root calls is called by default.

    `named` says whether this rule or one between it and the root names its departments.
    """
    children = list(rule.children())
    for index, child in enumerate(children):
        if named and "departments" in child.keys:
            later = children[index + 1 :] if child.route.continue_ else []
            called = [child.route, *(each.route for each in later), *(each for each in child.above if each.always)]
            kept = {department for each in called for department in each.departments}
            dropped = [each for each in rule.route.departments if each not in kept]
            if dropped:
                names = ", ".join(dropped)
                child.keys["departments"].warn(
                    f"the rule {child.route.name!r} silently drops {names}, whom {rule.route.name!r} above it calls",
                    f"add {names} here, write always: true in {rule.route.name!r}, or move this rule before it",
                )
        _warn_of_dropped(child, named=named or "departments" in child.keys)


# ------------------------------------------------------------------------------------------------ a whole configuration


def check(keys: Mapping[str, Place], configuration: "Configuration") -> None:
    """Warn of ladders that end below the top or miss a post, and of deadlines that no calendar can meet."""
    rules = list(_rules(Rule(keys["route"], configuration.routes)))
    for side, name in configuration.owed_by.items():
        _warn_of_low(keys["owed-by"].at(side, None), configuration, name, f"what a {side} owes climbs", side)
    for kind, whistle in configuration.whistles.items():
        _warn_of_whistle(keys["whistles"].at(kind, None).at("ladder", None), configuration, whistle.ladder)
    for rule in rules:
        _warn_of_ladder(rule, configuration)
    # Which days are holidays is not known for good, so a deadline is not judged by them.
    calendar = replace(configuration.calendar, holidays=frozenset(), working_weekends=frozenset())
    later: Later = lru_cache(maxsize=None)(partial(always_later, calendar))
    _warn_of_policy(keys["street-policy"], configuration, later)
    for rule in rules:
        deadlines = rule.keys.get("deadlines")
        if deadlines is not None:
            _warn_of_deadlines(deadlines, rule, configuration.whistle(None).overall, later)


def _rules(rule: Rule) -> Iterator[Rule]:
    yield rule
    for child in rule.children():
        yield from _rules(child)


def _warn_of_ladder(rule: Rule, configuration: "Configuration") -> None:
    """A rule's own ladder reaches the top of everybody the rule calls, and each of its posts is held there."""
    place = rule.keys.get("ladder") or rule.keys.get("departments")
    if not rule.route.ladder or place is None:
        return
    directory = configuration.directory
    for code in rule.route.departments:
        ladder = configuration.ladders[configuration.climbed(rule.route.ladder, code)]
        _warn_of_low(place, configuration, ladder.name, f"what {code} owes climbs here", directory.units[code].level)
        for post in {step.post: None for step in ladder.steps if step.post}:
            if not directory.has_post(code, post):
                place.warn(
                    f"the post {post!r} of the ladder {ladder.name!r} is held by nobody for {code}",
                    f"write posts: {{{post}: …}} for it, its street or the district, or choose another ladder",
                )


def _warn_of_whistle(place: Place, configuration: "Configuration", name: str) -> None:
    """A whistle's ladder reaches the top of everybody who may climb it: the street too, while nobody is called."""
    named = configuration.ladders.get(name)
    for side in ("district", "section", "street") if named else ():
        ladder = named.instead.get(side, name) if named else name
        _warn_of_low(place, configuration, ladder, f"what a {side} owes after this whistle climbs", side)


def _warn_of_low(place: Place, configuration: "Configuration", ladder: str, what: str, level: str) -> None:
    """A ladder that `what` climbs ends at the top of whoever owes."""
    end, top = configuration.ladders[ladder].steps[-1].post, TOPS[level]
    if end != top:
        place.warn(
            f"the ladder {ladder!r}, which {what}, ends below the top: at {end or 'a reminder'}, not at {top}",
            f"write post: {top} in its last step, or choose another ladder",
        )


# -------------------------------------------------------------------------------------------------------- its deadlines

Later = Callable[[Duration, Duration], bool]


def _warn_of_policy(place: Place, configuration: "Configuration", later: Later) -> None:
    street, overall = configuration.street, configuration.whistle(None).overall
    for name in ("decide", "confirm", "answer", "approve", "lead"):
        duration: Duration = getattr(street, name)
        if later(duration, overall):
            place.at(name, None).warn(
                f"{name} in {duration} is always later than the whole incident's overall, {overall}",
                f"write a shorter {name}, or a longer overall",
            )


def _warn_of_deadlines(place: Place, rule: Rule, overall: Duration, later: Later) -> None:
    """Deadlines that end after what they lead to, and office hours for what can't wait for them."""
    deadlines = rule.route.deadlines
    resolve = deadlines["resolve"]
    for name, duration in deadlines.items():
        if name != "resolve" and later(duration, resolve):
            _at(place, name, "resolve").warn(
                f"{name} in {duration} is always later than resolve in {resolve}",
                f"write a shorter {name}, or a longer resolve",
            )
        if name in _AT_ONCE and duration.unit in _OFFICE and (name == "arrive" or set(_URGENT) & set(rule.path)):
            _at(place, name).warn(
                f"{name} in {duration} waits for the office to open, and an emergency doesn't",
                "write it by the wall clock, as in 30m",
            )
    if later(resolve, overall):
        _at(place, "resolve").warn(
            f"resolve in {resolve} is always later than the whole incident's overall, {overall}",
            "write a shorter resolve, or a longer overall in street-policy",
        )


def _at(deadlines: Place, *names: str) -> Place:
    """Where the first of some deadlines is written, or all of them where none of these is but inherited."""
    written = deadlines.keys()
    return next((written[name] for name in names if name in written), deadlines)


def always_later(calendar: Calendar, one: Duration, other: Duration) -> bool:
    """Whether a duration is over later than another, whenever in a fortnight both begin."""
    if one.unit == other.unit:
        return one.value > other.value
    return all(add(calendar, each, one) > add(calendar, each, other) for each in _STARTS)
