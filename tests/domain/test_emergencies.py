"""An emergency as it is shipped: day and night, whoever has it in hand, or nobody yet."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas import action, decision, response
from schemas.decision import CallKind
from schemas.incident import ActRefused, Entry, Escalated, Reminded
from schemas.report import Raised
from services.domain.configuration import Configuration, parse
from services.domain.street import hear_community
from services.runtime.files import read
from tests.domain.scene import DAY, HOUR, INCIDENT, MINUTE, OTHER, Scene, durations, names
from tests.domain.scene import report as reported

SHIPPED = Path(__file__).parents[2] / "deploy" / "config"
SHANGHAI = ZoneInfo("Asia/Shanghai")
SATURDAY_NIGHT = datetime(2021, 3, 6, 23, 40, tzinfo=SHANGHAI).astimezone(UTC)
REPEATS = ({"rel": "repeats", "href": f"urn:uuid:{OTHER}"},)


@pytest.fixture(scope="module")
def shipped() -> Configuration:
    """The configuration as it is shipped."""
    found, problems = parse(read(SHIPPED))
    assert found is not None, problems
    return found


def night(configuration: Configuration) -> Scene:
    """A scene that begins on a Saturday night."""
    scene = Scene(configuration)
    scene.at = SATURDAY_NIGHT
    return scene


def raised(configuration: Configuration, report: Raised) -> Scene:
    """What the street says by rule about a report of Saturday night has been said."""
    scene = night(configuration)
    for _, subject, fact in hear_community(None, INCIDENT, "guangdu", report, scene.at, configuration):
        if subject == INCIDENT:
            scene.street(fact, "dongsheng")
    return scene


def opened(configuration: Configuration, category: str, **fields: str) -> Scene:
    """A report of Saturday night that nobody has been called for."""
    scene = night(configuration)
    fact = decision.Opened(by="officer", community="guangdu", report=reported(category, **fields), reported_at=scene.at)
    scene.street(fact, "dongsheng")
    return scene


def told(entries: list[Entry], department: str | None = None) -> list[tuple[str, str | None]]:
    """Who is told of what, in order."""
    return [
        (entry.deadline, entry.post)
        for entry in entries
        if isinstance(entry, Escalated | Reminded) and entry.department == department
    ]


NIGHT_OF_THE_STREET = [
    ("decide", None),
    ("decide", None),
    ("decide", "section-head"),
    ("decide", "responsible-leader"),
    ("decide", "leading-group"),
    ("decide", "discipline-committee"),
]


# --- nobody is called yet --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("links", [REPEATS, ()])
def test_an_emergency_that_nobody_owns_climbs_the_same_night(
    shipped: Configuration, links: tuple[dict[str, str]]
) -> None:
    """Whether it says that it repeats another or no rule catches it: half an hour, and the top an hour after that."""
    without = replace(shipped, routes=replace(shipped.routes, routes=()))
    scene = raised(without, reported("gas", severity="critical", links=links))
    assert not scene.now.obligations
    assert scene.now.clocks["decide"].due_at == SATURDAY_NIGHT + 30 * MINUTE
    assert told(scene.pass_(90 * MINUTE)) == NIGHT_OF_THE_STREET


def test_what_is_no_emergency_waits_for_the_office(shipped: Configuration) -> None:
    """The street's decision has a working day, and nobody is woken."""
    scene = opened(shipped, "bus-route")
    assert scene.now.clocks["decide"].due_at == datetime(2021, 3, 9, 9, tzinfo=SHANGHAI)
    assert not scene.pass_(DAY)


def test_what_turns_out_to_be_an_emergency_is_decided_as_one(shipped: Configuration) -> None:
    """From when that is said; where it is said only after the deadline, that stands."""
    scene = opened(shipped, "bus-route")
    late = scene.copy()
    critical = decision.Reclassified(severity="critical", reason="it burns")
    scene.later(HOUR).street(critical, "dongsheng")
    assert scene.now.clocks["decide"].due_at == SATURDAY_NIGHT + 90 * MINUTE
    assert told(scene.pass_(90 * MINUTE)) == NIGHT_OF_THE_STREET
    late.pass_(5 * DAY)
    before = late.now.clocks["decide"].due_at
    late.street(critical, "dongsheng")
    assert late.now.clocks["decide"].due_at == before


