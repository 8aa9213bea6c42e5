"""The key of the receipts: from the environment, or from a file that only its owner reads; never in a log."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from services.runtime.settings import Settings

LEAST_CHARACTERS = 32
_BYTES = 32


class NoKeyError(Exception):
    """There is no key to be used: where it was looked for, and what to do."""


def receipt_key(settings: Settings, *, make: bool = False) -> bytes:
    """Return the key of the receipts; with `make`, the first who asks makes the file.

    All of one community's machines need the same one: it is what makes its receipts, and what reads them.

    Raises:
        NoKeyError: there is none, it is too short to be a secret, or its file can't be read or made.

    """
    if settings.receipt_key is not None:
        return _judged(settings.receipt_key.get_secret_value().encode(), "WHISTLE_RECEIPT_KEY")
    path = settings.receipt_key_file or settings.home / "receipt.key"
    try:
        if make and not path.exists():
            _make(path)
        return _judged(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise NoKeyError(_told(path, error, make=make)) from error


def _told(path: Path, error: OSError, *, make: bool) -> str:
    if make:
        return (
            f"the key of the receipts {path} can't be made ({error.strerror}): set WHISTLE_RECEIPT_KEY_FILE or "
            "WHISTLE_RECEIPT_KEY to that of the community's publisher"
        )
    return (
        f"the key of the receipts {path} can't be read ({error.strerror}): the community's publisher makes it when it "
        "first starts, as receipt.key in its WHISTLE_HOME; mount that file here, to be read only, and name it by "
        "WHISTLE_RECEIPT_KEY_FILE, or set WHISTLE_RECEIPT_KEY to what is in it"
    )


def _judged(key: bytes, where: str) -> bytes:
    if len(key) < LEAST_CHARACTERS:
        raise NoKeyError(f"the key of the receipts in {where} is shorter than {LEAST_CHARACTERS} characters")
    return key


def _make(path: Path) -> None:
    """Write a new key; of two processes that do so at once, one wins, and the file is never seen half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(mine)
        except FileExistsError:
            return
    finally:
        mine.unlink()
