"""The year 2021 in Dongsheng, fast-forwarded under the shipped configuration, against a table computed by hand.

The days are those of the State Council's notice for 2021, and each case has its reckoning beside it. Nobody does
anything after the act that sets a deadline, so every clock fires by itself, and climbs on to the end of the year.

Source: 国务院办公厅关于2021年部分节假日安排的通知, 国办发明电〔2020〕27号.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import uuid5
from zoneinfo import ZoneInfo

import pytest

from schemas import decision, response
from schemas.event import Fact
from schemas.incident import Closed, Escalated, Reminded
from services.domain.configuration import Configuration, parse
from services.domain.working_time import is_open
from services.runtime.files import read
from tests.domain.scene import INCIDENT, Scene, report

SHANGHAI = ZoneInfo("Asia/Shanghai")
CONFIG = Path(__file__).parents[2] / "deploy" / "config"
END = datetime(2022, 1, 1, tzinfo=SHANGHAI)


def days(first: str, last: str) -> set[date]:
    """All days of 2021 from one to another."""
    start, end = (date.fromisoformat(f"2021-{each}") for each in (first, last))
    return {start + timedelta(days=count) for count in range((end - start).days + 1)}


# The notice: New Year, Spring Festival, Qingming, Labour Day, Dragon Boat, Mid-Autumn and National Day.
CLOSED = (
    days("01-01", "01-03") | days("02-11", "02-17") | days("04-03", "04-05") | days("05-01", "05-05")
    | days("06-12", "06-14") | days("09-19", "09-21") | days("10-01", "10-07")
)  # fmt: skip
WORKING = {date(2021, month, day) for month, day in ((2, 7), (2, 20), (4, 25), (5, 8), (9, 18), (9, 26), (10, 9))}


@dataclass(frozen=True)
class Case:
    """What happens about a report of a category at an instant, and when which promise is broken, up to which post.

    `act` is the last thing that anybody does: everything before it happens at the same instant. `post` is who is told,
    nobody but whoever owes where it is empty, and `time` counts from 1 how often it is told.
    """

    category: str
    act: str
    at: str
    deadline: str
    expected: str
    post: str = ""
    time: int = 1
    severity: str = "normal"
    department: str = ""

    def __str__(self) -> str:
        """Name it in a test's id."""
        return f"{self.category}-{self.act}-{self.at}-{self.deadline}-{self.post}{self.time}"


def local(text: str) -> datetime:
    """An instant of Shanghai's time, of 2021 where it names no other year."""
    return datetime.fromisoformat(text if len(text) > 11 else f"2021-{text}").replace(tzinfo=SHANGHAI).astimezone(UTC)


