"""The states a room keeps in memory: never older than what the database holds."""

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas import response
from schemas.event import Event
from services.runtime.batch import Bench
from services.runtime.database import transaction
from services.runtime.inlet import Cause
from services.runtime.journal import Row, Shard
from services.runtime.kept import Kept
from tests.journey.counting import CountingDesk, counts, journal
from tests.runtime.conftest import World

AT = datetime(2021, 1, 4, tzinfo=UTC)
A, B, C = (uuid.UUID(int=number) for number in (1, 2, 3))


def row(shard: int, seq: int) -> Row:
    """Return a row of which only its place matters."""
    return Row(shard, seq, uuid.uuid4(), 0, uuid.uuid4(), "street", A, "said", "{}", None, AT)


def test_a_state_is_kept_while_nobody_else_writes_into_its_shard() -> None:
    """The shard stands as it was left, and so does the state; one more row of somebody else's, and it is not known."""
    kept: Kept[str] = Kept()
    kept.put({1: Shard(1, 5, 5)}, [row(1, 6), row(1, 7)], {A: (1, "new")})
    assert kept.get({1: Shard(1, 7, 0)}, [A, B]) == {A: "new"}
    assert kept.get({1: Shard(1, 8, 0)}, [A]) == {}


def test_what_somebody_else_may_have_changed_is_forgotten_for_good() -> None:
    """A state that was kept before another owner's turn does not come back with this owner's next one."""
    kept: Kept[str] = Kept()
    kept.put({1: Shard(1, 0, 0)}, [row(1, 1)], {A: (1, "old")})
    kept.put({1: Shard(1, 4, 0)}, [row(1, 5)], {B: (1, "new")})
    assert kept.get({1: Shard(1, 5, 0)}, [A, B]) == {B: "new"}


def test_a_state_that_is_not_to_be_kept_is_forgotten() -> None:
    """None takes the place of what was kept before."""
    kept: Kept[str] = Kept()
    kept.put({1: Shard(1, 0, 0)}, [row(1, 1)], {A: (1, "old")})
    kept.put({1: Shard(1, 1, 0)}, [row(1, 2)], {A: (1, None)})
    assert kept.get({1: Shard(1, 2, 0)}, [A]) == {}


def test_so_many_are_kept_and_no_more() -> None:
    """Those written last stay."""
    kept: Kept[str] = Kept(most=2)
    kept.put({1: Shard(1, 0, 0)}, [row(1, 1)], {A: (1, "a"), B: (1, "b"), C: (1, "c")})
    assert kept.get({1: Shard(1, 1, 0)}, [A, B, C]) == {B: "b", C: "c"}


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([A, B, C]), st.integers(0, 99)), max_size=30))
def test_two_owners_never_see_what_is_not_there(turns: list[tuple[int, uuid.UUID, int]]) -> None:
    """Whoever's turn it is, and whatever was written, what an owner keeps is what the table holds."""
    owners: tuple[Kept[int], Kept[int]] = (Kept(), Kept())
    table: dict[uuid.UUID, int] = {}
    for seq, (owner, key, value) in enumerate(turns):
        locked = {1: Shard(1, seq, 0)}
        assert owners[owner].get(locked, [A, B, C]).items() <= table.items()
        table[key] = value
        owners[owner].put(locked, [row(1, seq + 1)], {key: (1, value)})


async def test_two_owners_in_turns_count_every_fact(world: World) -> None:
    """A shard that goes to and fro between two processes: each goes on from what the other has written."""
    async with world.engine.begin() as connection:
        await journal.prepare(connection, 4)
    desk = CountingDesk("a.topic")
    benches = [Bench(world.engine, journal, source="/test") for _ in range(2)]
    for turn in range(6):
        event = Event(uuid.uuid4(), "/department/test", A, AT, response.Progressed(note="更换水泵"))
        cause = Cause(uuid.uuid4(), A, 1, AT, "a.topic", "department", "test", event)
        written = await benches[turn // 2 % 2].handle(desk, [cause])
        assert [each.seq for each in written.rows] == [turn + 1]
    async with transaction(world.engine) as connection:
        assert (await counts.load(connection, [A]))[A].total == 6
