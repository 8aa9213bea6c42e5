"""The spool: letters on disk that Kafka has not taken yet, one file each, in order of time.

A letter is on disk for good when `keep` returns. Any number of processes may keep letters; one at a time sends them
(`locked`), and removes each only when Kafka has it. So a letter may be sent twice, with the same id, and never not.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from services.publisher.letters import Letter

SUFFIX = ".letter"
STALE_S = 3600.0
"""A half-written file this old has lost its writer, which was never told that the letter is kept."""
LOOK_EVERY_S = 0.05
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class NotKeptError(Exception):
    """A letter is not on disk: what failed, and what to do."""


class _Address(BaseModel):
    """The first line of a file; the rest is the message itself."""

    model_config = ConfigDict(frozen=True)

    topic: str
    subject: UUID
    sha256: str


class Spool:
    """A folder of letters, shared by every publisher of a house.

    `keep_free` bytes of its disk are left alone, since Kafka or the database may live there too.
    """

    def __init__(self, folder: Path, *, keep_free: int = 0) -> None:
        self.folder = folder
        self._keep_free = keep_free
        self._naming = threading.Lock()
        self._last = 0

    def pending(self) -> bool:
        """Whether any letter waits."""
        try:
            with os.scandir(self.folder) as entries:
                return any(entry.name.endswith(SUFFIX) for entry in entries)
        except FileNotFoundError:
            return False

    def topics(self) -> set[str]:
        """The topics for which a letter waits; what comes later for them waits behind it."""
        return {name.removesuffix(SUFFIX).split("-", 2)[2] for name in self.names() if name.count("-") > 1}

    def names(self) -> list[str]:
        """The files that wait, in the order they were kept; empty if none does."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if path.name.endswith(SUFFIX))
        except FileNotFoundError:
            return []

    def keep(self, letters: Sequence[Letter]) -> None:
        """Write letters to disk, in their order, so that a power failure doesn't lose them; blocks on the disk.

        Raises:
            NotKeptError: at least one is not on disk; those before it are.

        """
        kept = 0
        try:
            with self._naming:
                self.folder.mkdir(parents=True, exist_ok=True)
                for letter in letters:
                    self._write(letter)
                    kept += 1
                _sync_folder(self.folder)
        except OSError as error:
            why = "is full" if error.errno in _FULL else f"can't be written ({error.strerror or error})"
            raise NotKeptError(
                f"the spool {self.folder} {why}, so {len(letters) - kept} of {len(letters)} were not taken: "
                "make room there or bring Kafka back, then send them again"
            ) from error

    def _write(self, letter: Letter) -> None:
        if shutil.disk_usage(self.folder).free < self._keep_free + len(letter.payload):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        name = self._name(letter.topic)
        unfinished = self.folder / f".{name}.tmp"
        try:
            with unfinished.open("xb") as file:
                file.write(_encode(letter))
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def _name(self, topic: str) -> str:
        """Return a name after every name there is, even if the clock was set back since the last one."""
        if not self._last:
            newest = self.names()[-1:]
            self._last = int(newest[0].partition("-")[0]) if newest and newest[0][:20].isdecimal() else 0
        self._last = max(time.time_ns(), self._last + 1)
        return f"{self._last:020d}-{secrets.token_hex(4)}-{topic}{SUFFIX}"

    def read(self, names: Iterable[str]) -> tuple[dict[str, Letter], list[Path]]:
        """Read letters in their order, and set aside those that can't be read, returning where they are now.

        What another process has sent and removed since is left out.
        """
        found: dict[str, Letter] = {}
        aside: list[Path] = []
        for name in names:
            try:
                found[name] = _decode((self.folder / name).read_bytes())
            except FileNotFoundError:
                continue
            except ValueError:
                aside.append(self._set_aside(name))
        return found, aside

    def _set_aside(self, name: str) -> Path:
        target = self.folder / "unreadable" / name
        target.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).rename(target)
        return target

    def remove(self, names: Iterable[str]) -> None:
        """Forget letters that Kafka has; one that comes back after a power failure is only sent again."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def locked(self, limit_s: float) -> AsyncIterator[bool]:
        """Be the one process that sends; False if another still is after `limit_s` seconds. It ends with its holder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + limit_s
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # Another process holds it: there is no event of ours to wait for.
            while not (got := _try_lock(handle)) and time.monotonic() < until:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
            if got:
                self._sweep_unfinished()
            yield got
        finally:
            os.close(handle)

    def _sweep_unfinished(self) -> None:
        for path in self.folder.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encode(letter: Letter) -> bytes:
    address = _Address(topic=letter.topic, subject=letter.subject, sha256=_digest(letter))
    return address.model_dump_json().encode() + b"\n" + letter.payload


def _decode(content: bytes) -> Letter:
    """Read a file's letter; a ValueError if it is not what was written."""
    head, _, payload = content.partition(b"\n")
    try:
        address = _Address.model_validate_json(head)
    except ValidationError as error:
        raise ValueError("the file has no address") from error
    letter = Letter(address.topic, address.subject, payload)
    if _digest(letter) != address.sha256:
        raise ValueError("the file is not what was written")
    return letter


def _digest(letter: Letter) -> str:
    return hashlib.sha256(f"{letter.topic}\n{letter.subject}\n".encode() + letter.payload).hexdigest()