CASES = [
    # --- New Year: 1 to 3 January are closed (Friday to Sunday).
    # One working day after Thursday, 31 December, is Monday the 4th.
    Case("other", "open", "2020-12-31T15:00", "decide", "01-04T15:00"),
    # Closed: from Monday, 09:00, three hours to noon and one from 13:00.
    Case("drainage", "call", "01-01T10:00", "acknowledge", "01-04T14:00"),
    # From Monday, 09:00: the 5th, 6th and 7th.
    Case("drainage", "call", "01-01T10:00", "resolve", "01-07T09:00"),
    # Two hours by the wall clock, holiday or not.
    Case("power", "call", "01-02T20:00", "acknowledge", "01-02T22:00"),
    # January has 4 days after the 4th, then 5, 5 and 5: 19. February: 1 to 5 makes 24, Sunday the 7th 25, 8 to 10 28,
    # 18 to 20 31 (the 20th is a Saturday), 22 to 26 36. Then 1, 2, 3 and 4 March.
    Case("greening", "call", "01-04T09:00", "overall", "03-04T09:00"),
    # --- Spring Festival: 11 to 17 February are closed; Sunday the 7th and Saturday the 20th are worked.
    # The next working day after Friday the 5th is Sunday the 7th.
    Case("sanitation", "call", "02-05T11:00", "resolve", "02-07T11:00"),
    # Sunday the 7th, the 8th and the 9th.
    Case("drainage", "call", "02-05T16:00", "resolve", "02-09T16:00"),
    # Saturday the 6th is closed: from Sunday, 09:00, the 8th, 9th, 10th, 18th and 19th.
    Case("greening", "call", "02-06T12:30", "resolve", "02-19T09:00"),
    # 2, 3, 4, 5, 7, 8, 9, 10, 18, 19.
    Case("river", "call", "02-01T10:15", "resolve", "02-19T10:15"),
    # One hour on the eve, three on Thursday the 18th from 09:00.
    Case("greening", "call", "02-10T16:00", "acknowledge", "02-18T12:00"),
    # At the very closing of the eve nothing is left of the day: two hours from the 18th, 09:00.
    Case("sanitation", "call", "02-10T17:00", "acknowledge", "02-18T11:00"),
    # The same time of day one working day later: 17:00 is still open.
    Case("sanitation", "call", "02-10T17:00", "resolve", "02-18T17:00"),
    # The 18th, the 19th, and Saturday the 20th.
    Case("greening", "resolve", "02-10T09:30", "confirm", "02-20T09:30"),
    # Saturday the 20th, and Monday the 22nd.
    Case("greening", "confirm", "02-19T14:00", "answer", "02-22T14:00"),
    # In the middle of the festival: from the 18th, 09:00, one day.
    Case("other", "open", "02-14T08:00", "decide", "02-19T09:00"),
    # Asked for on the working Saturday: Sunday the 21st is closed.
    Case("greening", "extend", "02-20T11:00", "approve", "02-22T11:00"),
    # By the wall clock, through the festival's first night.
    Case("power", "call", "02-11T22:00", "resolve", "02-12T22:00"),
    # Acknowledged by 15:00 on the eve: from 10:00 two hours, and two after lunch.
    Case("drainage", "call", "02-10T10:00", "acknowledge", "02-10T15:00"),
    # Four hours later: two to 17:00, and two on the 18th.
    Case("drainage", "call", "02-10T10:00", "acknowledge", "02-18T11:00", "section-head"),
    # One working day after 15:00 on the eve.
    Case("drainage", "call", "02-10T10:00", "acknowledge", "02-18T15:00", "responsible-leader"),
    # Five: the 18th, 19th, 20th (Saturday), 22nd, 23rd.
    Case("drainage", "call", "02-10T10:00", "acknowledge", "02-23T15:00", "supervision-office"),
    # Five more: 24, 25, 26, 1 and 2 March.
    Case("drainage", "call", "02-10T10:00", "acknowledge", "03-02T15:00", "supervision-office", 2),
    # Interim steps. Two hours on the eve, two on Thursday the 18th.
    Case("illegal-building", "call", "02-10T15:00", "stop-work", "02-18T11:00"),
    # Four hours later: one to noon, three from 13:00. One working day. Five: 19, 20 (Saturday), 22, 23, 24.
    Case("illegal-building", "call", "02-10T15:00", "stop-work", "02-18T16:00", "section-head"),
    Case("illegal-building", "call", "02-10T15:00", "stop-work", "02-19T11:00", "responsible-leader"),
    Case("illegal-building", "call", "02-10T15:00", "stop-work", "02-24T11:00", "supervision-office"),
    # Seven, with the work stopped in time: Sunday the 7th, 8, 9, 10, 18, 19, and Saturday the 20th.
    Case("illegal-building", "stop", "02-05T10:00", "penalty", "02-20T10:00"),
    # Four hours later: two to noon, two from 13:00. Five: 22, 23, 24, 25, 26. Five more: 1 to 5 March.
    Case("illegal-building", "stop", "02-05T10:00", "penalty", "02-20T15:00", "section-head"),
    Case("illegal-building", "stop", "02-05T10:00", "penalty", "02-26T10:00", "supervision-office"),
    Case("illegal-building", "stop", "02-05T10:00", "penalty", "03-05T10:00", "supervision-office", 2),
    # --- Qingming: 3 to 5 April are closed (Saturday to Monday).
    Case("sanitation", "call", "04-02T16:30", "resolve", "04-06T16:30"),
    # From Tuesday, 09:00: three hours and one.
    Case("illegal-building", "call", "04-03T10:00", "acknowledge", "04-06T14:00"),
    # 2; 6 to 9 makes 5; 12 to 16 10; 19 to 23 15; Sunday the 25th 16; 26, 27, 28, 29.
    Case("illegal-building", "call", "04-01T09:00", "resolve", "04-29T09:00"),
    # An hour and a half on Friday, two and a half on Tuesday.
    Case("drainage", "call", "04-02T15:30", "resolve", "04-06T11:30", severity="high"),
    # --- Labour Day: 1 to 5 May are closed; Sunday, 25 April, and Saturday, 8 May, are worked.
    # Sunday the 25th, 26, 27.
    Case("lighting", "call", "04-23T10:00", "resolve", "04-27T10:00"),
    # Saturday the 24th is closed: from Sunday, 09:00, one day.
    Case("other", "open", "04-24T10:00", "decide", "04-26T09:00"),
    # The working Sunday, and the working Saturday after the 6th and 7th.
    Case("sanitation", "call", "04-23T11:00", "resolve", "04-25T11:00"),
    Case("drainage", "call", "04-30T10:00", "resolve", "05-08T10:00"),
    # From the 30th: the 6th, 7th, 8th (a Saturday), 10th and 11th.
    Case("greening", "call", "04-30T15:00", "resolve", "05-11T15:00"),
    # Three hours of the working Saturday, and one on Monday.
    Case("drainage", "call", "05-08T14:00", "acknowledge", "05-10T10:00"),
    # 6 and 7.
    Case("greening", "confirm", "04-30T09:00", "answer", "05-07T09:00"),
    # At lunch: from 13:00, 29, 30, 6, 7, 8, 10, 11.
    Case("road", "call", "04-28T12:30", "resolve", "05-11T13:00"),
    # A section's ladder. Two hours: 11:00. Four later: one to noon, three to 16:00.
    Case("sanitation", "call", "04-29T09:00", "acknowledge", "04-29T16:00", "section-head"),
    # Three working days after 11:00 on the 29th: 30, 6, 7.
    Case("sanitation", "call", "04-29T09:00", "acknowledge", "05-07T11:00", "leading-group"),
    # Five: the working Saturday the 8th, and the 10th.
    Case("sanitation", "call", "04-29T09:00", "acknowledge", "05-10T11:00", "discipline-committee"),
    # --- Dragon Boat: 12 to 14 June are closed (Saturday to Monday).
    # 11, 15, 16.
    Case("greening", "resolve", "06-10T11:59", "confirm", "06-16T11:59"),
    # Half an hour on Friday, an hour and a half on Tuesday.
    Case("food-safety", "call", "06-11T16:30", "acknowledge", "06-15T10:30"),
    # From Tuesday the 15th, 09:00: 16, 17, 18, 21, 22.
    Case("greening", "call", "06-13T23:00", "resolve", "06-22T09:00"),
    # --- A summer without holidays: 6 to 9 July, 12, 13, 14.
    Case("road", "call", "07-05T09:00", "resolve", "07-14T09:00"),
    # --- Mid-Autumn: 19 to 21 September are closed (Sunday to Tuesday); Saturday the 18th is worked.
    Case("sanitation", "call", "09-17T10:00", "resolve", "09-18T10:00"),
    # After closing: from Saturday, 09:00, the 22nd, 23rd, 24th.
    Case("drainage", "call", "09-17T17:30", "resolve", "09-24T09:00"),
    # From the working Saturday to Wednesday.
    Case("other", "open", "09-18T16:00", "decide", "09-22T16:00"),
    # By the wall clock on the holiday itself.
    Case("elevator", "call", "09-21T12:00", "acknowledge", "09-21T14:00"),
    # From Wednesday, 09:00: 23, 24, and Sunday the 26th.
    Case("elevator", "call", "09-21T12:00", "resolve", "09-26T09:00"),
    # --- National Day: 1 to 7 October are closed; Sunday, 26 September, and Saturday, 9 October, are worked.
    # 26, 27, 28, 29, 30, 8, 9, 11, 12, 13.
    Case("river", "call", "09-24T14:00", "resolve", "10-13T14:00"),
    # One hour on the eve, three on Friday the 8th.
    Case("greening", "call", "09-30T16:00", "acknowledge", "10-08T12:00"),
    # From Friday the 8th, 09:00, to Saturday the 9th.
    Case("other", "open", "10-03T09:00", "decide", "10-09T09:00"),
    Case("greening", "extend", "10-08T10:00", "approve", "10-09T10:00"),
    # 9 (Saturday), 11, 12, until the closing.
    Case("greening", "resolve", "10-08T17:00", "confirm", "10-12T17:00"),
    # August: 4, 5 and, with 3 September, 5: 14. September: 6 to 10 19, 13 to 17 24, Saturday the 18th 25, 22 to 24 28,
    # Sunday the 26th 29, 27 to 30 33. October: 8 and 9 35, 11 to 15 40.
    Case("greening", "call", "08-16T09:00", "overall", "10-15T09:00"),
    # The street's own ladder. Decided by the 30th, 10:00; four hours later, two of them after lunch.
    Case("other", "open", "09-29T10:00", "decide", "09-30T15:00", "section-head"),
    Case("other", "open", "09-29T10:00", "decide", "10-08T10:00", "responsible-leader"),
    # Three: 8, 9 (Saturday), 11. Five: 12, 13. Five more: 14, 15, 18, 19, 20.
    Case("other", "open", "09-29T10:00", "decide", "10-11T10:00", "leading-group"),
    Case("other", "open", "09-29T10:00", "decide", "10-13T10:00", "discipline-committee"),
    Case("other", "open", "09-29T10:00", "decide", "10-20T10:00", "discipline-committee", 2),
    # An emergency knows no holiday: 30 minutes, and its ladder 10 and 30 minutes later.
    Case("gas", "call", "10-02T03:00", "arrive", "10-02T03:30", severity="critical"),
    Case("gas", "call", "10-02T03:00", "arrive", "10-02T03:40", "section-head", severity="critical"),
    Case("gas", "call", "10-02T03:00", "arrive", "10-02T04:00", "supervision-office", severity="critical"),
    # So does the street's own section, to its own top.
    Case(
        "gas", "call", "10-02T03:00", "arrive", "10-02T03:40", "section-head", severity="critical",
        department="dongsheng-safety",
    ),
    # The rating window is seven days by the wall clock, and ends on the last day of the holiday.
    Case("greening", "answer", "09-30T10:00", "close", "10-07T10:00"),
    # --- The last days: 23, 24, 27, 28, 29.
    Case("greening", "call", "12-22T10:00", "resolve", "12-29T10:00"),
]  # fmt: skip
BY_THE_WALL_CLOCK = {"power", "elevator", "gas"}


