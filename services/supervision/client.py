"""How supervision speaks, for its officers' commands and for programs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from schemas.action import Action, BreachesListed
from schemas.event import Event, follow
from schemas.topics import ACTIONS
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker


class Supervision(Speaker):
    """Supervision's voice: `async with Supervision() as supervision: await supervision.act(incident, Granted(…))`."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__("/supervision", settings)

    async def act(
        self, incident: UUID, fact: Action, *, event_id: UUID | None = None, at: datetime | None = None
    ) -> Event:
        """Say what supervision does about an incident; the same `event_id` twice is the same act.

        Raises:
            NotSaidError: the broker did not take it.

        """
        return await self.say(ACTIONS.name, incident, fact, event_id=event_id, at=at)

    async def notify(self, fact: BreachesListed, *, notice: UUID | None = None) -> Event:
        """Give a unit its list of broken promises; the same `notice` twice is one that was given once.

        Raises:
            NotSaidError: the broker did not take it.

        """
        subject = notice or uuid7()
        return await self.say(ACTIONS.name, subject, fact, event_id=follow(subject, fact.type))
