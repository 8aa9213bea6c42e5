"""Deadlines by the wall clock and by office hours."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.working_time import OFFICE_DAY, OFFICE_WEEK, Calendar, Duration, Hours, add, back, between, is_open

SHANGHAI = ZoneInfo("Asia/Shanghai")
PLAIN = Calendar(SHANGHAI)
# A holiday on a Friday, made up for on the Sunday before: 2021's May holidays have just this shape.
MAY = Calendar(
    SHANGHAI,
    holidays=frozenset(date(2021, 5, day) for day in range(1, 6)),
    working_weekends=frozenset({date(2021, 4, 25), date(2021, 5, 8)}),
)
BERLIN = Calendar(ZoneInfo("Europe/Berlin"), (((Hours(time(0), time(23)),),) * 7))
CALENDARS = (PLAIN, MAY, BERLIN)

instants = st.datetimes(datetime(2019, 1, 1), datetime(2023, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
calendars = st.sampled_from(CALENDARS)
durations = st.builds(Duration, st.integers(0, 60), st.sampled_from(["m", "h", "d", "wh", "wd"]))
working = st.builds(Duration, st.integers(0, 60), st.sampled_from(["wh", "wd"]))


def local(text: str) -> datetime:
    """An instant written in Shanghai's time."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        # 2021-03-01 was a Monday.
        ("2021-03-01T10:00", "3wh", "2021-03-01T14:00"),
        ("2021-03-01T09:00", "3wh", "2021-03-01T12:00"),
        ("2021-03-01T12:00", "1wh", "2021-03-01T14:00"),
        ("2021-03-01T12:30", "1wh", "2021-03-01T14:00"),
        ("2021-03-01T07:00", "7wh", "2021-03-01T17:00"),
        ("2021-03-01T07:00", "8wh", "2021-03-02T10:00"),
        ("2021-03-01T17:00", "1wh", "2021-03-02T10:00"),
        ("2021-03-05T16:30", "1wh", "2021-03-08T09:30"),
        ("2021-03-06T10:00", "4wh", "2021-03-08T14:00"),
        ("2021-03-06T10:00", "0wh", "2021-03-08T09:00"),
        ("2021-03-01T10:15", "5wd", "2021-03-08T10:15"),
        ("2021-03-01T12:30", "1wd", "2021-03-02T13:00"),
        ("2021-03-01T17:00", "1wd", "2021-03-02T17:00"),
        ("2021-03-01T17:01", "1wd", "2021-03-03T09:00"),
        ("2021-03-06T10:00", "1wd", "2021-03-09T09:00"),
        ("2021-03-01T23:50", "30m", "2021-03-02T00:20"),
        ("2021-03-06T10:00", "2h", "2021-03-06T12:00"),
        ("2021-03-06T10:00", "7d", "2021-03-13T10:00"),
    ],
)
def test_durations_are_counted_as_the_office_counts_them(start: str, duration: str, end: str) -> None:
    """Working units count office hours from the next opening, wall-clock units count every hour."""
    assert add(PLAIN, local(start), Duration.parse(duration)) == local(end)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2021-04-30T16:00", "2wh", "2021-05-06T10:00"),
        ("2021-04-23T10:00", "1wd", "2021-04-25T10:00"),
        ("2021-04-30T10:00", "3wd", "2021-05-08T10:00"),
        ("2021-05-01T10:00", "1wh", "2021-05-06T10:00"),
    ],
)
def test_holidays_are_closed_and_working_weekends_are_open(start: str, duration: str, end: str) -> None:
    """A holiday doesn't count, and the weekend that makes up for it (调休) does."""
    assert add(MAY, local(start), Duration.parse(duration)) == local(end)


def test_a_day_with_other_hours_takes_the_closing_before() -> None:
    """Where the same time of day isn't open some working days later, the deadline is that day's last closing before."""
    morning, whole = (Hours(time(9), time(12)),), (Hours(time(9), time(17)),)
    calendar = Calendar(SHANGHAI, (whole, morning, (), (), (Hours(time(14), time(15)),), (), ()))
    assert add(calendar, local("2021-03-01T16:00"), Duration(1, "wd")) == local("2021-03-02T12:00")
    assert add(calendar, local("2021-03-01T10:00"), Duration(2, "wd")) == local("2021-03-05T14:00")


def test_clocks_put_forward_within_office_hours_are_counted_in_real_hours() -> None:
    """On the day that Berlin's clocks go forward, four office hours from midnight end at five."""
    berlin = ZoneInfo("Europe/Berlin")
    midnight = datetime(2021, 3, 28, tzinfo=berlin)
    assert add(BERLIN, midnight, Duration(4, "wh")) == datetime(2021, 3, 28, 5, tzinfo=berlin)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-1d", "1.5h", "1d12h", "01h", " 1h", "1 h", "1w", "1H", "٣d", "9999999m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """One number and one unit, and nothing else."""
    with pytest.raises(ValueError, match="is no duration"):
        Duration.parse(text)


