"""Reading cases from a file: whatever is wrong is noted with file, line and cure, and reading goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from schemas.decision import CallKind
from schemas.event import explain
from schemas.report import Raised
from services.domain.cases import Case
from services.domain.configuration import Configuration, Document, Problem
from services.domain.reading import Place
from services.domain.story import labels_of
from services.domain.street import call_of
from services.domain.tree_reading import LABELS
from services.domain.working_time import Duration

_KEYS: Final = ("name", "labels", "report", "community", "call", "at", "expect")
_EXPECTED: Final = ("departments", "rules", "deadlines", "ladders")
# Stands where a time is wrong, in a case that is then left out.
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


def read_cases(document: Document, configuration: Configuration) -> tuple[list[Case], list[Problem]]:
    """The cases of a file, and what is wrong with it; a case that is wrong is not among them."""
    problems = [Problem(document.file, each.line, "error", each.what, each.cure) for each in document.faults]
    top = Place(document, (), document.content, problems)
    keys = top.keys(("cases",))
    if "cases" not in keys and not problems:
        top.error("this file has no cases", "write cases: and each of them after a dash")
    cases = []
    for place in keys["cases"].items() if "cases" in keys else ():
        before = len(problems)
        case = _Reading(configuration, place, place.keys(_KEYS)).read()
        if len(problems) == before:
            cases.append(case)
    return cases, sorted(problems)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads one case under a configuration, whose zone is meant where a time has no offset."""

    configuration: Configuration
    place: Place
    keys: Mapping[str, Place]

    def read(self) -> Case:
        """The case; whatever is wrong with it has been noted."""
        at = self._at()
        expect = self._expected()
        deadlines = expect["deadlines"].keys() if "deadlines" in expect else {}
        ladders = expect["ladders"].keys() if "ladders" in expect else {}
        return Case(
            name=self.keys["name"].text() if "name" in self.keys else "a case",
            file=self.place.document.file,
            line=self.place.document.line(self.place.path),
            labels=self._labels(at),
            at=at,
            departments=_texts(expect["departments"]) if "departments" in expect else None,
            rules=_texts(expect["rules"]) if "rules" in expect else None,
            deadlines={
                department: {name: self._deadline(each) for name, each in named.keys().items()}
                for department, named in deadlines.items()
            },
            ladders={department: each.text() for department, each in ladders.items()},
        )

    def _at(self) -> datetime:
        if "at" in self.keys:
            return self._instant(self.keys["at"]) or _NEVER
        self.place.error("this case has no time", "write at: and when it is called, as in 2021-03-01T09:30+08:00")
        return _NEVER

    def _instant(self, place: Place) -> datetime | None:
        try:
            instant = datetime.fromisoformat(str(place.value))
        except ValueError:
            place.error(f"{place.value!r} is no time", "write ISO 8601, as in 2021-03-01T09:30+08:00")
            return None
        return instant if instant.tzinfo else instant.replace(tzinfo=self.configuration.calendar.zone)

    def _expected(self) -> Mapping[str, Place]:
        expect = self.keys["expect"].keys(_EXPECTED) if "expect" in self.keys else {}
        if not expect:
            self.place.error("this case expects nothing", f"write expect: and any of {', '.join(_EXPECTED)} under it")
        return expect

    def _deadline(self, place: Place) -> Duration | datetime:
        text = str(place.value)
        if text[:4].isdigit() and "-" in text:
            return self._instant(place) or _NEVER
        return place.duration()

    def _labels(self, at: datetime) -> dict[str, str]:
        """The labels as given, or those of the report that is given instead; `call` adds the whistle's kind."""
        if ("labels" in self.keys) == ("report" in self.keys):
            self.place.error("this case needs labels or a report", "write one of labels: and report:")
            return {}
        call = self._call()
        if "report" in self.keys:
            return self._of_report(self.keys["report"], at, call)
        labels = {name: each.text() for name, each in self.keys["labels"].keys().items()}
        # A tree that is tried alone may look at other labels.
        for name in [name for name in labels if self.configuration.directory.units and name not in LABELS]:
            self.keys["labels"].at(name, None).error(
                f"no report has the label {name!r}", f"use one of {', '.join(LABELS)}"
            )
        return labels | ({"call": call} if call else {})

    def _call(self) -> CallKind | None:
        place = self.keys.get("call")
        if place is None:
            return None
        found = next((kind for kind in get_args(CallKind) if kind == place.value), None)
        if found is None:
            place.error(f"{place.value!r} is no kind of whistle", f"write one of {', '.join(get_args(CallKind))}")
        return found

    def _of_report(self, place: Place, at: datetime, call: CallKind | None) -> dict[str, str]:
        """The labels of a report from a community, called for by rule where no kind of whistle is given."""
        community = self.keys["community"].text() if "community" in self.keys else ""
        street = self.configuration.directory.street_of(community)
        if street is None:
            self.place.error(
                f"no street has the community {community!r}", "write community: and a code of the directory"
            )
        said: dict[str, Any] = dict(place.value) if isinstance(place.value, Mapping) else {}
        said = {"description": "…", "happened_at": at.isoformat(), **said}
        try:
            report = Raised.model_validate_strings(said)
        except ValueError as error:
            # The validator's own, which the schemas put into words.
            place.error(f"this is no report ({explain(cast('Any', error))})", "write it as `whistle publish` takes it")
            return {}
        return labels_of(report, community, street or "", call or call_of(report))


def _texts(place: Place) -> tuple[str, ...]:
    return tuple(each.text() for each in place.items())
