"""The key of the receipts: made once, read by its owner alone, and never too short."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.runtime.secret import LEAST_CHARACTERS, NoKeyError, receipt_key
from services.runtime.settings import Settings


def test_the_first_who_asks_makes_it_and_all_others_read_the_same(tmp_path: Path) -> None:
    """However many ask at once, there is one key, in a file that only its owner reads, and nothing else is left."""
    settings = Settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: receipt_key(settings, make=True), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    [file] = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert receipt_key(settings) == receipt_key(settings, make=True)
    other = Settings(home=tmp_path / "other")
    assert receipt_key(other, make=True) != receipt_key(settings)


def test_the_environment_goes_before_a_file_and_a_file_may_be_named(tmp_path: Path) -> None:
    """A key given in either way is used as it is, without the line break at a file's end."""
    file = tmp_path / "mounted"
    file.write_text("f" * 40 + "\n")
    named = Settings(home=tmp_path, receipt_key_file=file)
    assert receipt_key(named) == b"f" * 40
    given = Settings(home=tmp_path, receipt_key_file=file, receipt_key=SecretStr("e" * 40))
    assert receipt_key(given) == b"e" * 40
    assert "e" * 40 not in repr(given)


def test_who_only_reads_makes_none(tmp_path: Path) -> None:
    """A machine without the key is told where it was looked for, where it is made, and how it gets here."""
    with pytest.raises(NoKeyError, match=r"receipt\.key can't be read \(No such file") as refusal:
        receipt_key(Settings(home=tmp_path))
    for said in ("the community's publisher makes it", "mount that file here, to be read only", "_RECEIPT_KEY_FILE"):
        assert said in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    """Shorter than 32 characters is no secret, wherever it comes from; the sentence doesn't tell it."""
    short = "s" * (LEAST_CHARACTERS - 1)
    file = tmp_path / "receipt.key"
    file.write_text(short)
    for settings in (Settings(home=tmp_path), Settings(home=tmp_path, receipt_key=SecretStr(short))):
        with pytest.raises(NoKeyError, match="shorter than 32") as refusal:
            receipt_key(settings)
        assert short not in str(refusal.value)


def test_a_place_where_none_can_be_made_is_told(tmp_path: Path) -> None:
    """A home that is a file, say: what can't be made, and what to set instead."""
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(NoKeyError, match="WHISTLE_RECEIPT_KEY_FILE"):
        receipt_key(Settings(home=home), make=True)
