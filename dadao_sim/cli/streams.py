"""Standard output and error never stop a command, whatever they lead to.

A character that the console does not have is shown as its number. Who no longer listens (a closed
pipe, ``| head``) is no error, and the work goes on; a full disk is said at the end.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LEAST_COLUMNS = 40  # what is narrower breaks the lines of --help everywhere
NOBODY_LISTENS = {errno.EPIPE, errno.EIO, errno.ECONNRESET}  # EIO: the terminal was closed


class Patient:
    """A text stream like the one it stands for, which takes what it cannot write as written."""

    def __init__(self, stream: Any):
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """See ``io.TextIOBase.write``."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """See ``io.TextIOBase.flush``."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """From here on what is written goes nowhere, also what was not flushed."""
        self.error = self.error or error
        with suppress(OSError):  # a stream without a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def patient() -> Iterator[Patient]:
    """Let both streams be such ones inside; yields standard output."""
    _fill_closed_descriptors()
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(LEAST_COLUMNS)
    before = sys.stdout, sys.stderr
    streams = [Patient(stream) for stream in before]
    errors = [getattr(stream, "errors", None) for stream in before]
    sys.stdout, sys.stderr = streams
    _set_errors(before, ["backslashreplace"] * 2)
    try:
        yield streams[0]
    finally:
        for stream in streams:
            stream.flush()
        _set_errors(before, errors)
        sys.stdout, sys.stderr = before


def lost(output: Patient) -> str:
    """Why what was written to ``output`` is not where it should be; "" where nobody misses it."""
    if output.error is None or output.error.errno in NOBODY_LISTENS:
        return ""
    return f"standard output: {output.error.strerror}"


def _set_errors(streams: Any, errors: Any) -> None:
    for stream, error in zip(streams, errors, strict=True):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=error)


def _fill_closed_descriptors() -> None:
    """A command started with ``>&-``: else the first file that it opens would be its output."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
