"""Ctrl-C in a library: noted, and handed on."""

import signal
import threading
from types import FrameType

from services.runtime.interrupt import noting_interrupts


def test_an_interrupt_is_noted_and_handed_on() -> None:
    """Whoever handled it before still does, inside and afterwards, when nothing is noted any more."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        with noting_interrupts() as noted:
            signal.raise_signal(signal.SIGINT)
            assert (noted, heard) == ([signal.SIGINT], [signal.SIGINT])
        signal.raise_signal(signal.SIGINT)
        assert (noted, heard) == ([signal.SIGINT], [signal.SIGINT] * 2)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_set_on_top_stays() -> None:
    """What somebody sets meanwhile is not taken away, and the interrupts that it keeps to itself are not noted."""
    heard: list[int] = []

    def mine(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.getsignal(signal.SIGINT)
    try:
        with noting_interrupts() as noted:
            signal.signal(signal.SIGINT, mine)
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is mine
        assert (noted, heard) == ([], [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_changed() -> None:
    """Python sends signals to the main thread alone, and no other may set a handler."""
    before = signal.getsignal(signal.SIGINT)
    during = []

    def look() -> None:
        with noting_interrupts() as noted:
            during.append((signal.getsignal(signal.SIGINT), noted))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert during == [(before, [])]