@pytest.fixture(scope="module")
def shipped() -> Configuration:
    """What is shipped for Dongsheng street."""
    configuration, problems = parse(read(CONFIG))
    assert configuration is not None, problems
    return configuration


@cache
def lived(configuration: Configuration, category: str, act: str, at: str, severity: str) -> Scene:
    """An incident about which somebody acts at an instant, and nobody ever after, to the end of the year."""
    scene = Scene(configuration, uuid5(INCIDENT, f"{category} {act} {at} {severity}"))
    scene.at = local(at)
    for fact in _acts(scene, category, act, severity):
        if isinstance(fact, response.Response):
            assert scene.now.lead is not None
            scene.department(scene.now.lead.department, fact)
        else:
            scene.street(fact, "dongsheng")
    # The top of the emergency ladder repeats every hour, the nights of three months included.
    scene.pass_(timedelta(days=10) if severity == "critical" else END - scene.at)
    return scene


def _acts(scene: Scene, category: str, act: str, severity: str) -> Iterator[Fact]:
    raised = report(category, severity=severity, happened_at=scene.at)
    yield decision.Opened(by="officer", community="guangdu", report=raised, reported_at=scene.at)
    if act == "open":
        return
    yield decision.Called(by="officer", kind="emergency" if severity == "critical" else "general")
    if act == "call":
        return
    yield response.Acknowledged()
    if act == "stop":
        yield response.Progressed(note="the work is stopped", step="stop-work")
        return
    if act == "extend":
        yield response.ExtensionRequested(until=scene.at + timedelta(days=40), reason="the trees are not here yet")
        return
    yield response.Resolved(note="done")
    if act == "resolve":
        return
    yield decision.Confirmed(by="officer")
    if act == "answer":
        yield decision.Answered(by="officer", answer="done")


