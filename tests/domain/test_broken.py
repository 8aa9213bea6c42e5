"""Every promise that was broken stays in the state: whose it was, how far it climbed, and what ended the wait."""

from schemas import action, decision, response
from services.domain.broken import Broken
from tests.domain.scene import DAY, HOUR, INCIDENT, MINUTE, START, Scene, opened


def called() -> Scene:
    """The water bureau owes an acknowledgement in two hours, a survey in a day, and a resolution in five."""
    scene = Scene()
    scene.street(opened())
    scene.street(decision.Called(kind="general", departments=("water",)))
    return scene


def of(scene: Scene) -> dict[str, Broken]:
    """What was broken, by the deadline's name; the last of each."""
    return {each.deadline: each for each in scene.now.broken}


def test_a_promise_kept_in_time_is_not_broken() -> None:
    """However near the deadline it was."""
    scene = called()
    scene.later(2 * HOUR - MINUTE)
    scene.department("water", response.Acknowledged())
    assert scene.now.broken == ()


def test_a_reminder_alone_makes_a_promise_broken() -> None:
    """At the deadline itself, before any post above is told; it is open."""
    scene = called()
    scene.pass_(2 * HOUR)
    due_at = START + 2 * HOUR
    since = scene.owed().clocks["acknowledge"].since
    assert scene.now.broken == (Broken("water", "acknowledge", due_at, since, 0, department="water", round=1),)


def test_what_is_kept_late_stays_broken_and_says_by_what_and_when() -> None:
    """The highest rung and its post stay as they were; nothing that happens afterwards changes any of it."""
    scene = called()
    scene.pass_(2 * HOUR + 2 * DAY)
    scene.department("water", response.Acknowledged())
    kept = of(scene)["acknowledge"]
    assert (kept.step, kept.post) == (2, "responsible-leader")
    assert (kept.ended_at, kept.ended_by) == (scene.at, "acknowledged")
    scene.pass_(30 * DAY)
    scene.department("water", response.Resolved(note="mended"))
    scene.street(decision.Confirmed())
    assert of(scene)["acknowledge"] == kept


def test_the_open_ones_go_on_climbing() -> None:
    """While nobody acts a promise is broken once, however often the top of its ladder is told."""
    scene = called()
    scene.pass_(20 * DAY)
    assert [each.deadline for each in scene.now.broken] == ["acknowledge", "survey", "resolve"]
    assert all(each.ended_at is None and each.post == "supervision-office" for each in scene.now.broken)


def test_more_time_given_too_late_ends_the_old_promise_and_not_the_new_one() -> None:
    """An extension asked for in time and granted after the deadline: that one was broken, the new one isn't."""
    scene = called()
    scene.department("water", response.Acknowledged())
    scene.department("water", response.Progressed(note="measured", step="survey"))
    scene.later(4 * DAY)
    scene.department("water", response.ExtensionRequested(until=START + 9 * DAY, reason="a part is missing"))
    scene.pass_(1 * DAY + HOUR)
    scene.street(decision.Granted(department="water", request="extension", by="responsible-leader"))
    resolve = of(scene)["resolve"]
    assert (resolve.due_at, resolve.ended_by) == (START + 5 * DAY, "granted")
    scene.pass_(4 * DAY)
    again = of(scene)["resolve"]
    assert (again.due_at, again.ended_at) == (START + 9 * DAY, None)
    assert [each.deadline for each in scene.now.broken].count("resolve") == 2


def test_each_round_breaks_promises_of_its_own() -> None:
    """Sent back and late once more: two, told apart by their round."""
    scene = called()
    for _ in range(2):
        scene.pass_(6 * DAY)
        scene.department("water", response.Resolved(note="mended"))
        scene.street(decision.SentBack(department="water", reason="it drips"))
    rounds = [(each.deadline, each.round, each.ended_by) for each in scene.now.broken if each.deadline == "resolve"]
    assert rounds == [("resolve", 1, "resolved"), ("resolve", 2, "resolved")]


def test_the_street_the_community_and_the_district_break_theirs() -> None:
    """Whoever owes is named, also where the deadline stands on a department's obligation or a case."""
    scene = Scene()
    scene.street(opened("care"))
    scene.pass_(2 * DAY)
    scene.street(decision.Called(departments=("east-care",)))
    scene.department("east-care", response.Acknowledged())
    scene.department("east-care", response.ParkingRequested(review_at=START + 20 * DAY, reason="frozen"))
    scene.pass_(2 * DAY)
    scene.department("east-care", response.Resolved(note="done"))
    scene.pass_(4 * DAY)
    scene.supervision(action.CaseOpened(unit="elm", reason="nobody looked"))
    scene.pass_(5 * DAY)
    broken = [(each.unit, each.deadline, each.department, each.case) for each in scene.now.broken]
    assert broken == [
        ("east", "decide", "", ""),
        ("hill", "approve", "east-care", ""),
        ("elm", "confirm", "east-care", ""),
        ("elm", "explain", "", "elm"),
    ]


def test_reopening_keeps_what_was_broken() -> None:
    """A new round of the whole incident forgets nothing."""
    scene = called()
    scene.pass_(3 * HOUR)
    scene.department("water", response.Resolved(note="mended"))
    scene.street(decision.Confirmed())
    scene.street(decision.Answered(answer="there is water"))
    before = scene.now.broken
    assert [each.deadline for each in before] == ["acknowledge"]
    scene.street(decision.Rated(community="elm", report=INCIDENT, solved=False, satisfied=False))
    assert scene.now.broken == before
