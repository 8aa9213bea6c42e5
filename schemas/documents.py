"""Generated documents: a JSON Schema per message type, and one AsyncAPI 3 document of every topic.

`python -m schemas.documents` writes them into `schemas/generated`; with `--check` it writes nothing, names what differs
and ends with status 1. The same registry always gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from schemas import action, answer, decision, dispatch, escalation, incident, inspection, notice, report, response
from schemas.event import CONTENT_TYPE, Envelope, Fact, Model
from schemas.topics import DEAD_LETTER_RETENTION_MS, ROOMS_WITH_DEAD_LETTERS, TOPICS, Topic

GENERATED = Path(__file__).parent / "generated"
EXAMPLES = Path(__file__).parent / "examples"
ASYNCAPI = "asyncapi.json"
_NOUNS = (report, inspection, decision, answer, dispatch, response, incident, escalation, action, notice)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KAFKA = "0.5.0"
_ABOUT = (
    "吹哨: a community discovers, its street calls, the departments respond, and they put it right together. "
    "Every message is a CloudEvent 1.0 in structured JSON; readers also accept the binary mode, and ignore attributes "
    "and fields they don't know. The topic says who speaks: only the party in its name, or the room that an operation "
    "is named by, may write there."
)

Json = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles pydantic makes of field names: they say the name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def documents() -> dict[str, bytes]:
    """Return every document by file name."""
    values = _values()
    files = {f"{fact.type}.json": _bytes(event_schema(fact, values)) for topic in TOPICS for fact in topic.facts}
    files[ASYNCAPI] = _bytes(asyncapi(values))
    return files


def event_schema(fact: type[Fact], values: Json | None = None) -> Json:
    """Return the JSON Schema of a whole message whose data is this fact."""
    values = values or _values()
    name = _name(fact)
    needed = {key: values[key] for key in sorted(_closure(name, values) - {name})}
    # `data` may be absent where the fact needs nothing.
    required = [*_envelope()["required"], *(["data"] if values[name].get("required") else [])]
    schema: Json = {
        "$schema": _DIALECT,
        "$id": f"urn:{fact.type.replace('.', ':')}",
        "title": fact.type,
        "description": values[name]["description"],
        "type": "object",
        "properties": _envelope()["properties"] | {"type": {"const": fact.type}, "data": values[name]},
        "required": required,
    }
    whole: Json = _referring(schema | ({"$defs": needed} if needed else {}), _below("#/$defs/"))
    return whole


def asyncapi(values: Json | None = None) -> Json:
    """Return the AsyncAPI 3 document: channels, who sends and receives on them, and every message."""
    values = values or _values()
    facts = [(topic, fact) for topic in TOPICS for fact in topic.facts]
    document: Json = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Whistle 吹哨",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {_channel_name(topic): _channel(topic) for topic in TOPICS} | {"dead": _dead_channel()},
        "operations": dict(_operations()),
        "components": {
            "messages": {fact.type: _message(topic, fact, values) for topic, fact in facts} | {"dead": _dead_message()},
            "schemas": {"envelope": _envelope()} | values,
        },
    }
    whole: Json = _referring(document, _below("#/components/schemas/"))
    return whole


def _values() -> Json:
    """Return the JSON Schemas of all facts and of the values inside them, named `noun.Class`."""
    models = [
        value
        for noun in _NOUNS
        for value in vars(noun).values()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == noun.__name__
        if "type" in vars(value) or not issubclass(value, Fact)
    ]
    refs, found = models_json_schema([(model, "validation") for model in models], schema_generator=_Untitled)
    names = {refs[model, "validation"]["$ref"]: _name(model) for model in models}

    schemas = {names[f"#/$defs/{key}"]: _referring(value, names.__getitem__) for key, value in found["$defs"].items()}
    for schema in schemas.values():
        schema.pop("title", None)
    return dict(sorted(schemas.items()))


def _envelope() -> Json:
    """Return the JSON Schema of the attributes every message has."""
    schema = Envelope.model_json_schema(schema_generator=_Untitled)
    schema.pop("title")
    return schema


def _name(model: type[Model]) -> str:
    return f"{model.__module__.rpartition('.')[2]}.{model.__name__}"


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _refs(each)


def _closure(name: str, values: Json) -> set[str]:
    """Return the name and all that it refers to, at any depth."""
    return {name}.union(*(_closure(each, values) for each in _refs(values[name])))


def _referring(node: Any, pointer: Callable[[str], str]) -> Any:
    """Return the same JSON with every reference passed through `pointer`."""
    if isinstance(node, dict):
        return {key: pointer(value) if key == "$ref" else _referring(value, pointer) for key, value in node.items()}
    return [_referring(each, pointer) for each in node] if isinstance(node, list) else node


def _below(root: str) -> Callable[[str], str]:
    """Return what makes a bare name a pointer below `root`, and leaves pointers alone."""
    return lambda reference: reference if reference.startswith("#") else root + reference


def _channel_name(topic: Topic) -> str:
    return topic.name.replace(".{code}.", ".")


def _channel(topic: Topic) -> Json:
    channel: Json = {"address": topic.name, "description": f"{topic.about} Keyed by {topic.key}."}
    if topic.party:
        channel["parameters"] = {"code": {"description": f"The {topic.party}'s code in the directory."}}
    return channel | {
        "messages": {fact.type: {"$ref": f"#/components/messages/{fact.type}"} for fact in topic.facts},
        "bindings": _kept(topic.retention_ms),
    }


def _dead_channel() -> Json:
    return {
        "address": "{room}.dead",
        "description": "What a room can never read: original key, bytes and headers, and why.",
        "parameters": {"room": {"description": "The room that could not read it.", "enum": [*ROOMS_WITH_DEAD_LETTERS]}},
        "messages": {"dead": {"$ref": "#/components/messages/dead"}},
        "bindings": _kept(DEAD_LETTER_RETENTION_MS),
    }


def _kept(retention_ms: int) -> Json:
    kept = {"cleanup.policy": ["delete"], "retention.ms": retention_ms}
    return {"kafka": {"topicConfiguration": kept, "bindingVersion": _KAFKA}}


def _operations() -> Iterator[tuple[str, Json]]:
    for topic in TOPICS:
        name = _channel_name(topic)
        for action_, parties in (("send", topic.writers), ("receive", topic.readers)):
            for party in parties:
                yield (
                    f"{party}.{action_}.{name}",
                    {
                        "action": action_,
                        "channel": {"$ref": f"#/channels/{name}"},
                        "tags": [{"name": party}],
                        "messages": [{"$ref": f"#/channels/{name}/messages/{fact.type}"} for fact in topic.facts],
                    },
                )


def _message(topic: Topic, fact: type[Fact], values: Json) -> Json:
    own = {"type": "object", "properties": {"type": {"const": fact.type}, "data": {"$ref": _name(fact)}}}
    if values[_name(fact)].get("required"):
        own["required"] = ["data"]
    message: Json = {
        "name": fact.type,
        "title": _name(fact),
        "summary": values[_name(fact)]["description"],
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": "envelope"}, own]},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "format": "uuid", "description": topic.key},
                "bindingVersion": _KAFKA,
            }
        },
    }
    examples = [
        {"name": path.stem, "payload": payload}
        for path in sorted((EXAMPLES / topic.named("code") / "valid").glob("*.json"))
        if (payload := json.loads(path.read_bytes()))["type"] == fact.type
    ]
    return message | ({"examples": examples} if examples else {})


def _dead_message() -> Json:
    return {
        "name": "dead",
        "title": "A record that could not be read",
        "summary": "The record as it came, with headers that say where it lay and why it could not be read.",
        "contentType": "application/octet-stream",
        "bindings": {"kafka": {"bindingVersion": _KAFKA}},
    }


def _bytes(document: Json) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def differences() -> list[str]:
    """Name the files of `schemas/generated` that are missing, changed, or no longer made."""
    wanted = documents()
    there = {path.name: path.read_bytes() for path in GENERATED.glob("*")} if GENERATED.is_dir() else {}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main(arguments: list[str]) -> int:
    """Write the documents, or with `--check` compare them; return the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m schemas.documents [--check]\n")
        return 2
    stale = differences()
    if arguments:
        sys.stderr.writelines(f"schemas/generated/{name} differs from the classes\n" for name in stale)
        if stale:
            sys.stderr.write("run python -m schemas.documents, and look at what changed\n")
        return 1 if stale else 0
    wanted = documents()
    GENERATED.mkdir(exist_ok=True)
    for name in stale:
        path = GENERATED / name
        if name in wanted:
            path.write_bytes(wanted[name])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
