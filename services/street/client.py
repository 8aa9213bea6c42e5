"""How a street speaks, for officers' commands and for programs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.decision import Decision
from schemas.event import Event
from schemas.topics import DECISIONS
from services.runtime.settings import Settings
from services.runtime.speaker import Speaker


class Street(Speaker):
    """One street's voice: `async with Street("dongsheng") as street: await street.decide(incident, Called(…))`."""

    def __init__(self, code: str, settings: Settings | None = None) -> None:
        super().__init__(f"/street/{code}", settings)
        self.code = code

    async def decide(
        self, incident: UUID, fact: Decision, *, event_id: UUID | None = None, at: datetime | None = None
    ) -> Event:
        """Say a decision about an incident; the same `event_id` twice is the same decision.

        Raises:
            NotSaidError: the broker did not take it.

        """
        return await self.say(DECISIONS.named(self.code), incident, fact, event_id=event_id, at=at)
