"""The class for a department's own programs, on the real broker."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas import dispatch, response
from schemas.event import Event, follow, parse
from schemas.report import Place
from schemas.topics import DISPATCHES, RESPONSES
from services.department.client import Department, Dispatch
from services.local.kafka import EmbeddedKafka
from services.runtime.settings import KafkaSettings, Settings
from services.runtime.speaker import Speaker

FACTS = {fact.type: fact for fact in RESPONSES.facts}
LIMIT_S = 30


@pytest.fixture
def settings(kafka: EmbeddedKafka) -> Settings:
    """The settings of a program that finds the broker."""
    return Settings(kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers))


@pytest.fixture
async def code(kafka: EmbeddedKafka) -> str:
    """A department that nobody else uses, with its topics."""
    name = f"d{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic.named(name), 2, 1) for topic in (DISPATCHES, RESPONSES)])
    await admin.close()
    return name


async def issue(settings: Settings, code: str, incident: uuid.UUID) -> Event:
    """Dispatch to the department, as the router does."""
    fact = dispatch.Issued(
        street="dongsheng",
        community="guangdu",
        round=1,
        role="lead",
        lead=code,
        rule="test",
        deadlines={"acknowledge": datetime(2026, 1, 1, tzinfo=UTC)},
        kind="demand",
        category="water-supply",
        severity="normal",
        description="停水",
        place=Place(),
    )
    async with Speaker("/router", settings) as router:
        return await router.say(DISPATCHES.named(code), incident, fact)


async def said(settings: Settings, code: str, count: int) -> list[Event]:
    """The first so many responses on the department's topic."""
    consumer = AIOKafkaConsumer(
        RESPONSES.named(code), bootstrap_servers=settings.kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(LIMIT_S):
            return [parse((await consumer.getone()).value, FACTS) for _ in range(count)]
    finally:
        await consumer.stop()


async def handle(settings: Settings, code: str, handled: list[Dispatch], *, crash: bool = False) -> None:
    """Run a handler until it has handled one dispatch; with `crash`, it ends before it has said that it did."""
    async with Department(code, settings) as department:
        done = asyncio.Event()

        @department.on_dispatch
        async def take_it_on(given: Dispatch) -> response.Response | None:
            handled.append(given)
            if crash:
                fact = response.Acknowledged()
                await department.respond(given.incident, fact, event_id=follow(given.id, fact.type))
                raise RuntimeError("the handler's program dies here")
            done.set()
            return response.Acknowledged()

        run = asyncio.create_task(department.run())
        waiting = asyncio.create_task(done.wait())
        await asyncio.wait([run, waiting], timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            waiting.cancel()
            await run
        # What the handler returned is said before the next dispatch is taken.
        await said(settings, code, 1)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run


async def test_a_handler_answers_each_dispatch(settings: Settings, code: str) -> None:
    """What the handler returns is said on the department's own topic, about the incident."""
    incident = uuid.uuid4()
    await issue(settings, code, incident)
    await handle(settings, code, [])
    (event,) = await said(settings, code, 1)
    assert (event.subject, event.source, event.data) == (incident, f"/department/{code}", response.Acknowledged())


async def test_a_dispatch_given_twice_is_answered_with_one_id(settings: Settings, code: str) -> None:
    """A handler that died after it spoke is given the dispatch again, and says the same fact again."""
    dispatched = await issue(settings, code, uuid.uuid4())
    handled: list[Dispatch] = []
    with pytest.raises(RuntimeError):
        await handle(settings, code, handled, crash=True)
    await handle(settings, code, handled)
    assert [each.id for each in handled] == [dispatched.id, dispatched.id]
    first, second = await said(settings, code, 2)
    assert first.id == second.id


async def test_a_program_started_for_the_first_time_leaves_the_past_alone(settings: Settings, code: str) -> None:
    """Of what was dispatched before, only what no later word has moved on is given; a deadline that moved is none."""
    settled, still_open = uuid.uuid4(), uuid.uuid4()
    await issue(settings, code, settled)
    async with Speaker("/router", settings) as router:
        moved_on = dispatch.Changed(status="acknowledged", round=1, deadlines={})
        await router.say(DISPATCHES.named(code), settled, moved_on)
    await issue(settings, code, still_open)
    async with Speaker("/router", settings) as router:
        counted_again = dispatch.Changed(status="dispatched", round=1, deadlines={}, reason="the calendar is confirmed")
        await router.say(DISPATCHES.named(code), still_open, counted_again)
    handled: list[Dispatch] = []
    await handle(settings, code, handled)
    assert [each.incident for each in handled] == [still_open]
