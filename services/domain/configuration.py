"""The whole configuration as one value: who there is, who owes what by when, and who is told when a promise breaks.

It is parsed as a whole or not at all: `parse` reports everything that is wrong, with file, line and cure.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, cast, get_args

from schemas import incident as entries
from schemas.decision import CallKind
from schemas.response import Owner
from services.domain import routing
from services.domain.approvals import DEFAULT_APPROVALS, Approvals
from services.domain.calendar_reading import Calendars, read_calendars
from services.domain.checking import check
from services.domain.directory import Directory, Holder, Level, Unit
from services.domain.ladder import Ladder, Step
from services.domain.ladder_checks import warn_of_the_undecided
from services.domain.memo import remembered
from services.domain.policy_reading import read_approvals, read_whistles
from services.domain.reading import Document, Place, Problem
from services.domain.roster import Roster
from services.domain.roster_reading import read_post
from services.domain.routing import Plan, Policy, Route
from services.domain.tree_reading import TreeReader
from services.domain.whistles import DEFAULT_WHISTLES, Whistle, Whistles
from services.domain.working_time import Calendar, Duration

__all__ = [
    "Configuration",
    "Directory",
    "Document",
    "Holder",
    "Ladder",
    "Problem",
    "Side",
    "Step",
    "StreetPolicy",
    "Unit",
    "parse",
    "parse_tree",
]

Side = Literal["street", "district", "community", "section"]
Labels = tuple[tuple[str, str], ...]

_SIDES: Final[tuple[str, ...]] = get_args(Side)
_SIDE_OF: Final[Mapping[Level, Side]] = MappingProxyType(
    {
        "department": "district",
        "district": "district",
        "section": "section",
        "street": "street",
        "community": "community",
    }
)
_CASES: Final = "cases"
_TOP: Final = (
    "district",
    "streets",
    "departments",
    "route",
    "ladders",
    "owed-by",
    "street-policy",
    "whistles",
    "approvals",
    "calendar",
    "calendars",
    "calendar-days",
    "public-holidays",
    # What the configuration is tried with may lie beside it, and is no part of it.
    _CASES,
)
_NEEDED: Final = (
    "district",
    "streets",
    "departments",
    "route",
    "ladders",
    "owed-by",
    "street-policy",
    "whistles",
    "approvals",
)
_POLICY: Final = ("decide", "confirm", "answer", "close", "approve", "lead", "wait")
_A_YEAR: Final = {"m": 366 * 24 * 60, "h": 366 * 24, "d": 366, "wh": 2_000, "wd": 250}
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_OF_CASES: Final = ("explain", "judge")
# What a supervision case gives whoever is asked, and supervision itself, where nothing is set.
_TWO_DAYS: Final = Duration(2, "wd")
# What an operator's own tree has where its root sets nothing.
_DEFAULT_ROOT: Final = Route(
    "root", deadlines={"acknowledge": Duration(4, "wh"), "resolve": Duration(5, "wd")}, ladder="district"
)


# A policy may leave it out: citizens have as long everywhere unless somebody says otherwise.
_REPLY: Final = Duration(5, "d")
# A policy may leave it out: what waits for better days is looked at again once a year at least.
_PARK: Final = Duration(365, "d")


@dataclass(frozen=True, slots=True)
class StreetPolicy:
    """How long a street has for each of its own acts, and how long a fact waits.

    `decide` a report or a declined obligation; `confirm` what was resolved; `answer` the public; `close` after the
    rating window; `approve` an extension or a parking; `lead` of the district, to name who leads what all have
    declined; `wait` of a fact about something that isn't known yet; `reply` of a reporter who was asked for more;
    `park` until the review of what is parked, at most. In a supervision case, whoever is asked has `explain`, and
    supervision `judge`.
    """

    decide: Duration
    confirm: Duration
    answer: Duration
    close: Duration
    approve: Duration
    lead: Duration
    wait: Duration
    explain: Duration = _TWO_DAYS
    judge: Duration = _TWO_DAYS
    reply: Duration = _REPLY
    park: Duration = _PARK


DEFAULT_STREET_POLICY: Final = StreetPolicy(
    decide=Duration(2, "wd"),
    confirm=Duration(3, "wd"),
    answer=Duration(2, "wd"),
    close=Duration(7, "d"),
    approve=Duration(1, "wd"),
    lead=Duration(1, "wd"),
    wait=Duration(15, "m"),
)


@dataclass(frozen=True)
class Configuration:
    """Everything configured; `version` names its content, however it is laid out in files or commented.

    `owed_by` names the ladder of each side that may owe, `whistles` are the limits of each kind of call, and `calendar`
    is that of whoever names none of `calendars`.
    """

    version: str
    directory: Directory
    routes: Route
    ladders: Mapping[str, Ladder] = field(hash=False)
    owed_by: Mapping[Side, str] = field(hash=False)
    street: StreetPolicy
    whistles: Whistles = field(hash=False)
    approvals: Approvals
    calendar: Calendar = field(hash=False)
    calendars: Mapping[str, Calendar] = field(default_factory=dict, hash=False)

    # It is asked for each deadline, and by each rung of a ladder.
    @remembered
    def calendar_of(self, code: str) -> Calendar:
        """The calendar that what a unit owes is counted by: its own, or else its street's, the district's, or any's."""
        return self.calendars.get(self.directory.calendar_of(code), self.calendar)

    @cached_property
    def counted_by(self) -> str:
        """Name what working time is counted by, all calendars together: with any other day it is another name."""
        goes_by = [f"{unit.code} {unit.calendar}" for unit in self.directory.units.values() if unit.calendar]
        told = [str(self.calendar), *(str(each) for each in self.calendars.values()), *goes_by]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

    def plan(self, labels: Mapping[str, str]) -> Plan:
        """Who owes, by which rules, with the ladder of whoever owes where a rule names none."""
        return self._plan(tuple(labels.items()))

    # Reports of one kind from one place are many, and the tree says the same of each.
    @remembered
    def _plan(self, labels: Labels) -> Plan:
        found = routing.plan(self.routes, dict(labels))
        whistles = self._ladder_of_whistle(labels)
        return Plan(
            found.rules,
            tuple(
                replace(each, ladder=self.climbed(each.ladder or whistles, each.department))
                for each in found.assignments
            ),
        )

    def _ladder_of_whistle(self, labels: Labels) -> str:
        """Return the ladder of the kind of call, for rules that name none; empty where it has none either."""
        whistle = self.whistles.get(cast("CallKind", dict(labels).get("call", "")))
        return whistle.ladder if whistle else ""

    def policy_for(self, labels: Mapping[str, str], department: str) -> Policy:
        """The policy under which a department owes that an officer named, whether the tree names it or not."""
        return self._policy_for(tuple(labels.items()), department)

    @remembered
    def _policy_for(self, labels: Labels, department: str) -> Policy:
        policy = routing.policy_for(self.routes, dict(labels), department)
        return replace(policy, ladder=self.climbed(policy.ladder or self._ladder_of_whistle(labels), department))

    @remembered
    def frozen(self, policy: Policy) -> entries.Policy:
        """Return a policy as it is kept on the obligation, whatever the configuration becomes."""
        ladder = self.ladders[policy.ladder]
        return entries.Policy(
            rule=policy.rule,
            version=self.version,
            allow=policy.allow,
            durations={name: str(duration) for name, duration in policy.deadlines.items()},
            ladder=entries.Ladder(
                name=ladder.name,
                rungs=tuple(
                    entries.Rung(**{"before" if step.before else "after": str(step.offset)}, post=step.post)
                    for step in ladder.steps
                ),
                repeat=str(ladder.repeat),
            ),
        )

    def owner_of(self, department: str, at: datetime) -> Owner:
        """Return who does the work in a department: its posts, as the directory names them at an instant (UTC)."""
        return self._owner_of(department, at if self._rotates(department) else _ANY_TIME)

    @remembered
    def _rotates(self, department: str) -> bool:
        return self.directory.rotates(department)

    @remembered
    def _owner_of(self, department: str, at: datetime) -> Owner:
        leader, section, officer = (
            holder.name if (holder := self.directory.holder(department, post, at)) else f"{department}:{post}"
            for post in ("responsible-leader", "section-head", "officer")
        )
        return Owner(leader=leader, section=section, officer=officer)

    def climbed(self, ladder: str, code: str) -> str:
        """The ladder that a unit climbs where a rule names one, or none: it may be another for the unit's side."""
        named = self.ladders.get(ladder)
        return named.instead.get(self._side_of(code), ladder) if named else ladder or self.ladder_of(code)

    @remembered
    def ladder_of(self, code: str) -> str:
        """The name of the ladder that a unit's broken promises climb; an unknown unit's is the district's."""
        return self.owed_by[self._side_of(code)]

    def _side_of(self, code: str) -> Side:
        unit = self.directory.units.get(code)
        return _SIDE_OF[unit.level] if unit else "district"

    def whistle(self, call: CallKind | None) -> Whistle:
        """The limits of a kind of call; setting only the street's own sections to work has those of the general one."""
        return self.whistles[call or "general"]

    def deciding(self, kind: CallKind) -> Duration:
        """How long a street has to decide about a matter for which that kind of whistle is, or would be, blown."""
        return self.whistles[kind].decide or self.street.decide


