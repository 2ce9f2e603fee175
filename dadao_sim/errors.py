"""The one error that a user's input can cause, and how it learns where in the input it lies; what a
user's function raises becomes one, too. And the one that a user's machine can cause.
"""

import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dadao_sim.text.lines import one_line, shortened


class InputError(ValueError):
    """Input that cannot be used: one line of where, what is wrong, and what would be right.

    ``InputError("method", "'foo' is unknown", "use auto or exact")`` reads ``method: 'foo' is
    unknown; use auto or exact``. ``where`` is the argument of the function that raises, which knows
    nothing of its callers; they prepend their own part by :func:`within`. A single text is the
    whole line. However long the parts are, the line has at most ``text.lines.LONGEST`` characters,
    and no character that does not print.
    """

    def __init__(self, where: str, wrong: str = "", right: str = ""):
        super().__init__(where, wrong, right)

    @property
    def where(self) -> str:
        """The place in the input, such as ``network.rates.method``; empty where none was named."""
        where, wrong, _ = self.args
        return str(where) if wrong else ""

    def at(self, moment: str) -> "InputError":
        """The error itself, with when it was in front of where."""
        where, wrong, right = self.args
        self.args = (f"{moment}, {where}", wrong, right) if wrong else (moment, where, "")
        return self

    def __str__(self) -> str:
        where, wrong, right = self.args
        if not wrong:
            return one_line(str(where))
        return one_line(f"{where}: {wrong}" + (f"; {right}" if right else ""))


class WorkerKilled(RuntimeError):
    """A worker process ended before its work: most often the system had no memory left."""


@contextmanager
def within(place: str) -> Iterator[None]:
    """Prepend ``place`` to where an InputError raised inside says it is.

    ``within("network")`` makes ``rates.method: ...`` to ``network.rates.method: ...``, and a line
    that names no place to ``network: ...``.
    """
    try:
        yield
    except InputError as error:
        where, wrong, right = error.args
        error.args = (f"{place}.{where}", wrong, right) if wrong else (place, where, "")
        raise


@contextmanager
def during(moment: str | Callable[[], str]) -> Iterator[None]:
    """Say of an InputError raised inside when it was: ``dadao, repeat 0, event 12, ...``.

    A function is asked for the moment then.
    """
    try:
        yield
    except InputError as error:
        raise error.at(moment if isinstance(moment, str) else moment()) from error.__cause__


# --- What users' functions raise ------------------------------------------------------------------

OURS = str(Path(__file__).parent)
LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
LONGEST_SAID = 120
"""Characters of what an exception says."""


def failure(what: str, error: BaseException, right: str = "") -> InputError:
    """The InputError of ``what``, a function of a user that raised ``error``."""
    said = shortened(" ".join(str(error).split()), LONGEST_SAID)
    place = place_of(error)
    kind = type(error).__name__
    return InputError(
        what, f"{kind}{f' at {place}' if place else ''}{f': {said}' if said else ''}", right
    )


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """Make an InputError of what a user's code raises inside, where ours is at work too.

    An error that has no line of a user's in it is ours, and passes as it is.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if place_of(error) is None:
            raise
        raise failure(what, error) from error


def place_of(error: BaseException) -> str | None:
    """``mine.py:12``, the innermost line in a user's file that ``error`` came through, if any.

    A user's is what is neither in this package nor in a library. Of an error of the compiler it is
    the line that does not compile.
    """
    places = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.lineno is not None
    ]
    # The compiler's errors say in words where they are.
    places += re.findall(r'File "([^"]+)", line (\d+)', str(error))
    for file, line in reversed(places):
        if is_users(file):
            return f"{Path(file).name}:{line}"
    return None


def is_users(file: str) -> bool:
    """Whether a file with code is neither in this package nor in a library."""
    if file.startswith("<") and not file.startswith(("<stdin>", "<string>", "<ipython")):
        return False
    path = Path(file)
    if path.is_relative_to(OURS) or {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(library) for library in LIBRARIES)
