"""The supervision cases (督办): whom supervision has asked to explain what, how each stands, and by when it is due.

What nobody has explained yet comes first, then what waits for supervision's judgement, each by its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Supervised:
    """One case against a unit, in its latest turn; `due_at` is of what it waits for, None once it is over.

    `late` tells whether a deadline of the case ever passed unkept; `incident_status` is how the incident stands.
    """

    incident: UUID
    unit: str
    side: str
    status: str
    turn: int
    opened_at: datetime
    due_at: datetime | None
    late: bool
    incident_status: str
    category: str
    community: str
    description: str


async def cases(
    connection: AsyncConnection, *, unit: str | None = None, everything: bool = False, limit: int
) -> list[Supervised]:
    """Return the cases that are open, or with `everything` also those that are over, at most `limit`."""
    conditions = [
        *(["supervised.status <> 'accepted'"] * (not everything)),
        *(["supervised.unit = :unit"] if unit else []),
    ]
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    rows = await connection.execute(
        text(
            "SELECT supervised.*, incident.status AS incident_status, incident.category, incident.community, "  # noqa: S608 - our own names
            "incident.description FROM ledger.supervised JOIN ledger.incident ON incident.id = supervised.incident "
            f"{where}ORDER BY array_position(ARRAY['asked', 'explained', 'accepted'], supervised.status), "
            "supervised.due_at, supervised.opened_at DESC, supervised.incident, supervised.unit LIMIT :limit"
        ),
        {"limit": limit} | ({"unit": unit} if unit else {}),
    )
    return [Supervised(**row) for row in rows.mappings()]
