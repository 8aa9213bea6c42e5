"""A room as it is, in a house whose rating window is no time at all, so that whole lives end while they are measured.

As a process of its own: `python -m tests.bench.room NAME`. The configuration itself allows no such window.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from services.configured import run_room
from services.domain.configuration import Configuration
from services.domain.working_time import Duration
from services.runtime.room import Room
from services.runtime.settings import Settings


def without_window(make: Callable[[Settings, Configuration], Room]) -> Callable[[Settings, Configuration], Room]:
    """Return what makes the room under the changed configuration."""

    def made(settings: Settings, configuration: Configuration) -> Room:
        street = replace(configuration.street, close=Duration(0, "m"))
        return make(settings, replace(configuration, street=street))

    return made


if __name__ == "__main__":
    name = sys.argv[1]
    run_room(name, without_window(import_module(f"services.{name}.app").make))
