"""Which communities there are, where this machine has the configured directory."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from services.publisher.letters import is_code
from services.runtime.settings import Settings


def known_communities(settings: Settings) -> frozenset[str] | None:
    """The codes of all communities, or None where no readable configuration says so (then Kafka's topics tell)."""
    # Here, because reading the route tree is slow to import, and a report may come without any configuration.
    from services.domain.configuration import parse  # noqa: PLC0415
    from services.runtime.files import read  # noqa: PLC0415

    try:
        configuration, _ = parse(read(settings.config))
    except OSError:
        return None
    return frozenset(unit.code for unit in configuration.directory.communities) if configuration else None


def judge_community(code: str, known: Collection[str] | None) -> str | None:
    """Say in one sentence why a code names no community; None if it may, or if nobody knows."""
    if not is_code(code):
        return f"{code[:100]!r} is no community's code, which has small letters, digits and dashes"
    if known is None or code in known:
        return None
    near = get_close_matches(code, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known)) or 'none'}"
    return f"the directory has no community {code!r}; {hint}"
