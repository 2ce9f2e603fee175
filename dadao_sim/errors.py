"""The one error that a user's input can cause, and how it learns where in the input it lies."""

from collections.abc import Iterator
from contextlib import contextmanager

from dadao_sim.text import one_line


class InputError(ValueError):
    """Input that cannot be used: one line of where, what is wrong, and what would be right.

    ``InputError("method", "'foo' is unknown", "use auto or exact")`` reads ``method: 'foo' is
    unknown; use auto or exact``. ``where`` is the argument of the function that raises, which knows
    nothing of its callers; they prepend their own part by :func:`within`. A single text is the
    whole line. However long the parts are, the line has at most ``text.LONGEST`` characters, and
    no character that does not print.
    """

    def __init__(self, where: str, wrong: str = "", right: str = ""):
        super().__init__(where, wrong, right)

    @property
    def where(self) -> str:
        """The place in the input, such as ``network.rates.method``; empty where none was named."""
        where, wrong, _ = self.args
        return str(where) if wrong else ""

    def __str__(self) -> str:
        where, wrong, right = self.args
        if not wrong:
            return one_line(str(where))
        return one_line(f"{where}: {wrong}" + (f"; {right}" if right else ""))


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
