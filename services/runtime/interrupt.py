"""Ctrl-C in a library: noted, so that what it cuts off can end in order, and handed on to whoever handles it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noting_interrupts() -> Iterator[list[int]]:
    """Yield the list of the signals that Ctrl-C has sent since; empty outside the main thread, which alone gets any.

    Whoever handles it gets it all the same: by default asyncio, which then cancels the program's main task.
    """
    noted: list[int] = []
    handle = signal.getsignal(signal.SIGINT)
    if not callable(handle) or threading.current_thread() is not threading.main_thread():
        yield noted
        return
    handed_on = handle

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        handed_on(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        # Whoever has set a handler on top of this one may still hand on to it.
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, handle)
