"""The signals that end a program end a command like Ctrl-C: what is finished is saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@contextmanager
def signals_interrupt() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at each of these signals inside; yields those heard so far.

    A signal that is ignored (``nohup``, a job in the background of a script) stays so.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard  # only the main thread can say what signals do
        return

    def interrupt(number: int, _: FrameType | None) -> None:
        again = bool(heard)
        heard.append(number)
        if not again or number == signal.SIGINT:  # who ends a program often says it twice
            raise KeyboardInterrupt

    standard = (signal.SIG_DFL, signal.default_int_handler)
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = [number for number, handler in before.items() if handler in standard]
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield heard
    finally:
        for number in changed:
            signal.signal(number, before[number])
