"""What was late stays late after an outage too, whoever speaks first: rules 1 to 4 of services/domain/unseen.py."""

from datetime import timedelta
from random import Random

import pytest

from schemas import action, decision, response
from schemas import incident as entries
from schemas.decision import CallKind
from schemas.event import Fact
from services.domain.incident import Incident
from tests.domain.scene import DAY, HOUR, START, Scene, names, opened
from tests.domain.test_incident_properties import sensible


def called(category: str = "water", kind: CallKind = "general") -> Scene:
    """Whoever the rules name is called at once."""
    found = Scene()
    found.street(opened(category))
    found.street(decision.Called(kind=kind))
    return found


def withdrawn() -> Fact:
    """The street takes the work back from the water bureau."""
    return decision.Withdrawn(department="water", reason="power does it", by="section-head")


def test_who_is_withdrawn_after_their_deadline_was_late() -> None:
    """Nobody looked for three hours, and the street's word is read before any clock has fired."""
    found = called().later(3 * HOUR)
    assert names(found.street(withdrawn())) == ["Withdrawn", "Returned", "PassedUnseen"]
    assert found.owed().late == (), "what the bureau said in time may lie unread"
    assert found.next_due_at() == START + 2 * HOUR
    assert names(found.sweep()) == ["SeenAfterwards"]
    assert found.owed().late == ("acknowledge",)
    (broken,) = found.now.broken
    assert (broken.unit, broken.ended_at, broken.ended_by) == ("water", START + 3 * HOUR, "withdrawn")
    assert found.now.unseen == ()


def test_who_acknowledged_in_time_was_not_late_however_late_that_is_read() -> None:
    """The street's word of 12:00 is read before the bureau's of 10:00; the deadline was 11:00."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    told = found.hear("department", "water", response.Acknowledged(), START + HOUR)
    assert "SeenAfterwards" in names(told)
    assert found.now.unseen == ()
    found.sweep()
    assert found.owed().late == ()
    assert found.now.broken == ()


def test_what_was_said_too_late_or_about_something_else_keeps_nothing() -> None:
    """Only the promise itself, and only in time."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    found.hear("department", "water", response.Progressed(note="looking"), START + HOUR)
    found.hear("department", "power", response.Acknowledged(), START + HOUR)
    found.hear("department", "water", response.Acknowledged(), START + 2 * HOUR + timedelta(seconds=1))
    assert len(found.now.unseen) == 1
    found.sweep()
    assert found.owed().late == ("acknowledge",)


def test_what_is_said_at_the_deadline_itself_is_too_late() -> None:
    """As it is when somebody looks: at one instant, what is due comes before what is said."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    found.hear("department", "water", response.Acknowledged(), START + 2 * HOUR)
    assert len(found.now.unseen) == 1


def test_what_would_have_been_refused_in_time_keeps_nothing() -> None:
    """Work of another round, a refusal by who may not refuse, and work resolved from afar end no wait."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    found.hear("department", "water", response.Acknowledged(round=2), START + HOUR)
    assert len(found.now.unseen) == 1
    bound = called()
    bound.department("water", response.Declined(reason="not ours"))
    bound.street(decision.Insisted(department="water", reason="it is", by="responsible-leader"))
    assert bound.owed().bound
    bound.later(5 * HOUR)
    bound.street(withdrawn())
    bound.hear("department", "water", response.Declined(reason="no"), START + HOUR)
    assert [each.deadline for each in bound.now.unseen] == ["acknowledge"]
    far = called("fire", "emergency")
    far.department("fire", response.Acknowledged())
    far.later(30 * DAY)
    far.street(decision.Withdrawn(department="fire", reason="x", by="section-head"))
    unseen = [each.deadline for each in far.now.unseen]
    assert {"arrive", "resolve"} <= set(unseen)
    far.hear("department", "fire", response.Resolved(note="done"), START + timedelta(minutes=1))
    assert [each.deadline for each in far.now.unseen] == unseen