@given(durations)
def test_a_duration_is_read_as_it_is_written(duration: Duration) -> None:
    """Writing and reading undo each other."""
    assert Duration.parse(str(duration)) == duration


@given(calendars, instants, instants, durations)
def test_later_starts_never_end_earlier(calendar: Calendar, one: datetime, other: datetime, duration: Duration) -> None:
    """Adding the same duration keeps the order of instants."""
    early, late = sorted((one, other))
    assert add(calendar, early, duration) <= add(calendar, late, duration)


@given(calendars, instants, durations, st.integers(0, 30))
def test_longer_durations_never_end_earlier(calendar: Calendar, start: datetime, duration: Duration, more: int) -> None:
    """A longer duration of the same unit ends later or at once, and none ends before it starts."""
    end = add(calendar, start, duration)
    assert start <= end <= add(calendar, start, Duration(duration.value + more, duration.unit))
    assert end.tzinfo is UTC


@given(calendars, instants, working)
def test_a_working_deadline_is_never_outside_office_hours(
    calendar: Calendar, start: datetime, duration: Duration
) -> None:
    """Whatever is counted in working time ends when somebody is there."""
    assert is_open(calendar, add(calendar, start, duration))


@given(calendars, instants, st.integers(0, 100))
def test_between_undoes_add(calendar: Calendar, start: datetime, hours: int) -> None:
    """Between an instant and so many working hours later lie exactly so many hours."""
    assert between(calendar, start, add(calendar, start, Duration(hours, "wh"))) == timedelta(hours=hours)


@given(calendars, st.lists(instants, min_size=3, max_size=3))
def test_office_time_adds_up(calendar: Calendar, three: list[datetime]) -> None:
    """Office time of two stretches is that of both together, and no more than the wall clock shows."""
    first, middle, last = sorted(three)
    parts = sum((between(calendar, a, b) for a, b in pairwise((first, middle, last))), timedelta())
    assert parts == between(calendar, first, last) <= last - first
    assert between(calendar, last, first) == timedelta()


