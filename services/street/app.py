"""Which topics the street hears, and what answers them."""

from __future__ import annotations

from schemas.topics import JOURNAL, REPORTS
from services.domain.configuration import Configuration
from services.runtime.room import Room
from services.runtime.settings import Settings
from services.street.handlers import StreetDesk
from services.street.store import journal


def make(settings: Settings, configuration: Configuration) -> Room:
    """Return the room, not yet running."""
    desk = StreetDesk(configuration)
    return Room(
        name="street",
        topics=(REPORTS, JOURNAL),
        anchor=JOURNAL.name,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: desk,
        admit=desk.admit,
    )
