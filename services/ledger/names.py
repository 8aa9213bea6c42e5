"""What units and posts are called, and in which zone instants are shown: from the directory, or codes without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

from services.configured import ConfigurationError, load
from services.domain.configuration import Configuration
from services.domain.directory import Directory
from services.runtime.settings import Settings
from services.runtime.terminal import unconfigured

DEFAULT_ZONE = ZoneInfo("Asia/Shanghai")
_PARTIES = MappingProxyType({"clock": "时钟 clock", "supervision": "督查 supervision"})


@dataclass(frozen=True, slots=True)
class Names:
    """Names by code; `trouble` says why there are none."""

    directory: Directory = field(default_factory=Directory)
    zone: tzinfo = DEFAULT_ZONE
    trouble: str = ""

    @property
    def communities(self) -> tuple[str, ...]:
        """The codes of all communities."""
        return tuple(unit.code for unit in self.directory.communities)

    @property
    def all(self) -> Mapping[str, str]:
        """Every unit's name by its code."""
        return {code: unit.name for code, unit in self.directory.units.items()}

    def unit(self, code: str) -> str:
        """Return what a unit is called; its code where it has no name."""
        unit = self.directory.units.get(code)
        return unit.name if unit else _PARTIES.get(code, code)

    def speaker(self, who: str) -> str:
        """Return what a speaker is called, as the history names it: `party.code`, `clock` or `supervision`."""
        _, _, code = who.partition(".")
        return self.unit(code or who)

    def post(self, unit: str, post: str, at: datetime) -> str:
        """Return what a post is called that answers for a unit, or who held it at an instant (UTC)."""
        holder = self.directory.holder(unit, post, at)
        return holder.name if holder else post

    def local(self, instant: datetime) -> str:
        """Write an instant to the minute, in the zone of the offices."""
        return instant.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")


def named(configuration: Configuration) -> Names:
    """Return the names of a configuration."""
    return Names(configuration.directory, configuration.calendar.zone)


def names_of(settings: Settings) -> Names:
    """Return the configured names; without a configuration the ledger still has its codes to show."""
    try:
        return named(load(settings.config))
    except ConfigurationError as error:
        return Names(trouble=f"the communities are not known: {unconfigured(error)}")
