"""Reading reports and inspections from lines."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import visible
from schemas.inspection import Recheck, Recorded
from schemas.report import Link, Place, Raised
from services.publisher.reading import COLUMNS, MAX_LINE_BYTES, Fault, Line, read_csv, read_jsonl, read_lines

SAMPLE = Path(__file__).parent / "sample"


texts = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)
    .map(str.strip)
    .filter(visible)
)
instants = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds it
codes = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
places = st.builds(
    Place,
    address=st.none() | texts,
    estate=st.none() | texts,
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.none() | st.floats(-180, 180),
)
links = st.builds(
    Link, rel=st.sampled_from(["picture", "document"]), href=st.from_regex(r"https://[a-z0-9./=]{1,40}", fullmatch=True)
)
reports = st.builds(
    Raised,
    kind=st.sampled_from(["demand", "suggestion", "hazard", "dispute", "instability"]),
    category=codes,
    severity=st.sampled_from(["low", "normal", "high", "critical"]),
    description=texts,
    place=places,
    channel=st.sampled_from(["courtyard-meeting", "tea-talk", "visit", "hotline", "online"]),
    grid_level=st.none() | st.integers(1, 4),
    happened_at=instants,
    links=st.lists(links, max_size=3).map(tuple),
    reporter=st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
)
inspections = st.builds(
    Recorded,
    purpose=st.sampled_from(["safety", "disputes"]),
    grid_level=st.integers(1, 4),
    place=places,
    inspected_at=instants,
    found=st.lists(st.uuids(), max_size=4).map(tuple),
    # A cell has no room for a remark on each.
    rechecks=st.lists(st.builds(Recheck, report=st.uuids(), holds=st.booleans()), max_size=4).map(tuple),
    note=st.just("") | texts,
)
facts = reports | inspections


def as_csv(facts_: list[Raised | Recorded]) -> bytes:
    """Write facts as CSV, with every column."""
    out = io.StringIO(newline="")
    rows = csv.DictWriter(out, COLUMNS, restval="")
    rows.writeheader()
    for fact in facts_:
        fields = fact.model_dump(mode="json", exclude_none=True)
        fields |= fields.pop("place")
        if isinstance(fact, Raised):
            fields["links"] = " ".join(f"{link.rel}={link.href}" for link in fact.links)
        else:
            fields["found"] = " ".join(map(str, fact.found))
            again = [f"{each.report}={'holds' if each.holds else 'fails'}" for each in fact.rechecks]
            fields["rechecks"] = " ".join(again)
        rows.writerow(fields)
    return out.getvalue().encode()


def lines(text: bytes) -> list[bytes]:
    """Cut bytes into lines, as files do."""
    return text.splitlines(keepends=True) if b"\r" not in text.replace(b"\r\n", b"") else io.BytesIO(text).readlines()


@given(st.lists(facts, max_size=5))
def test_json_lines_round_trip(said: list[Raised | Recorded]) -> None:
    """What is written as JSON lines is read as it was, whatever the words are."""
    text = "".join(fact.model_dump_json() + "\r\n" for fact in said).encode()
    assert [line.fact for line in read_jsonl(io.BytesIO(text)) if isinstance(line, Line)] == said


@given(st.lists(facts, max_size=5))
def test_csv_round_trips(said: list[Raised | Recorded]) -> None:
    """What is written as CSV is read as it was: commas, quotation marks and line breaks too."""
    read = list(read_csv(io.BytesIO(b"\xef\xbb\xbf" + as_csv(said))))
    assert [line.fact if isinstance(line, Line) else line for line in read] == said


@given(st.lists(st.binary(max_size=80).map(lambda raw: raw.replace(b"\n", b"")), max_size=8))
def test_every_json_line_is_accounted_for(raw: list[bytes]) -> None:
    """Nothing a stranger writes raises, and each line that isn't blank gives one result, with its number."""
    expected = [
        number
        for number, each in enumerate(raw, start=1)
        if (each.removeprefix(b"\xef\xbb\xbf") if number == 1 else each).strip()
    ]
    assert [result.number for result in read_jsonl([each + b"\n" for each in raw])] == expected