def test_an_emergency_declined_or_taken_back_is_decided_as_one(shipped: Configuration) -> None:
    """Nobody owns it again, and the street has half an hour again."""
    root = replace(shipped.routes, routes=())
    scene = opened(replace(shipped, routes=root), "gas", severity="critical")
    scene.street(decision.Called(kind="emergency", departments=("gas", "fire")), "dongsheng")
    scene.later(MINUTE).department("gas", response.Declined(reason="not ours"))
    assert scene.owed("gas").clocks["decide"].due_at == scene.at + 30 * MINUTE
    for department in ("gas", "fire"):
        scene.street(decision.Withdrawn(department=department, reason="x", by="section-head"), "dongsheng")
    assert scene.now.status == "received"
    assert scene.now.clocks["decide"].due_at == scene.at + 30 * MINUTE


# --- up which ladder -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("department", "ladder"), [("gas", "emergency"), ("dongsheng-safety", "emergency-section")])
def test_who_is_called_by_the_emergency_whistle_climbs_its_ladder(
    shipped: Configuration, department: str, ladder: str
) -> None:
    """Also by a rule that names none: who is not on the spot on Sunday at 00:10 is told of that night."""
    root = replace(shipped.routes, deadlines=durations(acknowledge="4wh", resolve="5wd"), routes=())
    scene = opened(replace(shipped, routes=root), "gas")
    scene.street(decision.Called(kind="emergency", departments=(department,)), "dongsheng")
    assert scene.owed(department).policy.ladder.name == ladder
    found = told(scene.pass_(HOUR), department)
    assert ("arrive", "section-head") in found
    assert ("arrive", "supervision-office" if department == "gas" else "leading-group") in found


def test_a_rules_own_ladder_is_its_own(shipped: Configuration) -> None:
    """A whistle's ladder is for rules that name none."""
    root = replace(shipped.routes, ladder="district", routes=())
    scene = opened(replace(shipped, routes=root), "gas")
    scene.street(decision.Called(kind="emergency", departments=("gas",)), "dongsheng")
    assert scene.owed("gas").policy.ladder.name == "district"


# --- who is at work already ------------------------------------------------------------------------------------------


def test_an_emergency_that_only_a_section_handles_is_one(shipped: Configuration) -> None:
    """Its whistle is blown for sections too, with its limits and its overall deadline."""
    scene = raised(shipped, reported("sanitation", severity="critical"))
    assert set(scene.now.obligations) == {"dongsheng-safety"}
    assert scene.now.call == "emergency"
    assert scene.now.clocks["overall"].due_at == SATURDAY_NIGHT + 15 * DAY
    root = replace(shipped.routes, departments=("dongsheng-safety",), routes=())
    scene = raised(replace(shipped, routes=root), reported("sanitation", severity="critical"))
    assert scene.owed("dongsheng-safety").clocks["arrive"].due_at == SATURDAY_NIGHT + 30 * MINUTE


def test_a_stricter_whistle_blown_later_brings_the_overall_deadline_forward(shipped: Configuration) -> None:
    """Counted from its own instant; one that would put it off does not move it."""
    scene = opened(shipped, "sanitation")
    scene.street(decision.Called(by="officer", departments=("dongsheng-urban",)), "dongsheng")
    first = scene.now.clocks["overall"].due_at
    scene.later(DAY).street(decision.Called(by="officer", kind="general", departments=("gas",)), "dongsheng")
    assert scene.now.clocks["overall"].due_at == first
    scene.street(decision.Called(by="officer", kind="emergency", departments=("fire",)), "dongsheng")
    assert scene.now.clocks["overall"].due_at == scene.at + 15 * DAY < first
    scene.later(DAY).street(decision.Called(by="officer", kind="emergency", departments=("power",)), "dongsheng")
    assert scene.now.clocks["overall"].due_at == scene.at + 14 * DAY


