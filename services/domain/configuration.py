"""The whole configuration as one value: who there is, who owes what by when, and who is told when a promise breaks.

It is parsed as a whole or not at all: `parse` reports everything that is wrong, with file, line and cure.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from types import MappingProxyType
from typing import Final, Literal, cast, get_args
from zoneinfo import ZoneInfo

from schemas import incident as entries
from schemas.response import Owner
from services.domain import routing
from services.domain.directory import Directory, Holder, Level, Unit
from services.domain.ladder import Ladder, Step
from services.domain.memo import remembered
from services.domain.reading import Document, Place, Problem
from services.domain.routing import Plan, Policy, Route
from services.domain.tree_reading import TreeReader
from services.domain.working_time import OFFICE_WEEK, Calendar, Duration, Hours

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
Approver = Literal["street", "supervision"]
Labels = tuple[tuple[str, str], ...]

DEFAULT_ZONE: Final = "Asia/Shanghai"
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
_TOP: Final = (
    "district",
    "streets",
    "departments",
    "route",
    "ladders",
    "owed-by",
    "street-policy",
    "approvers",
    "calendar",
)
_NEEDED: Final = ("district", "streets", "departments", "route", "ladders", "owed-by", "street-policy", "approvers")
_POLICY: Final = ("decide", "confirm", "answer", "close", "approve", "overall", "wait")
_APPROVALS: Final = ("extension", "parking")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# What an operator's own tree has where its root sets nothing.
_DEFAULT_ROOT: Final = Route(
    "root", deadlines={"acknowledge": Duration(4, "wh"), "resolve": Duration(5, "wd")}, ladder="district"
)


# A policy may leave it out: citizens have as long everywhere unless somebody says otherwise.
_REPLY: Final = Duration(5, "d")


@dataclass(frozen=True, slots=True)
class StreetPolicy:
    """How long a street has for each of its own acts, and how long a fact waits.

    `decide` a report or a declined obligation; `confirm` what was resolved; `answer` the public; `close` after the
    rating window; `approve` an extension or a parking; `overall` from the whistle to the incident's end; `wait` of a
    fact about something that isn't known yet; `reply` of a reporter who was asked for more.
    """

    decide: Duration
    confirm: Duration
    answer: Duration
    close: Duration
    approve: Duration
    overall: Duration
    wait: Duration
    reply: Duration = _REPLY


DEFAULT_STREET_POLICY: Final = StreetPolicy(
    decide=Duration(2, "wd"),
    confirm=Duration(3, "wd"),
    answer=Duration(2, "wd"),
    close=Duration(7, "d"),
    approve=Duration(1, "wd"),
    overall=Duration(30, "wd"),
    wait=Duration(15, "m"),
)


@dataclass(frozen=True)
class Configuration:
    """Everything configured; `version` names its content, however it is laid out in files or commented.

    `owed_by` names the ladder of each side that may owe, `approvers` who grants an extension and a parking.
    """

    version: str
    directory: Directory
    routes: Route
    ladders: Mapping[str, Ladder] = field(hash=False)
    owed_by: Mapping[Side, str] = field(hash=False)
    street: StreetPolicy
    approvers: Mapping[str, Approver] = field(hash=False)
    calendar: Calendar = field(hash=False)

    def plan(self, labels: Mapping[str, str]) -> Plan:
        """Who owes, by which rules, with the ladder of whoever owes where a rule names none."""
        return self._plan(tuple(labels.items()))

    # Reports of one kind from one place are many, and the tree says the same of each.
    @remembered
    def _plan(self, labels: Labels) -> Plan:
        found = routing.plan(self.routes, dict(labels))
        return Plan(
            found.rules,
            tuple(replace(each, ladder=each.ladder or self.ladder_of(each.department)) for each in found.assignments),
        )

    def policy_for(self, labels: Mapping[str, str], department: str) -> Policy:
        """The policy under which a department owes that an officer named, whether the tree names it or not."""
        return self._policy_for(tuple(labels.items()), department)

    @remembered
    def _policy_for(self, labels: Labels, department: str) -> Policy:
        policy = routing.policy_for(self.routes, dict(labels), department)
        return replace(policy, ladder=policy.ladder or self.ladder_of(department))

    @remembered
    def frozen(self, policy: Policy) -> entries.Policy:
        """Return a policy as it is kept on the obligation, whatever the configuration becomes."""
        ladder = self.ladders[policy.ladder]
        return entries.Policy(
            rule=policy.rule,
            version=self.version,
            durations={name: str(duration) for name, duration in policy.deadlines.items()},
            ladder=entries.Ladder(
                name=ladder.name,
                rungs=tuple(entries.Rung(after=str(step.after), post=step.post) for step in ladder.steps),
                repeat=str(ladder.repeat),
            ),
        )

    @remembered
    def owner_of(self, department: str) -> Owner:
        """Return who does the work in a department: its posts, as the directory names them."""
        leader, section, officer = (
            holder.name if (holder := self.directory.holder(department, post)) else f"{department}:{post}"
            for post in ("responsible-leader", "section-head", "officer")
        )
        return Owner(leader=leader, section=section, officer=officer)

    def ladder_of(self, code: str) -> str:
        """The name of the ladder that a unit's broken promises climb; an unknown unit's is the district's."""
        unit = self.directory.units.get(code)
        return self.owed_by[_SIDE_OF[unit.level] if unit else "district"]

    def approver_ladder(self, approval: str) -> str:
        """The name of the ladder that an approval left lying climbs: `extension` or `parking`."""
        return self.owed_by["street" if self.approvers[approval] == "street" else "district"]


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
    directory = _directory(keys)
    ladders = _ladders(keys["ladders"]) if "ladders" in keys else {}
    owed_by = _owed_by(keys["owed-by"], ladders) if "owed-by" in keys else {}
    reader = TreeReader(directory, frozenset(ladders))
    tree = reader.read(keys["route"], Route("root")) if "route" in keys else _DEFAULT_ROOT
    street = _street_policy(keys["street-policy"]) if "street-policy" in keys else DEFAULT_STREET_POLICY
    approvers = _approvers(keys["approvers"]) if "approvers" in keys else {}
    calendar = _calendar(keys.get("calendar"))
    if "ladders" in keys:
        _warn_of_empty_posts(keys, directory, ladders, owed_by)
    problems.sort()
    if any(problem.level == "error" for problem in problems):
        return None, problems
    version = _version(documents)
    return Configuration(version, directory, tree, ladders, owed_by, street, approvers, calendar), problems


