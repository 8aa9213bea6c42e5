"""Which communities there are, where this machine has the configured directory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from difflib import get_close_matches

from services.publisher.letters import is_code
from services.runtime.settings import Settings

AGAIN_S = 5.0
"""How long the directory is believed that a community isn't there."""


def known_communities(settings: Settings) -> frozenset[str] | None:
    """The codes of all communities, or None where no readable configuration says so (then Kafka's topics tell)."""
    # Here, because reading the route tree is slow to import, and a report may come without any configuration.
    from services.domain.configuration import parse  # noqa: PLC0415
    from services.runtime import seal  # noqa: PLC0415
    from services.runtime.files import read, sealed_as  # noqa: PLC0415

    try:
        documents = read(settings.config)
        if seal.broken(settings.config, sealed_as(documents)):
            return None
    except OSError:
        return None
    configuration, _ = parse(documents)
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


class Communities:
    """The communities of a program that goes on: the directory is read again for a community that it didn't have."""

    def __init__(self, settings: Settings, again_s: float = AGAIN_S) -> None:
        self._settings = settings
        self._again_s = again_s
        self._known = known_communities(settings)
        self._read_at = time.monotonic()

    async def judge(self, code: str) -> str | None:
        """Say in one sentence why a code names no community, as the directory has them now; None if it may."""
        problem = judge_community(code, self._known)
        if problem and is_code(code) and time.monotonic() >= self._read_at + self._again_s:
            self._read_at = time.monotonic()
            # While it is broken, what was known stays known.
            self._known = await asyncio.to_thread(known_communities, self._settings) or self._known
            problem = judge_community(code, self._known)
        return problem
