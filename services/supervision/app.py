"""Which topics supervision hears, and what answers them."""

from __future__ import annotations

from schemas.topics import ESCALATIONS
from services.domain.configuration import Configuration
from services.runtime.room import Room
from services.runtime.settings import Settings
from services.supervision.handlers import SupervisionDesk
from services.supervision.store import journal


def make(settings: Settings, _configuration: Configuration) -> Room:
    """Return the room, not yet running; it has nothing to publish by itself, so it needs no anchor."""
    return Room(
        name="supervision",
        topics=(ESCALATIONS,),
        anchor=None,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: SupervisionDesk(),
    )