def parse_tree(document: Document) -> tuple[Configuration | None, list[Problem]]:
    """A configuration of nothing but a `route:` tree, to be tried before it is real.

    Its departments and ladders need not exist, and what its root doesn't set has a default: `4wh` to acknowledge, `5wd`
    to resolve, and the ladder `district`.
    """
    problems: list[Problem] = []
    keys = _top([document], problems)
    for key, place in keys.items():
        if key != "route":
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
            version=_version([document]),
            directory=Directory(),
            routes=tree,
            ladders={},
            owed_by={side: cast("str", side) for side in get_args(Side)},
            street=DEFAULT_STREET_POLICY,
            approvers={"extension": "street", "parking": "supervision"},
            calendar=_calendar(None),
        ),
        problems,
    )


def _version(documents: Iterable[Document]) -> str:
    merged: dict[str, object] = {}
    for document in documents:
        if isinstance(document.content, Mapping):
            merged |= document.content
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


def _directory(keys: Mapping[str, Place]) -> Directory:
    units: dict[str, Unit] = {}
    if "district" in keys:
        _unit(keys["district"], "district", "", units)
    for street in keys["streets"].items() if "streets" in keys else ():
        code = _unit(street, "street", "", units)
        inside = street.keys()
        for community in inside["communities"].items() if "communities" in inside else ():
            _unit(community, "community", code, units)
        for section in inside["sections"].items() if "sections" in inside else ():
            _unit(section, "section", code, units)
    for department in keys["departments"].items() if "departments" in keys else ():
        _unit(department, "department", "", units)
    return Directory(units)


def _unit(place: Place, level: Level, street: str, units: dict[str, Unit]) -> str:
    """Read a unit into `units`; its code, empty when it has none."""
    more = {"street": ("communities", "sections"), "community": ("estates",)}.get(level, ())
    keys = place.keys(("code", "name", "posts", *more))
    code = keys["code"].code() if "code" in keys else ""
    if "code" not in keys:
        place.error(f"a {level} has no code", "write code: and a short name in small letters")
    if code in units:
        keys["code"].error(f"{code!r} is the code of a {units[code].level} already", "give each unit a code of its own")
        return code
    posts = {}
    for post, each in keys["posts"].keys().items() if "posts" in keys else ():
        if each.at(post, post).code():
            posts[post] = each.text()
    if not posts:
        place.warn(f"{code or level} has no posts, so nobody there is ever told", "write posts: {officer: …}")
    if code:
        estates = tuple(each.text() for each in keys["estates"].items()) if "estates" in keys else ()
        name = keys["name"].text() if "name" in keys else code
        units[code] = Unit(code, name, level, code if level == "street" else street, posts, estates)
    return code


# ------------------------------------------------------------------------------------------------------------- ladders


