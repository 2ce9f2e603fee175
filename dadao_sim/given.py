"""Checks of what is given from Python: numbers and arrays of numbers, which are copied.

NumPy converts much that is no number without a word: it uncovers what a mask hides, drops imaginary
parts, counts days, reads text. Nothing of that passes here.
"""

from contextlib import suppress
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError
from dadao_sim.strict import hides
from dadao_sim.text.lines import written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

KINDS = {
    "b": "true and false",
    "c": "complex numbers",
    "m": "lengths of time",
    "M": "dates",
    "O": "objects",
    "S": "text",
    "U": "text",
    "V": "records",
}
"""What arrays hold that is no real number, by the kind of NumPy's type."""
EXACT = 2**53
"""Whole numbers up to here are floats, each its own."""


def number(name: str, value: Any) -> float:
    """``value`` of the argument ``name`` as a float; InputError unless it is one real number.

    An array or tensor of no dimension is a number, one of one number is not; true and false are
    none.
    """
    if getattr(value, "shape", None) == ():
        return float(reals(name, value))
    if not isinstance(value, Real) or isinstance(value, bool):
        raise InputError(name, f"{_described(value)} given", "one real number is needed")
    try:
        return float(value)
    except OverflowError:  # an int of hundreds of digits
        raise InputError(name, f"{written(value)} given", "a finite number is needed") from None


def positive(name: str, value: Any) -> float:
    """``value`` of the argument ``name`` as a float; InputError unless it is finite and > 0."""
    found = float("nan")
    with suppress(InputError):
        found = number(name, value)
    if not 0.0 < found < float("inf"):
        raise InputError(name, f"{written(value)} given", "a finite number > 0 is needed")
    return found


def whole(name: str, value: Any) -> int:
    """``value`` as an int; InputError unless it is whole and >= 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InputError(name, f"{written(value)} given", "a whole number >= 1 is needed")
    return int(value)


def reals(name: str, value: Any, *, truths: bool = False) -> "FloatArray":
    """``value`` as an array of float64 of its own, C-contiguous, of any shape.

    Lists of numbers, arrays of whole numbers and of floats of any size, order and layout, and what
    NumPy makes such an array of (frames and series of pandas, tensors). ``truths``: true and false
    are 1 and 0. InputError for masked, complex and sparse ones, objects, text, dates, records,
    lists that are no rectangle, and whole numbers that no float is equal to.
    """
    import numpy as np

    needed = "an array of real numbers is needed"
    if value is None or isinstance(value, dict | set | str | bytes):
        raise InputError(name, f"{_described(value)} given", needed)
    if hasattr(value, "toarray"):
        raise InputError(name, "a sparse matrix given", "a dense one is needed, .toarray()")
    if hides(value):
        raise InputError(name, "some numbers are masked", "leave them out, or fill them")
    try:
        array = np.asarray(value)
    except Exception as error:  # lists of different lengths; tensors that are not here
        said = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise InputError(name, f"no array: {said}", needed) from error
    if array.dtype.kind not in ("biuf" if truths else "iuf"):
        what = KINDS.get(array.dtype.kind, f"{array.dtype} numbers")
        if array.ndim == 0:
            what = _described(value)
        raise InputError(name, f"{what} given", needed)
    found = np.array(array, dtype=np.float64, order="C", subok=False)
    if array.dtype.kind in "iu":
        far = np.abs(found) >= EXACT
        if far.any() and any(int(f) != int(n) for f, n in zip(found[far], array[far], strict=True)):
            raise InputError(
                name, "whole numbers beyond 2^53, which floats cannot hold", "give them as floats"
            )
    return found


def vector(value: Any, length: int, name: str, verb: str) -> "FloatArray":
    """``value`` as an array (length,) of its own; InputError unless it is one of real numbers.

    ``name`` is the argument at fault and ``verb`` what it does with the value: ``function``,
    ``answers with``.
    """
    given = "no array of real numbers"
    with suppress(InputError):
        array = reals(name, value, truths=True)
        if array.shape == (length,):
            return array
        given = f"shape {array.shape}"
    raise InputError(name, f"{verb} {given}", f"({length},) is needed")


def _described(value: Any) -> str:
    """A value that is no number, in a word or two."""
    if value is None or isinstance(value, str | bytes | bool | complex):
        return written(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array of shape {shape}"
    return f"a {type(value).__name__}"