def parse(documents: Iterable[Document]) -> tuple[Configuration | None, list[Problem]]:
    """The configuration that some files make up together, and what is wrong with it, in order of file and line.

    There is none when anything is an error; warnings alone don't prevent it.
    """
    documents = list(documents)
    problems: list[Problem] = []
    keys = _top(documents, problems)
    file = documents[0].file if documents else "the configuration"
    problems.extend(
        Problem(file, 1, "error", f"no file sets {key!r}", f"write {key}: in one of the files")
        for key in _NEEDED
        if key not in keys
    )
    calendars = read_calendars(keys)
    directory = _directory(keys, calendars)
    ladders = _ladders(keys["ladders"]) if "ladders" in keys else {}
    owed_by = _owed_by(keys["owed-by"], ladders) if "owed-by" in keys else {}
    reader = TreeReader(directory, frozenset(ladders))
    tree = reader.read(keys["route"], Route("root")) if "route" in keys else _DEFAULT_ROOT
    street = _street_policy(keys["street-policy"]) if "street-policy" in keys else DEFAULT_STREET_POLICY
    whistles = read_whistles(keys["whistles"], ladders) if "whistles" in keys else DEFAULT_WHISTLES
    approvals = read_approvals(keys["approvals"], directory) if "approvals" in keys else DEFAULT_APPROVALS
    if "ladders" in keys:
        _warn_of_empty_posts(keys, directory, ladders, owed_by)
        warn_of_the_undecided(keys["ladders"], ladders, owed_by)
    problems.sort()
    if any(problem.level == "error" for problem in problems):
        return None, problems
    version = _version(documents)
    configuration = Configuration(
        version,
        directory,
        tree,
        ladders,
        owed_by,
        street,
        whistles,
        approvals,
        calendars.default,
        calendars.by_name,
    )
    check(keys, configuration)
    problems.sort()
    return (None if any(problem.level == "error" for problem in problems) else configuration), problems


