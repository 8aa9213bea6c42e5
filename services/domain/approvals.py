"""Who may approve of what: three approvals of rising rank.

1. A refusal (退单), more time (延期) and a wait for better days (挂账) are each approved by a rank of their own.
2. Every extension after the first needs one rank more than the one before it, up to the highest.
3. Whoever has a higher rank may do what a lower one may.

Source: the practice of urban management, where returning, extending and parking are separate approvals of rising rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from schemas.incident import Approver

Approval = Literal["decline", "extension", "parking"]


@dataclass(frozen=True, slots=True)
class Approvals:
    """The ranks, the lowest first, and which of them each approval needs, by its place among them."""

    ranks: tuple[Approver, ...]
    needs: Mapping[Approval, int] = field(hash=False)

    @property
    def top(self) -> Approver:
        """The highest rank: it names leads and judges explanations too."""
        return self.ranks[-1]

    def needed(self, what: Approval, granted: int = 0) -> Approver:
        """Return the lowest rank that may approve, where so many of the kind have been granted before (rule 2)."""
        more = granted if what == "extension" else 0
        return self.ranks[min(self.needs[what] + more, len(self.ranks) - 1)]

    def suffices(self, party: str, post: str, needed: Approver) -> bool:
        """Tell whether a post may do what needs a rank (rule 3); a post that is no rank is below all of them."""
        places: dict[tuple[str, str], int] = {(rank.party, rank.post): place for place, rank in enumerate(self.ranks)}
        # What was asked for under other ranks needs the highest of these.
        least = places.get((needed.party, needed.post), len(self.ranks) - 1)
        return places.get((party, post), -1) >= least


DEFAULT_APPROVALS: Final = Approvals(
    (
        Approver(party="street", post="section-head"),
        Approver(party="street", post="responsible-leader"),
        Approver(party="supervision", post="supervision-office"),
    ),
    MappingProxyType({"decline": 0, "extension": 1, "parking": 2}),
)
"""What a tree that is tried alone has, where nobody says who approves."""
