import asyncio
import socket
import statistics
import time
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.client import AIOKafkaClient

from services.local.kafka import EmbeddedKafka
from services.monitor.broker import LIMIT_S, BrokerView, NoAnswer
from services.monitor.client import lag
from services.monitor.lag import Lag, Partition
from services.runtime.settings import KafkaSettings, Settings
from tests.monitor.conftest import House

DEADLINE_S = 20.0


async def until_drained(view: BrokerView, *groups: str, pause_s: float = 0.05) -> None:
    """Wait, within a limit."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await view.drained(groups):
                return
            await asyncio.sleep(pause_s)


async def test_lag_is_what_a_real_reader_has_left(house: House, view: BrokerView, group: str) -> None:
    """A reader that has read and committed four of ten records has a lag of six, then of none when it has read on."""
    topic = await house.topic()
    await house.say(topic, 10)
    async with house.reader(group, topic) as reader:
        read = [await reader.getone() for _ in range(4)]
        await reader.commit({TopicPartition(topic, 0): read[-1].offset + 1})
        assert await view.lags([group]) == [Lag(group, topic, 0, committed=4, end=10, lag=6)]
        assert not await view.drained([group])
        for _ in range(6):
            await reader.getone()
        await reader.commit()
        assert await view.lags([group]) == [Lag(group, topic, 0, committed=10, end=10, lag=0)]
        assert await view.drained([group])


async def test_a_member_that_never_committed_has_the_whole_topic_to_read(
    house: House, view: BrokerView, group: str
) -> None:
    """What a member subscribes to counts from its beginning, in every partition, before the first commit."""
    topic = await house.topic(partitions=2)
    await house.say(topic, 3, partition=1)
    async with house.reader(group, topic) as reader:
        await reader.getone()
        assert await view.lags([group]) == [
            Lag(group, topic, 1, committed=None, end=3, lag=3),
            Lag(group, topic, 0, committed=None, end=0, lag=0),
        ]


async def test_a_group_without_members_keeps_its_lag(house: House, view: BrokerView, group: str) -> None:
    """Lag is the broker's own figure: it stays, and grows, when every reader is gone."""
    topic = await house.topic()
    await house.say(topic, 2)
    await house.commit(group, {(topic, 0): 1})
    assert [each.lag for each in await view.lags([group])] == [1]
    await house.say(topic, 5)
    assert [each.lag for each in await view.lags([group])] == [6]
    assert group in (await view.look()).committed


async def test_a_group_of_an_empty_topic_is_drained(house: House, view: BrokerView, group: str) -> None:
    """An empty topic has a row without lag, and nothing to wait for."""
    topic = await house.topic()
    async with house.reader(group, topic):
        assert await view.lags([group]) == [Lag(group, topic, 0, committed=None, end=0, lag=0)]
        assert await view.drained([group])


async def test_a_group_that_does_not_exist_is_drained(view: BrokerView, group: str) -> None:
    """A group that nobody has heard of reads nothing, and asking about it is no error."""
    assert await view.lags([group]) == []
    assert await view.drained([group])


async def test_a_reader_that_never_came_up_is_not_drained(house: House, view: BrokerView, group: str) -> None:
    """What the registry says a party reads waits for it, though its group doesn't exist yet."""
    topic = await house.topic(f"community.{group}.answers")
    await house.say(topic, 1)
    assert "community" not in (await view.look()).committed
    assert Lag("community", topic, 0, committed=None, end=1, lag=1) in await view.lags(["community"])
    assert not await view.drained(["community"])
    await house.remove(topic)


async def test_a_deleted_topic_is_left_out(house: House, view: BrokerView, group: str) -> None:
    """When a topic goes, the groups that read it have no lag on it, and the others' stays right."""
    kept, gone = await house.topic(), await house.topic()
    await house.say(kept, 2)
    await house.say(gone, 3)
    await house.commit(group, {(kept, 0): 2, (gone, 0): 1})
    assert [each.lag for each in await view.lags([group])] == [2, 0]
    await house.remove(gone)
    await until_drained(view, group)
    assert await view.lags([group]) == [Lag(group, kept, 0, committed=2, end=2, lag=0)]
    assert gone not in {each.topic for each in (await view.look()).ends}


async def test_records_deleted_unread_are_no_lag(house: House, view: BrokerView, group: str) -> None:
    """What the broker has deleted can't be read any more; what is left counts."""
    topic = await house.topic()
    await house.say(topic, 8)
    await house.commit(group, {(topic, 0): 1})
    await house.admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=5)})
    assert [each.lag for each in await view.lags([group])] == [3]
    await house.admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=8)})
    assert await view.drained([group])


