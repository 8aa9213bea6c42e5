"""How supervision speaks, for its officers' commands and for programs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.action import Action
from schemas.event import Event
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