def burning(shipped: Configuration, *said: response.Response) -> Scene:
    """No gas, for which the bureau was called as usual; an hour later it burns, and the emergency whistle is blown."""
    scene = opened(shipped, "gas")
    scene.street(decision.Called(by="officer", kind="general"), "dongsheng")
    for fact in said:
        scene.later(MINUTE).department("gas", fact)
    scene.at = SATURDAY_NIGHT + HOUR
    scene.street(decision.Reclassified(severity="critical", reason="it burns"), "dongsheng")
    return scene


EMERGENCY = decision.Called(by="officer", kind="emergency")


def test_who_is_at_work_is_hurried_by_the_emergency_whistle_and_others_are_called(shipped: Configuration) -> None:
    """What they owe ends sooner, never later, up the emergency's ladder, and they can't get out of it any more."""
    scene = burning(shipped)
    acknowledge, resolve = (scene.owed("gas").clocks[name] for name in ("acknowledge", "resolve"))
    assert names(scene.street(EMERGENCY, "dongsheng")) == ["Called", "Hastened", "Dispatched", "Dispatched"]
    assert set(scene.now.obligations) == {"gas", "fire", "dongsheng-safety"}
    owed = scene.owed("gas")
    assert (owed.round, owed.role, owed.policy.ladder.name) == (1, "lead", "emergency")
    assert owed.clocks["acknowledge"].due_at == scene.at + 30 * MINUTE < acknowledge.due_at
    assert owed.clocks["arrive"].due_at == scene.at + 30 * MINUTE
    assert owed.clocks["resolve"] == resolve
    assert names(scene.department("gas", response.Declined(reason="not ours"))) == ["ActRefused"]
    told_at = [fact for topic, fact in scene.said if topic == "department.gas.dispatches"]
    assert "arrive" in vars(told_at[-2])["deadlines"]


def test_what_is_done_is_not_owed_again(shipped: Configuration) -> None:
    """Whoever acknowledged has; whoever has resolved or declined is left as they are, and others are called."""
    scene = burning(shipped, response.Acknowledged())
    scene.street(EMERGENCY, "dongsheng")
    assert set(scene.owed("gas").clocks) == {"arrive", "resolve"}
    scene = burning(shipped, response.Resolved(note="done"))
    assert names(scene.street(EMERGENCY, "dongsheng")) == ["Called", "Dispatched", "Dispatched"]
    assert set(scene.owed("gas").clocks) == {"confirm"}
    scene = burning(shipped, response.Declined(reason="not ours"))
    assert names(scene.street(EMERGENCY, "dongsheng")) == ["ActRefused"]


def test_what_is_parked_does_not_wait_in_an_emergency(shipped: Configuration) -> None:
    """It is owed at once; the review is over with."""
    scene = burning(
        shipped, response.Acknowledged(), response.ParkingRequested(review_at=SATURDAY_NIGHT + 30 * DAY, reason="x")
    )
    scene.supervision(action.Granted(department="gas", request="parking", by="supervision-office"))
    assert scene.owed("gas").status == "parked"
    scene.street(EMERGENCY, "dongsheng")
    clocks = {name: clock.due_at - scene.at for name, clock in scene.owed("gas").clocks.items()}
    assert (scene.owed("gas").status, clocks) == ("acknowledged", {"arrive": 30 * MINUTE, "resolve": DAY})


def test_a_whistle_that_calls_nobody_and_hurries_nobody_is_refused(shipped: Configuration) -> None:
    """The same again changes nothing; a general one by rule calls only whom it finds without a part."""
    scene = burning(shipped)
    scene.street(EMERGENCY, "dongsheng")
    assert [entry.reason for entry in scene.street(EMERGENCY, "dongsheng") if isinstance(entry, ActRefused)] == [
        "gas has been called already"
    ]
    named = EMERGENCY.model_copy(update={"departments": ("gas",)})
    scene = burning(shipped)
    assert names(scene.street(named, "dongsheng")) == ["Called", "Hastened"]
    assert names(scene.street(named, "dongsheng")) == ["ActRefused"]


# --- once an emergency -----------------------------------------------------------------------------------------------


