"""Which topics the department's room hears, and what answers them."""

from __future__ import annotations

from schemas.topics import DISPATCHES
from services.department.handlers import DepartmentDesk
from services.department.store import journal
from services.domain.configuration import Configuration
from services.runtime.room import Room
from services.runtime.settings import Settings


def make(settings: Settings, _configuration: Configuration) -> Room:
    """Return the room, not yet running; it has nothing to publish, so it needs no anchor."""
    return Room(
        name="department",
        topics=(DISPATCHES,),
        anchor=None,
        journal=journal,
        settings=settings,
        make_desk=lambda _plumbing: DepartmentDesk(),
    )
