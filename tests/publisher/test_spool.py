"""The spool on disk."""

import asyncio
import errno
import multiprocessing
import os
import resource
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.publisher.letters import Letter
from services.publisher.spool import STALE_S, NotKeptError, Spool

TOPIC = "community.guangdu.reports"


def letters(number: int) -> list[Letter]:
    """Make letters, numbered from 0."""
    return [Letter(TOPIC, UUID(int=each), f'{{"n":{each}}}'.encode()) for each in range(number)]


def test_letters_come_back_in_order(tmp_path: Path) -> None:
    """What is kept is read as it was, in the order it was kept, by another process too."""
    said = letters(30)
    for spool, part in ((Spool(tmp_path), said[:10]), (Spool(tmp_path), said[10:])):
        spool.keep(part)
    spool = Spool(tmp_path)
    found, aside = spool.read(spool.names())
    assert list(found.values()) == said
    assert not aside
    assert spool.topics() == {TOPIC}


def test_a_clock_set_back_does_not_reorder(tmp_path: Path) -> None:
    """A letter kept after the clock was set back still comes after those kept before."""
    ahead = f"{time.time_ns() + 10**15:020d}-00000000-{TOPIC}.letter"
    spool = Spool(tmp_path)
    spool.keep(letters(1))
    (tmp_path / spool.names()[0]).rename(tmp_path / ahead)
    later = Spool(tmp_path)
    later.keep(letters(2)[1:])
    assert later.names()[0] == ahead


def test_an_empty_spool_needs_no_folder(tmp_path: Path) -> None:
    """Asking a spool that was never used is no error, and makes nothing."""
    spool = Spool(tmp_path / "none")
    assert (spool.pending(), spool.names(), spool.topics()) == (False, [], set())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("spoiled", [b"", b"{}\n", b"nonsense"])
def test_a_corrupt_file_is_set_aside(tmp_path: Path, spoiled: bytes) -> None:
    """A file that isn't what was written is set aside with its bytes, and the others are read."""
    spool = Spool(tmp_path)
    spool.keep(letters(3))
    middle = spool.names()[1]
    (tmp_path / middle).write_bytes(spoiled)
    found, aside = spool.read(spool.names())
    assert [each.subject.int for each in found.values()] == [0, 2]
    assert [path.read_bytes() for path in aside] == [spoiled]
    assert middle not in spool.names()


def test_a_changed_letter_is_set_aside(tmp_path: Path) -> None:
    """A letter of which one byte changed on disk is never sent."""
    spool = Spool(tmp_path)
    spool.keep(letters(1))
    path = tmp_path / spool.names()[0]
    path.write_bytes(path.read_bytes().replace(b'"n":0', b'"n":9'))
    assert spool.read(spool.names()) == ({}, [tmp_path / "unreadable" / path.name])


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Where the disk has too little left, the letter is refused with a sentence, and nothing half-written stays."""
    spool = Spool(tmp_path, keep_free=2**62)
    with pytest.raises(NotKeptError, match=r"is full, so 2 of 2 .* make room"):
        spool.keep(letters(2))
    assert not list(tmp_path.iterdir())


def _keep_on_a_small_disk(folder: Path) -> None:
    # A file may have 200 bytes in this process, and the signal that says so is ignored by Python.
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    try:
        Spool(folder).keep([Letter(TOPIC, uuid4(), b"x" * 400)])
    except NotKeptError as error:
        os._exit(0 if "is full" in str(error) and error.__cause__.errno == errno.EFBIG else 1)  # type: ignore[union-attr]
    os._exit(2)


def test_a_write_cut_short_leaves_nothing(tmp_path: Path) -> None:
    """When the disk refuses in the middle of a letter, no part of it can be taken for a letter."""
    process = multiprocessing.get_context("fork").Process(target=_keep_on_a_small_disk, args=(tmp_path,))
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert not list(tmp_path.iterdir())


async def test_one_sends_at_a_time(tmp_path: Path) -> None:
    """While one drains, another is told so, and has its turn when the first is done."""
    spool, other = Spool(tmp_path), Spool(tmp_path)
    async with spool.locked(1) as mine:
        assert mine
        async with other.locked(0.1) as theirs:
            assert not theirs
        waiting = asyncio.create_task(_turn(other))
        await asyncio.sleep(0)
    assert await waiting


async def _turn(spool: Spool) -> bool:
    async with spool.locked(10) as mine:
        return mine


async def test_what_a_dead_writer_left_is_swept(tmp_path: Path) -> None:
    """A half-written file is never read as a letter, and goes when its writer is surely dead."""
    old, new = tmp_path / ".1-a.letter.tmp", tmp_path / ".2-b.letter.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * STALE_S))
    spool = Spool(tmp_path)
    assert not spool.pending()
    async with spool.locked(1):
        pass
    assert (old.exists(), new.exists()) == (False, True)