def _ladders(place: Place) -> dict[str, Ladder]:
    found = {}
    for name, each in place.keys().items():
        each.at(name, name).code()
        keys = each.keys(("steps", "repeat"))
        for key in ("steps", "repeat"):
            if key not in keys:
                each.error(f"the ladder {name!r} has no {key}", f"write {key}:")
        steps = [_step(step) for step in keys["steps"].items()] if "steps" in keys else []
        repeat = keys["repeat"].duration() if "repeat" in keys else Duration(0, "m")
        if not steps and "steps" in keys:
            keys["steps"].error(f"the ladder {name!r} has no steps", "write at least one: - after: 0m")
        if steps and repeat.value:
            found[name] = Ladder(name, tuple(steps), repeat)
            _warn_of_order(keys["steps"], found[name])
    return found


def _step(place: Place) -> Step:
    keys = place.keys(("after", "post"))
    if "after" not in keys:
        place.error("a step doesn't say after how long", "write after: 0m, or after: 1wd")
    after = keys["after"].duration(zero=True) if "after" in keys else Duration(0, "m")
    return Step(after, keys["post"].code() if "post" in keys else None)


def _warn_of_order(place: Place, ladder: Ladder) -> None:
    for index, (lower, upper) in enumerate(zip(ladder.steps, ladder.steps[1:], strict=False)):
        if lower.after.unit == upper.after.unit and lower.after.value > upper.after.value:
            place.at(index + 1, None).warn(
                f"this step comes after {upper.after}, but the one below it after {lower.after}, so they come together",
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
            empty = [unit.code for unit in owing if directory.holder(unit.code, step.post) is None]
            at = place.at(ladder.name, None).at("steps", None).at(index, None)
            cure = f"write posts: {{{step.post}: …}} for it, its street or the district"
            if len(empty) == len(owing):
                at.error(f"nobody holds the post {step.post!r}", cure)
            elif empty and sides:
                at.warn(f"the post {step.post!r} is held by nobody for {', '.join(empty)}", cure)


# -------------------------------------------------------------------------------------------------- policy and calendar


def _street_policy(place: Place) -> StreetPolicy:
    keys = place.keys((*_POLICY, "reply"))
    for name in _POLICY:
        if name not in keys:
            place.error(f"the street has no time to {name}", f"write {name}: {getattr(DEFAULT_STREET_POLICY, name)}")
    return replace(DEFAULT_STREET_POLICY, **{name: each.duration() for name, each in keys.items()})


def _approvers(place: Place) -> dict[str, Approver]:
    keys = place.keys(_APPROVALS)
    found: dict[str, Approver] = {}
    for name in _APPROVALS:
        if name not in keys:
            place.error(f"nobody approves of {name}", f"write {name}: street, or supervision")
        elif keys[name].value not in get_args(Approver):
            keys[name].error(f"{keys[name].value!r} approves of nothing", "write street or supervision")
        else:
            found[name] = cast("Approver", keys[name].value)
    return found


def _calendar(place: Place | None) -> Calendar:
    """The calendar; where nothing is set, Monday to Friday, 09:00 to 12:00 and 13:00 to 17:00, in Asia/Shanghai."""
    default = Calendar(ZoneInfo(DEFAULT_ZONE))
    if place is None:
        return default
    keys = place.keys(("zone", "office-hours", "holidays", "working-weekends"))
    zone = default.zone
    if "zone" in keys:
        try:
            zone = ZoneInfo(keys["zone"].text())
        except (ValueError, OSError, KeyError):
            keys["zone"].error(f"no time zone is called {keys['zone'].value!r}", "write one as in Asia/Shanghai")
    week = _week(keys["office-hours"]) if "office-hours" in keys else OFFICE_WEEK
    try:
        return Calendar(
            zone,
            week,
            _dates(keys["holidays"]) if "holidays" in keys else frozenset(),
            _dates(keys["working-weekends"]) if "working-weekends" in keys else frozenset(),
        )
    except ValueError as error:
        place.error(str(error).partition(":")[0], str(error).partition(": ")[2] or "mend the calendar")
        return default


def _week(place: Place) -> tuple[tuple[Hours, ...], ...]:
    keys = place.keys(_DAYS)
    return tuple(tuple(_hours(keys[day])) if day in keys else () for day in _DAYS)


def _hours(place: Place) -> list[Hours]:
    found = []
    for each in place.items():
        start, _, end = str(each.value).partition("-")
        try:
            found.append(Hours(time.fromisoformat(start.strip()), time.fromisoformat(end.strip())))
        except ValueError:
            each.error(f"{each.value!r} are no office hours", "write them as in 09:00-12:00")
    return found


def _dates(place: Place) -> frozenset[date]:
    found = set()
    for each in place.items():
        try:
            found.add(date.fromisoformat(str(each.value)))
        except ValueError:
            each.error(f"{each.value!r} is no date", "write it as in 2021-10-01")
    return frozenset(found)
