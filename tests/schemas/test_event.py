import json
import os
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import incident, report, response
from schemas.decision import Answered, Refused
from schemas.event import Event, Fact, InvalidEventError, dump, follow, isoformat, parse
from schemas.topics import REPORTS, TOPICS
from tests.schemas.examples import VALID, Example

FACTS = {fact.type: fact for topic in TOPICS for fact in topic.facts}
REPORT_FACTS = {fact.type: fact for fact in REPORTS.facts}
SEED = next(each for each in VALID if each.path.stem == "raised-gas-smell")
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1.0, 10**500, 1e308, float("nan"), float("inf"), "", " ", "\x00", "\ud800", "\udfff",
    "2021-01-04T09:00:00", "1609722000", 1609722000, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00",
    "2021-13-40T25:61:61Z", "2021-01-04T09:00:00+99:99", "2100-01-01T00:00:00Z", "x" * 5000, [], {}, [[]], {"": None},
    {"\x00": "2021-01-04T09:00:00Z"}, "urn:uuid:", "https://\x00",
]  # fmt: skip

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def spots(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from spots(value, (*path, key))


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A valid example of any topic with up to three places changed, removed or added."""
    whole: dict[str, Any] = json.loads(draw(st.sampled_from(VALID)).content)
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from([spot for spot in spots(whole) if spot]))
        parent: Any = whole
        for step in above:
            parent = parent[step]
        if draw(st.booleans()):
            parent[last] = deepcopy(draw(ANY_JSON))  # it may be changed in turn
        elif isinstance(parent, dict):
            del parent[last]
    return whole


ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")


def attempt(value: bytes, facts: Mapping[str, type[Fact]], headers: Mapping[str, str] | None = None) -> Event | None:
    """The event, or None where it was refused with a reason that can be stored anywhere."""
    try:
        return parse(value, facts, headers)
    except InvalidEventError as error:
        reason = str(error)
        assert reason
        assert "\x00" not in reason
        reason.encode()
        assert len(reason) < 5000
        return None


@given(st.binary(max_size=400))
@example(b"[" * 100_000)
@example(b'{"specversion":"1.0","data":' + b'{"a":' * 5_000)
@example(b"1" * 10_000)
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_refused_with_a_reason(value: bytes) -> None:
    """No bytes make `parse` raise anything but InvalidEventError, in either mode."""
    assert attempt(value, FACTS) is None
    attempt(value, FACTS, {"ce_specversion": "1.0", "ce_type": "whistle.response.arrived.v1"})


@given(ANY_JSON)
def test_any_json_is_refused_with_a_reason(value: object) -> None:
    """No JSON makes `parse` raise anything but InvalidEventError."""
    attempt(json.dumps(value).encode(), FACTS)


@given(damaged())
def test_what_is_accepted_is_written_as_it_was_read(whole: dict[str, Any]) -> None:
    """Near-valid messages are refused with a reason, or survive being written and read again unchanged."""
    event = attempt(json.dumps(whole).encode(), FACTS)
    if event is not None:
        assert parse(dump(event), FACTS) == event


@given(damaged(), st.booleans())
def test_both_ways_of_reading_agree(whole: dict[str, Any], escaped: bool) -> None:  # noqa: FBT001 - drawn
    """What looks as we write it is read in one go, to the same event as the long way, or to the same refusal."""
    ordered = {name: whole[name] for name in ATTRIBUTES if name in whole} | whole
    value = json.dumps(ordered, separators=(",", ":"), ensure_ascii=escaped).encode(errors="surrogatepass")
    # Any header at all takes the long way.
    assert attempt(value, FACTS) == attempt(value, FACTS, {"other": "header"})


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_no_json_is_refused_even_where_it_is_ignored(number: bytes) -> None:
    """An extension that nobody reads is read all the same."""
    event = Event(UUID(int=1), "/department/water", UUID(int=2), datetime(2021, 1, 4, tzinfo=UTC), response.Arrived())
    assert attempt(dump(event)[:-1] + b',"extension":1}', FACTS) == event
    assert attempt(dump(event)[:-1] + b',"extension":' + number + b"}", FACTS) is None


@given(damaged(), st.booleans())
def test_headers_are_as_hostile_as_bodies(whole: dict[str, Any], attach: bool) -> None:  # noqa: FBT001 - drawn
    """In binary mode too, near-valid messages are refused with a reason, or survive unchanged."""
    headers = {f"ce_{name}": str(value) for name, value in whole.items() if name != "data"}
    if attach:
        headers["ce_data"] = "{}"
    event = attempt(json.dumps(whole.get("data")).encode(), FACTS, headers)
    if event is not None:
        assert parse(dump(event), FACTS) == event


@given(
    source=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=200),
    described=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=50),
    moment=st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 - the offset is drawn
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_writing_and_reading_gives_the_same_event(source: str, described: str, moment: datetime, offset: int) -> None:
    """Whatever is in its texts and whichever offset its instants have, a written event is read back equal."""
    at = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    fact = report.Raised(kind="demand", category="gas", description=f"x{described}", channel="visit", happened_at=at)
    event = Event(follow(UUID(int=1), 0), source, UUID(int=2), at, fact)
    written = dump(event)
    assert parse(written, REPORT_FACTS) == event
    assert dump(parse(written, REPORT_FACTS)) == written


@pytest.mark.parametrize("each", VALID, ids=str)
def test_binary_mode_says_the_same(each: Example) -> None:
    """The same message with its attributes in headers is the same event."""
    whole = json.loads(each.content)
    headers = {f"ce_{name}": value for name, value in whole.items() if name not in {"data", "datacontenttype"}}
    headers["content-type"] = "application/json"
    body = json.dumps(whole["data"]).encode()
    assert parse(body, each.facts, headers) == parse(each.content, each.facts)


def test_structured_content_type_outranks_headers() -> None:
    """Where the content type says structured, attributes in headers are not believed."""
    headers = {"content-type": "application/cloudevents+json; charset=utf-8", "ce_specversion": "1.0", "ce_id": "x"}
    assert parse(SEED.content, REPORT_FACTS, headers) == parse(SEED.content, REPORT_FACTS)


@pytest.mark.parametrize("body", [b'{},"x":{"a":1}', b'1,"data":2', b"{}{}", b"{} x"])
def test_binary_bodies_are_one_json_value(body: bytes) -> None:
    """A body that goes on after its JSON is refused, not spliced in."""
    headers = {f"ce_{name}": str(value) for name, value in json.loads(SEED.content).items() if name != "data"}
    with pytest.raises(InvalidEventError, match="not JSON"):
        parse(body, REPORT_FACTS, headers)


@pytest.mark.parametrize("empty", [None, b""])
def test_tombstones_are_refused(empty: bytes | None) -> None:
    """A record without a value is no event."""
    with pytest.raises(InvalidEventError, match="the record is empty"):
        parse(empty, REPORT_FACTS)


def test_the_last_of_equal_keys_counts() -> None:
    """A key that is there twice has its last value, as in every JSON reader that keeps one."""
    twice = SEED.content.replace(b'"specversion": "1.0"', b'"source": "first", "specversion": "1.0"')
    assert parse(twice, REPORT_FACTS).source == "/community/guangdu"


def test_unknown_attributes_and_fields_are_ignored() -> None:
    """A later version may add what today's readers don't know."""
    whole = json.loads(SEED.content)
    whole |= {"traceparent": "00-0-0-00", "data": {**whole["data"], "new_field": {"nested": [1]}}}
    assert parse(json.dumps(whole).encode(), REPORT_FACTS) == parse(SEED.content, REPORT_FACTS)


def test_instants_are_read_to_utc() -> None:
    """An instant is UTC once read, whatever offset it was written with."""
    fact = parse(SEED.content, REPORT_FACTS).data
    assert isinstance(fact, report.Raised)
    assert fact.happened_at == datetime(2021, 1, 4, 1, tzinfo=UTC)
    assert fact.happened_at.utcoffset() == timedelta(0)


def test_written_instants_are_alike_in_envelope_and_data() -> None:
    """The envelope's instant and pydantic's own are written in the same form, fractions included."""
    at = datetime(2021, 1, 4, 9, 0, 0, 120_000, tzinfo=timezone(timedelta(hours=8)))
    fact = report.Raised(kind="demand", category="gas", description="x", channel="visit", happened_at=at)
    whole = json.loads(dump(Event(UUID(int=1), "s", UUID(int=2), at, fact)))
    assert whole["time"] == whole["data"]["happened_at"] == isoformat(at) == "2021-01-04T01:00:00.120000Z"


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A machine whose clock is set to another zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_naive_instants_are_never_written() -> None:
    """An instant without an offset is an error of ours, not the local time of whichever machine it is on."""
    event = parse(SEED.content, REPORT_FACTS)
    with pytest.raises(ValueError, match="offset"):
        dump(replace(event, time=datetime(2021, 1, 4, 9)))  # noqa: DTZ001 - that is the point


def test_following_facts_have_the_same_id_each_time() -> None:
    """The id of a fact that follows is a function of its cause and ordinal, and of nothing else."""
    assert follow(UUID(int=7), 0) == uuid5(UUID(int=7), "0")
    assert follow(UUID(int=7), 0) == follow(UUID(int=7), "0") != follow(UUID(int=7), 1)


def test_the_report_a_report_repeats() -> None:
    """A link to a report by its id says what is repeated; any other link doesn't."""
    repeat = next(each for each in VALID if each.path.stem == "raised-repeat")
    fact = parse(repeat.content, repeat.facts).data
    assert isinstance(fact, report.Raised)
    assert fact.repeats == UUID(json.loads(SEED.content)["subject"])
    elsewhere = [
        report.Link(rel="repeats", href="https://example.cn/1"),
        report.Link(rel="picture", href=f"urn:uuid:{UUID(int=1)}"),
    ]
    assert fact.model_copy(update={"links": tuple(elsewhere)}).repeats is None


def test_numbers_fit_the_database() -> None:
    """No number of a message is larger than PostgreSQL's integer."""
    with pytest.raises(ValueError, match="2147483647"):
        incident.Closed(version=2**31, cause=UUID(int=1), who="clock", by="rule:close")


@pytest.mark.parametrize(
    "nothing", ["\u200b", "\u200b\u2060\ufeff", "\u2800", "\u3164", "\u00ad", "\ufe0f", "\u202e \u202c", "\U000e0041"]
)
def test_words_that_nobody_can_see_are_no_words(nothing: str) -> None:
    """What a reporter is answered, and why, is read by people: format marks and fillers alone are empty."""
    for fact, field in ((Answered, "answer"), (Refused, "reason")):
        with pytest.raises(ValidationError, match="nothing of it can be seen"):
            fact.model_validate({field: nothing})
        for something in ("好", f"{nothing}好{nothing}", "?", "\U0002000b", "\ue000"):
            assert vars(fact.model_validate({field: something}))[field] == something.strip()
