"""An operator's words for what happens to one incident: given, when, after, expect.

A scenario is a text, a sentence on each line. `given` sets the scene, `when` lets somebody act, `after` and `at` let
time pass, in which every deadline fires at its instant; after an `outage`, everything that came due fires at its end.
All that the clock has said since is expected, sentence by sentence and in order; `expect nothing` where that is none.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from schemas import action, decision, response
from schemas.event import Fact
from schemas.incident import ActRefused, Called, Closed, Entry, Escalated, Reminded, Unparked
from schemas.report import Raised
from services.configured import load
from services.domain.configuration import Configuration
from services.domain.directory import Directory
from services.domain.reading import Place, Problem
from services.domain.roster_reading import read_post
from services.domain.working_time import Duration, add
from services.runtime.files import read
from tests.domain.scene import Scene

SHIPPED = load(Path(__file__).parents[2] / "deploy" / "config")
WRITTEN = "%Y-%m-%d %H:%M"
STREET = "dongsheng"
_SENTENCES: list[tuple[re.Pattern[str], Callable[..., None]]] = []
Method = Callable[..., None]


def sentence(pattern: str) -> Callable[[Method], Method]:
    """A method carries out every sentence that matches a pattern, with its groups."""

    def noted(method: Method) -> Method:
        _SENTENCES.append((re.compile(pattern), method))
        return method

    return noted


class Operator:
    """Carries a scenario out, sentence by sentence, under the configuration that is shipped."""

    def __init__(self, configuration: Configuration = SHIPPED) -> None:
        self.scene = Scene(configuration)
        self._unheard: list[tuple[datetime, Entry]] = []

    def play(self, text: str) -> None:
        """Carry out a whole text, and fail at the first line on which something else happens than it says."""
        for number, line in enumerate(text.splitlines(), 1):
            said = line.partition("#")[0].strip()
            if said:
                try:
                    self._carry_out(said)
                except AssertionError as error:
                    raise AssertionError(f"line {number}, {said!r}: {error}") from None
        assert not self._unheard, f"the scenario ends, and nothing expects: {self._heard()}"

    def _carry_out(self, said: str) -> None:
        for pattern, method in _SENTENCES:
            found = pattern.fullmatch(said)
            if found:
                method(self, *found.groups())
                return
        raise AssertionError("nobody understands this sentence")

    # --- given ---

    @sentence(r"given it is (.+)")
    def it_is(self, instant: str) -> None:
        """The present."""
        self.scene.at = self._instant(instant)

    @sentence(r"given nobody is (\S+)'s (\S+)")
    def nobody_is(self, unit: str, post: str) -> None:
        """A post is struck off a unit's posts; its street's or the district's of that name would stand in."""
        posts = {name: held for name, held in self._unit(unit).posts.items() if name != post}
        self._with_posts(unit, posts)

    @sentence(r"given (\S+)'s (\S+) is (.+)")
    def holds(self, unit: str, post: str, held: str) -> None:
        """Somebody holds a unit's post, or a roster does, written as in the directory."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "post.yaml"
            file.write_text(f"held: {held}\n", encoding="utf-8")
            document = read(file)[0]
        assert isinstance(document.content, dict)
        problems: list[Problem] = []
        post_of = read_post(Place(document, ("held",), document.content["held"], problems))
        assert post_of is not None, problems
        self._with_posts(unit, {**self._unit(unit).posts, post: post_of})

    # --- when ---

    @sentence(r"(?:given|when) (\S+) reports (\S+?)(?: as (\S+))?")
    def reports(self, community: str, category: str, severity: str | None) -> None:
        """A community reports something, and the street opens an incident."""
        raised = Raised(
            kind="demand",
            category=category,
            severity=severity or "normal",  # type: ignore[arg-type]  # the schema judges
            description="as told",
            channel="visit",
            happened_at=self.scene.at,
        )
        self._street(decision.Opened(community=community, report=raised, reported_at=self.scene.at))

    @sentence(r"when the street calls(?: (.+?))??(?: as an? (\S+))?")
    def calls(self, departments: str | None, kind: str | None) -> None:
        """The whistle is blown, for whom the routes name or for those named here."""
        named = tuple(departments.split(", ")) if departments else ()
        self._street(decision.Called(kind=kind or "general", departments=named))  # type: ignore[arg-type]

    @sentence(r"when (\S+) (acknowledges|declines|arrives|resolves)")
    def responds(self, department: str, verb: str) -> None:
        """A department does what is to be done."""
        facts: dict[str, Fact] = {
            "acknowledges": response.Acknowledged(),
            "declines": response.Declined(reason="not ours"),
            "arrives": response.Arrived(),
            "resolves": response.Resolved(note="mended"),
        }
        self._take(self.scene.department(department, facts[verb]))

    @sentence(r"when (\S+) has done (\S+)")
    def has_done(self, department: str, step: str) -> None:
        """A department reports an interim step as done."""
        self._take(self.scene.department(department, response.Progressed(note="done", step=step)))

    @sentence(r"when (\S+) asks for (an extension|parking) until (.+)")
    def asks(self, department: str, what: str, until: str) -> None:
        """A department asks for more time."""
        at = self._instant(until)
        fact = (
            response.ExtensionRequested(until=at, reason="parts")
            if what == "an extension"
            else response.ParkingRequested(review_at=at, reason="frost")
        )
        self._take(self.scene.department(department, fact))

    @sentence(r"when (the street|supervision) grants (\S+)'s (extension|parking)")
    def grants(self, who: str, department: str, request: str) -> None:
        """What was asked for is granted."""
        if who == "supervision":
            self._take(self.scene.supervision(action.Granted(department=department, request=request)))  # type: ignore[arg-type]
        else:
            granted = decision.Granted(department=department, request=request, by="responsible-leader")  # type: ignore[arg-type]
            self._street(granted)

    @sentence(r"when the district names (\S+)")
    def names_the_lead(self, department: str) -> None:
        """Who leads what all have declined."""
        self._take(self.scene.supervision(action.LeadNamed(department=department, reason="theirs")))

    @sentence(r"when the street insists on (\S+)")
    def insists(self, department: str) -> None:
        """A refusal is not accepted."""
        self._street(decision.Insisted(department=department, reason="yours"))

    @sentence(r"when the street sends (\S+)'s work back")
    def sends_back(self, department: str) -> None:
        """Resolved work is to be done again, in a new round."""
        self._street(decision.SentBack(department=department, reason="it stands"))

    @sentence(r"when the street confirms(?: for (\S+))?")
    def confirms(self, community: str | None) -> None:
        """All that is resolved is confirmed, by the street or by a community."""
        self._street(decision.Confirmed(community=community))

    # --- time ---

    @sentence(r"after (\S+)")
    def after(self, duration: str) -> None:
        """Time passes."""
        end = add(self.scene.configuration.calendar, self.scene.at, Duration.parse(duration))
        self._take(self.scene.pass_(end - self.scene.at))

    @sentence(r"at (\d.+)")
    def until(self, instant: str) -> None:
        """Time passes, up to an instant."""
        self._take(self.scene.pass_(self._instant(instant) - self.scene.at))

    @sentence(r"after an outage of (\S+)")
    def outage(self, duration: str) -> None:
        """Time passes, and nobody looks until its end."""
        end = add(self.scene.configuration.calendar, self.scene.at, Duration.parse(duration))
        self._take(self.scene.later(end - self.scene.at).sweep())

    # --- expect ---

    @sentence(r"expect nothing")
    def nothing(self) -> None:
        """The clock has said nothing."""
        assert not self._unheard, f"the clock said: {self._heard()}"

    @sentence(r"expect (\S+) is (not )?late with (\S+)")
    def late(self, unit: str, denied: str | None, deadline: str) -> None:
        """Whether a deadline passed unkept."""
        owed = self.scene.now.obligations.get(unit)
        late = owed.late if owed else self.scene.now.late
        assert (deadline in late) != bool(denied), f"late: {late}"

    @sentence(r"expect (?:(\S+)'s )?(\S+) is due (\d.+)")
    def due(self, department: str | None, deadline: str, instant: str) -> None:
        """When a deadline is, of a department or of the incident."""
        clocks = self.scene.owed(department).clocks if department else self.scene.now.clocks
        assert self._written(clocks[deadline].due_at) == instant, self._written(clocks[deadline].due_at)

    @sentence(r"expect the overall deadline is unmoved")
    def unmoved(self) -> None:
        """The incident's own deadline is the one that the first whistle set."""
        called = next(entry for _, entry in self.scene.told if isinstance(entry, Called))
        found = self._written(self.scene.now.clocks["overall"].due_at)
        assert found == self._written(called.deadlines["overall"]), found

    @sentence(r"expect (?:at (\d{4}-\d\d-\d\d \d\d:\d\d) )?(.+)")
    def said(self, instant: str | None, expected: str) -> None:
        """What the clock said next, and when."""
        assert self._unheard, "the clock said nothing"
        at, entry = self._unheard.pop(0)
        assert told(entry) == expected, f"the clock said: {told(entry)}"
        assert instant in (None, self._written(at)), f"it said so at {self._written(at)}"

    # --- behind the words ---

    def _street(self, fact: Fact) -> None:
        self._take(self.scene.street(fact, STREET))

    def _take(self, entries: Sequence[Entry]) -> None:
        refused = [each.reason for each in entries if isinstance(each, ActRefused)]
        assert not refused, refused
        count = len(entries)
        self._unheard += [each for each in self.scene.told[len(self.scene.told) - count :] if each[1].who == "clock"]

    def _heard(self) -> list[str]:
        return [f"{self._written(at)} {told(entry)}" for at, entry in self._unheard]

    def _instant(self, text: str) -> datetime:
        zone = self.scene.configuration.calendar.zone
        return datetime.strptime(text, WRITTEN).replace(tzinfo=zone).astimezone(UTC)

    def _written(self, at: datetime) -> str:
        return at.astimezone(self.scene.configuration.calendar.zone).strftime(WRITTEN)

    def _unit(self, code: str) -> Any:
        return self.scene.configuration.directory.units[code]

    def _with_posts(self, code: str, posts: dict[str, Any]) -> None:
        units = {**self.scene.configuration.directory.units, code: replace(self._unit(code), posts=posts)}
        self.scene.configuration = replace(self.scene.configuration, directory=Directory(units))


def told(entry: Entry) -> str:
    """What the clock says with an entry, in an operator's words."""
    if isinstance(entry, Unparked):
        return f"{entry.department} owes it again"
    if isinstance(entry, Closed):
        return "it is closed"
    assert isinstance(entry, Reminded | Escalated), entry
    passed = f", for nobody is {' or '.join(entry.vacant)}" if entry.vacant else ""
    skipped = f", after {len(entry.skipped)} steps in silence" if entry.skipped else ""
    if entry.post is None:
        return f"{entry.unit} is reminded of {entry.deadline}{passed}{skipped}"
    verb = "is told" if isinstance(entry, Escalated) else "is reminded"
    who = f"{entry.holder_unit}'s {entry.post} {entry.holder}" if entry.holder else f"the vacant {entry.post}"
    return f"{who} {verb} that {entry.unit} owes {entry.deadline}{passed}{skipped}"
