"""Deadlines fire when they are due, once, up the ladder of whoever owes, and never fall silent."""

from collections.abc import Sequence

from schemas import action, decision, response
from schemas.incident import Closed, Entry, Escalated, Reminded, Unparked
from services.domain.clocks import Due, dues, identity
from tests.domain.scene import DAY, HOUR, INCIDENT, MINUTE, OTHER, START, Scene, names, opened

CALL = decision.Called(kind="general")
DONE = response.Resolved(note="mended")


def called(category: str = "water") -> Scene:
    """An incident for which the whistle was blown at the start."""
    scene = Scene()
    scene.street(opened(category))
    scene.street(CALL)
    return scene


def climbed(told: Sequence[Entry], deadline: str) -> list[tuple[int, str | None, tuple[int, ...]]]:
    """What was fired of one deadline: (step, post, skipped)."""
    return [
        (each.step, each.post if isinstance(each, Escalated) else None, each.skipped)
        for each in told
        if isinstance(each, Reminded | Escalated) and each.deadline == deadline
    ]


def test_a_broken_promise_climbs_its_ladder_and_the_top_repeats() -> None:
    """A reminder when it is due, each post in its time, then the top again and again until somebody acts."""
    scene = called()
    scene.department("water", response.Acknowledged())
    told = scene.pass_(13 * DAY)
    assert climbed(told, "resolve") == [
        (0, None, ()),
        (1, "section-head", ()),
        (2, "responsible-leader", ()),
        (3, "supervision-office", ()),
        (4, "supervision-office", ()),
        (5, "supervision-office", ()),
    ]
    at = [at for at, each in scene.told if isinstance(each, Reminded | Escalated) and each.deadline == "resolve"]
    assert at == [START + day * DAY for day in (5, 6, 7, 8, 10, 12)]
    scene.department("water", DONE)
    assert climbed(scene.pass_(2 * DAY), "resolve") == []


def test_after_an_outage_the_highest_rung_fires_once_and_tells_the_skipped() -> None:
    """One entry for each clock, with the rungs below it, and the next rung comes when it would have come anyhow."""
    scene = called()
    scene.department("water", response.Acknowledged())
    told = scene.later(7 * DAY).sweep()
    assert climbed(told, "resolve") == [(2, "responsible-leader", (0, 1))]
    assert climbed(told, "survey") == [(4, "supervision-office", (0, 1, 2, 3))]
    assert scene.sweep() == []
    assert scene.next_due_at() == START + 8 * DAY
    assert all(each.due_at < scene.at for each in told if isinstance(each, Reminded | Escalated))


def test_looking_late_does_not_move_what_follows_parking() -> None:
    """The resolve deadline after a review counts from the review date, not from when somebody looked."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + 10 * DAY, reason="frozen"))
    scene.supervision(action.Granted(department="water", request="parking"))
    told = scene.later(16 * DAY).sweep()
    assert names(told) == ["Unparked", "Escalated"]
    assert isinstance(told[0], Unparked)
    assert told[0].deadlines == {"resolve": START + 15 * DAY}
    assert scene.owed().late == ("resolve",)


def test_a_parked_obligation_is_back_before_its_department_speaks() -> None:
    """At the review date, what is due comes before what is said: progress is reported on what is owed again."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ParkingRequested(review_at=START + 10 * DAY, reason="frozen"))
    scene.supervision(action.Granted(department="water", request="parking"))
    told = scene.later(10 * DAY).department("water", DONE)
    assert names(told) == ["Unparked", "Resolved"]


def test_the_window_closes_by_itself() -> None:
    """Nobody is told when the rating window ends; nothing is due from then on."""
    scene = called()
    scene.department("water", DONE)
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="done"))
    told = scene.pass_(7 * DAY)
    assert [type(each) for each in told] == [Closed]
    assert (told[0].who, told[0].by) == ("clock", "rule:street-policy")
    assert scene.next_due_at() is None