def test_a_milder_whistle_blown_later_makes_no_emergency_less_of_one(shipped: Configuration) -> None:
    """Who is named the lead owes as in one, `decide` is an emergency's, and so is `overall` when it reopens."""
    scene = opened(shipped, "building-safety", severity="high")
    scene.street(EMERGENCY, "dongsheng")
    scene.street(decision.Called(by="officer", kind="general", departments=("power",)), "dongsheng")
    assert (scene.now.call, scene.now.kind) == ("emergency", "emergency")
    assert "arrive" not in scene.owed("power").clocks
    taken_back = scene.copy()
    scene.supervision(action.LeadNamed(department="gas", reason="theirs"))
    assert scene.owed("gas").clocks["arrive"].due_at == scene.at + 30 * MINUTE
    for department in scene.now.obligations:
        scene.department(department, response.Arrived())
        scene.department(department, response.Resolved(note="done"))
    scene.street(decision.Confirmed(by="officer"), "dongsheng")
    scene.street(decision.Confirmed(by="officer", community="guangdu"), "dongsheng")
    scene.street(decision.Answered(by="officer", answer="done"), "dongsheng")
    scene.street(
        decision.Rated(by="officer", community="guangdu", report=INCIDENT, solved=False, satisfied=False), "dongsheng"
    )
    assert scene.now.clocks["overall"].due_at == scene.at + 15 * DAY
    for department in taken_back.now.obligations:
        taken_back.street(decision.Withdrawn(department=department, reason="x", by="section-head"), "dongsheng")
    assert taken_back.now.clocks["decide"].due_at == taken_back.at + 30 * MINUTE


def test_what_is_found_to_be_no_emergency_after_all_is_none(shipped: Configuration) -> None:
    """That is said by classifying it again, not by the next whistle."""
    scene = burning(shipped)
    scene.street(EMERGENCY, "dongsheng")
    scene.street(decision.Reclassified(category="sanitation", reason="a bin"), "dongsheng")
    assert scene.now.kind == "emergency"
    steam = scene.copy()
    steam.street(decision.Reclassified(severity="normal", reason="steam"), "dongsheng")
    assert steam.now.kind == "general"


@pytest.mark.parametrize("kind", ["general", None])
def test_what_is_critical_is_due_as_an_emergency_whatever_is_blown(
    shipped: Configuration, kind: CallKind | None
) -> None:
    """The incident's own deadline goes by what it is."""
    scene = opened(shipped, "gas", severity="critical")
    scene.street(decision.Called(by="officer", kind=kind, departments=("gas",)), "dongsheng")
    assert scene.now.clocks["overall"].due_at == SATURDAY_NIGHT + 15 * DAY


# --- on the spot -----------------------------------------------------------------------------------------------------


def test_nothing_is_resolved_before_somebody_is_on_the_spot(shipped: Configuration) -> None:
    """To resolve by telephone keeps no promise: it is refused, and who never comes is late and climbs."""
    scene = raised(shipped, reported("gas", severity="critical"))
    resolved = response.Resolved(note="valve shut by telephone")
    for _ in range(2):
        [refused] = scene.later(MINUTE).department("gas", resolved)
        assert isinstance(refused, ActRefused)
        assert "on the spot first" in refused.reason
    scene.department("gas", response.Acknowledged())
    assert names(scene.department("gas", resolved)) == ["ActRefused"]
    scene.pass_(HOUR)
    assert "arrive" in scene.owed("gas").late
    assert names(scene.department("gas", response.Arrived())) == ["Arrived"]
    assert names(scene.department("gas", resolved)) == ["Resolved"]
    assert "arrive" in scene.owed("gas").late


def test_who_is_on_the_spot_has_acknowledged(shipped: Configuration) -> None:
    """As who resolves has: nobody on the way has time for words."""
    scene = raised(shipped, reported("gas", severity="critical"))
    assert names(scene.department("gas", response.Arrived())) == ["Acknowledged", "Arrived"]
    assert set(scene.owed("gas").clocks) == {"resolve"}
    assert names(scene.department("gas", response.Resolved(note="mended"))) == ["Resolved"]
