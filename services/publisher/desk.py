"""What the community's commands do: speak with the community's voice, and print what it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, tzinfo
from uuid import UUID

import typer
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from pydantic import ValidationError

from schemas.answer import (
    Asked,
    BreachesListed,
    ConfirmationAsked,
    ExplanationAccepted,
    ExplanationAsked,
    Given,
    Recomputed,
    Reminded,
)
from schemas.event import Event, InvalidEventError, dump, explain, parse
from schemas.inspection import Recorded
from schemas.notice import Notice
from schemas.report import Confirmed, Contacted, Explained, Rated, Replied, SentBack, Verified
from schemas.topics import ANSWERS
from services.configured import load_or_stop
from services.domain.configuration import Configuration
from services.domain.receipts import receipt_of
from services.publisher.client import NotKeptError, Publisher, Receipt, RejectedError
from services.publisher.communities import judge_community
from services.runtime.clock import present
from services.runtime.kafka import METADATA_MAX_AGE_MS
from services.runtime.secret import NoKeyError, receipt_key
from services.runtime.settings import Settings
from services.runtime.terminal import BAD_INPUT, local, plain, stop, whole_id

Act = Verified | Confirmed | SentBack | Rated | Replied | Contacted | Explained
POLL_MS = 200
_FACTS = {fact.type: fact for fact in ANSWERS.facts}


async def act(settings: Settings, community: str, asked: str, kind: type[Act], fields: Mapping[str, object]) -> None:
    """Say something about a report of the community's own."""
    _known(settings, community)
    report = _whole(asked)
    try:
        fact = kind.model_validate(fields)
    except ValidationError as error:
        stop(f"{explain(error)}.", BAD_INPUT)
    receipt = await _spoken(settings, community, lambda publisher: _say(publisher, report, fact))
    said = "is kept to be said" if receipt.spooled else "is said"
    accepted = f"whether it is accepted is in `whistle ledger show {report}`"
    typer.echo(f"{fact.type} about {report} {said} (event {receipt.event.id}); {accepted}.")


async def walk(settings: Settings, community: str, fields: Mapping[str, object]) -> None:
    """Record a round of inspection, walked just now, that has looked again at what earlier reports were about."""
    _known(settings, community)
    try:
        walked = Recorded.model_validate({"inspected_at": await present(settings.database), **fields})
    except ValidationError as error:
        stop(f"{explain(error)}.", BAD_INPUT)
    receipt = await _spoken(settings, community, lambda publisher: publisher.inspection(walked))
    typer.echo(f"{receipt.id}")


def show_receipt(settings: Settings, community: str, asked: str) -> None:
    """Print the receipt of a report."""
    _known(settings, community)
    report = _whole(asked)
    try:
        typer.echo(receipt_of(receipt_key(settings), community, report))
    except NoKeyError as error:
        stop(f"{error}.")


async def _spoken(settings: Settings, community: str, speak: Callable[[Publisher], Awaitable[Receipt]]) -> Receipt:
    """Say something with the community's voice; what only waits on disk is told."""
    try:
        async with Publisher(community, settings) as publisher:
            receipt = await speak(publisher)
    except RejectedError as error:
        stop(f"{error}.", BAD_INPUT)
    except NotKeptError as error:
        stop(f"{error}.")
    if receipt.spooled:
        typer.echo(
            f"Kafka at {settings.kafka.bootstrap_servers} does not take it now, so it waits on disk; `whistle publish "
            "--flush` or the publisher's process sends what waits.",
            err=True,
        )
    return receipt


async def _say(publisher: Publisher, report: UUID, fact: Act) -> Receipt:
    match fact:
        case Verified():
            saying = publisher.verify(
                report, holds=fact.holds, department=fact.department, proved=fact.proved, note=fact.note
            )
        case Confirmed():
            saying = publisher.confirm(report, fact.department, proved=fact.proved, note=fact.note)
        case SentBack():
            saying = publisher.send_back(report, fact.department, reason=fact.reason)
        case Rated():
            saying = publisher.rate(
                report, solved=fact.solved, satisfied=fact.satisfied, fault=fact.fault, note=fact.note
            )
        case Replied():
            saying = publisher.reply(report, fact.reply)
        case Contacted():
            saying = publisher.contacted(report, fact.channel, reached=fact.reached, contacted_at=fact.contacted_at)
        case _:
            saying = publisher.explain(report, fact.explanation)
    return await saying


