"""What is legal in a configuration and still most likely a mistake: each a warning with file, line and cure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from schemas.decision import CallKind
from services.domain.deadline_checks import DeadlineChecks, own_of
from services.domain.directory import Directory, Unit
from services.domain.matchers import Matcher
from services.domain.reaching import Reach, literals
from services.domain.reading import Place
from services.domain.routing import Route
from services.domain.working_time import Duration

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
_ENFORCEMENT: Final = Matcher("call", "=", "enforcement")
_CALLS: Final = frozenset({*_URGENT, _ENFORCEMENT})


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
    _warn_of_dropped(Rule(place, tree), Reach(known), named=False)


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
    alone = next((each for each in path if not reach.possible([each])), None)
    if alone is not None:
        return f"no report has {alone}"
    pair = next((pair for pair in combinations(path, 2) if not reach.possible(pair)), None)
    return f"{pair[0]} and {pair[1]} exclude each other" if pair else "its matchers exclude each other"


def _warn_of_dropped(rule: Rule, reach: Reach, *, named: bool) -> None:
    """Warn where a rule calls others instead of whom the rule above calls; whom the root calls is called by default.

    `named` says whether this rule or one between it and the root names its departments. A sibling calls them too where
    it is looked at, and takes all that this rule does.
    """
    children = list(rule.children())
    for index, child in enumerate(children):
        if named and "departments" in child.keys:
            others = [each for each in children[:index] if each.route.continue_]
            others += children[index + 1 :] if child.route.continue_ else []
            beside = [each.route for each in others if reach.takers(child.path, [each.path])]
            called = [child.route, *beside, *(each for each in child.above if each.always)]
            kept = {department for each in called for department in each.departments}
            dropped = [each for each in rule.route.departments if each not in kept]
            if dropped:
                names = ", ".join(dropped)
                child.keys["departments"].warn(
                    f"the rule {child.route.name!r} silently drops {names}, whom {rule.route.name!r} above it calls",
                    f"add {names} here, write always: true in {rule.route.name!r}, or move this rule before it",
                )
        _warn_of_dropped(child, reach, named=named or "departments" in child.keys)


# ------------------------------------------------------------------------------------------------ a whole configuration


def check(keys: Mapping[str, Place], configuration: "Configuration") -> None:
    """Warn of ladders that end below the top or miss a post, and of deadlines that can't be met.

    What some calendar can't even count is an error.
    """
    rules = list(_rules(Rule(keys["route"], configuration.routes)))
    for side, name in configuration.owed_by.items():
        _warn_of_low(keys["owed-by"].at(side, None), configuration, name, f"what a {side} owes climbs", side)
    told: set[str] = set()
    for kind, whistle in configuration.whistles.items():
        _warn_of_whistle(keys["whistles"].at(kind, None).at("ladder", None), configuration, whistle.ladder)
    for rule in rules:
        _warn_of_ladder(rule, configuration)
        if _is_urgent(rule):
            _warn_of_waiting(rule, configuration, told)
        _warn_of_estates(rule, configuration.directory)
        _warn_of_other_streets(rule, configuration.directory)
    _warn_of_unhurried(rules[0], configuration, written=False)
    deadlines = DeadlineChecks(configuration)
    if not deadlines.refuse(keys, [(each.keys.get("deadlines", each.place), each.route) for each in rules]):
        return
    deadlines.policy(keys["street-policy"])
    deadlines.whistles(keys["whistles"])
    deadlines.ladders(keys["ladders"], _climbing(rules, configuration))
    deadlines.approvals(keys["street-policy"], [each.route.deadlines["resolve"] for each in rules])
    for rule in rules:
        above = rule.above[-1] if rule.above and not _CALLS & set(rule.route.matchers) else None
        whistle = configuration.whistle(_called_by(rule))
        deadlines.rule(rule.keys, rule.route, above, whistle, urgent=_is_urgent(rule))


def _climbing(rules: Iterable[Rule], configuration: "Configuration") -> Mapping[str, Collection[Duration]]:
    """Return the deadlines that climb each ladder, by its name: what rules set, whistles limit, and the street owes."""
    found: dict[str, set[Duration]] = {}
    for rule in rules:
        deadlines = {*rule.route.deadlines.values(), *configuration.whistle(_called_by(rule)).deadlines.values()}
        for unit in _called(rule, configuration):
            found.setdefault(configuration.climbed(rule.route.ladder, unit.code), set()).update(deadlines)
    for unit in configuration.directory.units.values():
        found.setdefault(configuration.ladder_of(unit.code), set()).update(own_of(configuration, unit.level))
        for whistle in configuration.whistles.values() if unit.level == "street" else ():
            if whistle.decide is not None:
                found.setdefault(configuration.climbed(whistle.ladder, unit.code), set()).add(whistle.decide)
    return found


def _is_urgent(rule: Rule) -> bool:
    """Whether whatever a rule takes is an emergency."""
    return bool(set(_URGENT) & set(rule.path))


def _called_by(rule: Rule) -> CallKind:
    """The kind of whistle that is blown for what a rule takes, as far as its matchers tell."""
    if _is_urgent(rule):
        return "emergency"
    return "enforcement" if _ENFORCEMENT in rule.path else "general"


def _rules(rule: Rule) -> Iterator[Rule]:
    yield rule
    for child in rule.children():
        yield from _rules(child)


def _warn_of_ladder(rule: Rule, configuration: "Configuration") -> None:
    """A rule's own ladder reaches the top of everybody the rule calls, and each of its posts is held there.

    Where it calls nobody, an officer may call anybody; one of each level is named then.
    """
    place = rule.keys.get("ladder") or rule.keys.get("departments")
    if not rule.route.ladder or place is None:
        return
    directory = configuration.directory
    seen: set[tuple[str, str]] = set()
    for unit in _called(rule, configuration):
        ladder = configuration.ladders[configuration.climbed(rule.route.ladder, unit.code)]
        if not rule.route.departments and (ladder.name, unit.level) in seen:
            continue
        seen.add((ladder.name, unit.level))
        what = f"what {unit.code} owes climbs here"
        if not rule.route.departments:
            what = f"what a {unit.level} that an officer calls, as {unit.code}, owes climbs here"
        _warn_of_low(place, configuration, ladder.name, what, unit.level)
        for post in {step.post: None for step in ladder.steps if step.post}:
            if not directory.has_post(unit.code, post):
                place.warn(
                    f"the post {post!r} of the ladder {ladder.name!r} is held by nobody for {unit.code}",
                    f"write posts: {{{post}: …}} for it, its street or the district, or choose another ladder",
                )


def _warn_of_waiting(rule: Rule, configuration: "Configuration", told: set[str]) -> None:
    """What can't wait for the office to open is told to somebody before it does; each ladder is `told` of once."""
    keys, called = rule.keys, _called(rule, configuration)
    place = keys.get("ladder") or keys.get("departments") or rule.place
    for name in dict.fromkeys(configuration.climbed(rule.route.ladder, unit.code) for unit in called):
        first = next((each for each in configuration.ladders[name].steps if each.post and not each.before), None)
        if name not in told and first is not None and first.offset.value and first.offset.working:
            told.add(name)
            place.warn(
                f"the rule {rule.route.name!r} is about emergencies, and the first post on the ladder {name!r} is told"
                f" {first.offset} after the deadline, when the office is open",
                "write ladder: and one by the wall clock, as in {after: 10m, post: section-head}",
            )