def test_the_table_that_is_loaded_is_the_notice(shipped: Configuration) -> None:
    """Of all 365 days those are open that the notice and the week say: 250 of them."""
    opened = [day for day in sorted(days("01-01", "12-31")) if shipped.calendar.openings(day)]
    by_hand = [
        day for day in sorted(days("01-01", "12-31")) if day in WORKING or (day.weekday() < 5 and day not in CLOSED)
    ]
    assert opened == by_hand
    # 261 weekdays, 18 of which are holidays, and 7 working days at weekends.
    assert len(opened) == 261 - 18 + 7


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_deadline_is_the_one_computed_by_hand(shipped: Configuration, case: Case) -> None:
    """Whoever owes is reminded at the very instant, and whoever is above is told at the one of his rung."""
    scene = lived(shipped, case.category, case.act, case.at, case.severity)
    if case.deadline == "close":
        assert [at for at, entry in scene.told if isinstance(entry, Closed)] == [local(case.expected)]
        return
    lead = scene.now.lead
    of_incident = case.deadline in {"decide", "answer", "overall"}
    department = None if of_incident else case.department or (lead.department if lead else None)
    told = [
        at
        for at, entry in scene.told
        if isinstance(entry, Reminded | Escalated)
        and (entry.deadline, entry.department) == (case.deadline, department)
        and (entry.post if isinstance(entry, Escalated) else "") == case.post
    ]
    if case.post:
        assert told[case.time - 1] == local(case.expected)
    else:
        assert told[-1] == local(case.expected)
        assert _due_at(scene, case.deadline, department) == local(case.expected)


