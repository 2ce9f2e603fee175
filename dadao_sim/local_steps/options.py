"""Checks of what a local step is given from Python."""

import reprlib
from contextlib import suppress
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError


def shown(value: Any) -> str:
    """``value`` as it was given, on one short line."""
    return " ".join(reprlib.repr(value).split())


def positive(name: str, value: Any) -> float:
    """``value`` of the argument ``name`` as a float; InputError unless it is finite and > 0."""
    number = np.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):  # an int of hundreds of digits
            number = float(value)
    if not 0.0 < number < np.inf:
        raise InputError(name, f"{shown(value)} given", "a finite number > 0 is needed")
    return number


def whole_dimension(value: Any) -> int:
    """``value`` as an int; InputError unless it is whole and >= 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise InputError("dimension", f"{shown(value)} given", "a whole number >= 1 is needed")
    return int(value)


def vector(value: ArrayLike, length: int, name: str, verb: str) -> NDArray[np.float64]:
    """``value`` as an array (length,) of its own; InputError unless it is one of real numbers.

    ``name`` is the argument at fault and ``verb`` what it does with the value: ``function``,
    ``answers with``.
    """
    array = _real(value)
    if array is None or array.shape != (length,):
        given = "no array of real numbers" if array is None else f"shape {array.shape}"
        raise InputError(name, f"{verb} {given}", f"({length},) is needed")
    return array


def _real(value: ArrayLike) -> NDArray[np.float64] | None:
    """``value`` as an array of its own; None unless it holds real numbers and nothing else."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None  # lists of different lengths, for one
    return np.array(array, dtype=np.float64) if array.dtype.kind in "biuf" else None