@given(st.binary(max_size=300))
def test_no_csv_raises(raw: bytes) -> None:
    """Nothing a stranger writes under a good header raises, and the numbers are in order."""
    numbers = [result.number for result in read_csv(io.BytesIO(b"kind,happened_at,description\n" + raw))]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", ["reports.jsonl", "reports.csv"])
def test_golden(name: str) -> None:
    """Both formats of the documented example give the facts, and the faults by line, that stand beside them."""
    with (SAMPLE / name).open("rb") as file:
        read = list(read_lines(file))
    told = [
        {"line": each.number, "fault": each.what}
        if isinstance(each, Fault)
        else {
            "line": each.number,
            "id": str(each.id) if each.id else None,
            "community": each.community,
            "type": each.fact.type,
            "fact": each.fact.model_dump(mode="json", exclude_defaults=True),
        }
        for each in read
    ]
    golden = SAMPLE / f"{name}.golden.json"
    assert told == json.loads(golden.read_text(encoding="utf-8"))


HEADER = b"kind,category,description,channel,happened_at\n"
GOOD = "demand,water-supply,小区停水两天,visit,2021-01-04T09:00:00+08:00\n"


def test_gbk_refuses_its_own_line_only() -> None:
    """A line in GBK is refused by number with what to do, and those around it are read."""
    read = list(read_csv(io.BytesIO(HEADER + GOOD.encode() + GOOD.encode("gbk") + GOOD.encode())))
    assert [type(each) for each in read] == [Line, Fault, Line]
    assert read[1] == Fault(3, "is not UTF-8 (GBK, perhaps?): save the file as UTF-8")
    assert next(iter(read_jsonl(['{"description": "小区停水两天"}'.encode("gbk")]))) == Fault(
        1, "is not UTF-8 (GBK, perhaps?): save the file as UTF-8"
    )


def test_numbers_are_where_a_record_begins() -> None:
    """After a cell with line breaks the numbers are still those that an editor shows."""
    broken = 'demand,water-supply,"停\n水",visit,never\n'
    read = list(read_csv(io.BytesIO(HEADER + GOOD.replace("小区停水两天", '"停\n水"').encode() + broken.encode())))
    assert [each.number for each in read] == [2, 4]


def test_an_open_quotation_mark_is_told() -> None:
    """A quotation mark that is never closed is told where it begins, instead of swallowing the rest in silence."""
    (fault,) = read_csv(io.BytesIO(HEADER + b'demand,water-supply,"never closed\n' + GOOD.encode()))
    assert isinstance(fault, Fault)
    assert fault.number == 2
    assert "never closed" in fault.what


def test_a_file_without_header_is_refused_at_once() -> None:
    """A CSV file whose first line is no header says so once, and names the columns."""
    (fault,) = read_csv(io.BytesIO(GOOD.encode() * 3))
    assert isinstance(fault, Fault)
    assert fault.number == 1
    assert "happened_at" in fault.what


def test_both_kinds_on_one_line_are_refused() -> None:
    """A line is a report or an inspection; one that is both is no guess of ours."""
    (fault,) = read_jsonl([b'{"kind": "demand", "purpose": "safety"}'])
    assert isinstance(fault, Fault)


def test_a_long_line_is_refused() -> None:
    """A line that no report needs is refused before it is parsed."""
    (fault,) = read_jsonl([b"{" + b" " * MAX_LINE_BYTES + b"}"])
    assert isinstance(fault, Fault)
    assert "longer" in fault.what


def test_unknown_fields_are_named() -> None:
    """A misspelt optional field is not lost in silence: the line names what it left out."""
    text = json.dumps(
        {
            "id": str(UUID(int=1)),
            "kind": "demand",
            "category": "power",
            "description": "停电",
            "channel": "visit",
            "happened_at": "2021-01-04T09:00+08:00",
            "severty": "high",
        }
    )
    (line,) = read_jsonl([text.encode()])
    assert isinstance(line, Line)
    assert line.ignored == ("severty",)
