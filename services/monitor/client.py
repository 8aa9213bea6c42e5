"""Lag for programs: the same look at the broker that the metrics and the command take."""

from __future__ import annotations

from services.monitor.broker import BrokerView, NoAnswer
from services.monitor.lag import Lag
from services.runtime.settings import Settings

__all__ = ["BrokerView", "Lag", "NoAnswer", "lag"]


async def lag(settings: Settings) -> list[Lag]:
    """Return every group's lag on every partition, the worst first; to ask more than once, keep a `BrokerView`.

    Raises `NoAnswer`.
    """
    async with BrokerView(settings.kafka) as view:
        return await view.lags()
