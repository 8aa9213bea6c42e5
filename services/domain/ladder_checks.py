"""Judging whether what nobody owns or acknowledges climbs first, never last.

Source: `UNTAKEN` in clocks.py, beside this file.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.domain.ladder import Ladder
from services.domain.reading import Place
from services.domain.routing import Deadlines
from services.domain.working_time import Duration

_MINUTES: Final = {"m": 1, "h": 60, "d": 24 * 60, "wh": 60, "wd": 24 * 60}


def warn_of_the_undecided(place: Place, ladders: Mapping[str, Ladder], owed_by: Mapping[Any, str]) -> None:
    """Warn where what the street leaves undecided climbs later, or ends lower, than what somebody leaves unresolved.

    `place` is that of all ladders. Whoever resolves is a district's department or a street's section.
    """
    undecided = ladders.get(owed_by.get("street", ""))
    for side in ("district", "section"):
        unresolved = ladders.get(owed_by.get(side, ""))
        if undecided is None or unresolved is None or undecided is unresolved:
            continue
        at = place.at(undecided.name, None).at("steps", None)
        first, other = _first_told(undecided), _first_told(unresolved)
        if first is None or (other is not None and _roughly(first) > _roughly(other)):
            at.warn(
                f"what nobody owns climbs the ladder {undecided.name!r}, on which a post is first told"
                f" {first or 'never'}, but {other} on {unresolved.name!r}, which what somebody owns climbs",
                "tell a post no later where nobody owns it",
            )
        top = undecided.steps[-1].post
        if top in {step.post for step in unresolved.steps[:-1]} and top != unresolved.steps[-1].post:
            at.warn(
                f"what nobody owns ends at the post {top!r}, which is not the top of {unresolved.name!r}",
                f"let it end as high, as in post: {unresolved.steps[-1].post}",
            )


def warn_of_the_unacknowledged(place: Place, deadlines: Deadlines) -> None:
    """Warn of a rule after which what nobody acknowledges climbs later than what nobody resolves."""
    acknowledge, resolve = deadlines.get("acknowledge"), deadlines.get("resolve")
    if acknowledge and resolve and _roughly(acknowledge) > _roughly(resolve):
        place.warn(
            f"it is to be acknowledged in {acknowledge}, later than resolved, in {resolve}: what nobody has taken on"
            " climbs last",
            "write a shorter acknowledge:",
        )


def _first_told(ladder: Ladder) -> Duration | None:
    return next((step.offset for step in ladder.steps if step.post and not step.before), None)


def _roughly(duration: Duration) -> int:
    """A duration in minutes, as if offices never closed: near enough to tell early from late."""
    return _MINUTES[duration.unit] * duration.value
