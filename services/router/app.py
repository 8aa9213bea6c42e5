"""Which topics the router hears, and what answers them."""

from __future__ import annotations

from schemas.topics import ACTIONS, DECISIONS, RESPONSES
from services.domain.configuration import Configuration
from services.router import reckoning
from services.router.alarm import warn_of_calendars
from services.router.handlers import RouterDesk
from services.router.store import journal
from services.runtime.room import Room
from services.runtime.settings import Settings
from services.runtime.sweep import sweep


def make(settings: Settings, configuration: Configuration) -> Room:
    """Return the room, not yet running."""
    return Room(
        name="router",
        topics=(DECISIONS, RESPONSES, ACTIONS),
        anchor=ACTIONS.name,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: RouterDesk(configuration),
        background=(sweep, reckoning.follow, warn_of_calendars),
    )