def _due_at(scene: Scene, deadline: str, department: str | None) -> datetime:
    clocks = scene.owed(department).clocks if department else scene.now.clocks
    return clocks[deadline].due_at


def test_a_step_that_is_kept_is_never_told_of(shipped: Configuration) -> None:
    """Nobody is reminded of it, and nobody above hears of it, though the next step is missed and climbs all year."""
    told = [
        entry.deadline
        for _, entry in lived(shipped, "illegal-building", "stop", "02-05T10:00", "normal").told
        if isinstance(entry, Reminded | Escalated) and entry.department == "urban-management"
    ]
    assert set(told) == {"penalty", "resolve"}


def test_there_are_enough_of_them() -> None:
    """At least 30 cases, and every festival with its working weekends is among them."""
    assert len(CASES) >= 30
    ends = {local(case.expected).astimezone(SHANGHAI).date() for case in CASES}
    assert ends >= WORKING
    touched = {day for case in CASES for day in _days_of(case)}
    assert touched >= WORKING
    assert touched >= CLOSED


def _days_of(case: Case) -> set[date]:
    start, end = (local(text).astimezone(SHANGHAI).date() for text in (case.at, case.expected))
    return {start + timedelta(days=count) for count in range((end - start).days + 1)}


def test_nobody_is_told_outside_office_hours_of_what_is_counted_in_them(shipped: Configuration) -> None:
    """In the whole year not one reminder or escalation of a working deadline falls on a closed day, or at night."""
    fired = 0
    for case in CASES:
        if case.category in BY_THE_WALL_CLOCK:
            continue
        for at, entry in lived(shipped, case.category, case.act, case.at, case.severity).told:
            if isinstance(entry, Reminded | Escalated):
                fired += 1
                assert is_open(shipped.calendar, at), (str(case), at)
    assert fired > 1_000
