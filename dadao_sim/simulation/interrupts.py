"""Ctrl-C, wherever it falls: one that the compiler drops is not lost."""

import sys
from types import TracebackType
from typing import Any


class Interrupts:
    """Hears of the KeyboardInterrupts that Python drops, while entered.

    One raised within a callback of the compiler ends the callback and nothing else: either the
    compiler then fails for want of what the callback was to give it, or the work goes on.
    """

    def __init__(self) -> None:
        self.dropped = False

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was dropped, if there was one."""
        if self.dropped:
            self.dropped = False
            raise KeyboardInterrupt

    def __enter__(self) -> "Interrupts":
        self._before = sys.unraisablehook
        sys.unraisablehook = self._hear
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        sys.unraisablehook = self._before
        if isinstance(error, Exception):
            self.check()

    def _hear(self, unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.dropped = True
        else:
            self._before(unraisable)
