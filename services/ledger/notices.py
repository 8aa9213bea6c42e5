"""The notices of breaches that units were given (通报), the newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice: to whom, for deadlines from `begins` until before `ends` (UTC), and the breaches it lists."""

    id: UUID
    at: datetime
    by: str
    unit: str
    begins: datetime
    ends: datetime
    total: int
    still_open: int
    note: str
    breaches: list[dict[str, Any]]


async def notices(connection: AsyncConnection, unit: str | None, limit: int) -> list[Notice]:
    """Return the last notices, at most `limit`: of one unit, or of all."""
    condition = "WHERE unit = :unit" if unit else ""
    rows = await connection.execute(
        text(
            "SELECT id, at, by, unit, begins, ends, total, still_open, note, data AS breaches "  # noqa: S608 - our own names
            f"FROM ledger.notice {condition} ORDER BY at DESC, id DESC LIMIT :limit"
        ),
        {"limit": limit} | ({"unit": unit} if unit else {}),
    )
    return [Notice(**(dict(row) | {"breaches": json.loads(row["breaches"])})) for row in rows.mappings()]