def _warn_of_unhurried(rule: Rule, configuration: "Configuration", *, written: bool) -> None:
    """An emergency is resolved by a deadline of its own: `written` in its rule or between, or else its whistle's."""
    urgent, keys = _is_urgent(rule), rule.keys
    written = urgent and (written or ("deadlines" in keys and "resolve" in keys["deadlines"].keys()))  # noqa: SIM118
    if urgent and rule.route.departments and not written:
        if "resolve" not in configuration.whistle("emergency").deadlines:
            keys.get("deadlines", rule.place).warn(
                f"the rule {rule.route.name!r} is about emergencies, and has everyday's resolve in"
                f" {rule.route.deadlines['resolve']} from a rule above",
                "write resolve: here, as in 24h, or in the emergency whistle",
            )
        return
    for child in rule.children():
        _warn_of_unhurried(child, configuration, written=written)


def _called(rule: Rule, configuration: "Configuration") -> Sequence[Unit]:
    """Whom a rule calls; anybody, where it calls nobody."""
    directory = configuration.directory
    return [directory.units[code] for code in rule.route.departments] or directory.departments


def _warn_of_estates(rule: Rule, directory: Directory) -> None:
    """Estates that no community has, or not the one that the rule is about; where any are written down at all."""
    place = rule.keys.get("matchers")
    homes = {estate: unit.code for unit in directory.communities for estate in unit.estates}
    if place is None or not homes:
        return
    known = ", ".join(homes)
    communities = {each.value for each in rule.path if (each.label, each.op) == ("community", "=")}
    for matcher in rule.route.matchers:
        named = literals(matcher.value) if matcher.op == "=~" else (matcher.value,) if matcher.op == "=" else ()
        for estate in named or () if matcher.label == "estate" else ():
            if estate and estate not in homes:
                place.warn(f"no community has the estate {estate!r}", f"write it under estates: of one, or use {known}")
            elif estate and communities - {homes[estate]}:
                place.warn(
                    f"the estate {estate!r} is in {homes[estate]}, not in {', '.join(communities)}",
                    "name one of them, or write the estate under the other community",
                )


def _warn_of_other_streets(rule: Rule, directory: Directory) -> None:
    """A rule that calls a section of one street takes nothing of another's: where there is another, it says so."""
    place = rule.keys.get("departments")
    streets = {unit.code for unit in directory.units.values() if unit.level == "street"}
    if place is None or len(streets) < 2:  # noqa: PLR2004 - one and another
        return
    taken = streets.intersection(*(_streets_of(each, directory) or streets for each in rule.path))
    for code in rule.route.departments:
        unit = directory.units[code]
        others = ", ".join(sorted(taken - {unit.street}))
        if unit.level == "section" and others:
            place.warn(
                f"the rule {rule.route.name!r} calls {code}, a section of {unit.street}, for {others} too",
                f'add street="{unit.street}" to its matchers, or to a rule above it',
            )


def _streets_of(matcher: Matcher, directory: Directory) -> set[str]:
    """Return the streets whose reports alone a matcher takes; none where it tells nothing of that."""
    values = literals(matcher.value) if matcher.op == "=~" else (matcher.value,) if matcher.op == "=" else None
    if values is None:
        return set()
    if matcher.label == "street":
        return set(values)
    return {
        unit.street
        for unit in directory.communities
        if (matcher.label == "community" and unit.code in values)
        or (matcher.label == "estate" and not {*values}.isdisjoint(unit.estates))
    }


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