# Office days of every shape: the usual one, none at all, around midnight, and in the hours in which clocks are put
# forward and back (at two or three in the morning, in these zones, and by half an hour on Lord Howe).
SHAPES = (
    OFFICE_DAY,
    (),
    (Hours(time(1, 30), time(2, 15)), Hours(time(2, 30), time(4))),
    (Hours(time(0), time(23, 59)),),
    (Hours(time(14), time(14, 20)),),
)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
some_days = st.frozensets(st.dates(date(2020, 12, 1), date(2022, 2, 1)), max_size=60)
offices = st.builds(
    lambda zone, week, closed, opened: Calendar(ZoneInfo(zone), week, closed - opened, opened),
    st.sampled_from(ZONES),
    st.tuples(*[st.sampled_from(SHAPES)] * 7).filter(any),
    some_days,
    some_days,
)
of_one_year = st.datetimes(datetime(2020, 12, 20), datetime(2021, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def near_the_change(draw: st.DrawFn) -> tuple[Calendar, datetime, datetime]:
    """A calendar, and two instants within a few hours of each other, often where its zone's clocks are changed."""
    calendar = draw(offices)
    night = draw(st.sampled_from([(2021, 3, 28), (2021, 10, 31), (2021, 3, 14), (2021, 11, 7), (2021, 4, 4)]))
    start = datetime(*night, tzinfo=calendar.zone).astimezone(UTC)
    one, other = (start + timedelta(minutes=draw(st.integers(-300, 600))) for _ in range(2))
    return calendar, min(one, other), max(one, other)


@pytest.mark.parametrize(
    ("early", "late", "end_of_early", "end_of_late"),
    [
        # 02:50 and, after the clocks were put back, 02:10: the next day's are 02:50 and just before 03:00.
        ("2021-10-31T00:50", "2021-10-31T01:10", "2021-11-01T01:50", "2021-11-01T01:59:59.999999"),
        # 02:30 and 03:10, on the day before that on which 02:00 to 03:00 don't come.
        ("2021-03-27T01:30", "2021-03-27T02:10", "2021-03-28T01:00", "2021-03-28T01:10"),
    ],
)
def test_a_time_of_day_that_comes_twice_or_not_at_all_keeps_the_order(
    early: str, late: str, end_of_early: str, end_of_late: str
) -> None:
    """A working day later, what began later ends later, in an office of Berlin that is open at night."""
    ends = [add(BERLIN, datetime.fromisoformat(text).replace(tzinfo=UTC), Duration(1, "wd")) for text in (early, late)]
    assert ends == [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (end_of_early, end_of_late)]


@given(offices, of_one_year, of_one_year, durations)
def test_with_holidays_too_later_starts_never_end_earlier(
    calendar: Calendar, one: datetime, other: datetime, duration: Duration
) -> None:
    """Whatever days are closed and whichever are worked instead, in every zone."""
    early, late = sorted((one, other))
    assert add(calendar, early, duration) <= add(calendar, late, duration)


@given(near_the_change(), durations)
def test_where_clocks_are_changed_later_starts_never_end_earlier(
    night: tuple[Calendar, datetime, datetime], duration: Duration
) -> None:
    """In the hour that comes twice, and around the one that doesn't come at all."""
    calendar, early, late = night
    assert add(calendar, early, duration) <= add(calendar, late, duration)


@given(offices, of_one_year, durations, st.integers(0, 30))
def test_with_holidays_too_longer_durations_never_end_earlier(
    calendar: Calendar, start: datetime, duration: Duration, more: int
) -> None:
    """More of the same unit ends later or at once."""
    longer = Duration(duration.value + more, duration.unit)
    assert start <= add(calendar, start, duration) <= add(calendar, start, longer)


@given(offices, of_one_year, working)
def test_with_holidays_too_a_working_deadline_is_never_outside_office_hours(
    calendar: Calendar, start: datetime, duration: Duration
) -> None:
    """A holiday that falls on the deadline's day is no day of it."""
    assert is_open(calendar, add(calendar, start, duration))


@given(offices, of_one_year, st.integers(0, 60))
def test_with_holidays_too_between_undoes_add(calendar: Calendar, start: datetime, hours: int) -> None:
    """Exactly so many office hours lie between, none of them on a holiday."""
    assert between(calendar, start, add(calendar, start, Duration(hours, "wh"))) == timedelta(hours=hours)


@given(offices, of_one_year, st.integers(0, 40))
def test_working_days_are_as_many_as_were_added_and_end_at_the_same_time(
    calendar: Calendar, start: datetime, count: int
) -> None:
    """From the next opening on so many days with office hours follow, and the last has the time of day, where open."""
    begin = add(calendar, start, Duration(0, "wh")).astimezone(calendar.zone)
    end = add(calendar, start, Duration(count, "wd")).astimezone(calendar.zone)
    later = [begin.date() + timedelta(days=day) for day in range(1, (end.date() - begin.date()).days + 1)]
    assert sum(bool(calendar.openings(day)) for day in later) == count
    assert bool(calendar.openings(end.date()))
    same = datetime.combine(end.date(), begin.time(), calendar.zone)
    changed = begin.fold or same.astimezone(UTC).astimezone(calendar.zone).time() != begin.time()
    if is_open(calendar, same) and not changed:
        assert end.time() == begin.time()


@given(instants, durations)
def test_the_zone_of_an_instant_makes_no_difference(start: datetime, duration: Duration) -> None:
    """The same instant written with another offset has the same deadline."""
    elsewhere = start.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert add(PLAIN, elsewhere, duration) == add(PLAIN, start, duration)


@pytest.mark.parametrize("unit", ["m", "h", "d", "wh", "wd"])
@pytest.mark.parametrize(
    "instant",
    [
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2101, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime(2021, 3, 1),  # noqa: DTZ001 (naive on purpose)
    ],
)
def test_instants_nobody_can_mean_are_refused(instant: datetime, unit: str) -> None:
    """The year 9999 and a time without a zone are a `ValueError`, not an overflow later."""
    with pytest.raises(ValueError, match=r"outside the years|no offset"):
        add(PLAIN, instant, Duration.parse(f"1{unit}"))


@pytest.mark.parametrize("text", ["999999d", "999999wh", "999999wd", "366d", "1000wd"])
def test_deadlines_beyond_the_last_year_are_refused(text: str) -> None:
    """A duration that leaves the years counted with is a `ValueError`."""
    with pytest.raises(ValueError, match="outside the years"):
        add(PLAIN, datetime(2100, 6, 1, tzinfo=UTC), Duration.parse(text))


def test_calendars_that_make_no_sense_are_refused() -> None:
    """A calendar that never opens, overlaps or contradicts itself is a `ValueError`."""
    day = date(2021, 5, 8)
    nine_to_five = Hours(time(9), time(17))
    with pytest.raises(ValueError, match="never open"):
        Calendar(SHANGHAI, ((),) * 7)
    with pytest.raises(ValueError, match="7 days"):
        Calendar(SHANGHAI, OFFICE_WEEK[:5])
    with pytest.raises(ValueError, match="overlap"):
        Calendar(SHANGHAI, ((nine_to_five, Hours(time(16), time(18))), *OFFICE_WEEK[1:]))
    with pytest.raises(ValueError, match="both"):
        Calendar(SHANGHAI, holidays=frozenset({day}), working_weekends=frozenset({day}))
    with pytest.raises(ValueError, match="never open"):
        Hours(time(9), time(9))


@pytest.mark.parametrize(
    ("end", "duration", "start"),
    [
        ("2021-03-01T14:00", "3wh", "2021-03-01T10:00"),
        ("2021-03-01T14:00", "4wh", "2021-03-01T09:00"),
        ("2021-03-01T13:00", "1wh", "2021-03-01T11:00"),
        ("2021-03-01T14:00", "1wh", "2021-03-01T13:00"),
        ("2021-03-01T12:30", "1wh", "2021-03-01T11:00"),
        ("2021-03-01T09:00", "1wh", "2021-02-26T16:00"),
        ("2021-03-07T03:00", "4wh", "2021-03-05T13:00"),
        ("2021-03-07T03:00", "0wh", "2021-03-05T17:00"),
        ("2021-03-08T10:15", "5wd", "2021-03-01T10:15"),
        ("2021-03-08T12:30", "1wd", "2021-03-05T12:00"),
        ("2021-03-08T08:00", "1wd", "2021-03-04T17:00"),
        ("2021-03-02T00:20", "30m", "2021-03-01T23:50"),
        ("2021-03-13T10:00", "7d", "2021-03-06T10:00"),
    ],
)
def test_durations_are_counted_backwards_too(end: str, duration: str, start: str) -> None:
    """Working units count office hours from the closing before, wall-clock units count every hour."""
    assert back(PLAIN, local(end), Duration.parse(duration)) == local(start)


def test_backwards_over_a_day_with_other_hours_there_is_time_enough() -> None:
    """Where the same time of day isn't open some working days earlier, it is the last closing before that."""
    morning, whole = (Hours(time(9), time(12)),), (Hours(time(9), time(17)),)
    calendar = Calendar(SHANGHAI, (morning, whole, (Hours(time(14), time(15)),), (), (), (), ()))
    assert back(calendar, local("2021-03-02T16:00"), Duration(1, "wd")) == local("2021-03-01T12:00")
    assert back(calendar, local("2021-03-09T09:30"), Duration(2, "wd")) == local("2021-03-02T17:00")


def test_backwards_holidays_are_closed_and_working_weekends_open() -> None:
    """The same days count in both directions."""
    assert back(MAY, local("2021-05-06T10:00"), Duration(2, "wh")) == local("2021-04-30T16:00")
    assert back(MAY, local("2021-04-26T10:00"), Duration(1, "wd")) == local("2021-04-25T10:00")


@given(calendars, instants, durations)
def test_what_begins_so_long_before_is_over_in_time(calendar: Calendar, end: datetime, duration: Duration) -> None:
    """Counting back and then forward never ends too late; in hours, nothing is lost on the way."""
    start = back(calendar, end, duration)
    assert start <= end
    assert add(calendar, start, duration) <= end
    if duration.unit == "wh":
        assert between(calendar, start, end) == timedelta(hours=duration.value)
    elif duration.unit != "wd":
        assert add(calendar, start, duration) == end


@given(calendars, instants, instants, durations)
def test_earlier_ends_never_start_later(calendar: Calendar, one: datetime, other: datetime, duration: Duration) -> None:
    """Counting backwards keeps the order of instants, and a whole day has one bound."""
    early, late = sorted((one, other))
    assert back(calendar, early, duration) <= back(calendar, late, duration)
    assert calendar.not_before(late.date(), duration) <= back(calendar, late, duration)


@given(calendars, instants, working)
def test_a_working_reminder_is_never_outside_office_hours(
    calendar: Calendar, end: datetime, duration: Duration
) -> None:
    """Whatever is counted back in working time begins when somebody is there."""
    start = back(calendar, end, duration)
    assert is_open(calendar, start)
    assert start.tzinfo is UTC


def test_counting_back_stays_within_the_years() -> None:
    """There is a year's room before the first year; before that, it is a `ValueError`."""
    first = datetime(2000, 1, 1, tzinfo=UTC)
    assert back(PLAIN, first, Duration(4, "wh")) == local("1999-12-31T13:00")
    for duration in (Duration(900, "d"), Duration(999_999, "d"), Duration(9_999, "wh"), Duration(900, "wd")):
        with pytest.raises(ValueError, match="years 2000 to 2100"):
            back(PLAIN, first, duration)
    with pytest.raises(ValueError, match="no offset"):
        back(PLAIN, datetime(2021, 3, 1), Duration(1, "h"))  # noqa: DTZ001 - that is the mistake
