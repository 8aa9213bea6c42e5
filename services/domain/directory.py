"""Who there is: the district, its streets, their communities and sections, the departments, and who holds which post.

Every person is a post: `name` is what a post is called, and who sits there today is nobody's business here. Where
that changes by the day or hour, the post has a duty roster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from services.domain.roster import Roster

Level = Literal["district", "street", "community", "section", "department"]
LAST_RESORT: Final = "supervision-office"
"""The district's post that is told where nobody holds a post at the top of a ladder."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a post, and in which unit: what a notification is addressed to."""

    post: str
    unit: str
    name: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of the administration; `street` is the street of a community or section, a street's own, or else empty.

    `calendar` is the name of the one it works by, empty where that is the one of the units above it.
    """

    code: str
    name: str
    level: Level
    street: str = ""
    posts: Mapping[str, str | Roster] = field(default_factory=dict, hash=False)
    estates: tuple[str, ...] = ()
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """Every unit by its code, in the order of the configuration; codes are unique across all levels."""

    units: Mapping[str, Unit] = field(default_factory=dict, hash=False)

    @property
    def district(self) -> Unit | None:
        """The district everything belongs to; none in a directory that is empty."""
        return next(iter(self._at("district")), None)

    @property
    def streets(self) -> tuple[Unit, ...]:
        """Every street."""
        return self._at("street")

    @property
    def communities(self) -> tuple[Unit, ...]:
        """Every community of every street."""
        return self._at("community")

    @property
    def departments(self) -> tuple[Unit, ...]:
        """Everything that can owe an incident: the district's departments and the streets' sections."""
        return self._at("department", "section")

    @property
    def parties(self) -> dict[str, list[str]]:
        """The codes of everybody who has topics, by the kind of party that topics are named after."""
        units = {"community": self.communities, "street": self.streets, "department": self.departments}
        return {party: [unit.code for unit in of_party] for party, of_party in units.items()}

    def street_of(self, code: str) -> str | None:
        """The code of the street that a community or section belongs to; a street's is its own, others have none."""
        unit = self.units.get(code)
        return unit.street or None if unit else None

    def communities_of(self, street: str) -> tuple[Unit, ...]:
        """The communities of a street; empty for what is no street."""
        return tuple(each for each in self.communities if each.street == street)

    def sections_of(self, street: str) -> tuple[Unit, ...]:
        """The street's own sections, which are departments too; empty for what is no street."""
        return tuple(each for each in self._at("section") if each.street == street)

    def is_section(self, department: str, street: str) -> bool:
        """Whether a department is a section of this street, over which the street has a say of its own."""
        unit = self.units.get(department)
        return unit is not None and unit.level == "section" and unit.street == street

    def holder(self, code: str, post: str, at: datetime) -> Holder | None:
        """Who holds a post for a unit at an instant (UTC), or nobody.

        That is the unit's own post, or else its street's, or else the district's; whoever has a roster for it is not
        helped out where that is empty.
        """
        for unit in self._upward(code):
            held = unit.posts.get(post)
            if held is not None:
                name = held.holder(at) if isinstance(held, Roster) else held
                return Holder(post, unit.code, name) if name else None
        return None

    def calendar_of(self, code: str) -> str:
        """The name of the calendar that a unit, its street or the district works by; empty if none names any."""
        return next((unit.calendar for unit in self._upward(code) if unit.calendar), "")

    def last_resort(self, at: datetime) -> Holder | None:
        """Who is told at the district where nobody holds the post at the top of a ladder; nobody, if none does."""
        return self.holder(self.district.code, LAST_RESORT, at) if self.district else None

    def has_post(self, code: str, post: str) -> bool:
        """Whether a unit has a post, or its street or the district for it, be it vacant at times but not for good.

        The nearest of them that has it counts, as for `holder`.
        """
        held = next((unit.posts[post] for unit in self._upward(code) if post in unit.posts), None)
        return held.staffed if isinstance(held, Roster) else held is not None

    def rotates(self, code: str) -> bool:
        """Whether who holds a unit's posts, or those above it, depends on the instant."""
        return any(isinstance(held, Roster) for unit in self._upward(code) for held in unit.posts.values())

    def _upward(self, code: str) -> Iterator[Unit]:
        unit = self.units.get(code)
        if unit is None:
            return
        yield unit
        if unit.street and unit.level != "street":
            yield self.units[unit.street]
        if self.district is not None and unit.level != "district":
            yield self.district

    def _at(self, *levels: Level) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units.values() if unit.level in levels)