def test_each_explains_for_itself() -> None:
    """What the street says for itself is not its community's explanation, and its relayed word is."""
    found = called()
    for unit in ("east", "elm"):
        found.supervision(action.CaseOpened(unit=unit, reason="late"))
    found.later(30 * DAY)
    found.supervision(action.CaseAccepted(unit="elm", note="a mistake"))
    assert [each.unit for each in found.now.unseen if each.deadline == "explain"] == ["elm"]
    found.hear("street", "east", decision.Explained(explanation="ours"), START + HOUR)
    assert [each.unit for each in found.now.unseen if each.deadline == "explain"] == ["elm"]
    found.hear("street", "east", decision.Explained(explanation="theirs", community="elm"), START + HOUR)
    assert not [each for each in found.now.unseen if each.deadline == "explain"]


def test_a_promise_of_which_nobody_was_told_climbed_no_rung() -> None:
    """Not even whoever owed it was reminded, as on the lowest."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    found.sweep()
    assert [each.step for each in found.now.broken] == [-1]


def test_time_begins_with_the_first_dispatch_whether_or_not_anybody_looked() -> None:
    """Who was late to acknowledge before being withdrawn has begun, also where that is found out afterwards."""
    watched, unwatched = called(), called().later(3 * HOUR)
    watched.pass_(3 * HOUR)
    for found in (watched, unwatched):
        found.street(withdrawn())
        found.street(decision.Called(kind="general", departments=("water",)))
        found.sweep()
    assert "acknowledge" in unwatched.owed().late
    assert unwatched.owed().anew_at == watched.owed().anew_at


def test_an_extension_forgives_nothing_that_had_passed() -> None:
    """The new date is kept, and the old one was not."""
    found = called()
    found.department("water", response.Acknowledged())
    found.department("water", response.ExtensionRequested(until=START + 20 * DAY, reason="pipes are ordered"))
    found.later(6 * DAY)
    found.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
    found.sweep()
    assert "resolve" in found.owed().late
    assert found.owed().clocks["resolve"].due_at == START + 20 * DAY
    assert found.owed().clocks["resolve"].fired == 0, "the new deadline has its ladder before it"


def test_it_is_judged_once_whoever_looks_and_however_often() -> None:
    """Like every firing, it happens once."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    (due,) = [each for each in [found.next_due()] if each]
    found.fire(due)
    assert not [each for each in found.now.broken if each.deadline != "acknowledge"]
    assert found.next_due() != due


def test_the_district_is_late_to_name_a_lead_whoever_ends_the_wait() -> None:
    """What one party owes is not forgiven by what another does."""
    found = called("water")
    found.department("water", response.Declined(reason="not our pipe"))
    found.later(2 * DAY)
    told = found.street(decision.Called(kind="general", departments=("power",), by="section-head"))
    assert "lead" in [each.deadline for each in told if isinstance(each, entries.PassedUnseen)]
    found.sweep()
    assert "lead" in found.now.late


@pytest.mark.parametrize("seed", range(100))
def test_an_outage_changes_nobodys_lateness(seed: int) -> None:
    """The same acts at the same instants, watched all the time and not at all, break the same promises."""
    chance = Random(seed)
    watched, unwatched = Scene(), Scene()
    for _ in range(14):
        act = chance.choice([*sensible(watched.state, watched.at)])
        time = chance.choice([0, 1, 5, 30, 60]) * HOUR
        watched.pass_(time)
        unwatched.later(time)
        watched.hear(*act)
        unwatched.hear(*act)
        if _said(watched) != _said(unwatched):
            # What closes by itself, or ends parking, does so only where somebody looks: other acts fit from then on.
            break
    else:
        watched.sweep()
        unwatched.sweep()
        assert _promises(watched.now) == _promises(unwatched.now)
    assert len(watched.told) > 1


def _said(scene: Scene) -> list[str]:
    return names([entry for _, entry in scene.told if entry.who != "clock"])


def _promises(state: Incident) -> set[tuple[str, str, str, int]]:
    return {(each.unit, each.deadline, each.department, each.round) for each in state.broken}


@pytest.mark.parametrize("kind", [entries.PassedUnseen, entries.SeenAfterwards])
def test_the_history_alone_tells_of_it(kind: type[entries.Entry]) -> None:
    """No topic but the journal: nobody waits for it any more."""
    found = called().later(3 * HOUR)
    found.street(withdrawn())
    found.sweep()
    assert [topic for topic, fact in found.said if isinstance(fact, kind)] == ["incident.journal"]
