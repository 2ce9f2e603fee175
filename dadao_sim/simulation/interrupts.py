"""Ctrl-C, wherever it falls: one that the compiler drops is not lost."""

import sys
from _thread import interrupt_main
from threading import Lock, Timer
from types import TracebackType
from typing import Any

SOON = 0.1  # seconds after which an interrupt that was dropped is raised again


class Interrupts:
    """Hears of the KeyboardInterrupts that Python drops, while entered, and raises them again.

    One raised within a callback of the compiler ends the callback and nothing else: either the
    compiler then fails for want of what the callback was to give it, or the work goes on, and may
    go on for hours before anybody asks.
    """

    def __init__(self) -> None:
        self._dropped = False
        self._lock = Lock()

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was dropped, if there was one."""
        if self._taken():
            raise KeyboardInterrupt

    def __enter__(self) -> "Interrupts":
        self._before = sys.unraisablehook
        sys.unraisablehook = self._hear
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        sys.unraisablehook = self._before
        if error is None or isinstance(error, Exception):
            self.check()
        self._taken()  # what ends the work already needs no second interrupt

    def _hear(self, unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._before(unraisable)
            return
        self._dropped = True
        again = Timer(SOON, self._interrupt)
        again.daemon = True
        again.start()

    def _interrupt(self) -> None:
        if self._taken():
            interrupt_main()

    def _taken(self) -> bool:
        """Whether one was dropped that nobody has raised since."""
        with self._lock:
            dropped, self._dropped = self._dropped, False
        return dropped