async def show_answers(settings: Settings, community: str, *, watch: bool, as_json: bool) -> None:
    """Print the answers there are, in the order of their time; with `watch`, then each one as it comes."""
    zone = _known(settings, community).calendar.zone
    try:
        async for event in _answers(settings, community, watch=watch):
            typer.echo(dump(event).decode() if as_json else _line(event, zone))
    except UnknownTopicOrPartitionError:
        stop(f"Kafka has no topic {ANSWERS.named(community)}: `whistle topics apply` makes it.")
    except KafkaError as error:
        stop(
            f"Kafka at {settings.kafka.bootstrap_servers} can't be read ({type(error).__name__}): start the house with "
            "`make run`, or set WHISTLE_KAFKA__BOOTSTRAP_SERVERS."
        )


async def _answers(settings: Settings, community: str, *, watch: bool) -> AsyncIterator[Event]:
    """Yield each answer once, however often it was said."""
    consumer = AIOKafkaConsumer(
        ANSWERS.named(community),
        bootstrap_servers=settings.kafka.bootstrap_servers,
        # Without a group: nothing is remembered, and whoever looks sees everything.
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
    )
    try:
        await consumer.start()
        told: set[UUID] = set()
        # The partitions have an order each, and together that of the clock.
        for event in sorted(await _there_already(consumer), key=lambda each: each.time):
            if event.id not in told:
                told.add(event.id)
                yield event
        while watch:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for event in filter(None, map(_read, records)):
                    if event.id not in told:
                        told.add(event.id)
                        yield event
    finally:
        await consumer.stop()


async def _there_already(consumer: AIOKafkaConsumer) -> list[Event]:
    """Read to the end as it is now."""
    ends = await consumer.end_offsets(consumer.assignment())
    found: list[Event] = []
    while not all([await consumer.position(partition) >= end for partition, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            found.extend(filter(None, map(_read, records)))
    return found


def _read(record: ConsumerRecord) -> Event | None:
    """Read one record; what can't be read is passed over, and told."""
    try:
        return parse(record.value, _FACTS)
    except InvalidEventError as error:
        typer.echo(
            f"{record.topic}, offset {record.offset} can't be read ({plain(str(error))}); passed over.", err=True
        )
        return None


def _line(event: Event, zone: tzinfo) -> str:
    told = event.data
    attached = ""
    match told:
        case Given():
            what, text = str(told.outcome), told.answer
            attached = _attached(told)
        case Asked():
            what, text = "asked", f"{told.question} (→ {_until(told.reply_by, zone, told.provisional)})"
            attached = _attached(told)
        case ExplanationAsked():
            what, text = "explain", f"by {_until(told.due_at, zone, told.provisional)}: {told.reason}"
        case ExplanationAccepted():
            what, text = "accepted", f"your explanation: {told.note}" if told.note else "your explanation"
        case ConfirmationAsked():
            what, text = "confirm", f"by {_until(told.due_at, zone, told.provisional)}: {told.department}"
        case Recomputed():
            named = " ".join(filter(None, (told.deadline, told.department)))
            what, text = "moved", f"by {local(told.due_at, zone)}: {named} ({told.reason})"
        case Reminded():
            what, text = "remind", f"by {local(told.due_at, zone)}: {_reminded(told)}"
        case BreachesListed():
            what, text = "notice", _noticed(told.notice)
        case _:
            raise TypeError(f"{told.type} does not belong on this topic")
    return f"{local(event.time, zone)}  {what:7}  {event.subject}{attached}  {_one_line(text)}"


def _until(at: datetime, zone: tzinfo, provisional: bool | None) -> str:  # noqa: FBT001 - as it is said
    return local(at, zone) + " 暂定 provisional" * bool(provisional)


def _attached(told: Given | Asked) -> str:
    return "" if told.incident == told.report else f"  (with {told.incident})"


def _reminded(told: Reminded) -> str:
    to = f"→ {told.holder or 'nobody'} ({told.post})" if told.post else ""
    return " ".join(filter(None, (told.deadline, told.department, to, told.note)))


def _noticed(notice: Notice) -> str:
    more = f" (not listed: {notice.unlisted}; {notice.list_all})" if notice.unlisted else ""
    return f"{notice.total} broken, {notice.still_open} still open{more}  {notice.note}"


def _one_line(text: str) -> str:
    return " ".join(plain(text).split())


def _known(settings: Settings, community: str) -> Configuration:
    """Return the configuration, if it knows the community."""
    configuration = load_or_stop(settings)
    problem = judge_community(community, [each.code for each in configuration.directory.communities])
    if problem:
        stop(f"{problem}.", BAD_INPUT)
    return configuration


def _whole(text: str) -> UUID:
    found = whole_id(text)
    if found is None:
        stop(f"{text} is no report's id: give the whole of it, as `whistle publish` printed it.", BAD_INPUT)
    return found
