"""Ctrl-C, wherever it falls: one that is swallowed on its way is not lost."""

import signal
import sys
import threading
from _thread import interrupt_main
from types import FrameType, TracebackType
from typing import Any

SOON = 1.0
"""Seconds after which an interrupt that has ended nothing is raised again."""


class Interrupts:
    """Raises KeyboardInterrupts again that were swallowed, while entered.

    One raised within a callback of the compiler ends the callback and nothing else; and C that
    looks something up by a method of Python may clear what the method raised. The work then goes
    on, for hours before anybody would ask, or fails for want of what it was to be given.
    """

    def __init__(self) -> None:
        self._raised = False
        self._timer: threading.Timer | None = None

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was swallowed, if there was one."""
        if self._raised:
            self._raised = False
            raise KeyboardInterrupt

    def __enter__(self) -> "Interrupts":
        self._raised = False
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._hear
        self._handler: Any = None
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.getsignal(signal.SIGINT)
            if callable(self._handler):
                signal.signal(signal.SIGINT, self._signalled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        sys.unraisablehook = self._hook
        if callable(self._handler):
            signal.signal(signal.SIGINT, self._handler)
        if self._timer is not None:
            self._timer.cancel()
        swallowed, self._raised = self._raised, False
        if swallowed and (error is None or isinstance(error, Exception)):
            raise KeyboardInterrupt

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._watch()
        self._handler(number, frame)

    def _hear(self, unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._watch()
        else:
            self._hook(unraisable)

    def _watch(self) -> None:
        """One was raised: see soon whether it has come through."""
        self._raised = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(SOON, self._again)
        self._timer.daemon = True
        self._timer.start()

    def _again(self) -> None:
        if self._raised and not _is_ending():
            interrupt_main()


def _is_ending() -> bool:
    """Whether the main thread cleans up after a KeyboardInterrupt at this moment."""
    main = threading.main_thread().ident
    handled = sys._current_exceptions().get(main or 0)
    error = handled[1] if isinstance(handled, tuple) else handled
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