def parse_tree(document: Document, *tables: Document) -> tuple[Configuration | None, list[Problem]]:
    """A configuration of nothing but a `route:` tree, to be tried before it is real.

    Its departments and ladders need not exist, and what its root doesn't set has a default: `4wh` to acknowledge, `5wd`
    to resolve, and the ladder `district`. Behind the file come the tables that nobody wrote, if any.
    """
    problems: list[Problem] = []
    keys = _top([document, *tables], problems)
    for key, place in keys.items():
        if key != "route" and place.document is document:
            place.error(f"{key!r} stands beside a tree that is tried alone", "give the folder with all the files")
    if "route" not in keys and not problems:
        problems.append(
            Problem(document.file, 1, "error", "this file has no route: tree", "write route: and the root under it")
        )
    tree = TreeReader(None, None).read(keys["route"], _DEFAULT_ROOT) if "route" in keys else _DEFAULT_ROOT
    problems.sort()
    if any(problem.level == "error" for problem in problems):
        return None, problems
    return (
        Configuration(
            version=_version([document, *tables]),
            directory=Directory(),
            routes=tree,
            ladders={},
            owed_by={side: cast("str", side) for side in get_args(Side)},
            street=DEFAULT_STREET_POLICY,
            whistles=DEFAULT_WHISTLES,
            approvals=DEFAULT_APPROVALS,
            calendar=read_calendars(keys).default,
        ),
        problems,
    )


