import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import documents
from schemas.topics import DEAD_LETTER_RETENTION_MS, ROOMS_WITH_DEAD_LETTERS, TOPICS, dead_letters

FACTS = [fact for topic in TOPICS for fact in topic.facts]


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document as it is shipped."""
    found: dict[str, Any] = json.loads((documents.GENERATED / documents.ASYNCAPI).read_bytes())
    return found


def references(node: object) -> Iterator[str]:
    """Every reference of a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: object, reference: str) -> Any:
    """What a reference points at."""
    node: Any = document
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        node = node[step]
    return node


def test_shipped_documents_are_what_the_classes_say() -> None:
    """The files of schemas/generated are byte for byte what `python -m schemas.documents` writes, and no others."""
    shipped = {path.name: path.read_bytes() for path in documents.GENERATED.iterdir()}
    assert shipped == documents.documents()


def test_documents_are_the_same_in_every_process() -> None:
    """Nothing in the documents depends on hash seeds or on the working directory."""
    check = [sys.executable, "-m", "schemas.documents", "--check"]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": str(root)}
    done = subprocess.run(check, cwd=root.parent, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` fails and names each file that is missing, changed or left over; without it they are put right."""
    monkeypatch.setattr(documents, "GENERATED", tmp_path)
    assert documents.main([]) == 0
    (tmp_path / "asyncapi.json").write_bytes(b"{}\n")
    (tmp_path / "whistle.answer.given.v1.json").unlink()
    (tmp_path / "whistle.rumour.spread.v1.json").write_bytes(b"{}\n")
    assert documents.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert all(name in told for name in ("asyncapi", "answer.given", "rumour.spread"))
    assert told.count("differs") == 3
    assert documents.main([]) == 0
    assert documents.main(["--check"]) == 0
    assert documents.main(["--chekc"]) == 2


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.type)
def test_each_message_type_has_a_sound_schema(fact: Any) -> None:
    """Each JSON Schema is one, describes the whole event, and every reference in it resolves."""
    schema = json.loads((documents.GENERATED / f"{fact.type}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["type"] == {"const": fact.type}
    assert {"specversion", "id", "source", "type", "subject", "time"} <= set(schema["required"])
    for reference in references(schema):
        assert resolve(schema, reference)


def test_every_reference_resolves(asyncapi: dict[str, Any]) -> None:
    """Every reference of the AsyncAPI document points at something, and nothing it defines is unused."""
    found = set(references(asyncapi))
    for reference in found:
        assert resolve(asyncapi, reference)
    defined = {f"#/components/{kind}/{name}" for kind, those in asyncapi["components"].items() for name in those}
    assert defined <= found


def test_every_topic_is_a_channel(asyncapi: dict[str, Any]) -> None:
    """Each family of topics is one channel with its messages, its parameter and how long it is kept."""
    channels = {each["address"]: each for each in asyncapi["channels"].values()}
    assert set(channels) == {topic.name for topic in TOPICS} | {dead_letters("{room}")}
    for topic in TOPICS:
        channel = channels[topic.name]
        assert list(channel["messages"]) == [fact.type for fact in topic.facts]
        assert list(channel.get("parameters", {})) == (["code"] if topic.party else [])
        assert channel["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == topic.retention_ms
    dead = channels[dead_letters("{room}")]
    assert dead["parameters"]["room"]["enum"] == list(ROOMS_WITH_DEAD_LETTERS)
    assert dead["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == DEAD_LETTER_RETENTION_MS


def test_every_party_has_its_operations(asyncapi: dict[str, Any]) -> None:
    """What each party sends and receives is what the registry lets it write and read."""
    said = {
        (operation["tags"][0]["name"], operation["action"], resolve(asyncapi, operation["channel"]["$ref"])["address"])
        for operation in asyncapi["operations"].values()
    }
    assert said == {(party, "send", topic.name) for topic in TOPICS for party in topic.writers} | {
        (party, "receive", topic.name) for topic in TOPICS for party in topic.readers
    }


def test_messages_are_cloudevents_keyed_by_an_id(asyncapi: dict[str, Any]) -> None:
    """Each message says its content type, its key and its own `type`, and shows an example."""
    messages = asyncapi["components"]["messages"]
    assert set(messages) == {fact.type for fact in FACTS} | {"dead"}
    for fact in FACTS:
        message = messages[fact.type]
        assert message["contentType"] == "application/cloudevents+json"
        assert message["bindings"]["kafka"]["key"]["format"] == "uuid"
        assert message["payload"]["allOf"][1]["properties"]["type"] == {"const": fact.type}
        assert message["examples"]
