"""Deadlines and the real router: what was said in time is never late, however late it is read."""

from datetime import datetime, timedelta
from uuid import UUID

from schemas import incident, response
from schemas.event import parse
from schemas.topics import JOURNAL, RESPONSES
from services.runtime.clock import set_clock
from tests.journey.conftest import Matter, Said, Town, matters
from tests.journey.house import heard, until

MORNING = datetime.fromisoformat("2021-01-04T09:00:00+08:00")
# Drainage is acknowledged within four working hours, which ends at 14:00.
IN_TIME, AFTER = MORNING + timedelta(hours=2), MORNING + timedelta(hours=6)
_FACTS = {fact.type: fact for fact in JOURNAL.facts}


async def missed(town: Town) -> dict[UUID, set[str]]:
    """Return the deadlines that the history says were missed, by incident."""
    found: dict[UUID, set[str]] = {}
    for record in await heard(town.servers, [JOURNAL.name]):
        event = parse(record.value, _FACTS)
        if isinstance(event.data, incident.Reminded | incident.Escalated):
            found.setdefault(event.subject, set()).add(event.data.deadline)
    return found


def acknowledged(matter: Matter, at: datetime) -> Said:
    """Return the acknowledgement of a matter, said at an instant."""
    [*_, said] = Matter(matter.id, matter.category, 1, at).said()
    assert isinstance(said.event.data, response.Acknowledged)
    assert said.topic == RESPONSES.named("water")
    return said


async def test_an_acknowledgement_given_in_time_and_read_late_is_not_late(town: Town) -> None:
    """With the router away over the deadline, the prompt are not reminded and the silent are."""
    await set_clock(town.engine, MORNING)
    both = [each for each in matters(60, MORNING) if each.category == "drainage" and not each.acts]
    prompt, silent = both[::2], both[1::2]
    async with town.router() as router:
        await town.say(said for each in both for said in each.said())
        await town.drained()
        assert await router.stop() == 0
    # Behind what keeps the router busy for a while.
    await town.say(said for each in matters(600, IN_TIME) for said in each.said())
    await town.say(acknowledged(each, IN_TIME) for each in prompt)
    await set_clock(town.engine, AFTER)

    async def silence_is_noticed() -> bool:
        return {each.id for each in silent} <= set(await missed(town))

    async with town.router() as router:
        await until(silence_is_noticed, why=router.told)
        await town.drained()
        found = await missed(town)
        assert all("acknowledge" in found[each.id] for each in silent)
        assert [each.id for each in prompt if "acknowledge" in found.get(each.id, ())] == []
