import json

import pytest
from jsonschema import Draft202012Validator

from schemas.documents import EXAMPLES, GENERATED
from schemas.event import InvalidEventError, dump, parse
from schemas.topics import TOPICS
from tests.schemas.examples import INVALID, VALID, Example

# What JSON Schema has no words for: characters that can't be stored, blanks that are stripped, years.
BEYOND_JSON_SCHEMA = {"blank-description", "happened-in-9999", "deadline-name-nul"}


def validator(kind: str) -> Draft202012Validator | None:
    """The generated JSON Schema of a message type."""
    path = GENERATED / f"{kind}.json"
    if not path.exists():
        return None
    schema = json.loads(path.read_bytes())
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_every_fact_has_a_valid_example() -> None:
    """Each message type ships with an example."""
    shown = {json.loads(each.content)["type"] for each in VALID}
    assert shown == {fact.type for topic in TOPICS for fact in topic.facts}


def test_every_topic_has_invalid_examples() -> None:
    """Each topic ships with messages that must be refused, each with its reason, and with nothing else."""
    assert {each.topic for each in INVALID} == set(TOPICS)
    known = {each.path for each in VALID + INVALID} | {each.path.with_suffix(".reason") for each in INVALID}
    assert {path for path in EXAMPLES.rglob("*") if path.is_file()} == known


@pytest.mark.parametrize("each", VALID, ids=str)
def test_valid_examples_are_accepted(each: Example) -> None:
    """A valid example is accepted by the classes and by its JSON Schema, and is still valid once written again."""
    event = parse(each.content, each.facts)
    checker = validator(event.data.type)
    assert checker is not None
    checker.validate(json.loads(each.content))
    checker.validate(json.loads(dump(event)))


@pytest.mark.parametrize("each", VALID, ids=str)
def test_valid_examples_hide_nothing(each: Example) -> None:
    """A valid example has no field that readers would ignore: what is written again says as much."""
    data = json.loads(each.content)["data"]
    event = parse(each.content, each.facts)
    assert type(event.data).model_validate(data) == event.data
    assert set(data) <= set(type(event.data).model_fields)


@pytest.mark.parametrize("each", INVALID, ids=str)
def test_invalid_examples_are_refused(each: Example) -> None:
    """An invalid example is refused with exactly the sentence beside it, which its sender will read."""
    with pytest.raises(InvalidEventError) as refusal:
        parse(each.content, each.facts)
    assert str(refusal.value) == each.reason


@pytest.mark.parametrize("each", INVALID, ids=str)
def test_json_schema_refuses_what_it_can_express(each: Example) -> None:
    """Whoever validates with the generated JSON Schema alone lets nothing invalid through that it can express."""
    try:
        whole = json.loads(each.content, parse_constant=lambda name: name)
        checker = validator(whole["type"])
    except (ValueError, TypeError, KeyError):
        return  # no JSON object with a type: there is no schema to choose
    if checker is None or whole["type"] not in each.facts:
        return
    if each.path.stem == "half-a-surrogate":
        return  # Python's reader lets it through, and JSON Schema has no say in it
    assert checker.is_valid(whole) == (each.path.stem in BEYOND_JSON_SCHEMA)
