"""The class for a department's own programs, on the real broker."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
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
README = Path(__file__).parents[2] / "README.md"


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


class Impatient(Department):
    """One whose group soon takes a program for dead."""

    max_poll_interval_ms = 3_000


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(LIMIT_S):
        while not await reached():  # noqa: ASYNC110 - the condition lies in the broker
            await asyncio.sleep(0.05)


async def committed(settings: Settings, code: str) -> int:
    """How many messages of the department's stream its handlers have behind them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=f"department-{code}-handler",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(DISPATCHES.named(code), each) for each in range(2)]
        consumer.assign(partitions)
        return sum([await consumer.committed(each) or 0 for each in partitions])
    finally:
        await consumer.stop()


async def test_a_handler_may_take_longer_than_a_group_waits(settings: Settings, code: str) -> None:
    """Whoever is at work is not taken for dead: nothing is given to another program of the department as well."""
    slow = {uuid.uuid4() for _ in range(3)}
    handled: dict[str, list[uuid.UUID]] = {"one": [], "other": []}
    count = 0

    async def work(name: str) -> None:
        async with Impatient(code, settings) as department:

            @department.on_dispatch
            async def ponder(given: Dispatch) -> response.Response | None:
                handled[name].append(given.incident)
                if given.incident in slow:
                    await asyncio.sleep(Impatient.max_poll_interval_ms / 1000 + 1)
                return response.Acknowledged()

            await department.run()

    async def both_take_part() -> bool:
        nonlocal count
        await issue(settings, code, uuid.uuid4())
        count += 1
        return all(handled.values())

    async def all_are_behind() -> bool:
        return await committed(settings, code) == count

    async with going_on(work("one")), going_on(work("other")):
        await until(both_take_part)
        await until(all_are_behind)
        for incident in slow:
            await issue(settings, code, incident)
            count += 1
        await until(all_are_behind)
    given = [each for each in handled["one"] + handled["other"] if each in slow]
    assert sorted(given) == sorted(slow)


async def test_programs_of_one_department_share_its_dispatches(settings: Settings, code: str) -> None:
    """Others may join while one has a dispatch in hand, which may be theirs then, and leave: each is answered."""
    issued = [await issue(settings, code, uuid.uuid4()) for _ in range(6)]
    release = asyncio.Event()
    handled: dict[str, set[uuid.UUID]] = {"first": set(), "others": set()}

    async def work(name: str) -> None:
        async with Department(code, settings) as department:

            @department.on_dispatch
            async def take_it_on(given: Dispatch) -> response.Response | None:
                handled[name].add(given.incident)
                if name == "first":
                    await release.wait()
                return response.Acknowledged()

            await department.run()

    async def in_hand() -> bool:
        return bool(handled["first"])

    async def shared() -> bool:
        return bool(handled["others"])

    async def all_said() -> bool:
        return {each.subject for each in await heard(settings, code)} >= {each.subject for each in issued}

    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(going_on(work("first")))
        await until(in_hand)
        async with contextlib.AsyncExitStack() as joined:
            others = [await joined.enter_async_context(going_on(work("others"))) for _ in range(3)]
            await until(shared)
            release.set()
            await until(all_said)
            assert not any(each.done() for each in (first, *others))
        issued += [await issue(settings, code, uuid.uuid4()) for _ in range(4)]
        await until(all_said)
        assert not first.done()
    # What was given twice was answered with one id.
    assert len({each.id for each in await heard(settings, code)}) == len(issued)


@contextlib.asynccontextmanager
async def going_on(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Something goes on meanwhile, and is cancelled then."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def heard(settings: Settings, code: str) -> list[Event]:
    """Everything the department has said until now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(RESPONSES.named(code), each) for each in range(2)]
        consumer.assign(partitions)
        count = sum((await consumer.end_offsets(partitions)).values())
        async with asyncio.timeout(LIMIT_S):
            return [parse((await consumer.getone()).value, FACTS) for _ in range(count)]
    finally:
        await consumer.stop()


async def test_ctrl_c_ends_the_program_of_the_readme_quietly(settings: Settings, code: str) -> None:
    """Without a word, with status 0, and with what it has answered behind it: the next one begins after that."""
    [program] = re.findall(r"```python\n([^`]*on_dispatch[^`]*)```", README.read_text(encoding="utf-8"))
    answered = uuid.uuid4()
    await issue(settings, code, answered)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program.replace('"transport"', repr(code)),
        env={**os.environ, "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    async def behind() -> bool:
        return process.returncode is not None or await committed(settings, code) == 1

    await until(behind)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert (process.returncode, out, err) == (0, b"", b"")
    later = uuid.uuid4()
    await issue(settings, code, later)
    handled: list[Dispatch] = []
    await handle(settings, code, handled)
    assert [each.incident for each in handled] == [later]


async def test_watching_is_ended_by_ctrl_c_without_an_error(settings: Settings) -> None:
    """`whistle department watch` prints what comes, and ends with status 0, as every command that watches does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await admin.start()
    # Another test may have made it, or need it: the command knows no departments but those of the directory.
    await admin.create_topics([NewTopic(DISPATCHES.named("water"), 4, 1)])
    await admin.close()
    issued = await issue(settings, "water", uuid.uuid4())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from services.cli import app; app()"),
        *("department", "watch", "--as", "water", "--from-start", "--json"),
        env={**os.environ, "WHISTLE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        while str(issued.id) not in (line := (await process.stdout.readline()).decode()):
            assert line
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert (process.returncode, err) == (0, b"")


async def test_whoever_else_cancels_a_run_hears_of_it(settings: Settings, code: str) -> None:
    """Only Ctrl-C ends it quietly: a run that is cancelled otherwise is cancelled."""
    async with Department(code, settings) as department:

        @department.on_dispatch
        async def nothing(_given: Dispatch) -> response.Response | None:
            return None

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(department.run(), 0.5)
