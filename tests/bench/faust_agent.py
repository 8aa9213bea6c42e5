"""The router's work as a Faust agent does it: incidents in a table with a changelog, what follows sent, and no SQL.

As a process of its own: `python -m tests.bench.faust_agent GROUP`. It decides by the same pure functions, keeps the
same facts, and says the same messages.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import faust
import uvloop
from faust.serializers import codecs
from pydantic import TypeAdapter

from schemas.event import Event, dump, follow, parse
from schemas.topics import DECISIONS
from services.configured import load
from services.domain.announce import messages
from services.domain.configuration import Configuration
from services.domain.decide import Said, decide_said
from services.domain.incident import Incident
from services.runtime.inlet import cause_id
from services.runtime.relay import CONTENT_TYPE_HEADER
from services.runtime.settings import Settings
from tests.bench.calls import STREET, TOPIC

FACTS = {fact.type: fact for fact in DECISIONS.facts}
COMMIT_EVERY_S = 0.2
"""Offsets tell how far it is, from outside; at Faust's own 2.8 s a short run would be over after a few of them."""
PRODUCER_LINGER_S = 0.1
"""Nothing here waits for what was sent, and larger batches make it faster: by a third beside the rooms' own 5 ms."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the table holds of one incident: its state, and the causes that led to it, by which repeats are known."""

    state: Incident | None = None
    causes: tuple[UUID, ...] = ()


class KeptCodec(codecs.Codec):  # type: ignore[misc]
    """How the table's changelog is written and read."""

    _adapter = TypeAdapter(Kept)

    def _dumps(self, obj: Kept) -> bytes:
        return self._adapter.dump_json(obj, exclude_defaults=True)

    def _loads(self, s: bytes) -> Kept:
        return self._adapter.validate_json(s)


def make(group: str, settings: Settings) -> Any:
    """Return the application, set up as the rooms' own clients are where that makes it faster or safer."""
    codecs.register("kept", KeptCodec())
    settings.home.mkdir(parents=True, exist_ok=True)
    return faust.App(
        group,
        broker=f"kafka://{settings.kafka.bootstrap_servers}",
        datadir=settings.home / group,
        store="memory://",
        topic_partitions=settings.kafka.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMIT_EVERY_S,
        producer_acks=-1,
        producer_linger=PRODUCER_LINGER_S,
        producer_max_batch_size=256 * 1024,
    )


def serve(app: Any, configuration: Configuration) -> None:
    """Add the agent."""
    topic = partial(app.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    said_on: dict[str, Any] = {}
    incidents = app.Table("incidents", default=Kept, key_type=bytes)
    # Faust knows no codec for a class that isn't its own: kept as objects, incidents are never read back in a run.
    incidents.value_serializer = "kept"

    async def route(stream: Any) -> None:
        async for record in stream.events():
            event = parse(record.value, FACTS)
            at = datetime.fromtimestamp(record.message.timestamp, UTC)
            said = Said(cause_id(event.subject, event.id, TOPIC), "street", STREET, at, event.data)
            kept: Kept = incidents[record.key]
            if said.cause in kept.causes:
                continue
            decided = decide_said(kept.state, event.subject, said, configuration)
            incidents[record.key] = Kept(decided.state, (*kept.causes, said.cause))
            told = [each for entry in decided.entries for each in messages(decided.state, entry)]
            for name, value in _written(said, event.subject, told):
                if name not in said_on:
                    said_on[name] = topic(name)
                await said_on[name].send(key=record.key, value=value, headers=CONTENT_TYPE_HEADER)

    app.agent(topic(TOPIC), name="route")(route)


def _written(said: Said, incident: UUID, told: list[Any]) -> Iterator[tuple[str, bytes]]:
    for ordinal, (topic, fact) in enumerate(told):
        yield topic, dump(Event(follow(said.cause, ordinal), "/router", incident, said.at, fact))


def main() -> None:
    """Go on until killed."""
    # Faust and mode write debug lines for every message, whatever the worker's level: a tenth of its time.
    logging.disable(logging.WARNING)
    settings = Settings.load()
    app = make(sys.argv[1], settings)
    serve(app, load(settings.config))
    faust.Worker(app, loglevel="ERROR", loop=uvloop.new_event_loop()).execute_from_commandline()


if __name__ == "__main__":
    main()
