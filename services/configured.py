"""How a process begins: its settings, its log, and a configuration that is whole, or none at all."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from services.domain.configuration import Configuration, parse
from services.runtime import log
from services.runtime.files import read
from services.runtime.room import Room
from services.runtime.settings import Settings
from services.runtime.terminal import stop, unconfigured


class ConfigurationError(Exception):
    """The configuration has errors, each told with file, line and cure."""


def load(path: Path) -> Configuration:
    """Read the configuration in a folder; a broken one never starts.

    Raises:
        ConfigurationError: everything that is wrong with it.

    """
    try:
        documents = read(path)
    except OSError as error:
        raise ConfigurationError(f"the configuration {path} can't be read ({error.strerror})") from error
    configuration, problems = parse(documents)
    if configuration is None:
        told = "\n".join(str(each) for each in problems if each.level == "error")
        raise ConfigurationError(f"the configuration in {path} can't be used:\n{told}")
    return configuration


def load_or_stop(settings: Settings) -> Configuration:
    """Read the configuration for a command; a broken one ends the command with what is wrong with it."""
    try:
        return load(settings.config)
    except ConfigurationError as error:
        stop(unconfigured(error))


def run_room(name: str, make: Callable[[Settings, Configuration], Room]) -> None:
    """Run one consuming room until it is told to stop, and leave with its status."""
    settings = Settings.load()
    log.configure(name, settings.log_level)
    try:
        configuration = load(settings.config)
    except ConfigurationError as error:
        sys.exit(str(error))
    # What is there now stays; looking through it again and again took a tenth of a busy room's time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(make(settings, configuration).run())
    sys.exit(status)