def _version(documents: Iterable[Document]) -> str:
    merged: dict[str, object] = {}
    for document in documents:
        if isinstance(document.content, Mapping):
            merged |= document.content
    merged.pop(_CASES, None)
    canonical = json.dumps(merged, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _top(documents: Iterable[Document], problems: list[Problem]) -> dict[str, Place]:
    """What the files set at their top, together; the same key in two files is an error."""
    found: dict[str, Place] = {}
    for document in documents:
        problems.extend(
            Problem(document.file, fault.line, "error", fault.what, fault.cure) for fault in document.faults
        )
        for key, place in Place(document, (), document.content, problems).keys(_TOP).items():
            if key in found:
                place.error(f"{key!r} is set in {found[key].document.file} too", "keep one of them")
            else:
                found[key] = place
    return found


# ----------------------------------------------------------------------------------------------------------- directory


def _directory(keys: Mapping[str, Place], calendars: Calendars) -> Directory:
    units: dict[str, Unit] = {}
    if "district" in keys:
        _unit(keys["district"], "district", "", units, calendars)
    for street in keys["streets"].items() if "streets" in keys else ():
        code = _unit(street, "street", "", units, calendars)
        inside = street.keys()
        for community in inside["communities"].items() if "communities" in inside else ():
            _unit(community, "community", code, units, calendars)
        for section in inside["sections"].items() if "sections" in inside else ():
            _unit(section, "section", code, units, calendars)
    for department in keys["departments"].items() if "departments" in keys else ():
        _unit(department, "department", "", units, calendars)
    return Directory(units)


def _unit(place: Place, level: Level, street: str, units: dict[str, Unit], calendars: Calendars) -> str:
    """Read a unit into `units`; its code, empty when it has none."""
    more = {"street": ("communities", "sections"), "community": ("estates",)}.get(level, ())
    keys = place.keys(("code", "name", "posts", "calendar", *more))
    code = keys["code"].code() if "code" in keys else ""
    if "code" not in keys:
        place.error(f"a {level} has no code", "write code: and a short name in small letters")
    if code in units:
        keys["code"].error(f"{code!r} is the code of a {units[code].level} already", "give each unit a code of its own")
        return code
    posts: dict[str, str | Roster] = {}
    for post, each in keys["posts"].keys().items() if "posts" in keys else ():
        if each.at(post, post).code():
            held = read_post(each)
            if held is not None:
                posts[post] = held
    if not posts:
        place.warn(f"{code or level} has no posts, so nobody there is ever told", "write posts: {officer: …}")
    if code:
        estates = tuple(each.text() for each in keys["estates"].items()) if "estates" in keys else ()
        homes = {estate: unit.code for unit in units.values() for estate in unit.estates}
        for estate in homes.keys() & set(estates):
            keys["estates"].warn(f"{homes[estate]} has the estate {estate!r} already", "write it under one community")
        name = keys["name"].text() if "name" in keys else code
        calendar = calendars.named(keys["calendar"]) if "calendar" in keys else ""
        units[code] = Unit(code, name, level, code if level == "street" else street, posts, estates, calendar)
    return code


# ------------------------------------------------------------------------------------------------------------- ladders


def _ladders(place: Place) -> dict[str, Ladder]:
    found = {}
    for name, each in place.keys().items():
        each.at(name, name).code()
        keys = each.keys(("steps", "repeat", "instead"))
        for key in ("steps", "repeat"):
            if key not in keys:
                each.error(f"the ladder {name!r} has no {key}", f"write {key}:")
        steps = [_step(step) for step in keys["steps"].items()] if "steps" in keys else []
        repeat = keys["repeat"].duration() if "repeat" in keys else Duration(0, "m")
        instead = _instead(keys["instead"], place.keys()) if "instead" in keys else {}
        if not steps and "steps" in keys:
            keys["steps"].error(f"the ladder {name!r} has no steps", "write at least one: - after: 0m")
        if steps and repeat.value and _in_order(keys["steps"], name, steps):
            found[name] = Ladder(name, tuple(steps), repeat, instead)
            _warn_of_order(keys["steps"], found[name])
    return found


def _step(place: Place) -> Step:
    keys = place.keys(("after", "before", "post"))
    before = "before" in keys
    if before == ("after" in keys):
        place.error(
            "a step says both after and before" if before else "a step doesn't say after how long",
            "write one of them: after: 0m, or after: 1wd, or before: 1wd",
        )
    offset = keys["after"].duration(zero=True) if "after" in keys else Duration(0, "m")
    if before:
        offset = keys["before"].duration()
        if offset.value > _A_YEAR[offset.unit]:
            keys["before"].error(f"{offset} is more than a year before the deadline", "remind later, as in before: 1d")
    return Step(offset, keys["post"].code() if "post" in keys else None, before)


def _instead(place: Place, ladders: Mapping[str, Place]) -> dict[str, str]:
    keys = place.keys(_SIDES)
    for each in keys.values():
        if each.text() and each.value not in ladders:
            each.error(f"no ladder is called {each.value!r}", f"use one of {', '.join(ladders)}")
    return {side: str(each.value) for side, each in keys.items()}


def _in_order(place: Place, name: str, steps: Sequence[Step]) -> bool:
    """Whether the steps before the deadline come first, then one at it; where not, that is noted."""
    if steps[-1].before:
        place.at(len(steps) - 1, None).error(
            f"the ladder {name!r} ends before the deadline, and nobody is told once it is broken",
            "write a step after: 0m, or later, below it",
        )
        return False
    for index, (lower, upper) in enumerate(pairwise(steps)):
        if upper.before and not lower.before:
            place.at(index + 1, None).error(
                "this step comes before the deadline, and the one above it in the file after it",
                "write the steps from early to late",
            )
            return False
    first = next(index for index, step in enumerate(steps) if not step.before)
    if not steps[first].at_the_deadline:
        place.at(first, None).error(
            f"the ladder {name!r} has no step at the deadline itself, where a promise is broken: its first comes after"
            f" {steps[first].offset}",
            "write - after: 0m above it",
        )
        return False
    return True


def _warn_of_order(place: Place, ladder: Ladder) -> None:
    for index, (lower, upper) in enumerate(zip(ladder.steps, ladder.steps[1:], strict=False)):
        if lower.before != upper.before or lower.offset.unit != upper.offset.unit:
            continue
        word = "before" if upper.before else "after"
        early, late = (upper, lower) if upper.before else (lower, upper)
        if early.offset.value > late.offset.value:
            place.at(index + 1, None).warn(
                f"this step comes {word} {upper.offset}, but the one below it {word} {lower.offset}, so they come"
                " together",
                "write the steps from early to late",
            )


def _owed_by(place: Place, ladders: Mapping[str, Ladder]) -> dict[Side, str]:
    keys = place.keys(_SIDES)
    for side in _SIDES:
        if side not in keys:
            place.error(f"what a {side} owes has no ladder", f"write {side}: and a ladder's name")
    for each in keys.values():
        if each.text() and each.value not in ladders:
            each.error(f"no ladder is called {each.value!r}", f"use one of {', '.join(ladders) or 'none yet'}")
    return {cast("Side", side): str(each.value) for side, each in keys.items()}


def _warn_of_empty_posts(
    keys: Mapping[str, Place], directory: Directory, ladders: Mapping[str, Ladder], owed_by: Mapping[Side, str]
) -> None:
    """A step whose post nobody holds: an error if it is so everywhere, a warning if it is for some unit."""
    place = keys["ladders"]
    for ladder in ladders.values():
        sides = {side for side, name in owed_by.items() if name == ladder.name}
        owing = [unit for unit in directory.units.values() if _SIDE_OF[unit.level] in sides] if sides else []
        owing = [unit for unit in owing if unit.level != "district"] or list(directory.units.values())
        for index, step in enumerate(ladder.steps):
            if step.post is None:
                continue
            empty = [unit.code for unit in owing if not directory.has_post(unit.code, step.post)]
            at = place.at(ladder.name, None).at("steps", None).at(index, None)
            cure = f"write posts: {{{step.post}: …}} for it, its street or the district"
            if len(empty) == len(owing):
                at.error(f"nobody holds the post {step.post!r}", cure)
            elif empty and sides:
                at.warn(f"the post {step.post!r} is held by nobody for {', '.join(empty)}", cure)


# -------------------------------------------------------------------------------------------------------------- policy


def _street_policy(place: Place) -> StreetPolicy:
    keys = place.keys((*_POLICY, *_OF_CASES, "reply", "park"))
    for name in _POLICY:
        if name not in keys:
            place.error(f"the street has no time to {name}", f"write {name}: {getattr(DEFAULT_STREET_POLICY, name)}")
    return replace(DEFAULT_STREET_POLICY, **{name: each.duration() for name, each in keys.items()})