async def test_no_record_on_its_way_is_overlooked(house: House, group: str) -> None:
    """A room that writes and then commits, just before its committed offset is read, leaves its writing to be seen.

    Had the ends been read before, both groups would look drained, with a record unread.
    """
    first, second = await house.topic(), await house.topic()
    relay, last = f"{group}-relay", f"{group}-last"
    await house.say(first, 1)
    await house.commit(relay, {(first, 0): 0})
    await house.commit(last, {(second, 0): 0})

    class InTheMoment(BrokerView):
        async def _committed(
            self, client: AIOKafkaClient, groups: Sequence[str]
        ) -> tuple[dict[str, dict[Partition, int]], dict[str, frozenset[str]]]:
            await house.say(second, 1)
            await house.commit(relay, {(first, 0): 1})
            return await super()._committed(client, groups)

    async with InTheMoment(KafkaSettings(bootstrap_servers=house.servers)) as view:
        assert not await view.drained([relay, last])


async def test_drained_comes_true_while_rooms_work(house: House, view: BrokerView, group: str) -> None:
    """Each time a record has gone through two rooms, the answer is yes, and no sooner."""
    first, second = await house.topic(), await house.topic()
    relay, last = f"{group}-relay", f"{group}-last"
    await house.commit(relay, {(first, 0): 0})
    await house.commit(last, {(second, 0): 0})

    async def pass_on() -> None:
        async with house.reader(relay, first) as reader:
            while True:
                await reader.getone()
                await house.say(second, 1)
                await reader.commit()

    async def hear() -> None:
        async with house.reader(last, second) as reader:
            while True:
                await reader.getone()
                await reader.commit()

    rooms = [asyncio.create_task(pass_on()), asyncio.create_task(hear())]
    for count in range(1, 11):
        await house.say(first, 1)
        await until_drained(view, relay, last, pause_s=0)
        assert [each.committed for each in await view.lags([last])] == [count]
    for room in rooms:
        room.cancel()
    await asyncio.gather(*rooms, return_exceptions=True)


async def test_a_program_asks_with_one_call(kafka: EmbeddedKafka, house: House, group: str) -> None:
    """`lag(settings)` connects, looks and leaves."""
    topic = await house.topic()
    await house.say(topic, 2)
    await house.commit(group, {(topic, 0): 0})
    found = await lag(Settings(kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)))
    assert Lag(group, topic, 0, committed=0, end=2, lag=2) in found


async def test_a_view_outlives_a_restart_of_the_broker(
    kafka: EmbeddedKafka, house: House, view: BrokerView, group: str
) -> None:
    """While the broker is away, looking says so; when it is back, the same view goes on."""
    topic = await house.topic()
    await house.commit(group, {(topic, 0): 0})
    assert await view.drained([group])
    await kafka.stop()
    try:
        with pytest.raises(NoAnswer, match=r"WHISTLE_KAFKA__BOOTSTRAP_SERVERS"):
            await view.look()
    finally:
        await kafka.start()
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                assert await view.drained([group])
            except NoAnswer:
                continue
            break


async def test_a_silent_broker_is_given_up() -> None:
    """An address that takes connections and says nothing costs no more than about 10 s."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started_at = time.monotonic()
        async with BrokerView(KafkaSettings(bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}")) as view:
            with pytest.raises(NoAnswer):
                await view.look()
    assert time.monotonic() - started_at < LIMIT_S + 2


async def test_asking_is_cheap(house: House, view: BrokerView, group: str) -> None:
    """Six groups that share 60 topics of 4 partitions are asked about in a moment, so that a run may ask often."""
    topics = [f"{group}.{number}" for number in range(60)]
    await house.topics(topics, partitions=4)
    groups = [f"{group}-{number}" for number in range(6)]
    for number, each in enumerate(groups):
        mine = topics[number * 10 : number * 10 + 10]
        await house.commit(each, {(topic, partition): 0 for topic in mine for partition in range(4)})
    await until_drained(view, *groups)
    took_s = []
    for _ in range(20):
        started_at = time.perf_counter()
        await view.drained(groups)
        took_s.append(time.perf_counter() - started_at)
    # About 7 ms on 2 cores; the limit is for machines that are busy with other things.
    assert statistics.median(took_s) < 0.1
    await house.admin.delete_topics(topics)
