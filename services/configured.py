"""How a process begins, and goes on: its settings, its log, and a configuration that is whole, or none at all."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from services.domain.configuration import Configuration, parse
from services.runtime import log, seal
from services.runtime.files import raw, read, sealed_as
from services.runtime.room import Room
from services.runtime.settings import Settings
from services.runtime.terminal import stop, unconfigured

LOOK_EVERY_S = 2.0
"""How often a room looks at its configuration."""
STILL_LOOKS = 6
"""How many looks in a row must see the same files before they are taken for all there is: that is ten seconds."""
_log = log.get(__name__)


class ConfigurationError(Exception):
    """The configuration has errors, each told with file, line and cure."""


def load(path: Path) -> Configuration:
    """Read the configuration in a folder; a broken one never starts.

    Raises:
        ConfigurationError: everything that is wrong with it.

    """
    try:
        documents = read(path)
        # A link may be renamed between two files: they belong together if they are still the same.
        while sealed_as(documents) != _digests(path):
            documents = read(path)
        unsealed = seal.broken(path, sealed_as(documents))
    except OSError as error:
        raise ConfigurationError(f"the configuration {path} can't be read ({error.strerror})") from error
    if unsealed is not None:
        told = f"{path / seal.NAME}:{unsealed.line}: error: {unsealed.what}; {unsealed.cure}"
        raise ConfigurationError(f"the configuration in {path} is not as it was sealed:\n{told}")
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


class Watch:
    """Tells when another configuration lies in a folder: a whole one, and not while it is still being written.

    `current` is the one in use. What can't be used is told once, and leaves it as it is.
    """

    def __init__(self, path: Path, current: Configuration) -> None:
        self.current = current
        self._path = path
        self._seen = ""
        self._looks = 0
        self._judged = ""
        self._broken = False

    async def look(self) -> Configuration | None:
        """Return the configuration that is to be used from now on, if it is another one; to be asked again and again.

        Files are copied one after the other, and Kubernetes swaps them between two reads: only what several looks have
        seen alike is read, or two where it is as its seal says, and only what is still the same after reading is
        believed.
        """
        before, self._seen = self._seen, await asyncio.to_thread(_content, self._path)
        self._looks = self._looks + 1 if self._seen == before else 1
        if self._looks == 1 or self._seen == self._judged:
            return None
        if self._looks < STILL_LOOKS and not await asyncio.to_thread(_as_sealed, self._path):
            return None
        try:
            found = await asyncio.to_thread(_load_whole, self._path)
        except ConfigurationError as error:
            if await asyncio.to_thread(_content, self._path) == self._seen:
                self._judged, self._broken = self._seen, True
                _log.error(
                    "the configuration has been changed and can't be used: the old one stays in use",
                    version=self.current.version,
                    wrong=str(error),
                )
            return None
        if await asyncio.to_thread(_content, self._path) != self._seen:
            return None
        self._judged = self._seen
        if self._broken:
            self._broken = False
            _log.info("the configuration can be used again", version=found.version)
        if found.version == self.current.version:
            return None
        self.current = found
        return found


def _load_whole(path: Path) -> Configuration:
    """Load a configuration that somebody has just written, and may have been kept from writing to the end."""
    found = load(path)
    for name, content in () if seal.is_sealed(path) else raw(path):
        # What is left of a file may well make sense: a rule without its matchers takes everything.
        if not content.endswith(b"\n"):
            line = content.count(b"\n") + 1
            raise ConfigurationError(
                f"{path / name}:{line}: error: this file ends in the middle of a line, so it may be cut short; "
                "end it with a line break"
            )
    return found


def _digests(path: Path) -> dict[str, str]:
    """Return what a seal would say of each file now."""
    return {name: seal.digest(content) for name, content in raw(path)}


def _as_sealed(path: Path) -> bool:
    """Tell whether a folder has a seal, and all is as it says."""
    try:
        return seal.is_sealed(path) and seal.broken(path, _digests(path)) is None
    except OSError:
        return False


def _content(path: Path) -> str:
    """Return what tells a folder's content from any other, with its seal, and an unreadable one's too."""
    found = hashlib.sha256()
    try:
        sealed = [(seal.NAME, (path / seal.NAME).read_bytes())] if seal.is_sealed(path) else []
        for name, content in [*raw(path), *sealed]:
            found.update(b"%d %d " % (len(name.encode()), len(content)) + name.encode() + content)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return found.hexdigest()


Make = Callable[[Settings, Configuration], Room]


async def follow(room: Room, watch: Watch, make: Make) -> None:
    """Let a room become what it would be under each configuration that comes, for ever."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        before = watch.current.version
        found = await watch.look()
        if found is not None:
            await room.become(make(room.settings, found))
            _log.info("a changed configuration is in use", version=found.version, before=before)


def run_room(name: str, make: Make) -> None:
    """Run one consuming room until it is told to stop, and leave with its status."""
    settings = Settings.load()
    log.configure(name, settings.log_level)
    try:
        configuration = load(settings.config)
    except ConfigurationError as error:
        sys.exit(str(error))
    room = make(settings, configuration)
    _log.info("the configuration is in use", version=configuration.version, config=str(settings.config))
    watch = Watch(settings.config, configuration)
    room.background = (*room.background, lambda room: follow(room, watch, make))
    # What is there now stays; looking through it again and again took a tenth of a busy room's time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(room.run())
    sys.exit(status)