def test_each_clock_climbs_the_ladder_of_whoever_owes() -> None:
    """The department's its own, a section's its street's, the street's, the community's and the district's theirs."""
    scene = called("river")
    for department in ("water", "power", "east-care"):
        scene.department(department, response.Acknowledged())
    scene.department("power", response.ParkingRequested(review_at=START + 50 * DAY, reason="frozen"))
    scene.department("water", DONE)
    resolved = scene.copy()
    resolved.department("east-care", DONE)
    found = {
        (each.unit, each.deadline, each.post)
        for one in (scene, resolved)
        for each in one.pass_(60 * DAY)
        if isinstance(each, Escalated)
    }
    tops = {(unit, deadline): post for unit, deadline, post in found if post not in _LOWER}
    assert tops == {
        ("power", "survey"): "supervision-office",
        ("power", "resolve"): "supervision-office",
        ("hill", "approve"): "supervision-office",
        ("east-care", "survey"): "discipline-committee",
        ("east-care", "resolve"): "discipline-committee",
        ("east", "confirm"): "discipline-committee",
        ("east", "overall"): "discipline-committee",
        ("elm", "confirm"): "discipline-member",
    }
    assert "supervision-office" not in {post for unit, _, post in found if unit.startswith(("east", "elm"))}


_LOWER = {"section-head", "responsible-leader"}


def test_a_rules_own_ladder_is_for_the_department_and_not_for_the_street() -> None:
    """An urgent rule hurries whoever was called; what the street owes about it stays on the street's ladder."""
    scene = Scene()
    scene.street(opened("other"))
    scene.street(decision.Called(kind="emergency"))
    scene.street(decision.Called(kind="emergency", departments=("power",)))
    unheard = scene.copy()
    assert (1, "supervision-office", ()) in climbed(unheard.pass_(40 * MINUTE), "acknowledge")
    scene.department("fire", response.Declined(reason="no fire"))
    told = scene.pass_(2 * DAY)
    assert [post for _, post, _ in climbed(told, "decide")] == [None, "responsible-leader"]


def test_a_firing_has_one_id_whoever_computes_it() -> None:
    """The same firing is the same fact; another rung, round, clock, department or incident is another."""
    due = Due(START, "water", "resolve", 3, 0)
    same = Due(START + HOUR, "water", "resolve", 3, 0)
    assert identity(INCIDENT, due) == identity(INCIDENT, same)
    others = [
        Due(START, "power", "resolve", 3, 0),
        Due(START, None, "resolve", 3, 0),
        Due(START, "water", "survey", 3, 0),
        Due(START, "water", "resolve", 4, 0),
        Due(START, "water", "resolve", 3, 1),
    ]
    ids = {identity(INCIDENT, each) for each in others} | {identity(OTHER, due), identity(INCIDENT, due)}
    assert len(ids) == 7


def test_a_new_round_starts_clocks_of_its_own() -> None:
    """A firing of the round before has no effect on the new one, although department and name are the same."""
    scene = called("river")
    old = next(due for due in dues(scene.now, scene.configuration) if due.name == "acknowledge")
    scene.department("water", response.Declined(reason="no"))
    scene.street(decision.Insisted(department="water", reason="yours"))
    scene.later(HOUR * 2)
    assert not scene._due(old).entries
    new = next(due for due in dues(scene.now, scene.configuration) if due.name == "acknowledge")
    assert identity(INCIDENT, old) != identity(INCIDENT, new)
    assert names(scene.fire(new)) == ["Reminded"]


def test_an_extension_starts_the_ladder_again() -> None:
    """Once granted, the new deadline is reminded of first, whatever the old one had reached; late stays late."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.ExtensionRequested(until=START + 20 * DAY, reason="parts"))
    scene.pass_(6 * DAY)
    scene.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
    assert climbed(scene.pass_(15 * DAY), "resolve")[:2] == [(0, None, ()), (1, "section-head", ())]
    assert "resolve" in scene.owed().late


def test_escalations_are_counted_and_reminders_are_not() -> None:
    """An incident knows how many times somebody above was told."""
    scene = called()
    assert scene.now.escalations == 0
    told = scene.pass_(2 * DAY)
    assert scene.now.escalations == sum(isinstance(each, Escalated) for each in told) > 0
    assert any(isinstance(each, Reminded) for each in told)
