"""Whether the options of a term fit the dimension."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError


def at_most(name: str, value: int, most: int, what: str) -> int:
    """``value``; InputError, of the option ``name``, if it is above ``most``."""
    if value > most:
        wanted = f"a whole number from 1 to {most}, {what}, is needed"
        raise InputError(name, f"{value} given", wanted)
    return value


def per_one(name: str, values: Sequence[float], count: int, what: str) -> NDArray[np.float64]:
    """``values`` as an array; InputError, of the option ``name``, unless there are ``count``."""
    if len(values) != count:
        raise InputError(name, f"{len(values)} numbers given", f"{count}, {what}, are needed")
    return np.array(values, dtype=np.float64)


def offsets(groups: int | Sequence[int], dimension: int) -> NDArray[np.int64]:
    """Where each group begins, and the end of the last: (m + 1,), from a size or a list of sizes.

    InputError unless the groups fill the ``dimension``.
    """
    if isinstance(groups, int):
        if dimension % groups:
            raise InputError("groups", f"size {groups} does not divide the dimension {dimension}")
        return np.arange(0, dimension + 1, groups, dtype=np.int64)
    total = sum(groups)
    if total != dimension:
        raise InputError("groups", f"the sizes sum to {total}; the dimension is {dimension}")
    return np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)


def check_matrix(shape: tuple[int, int], dimension: int) -> None:
    """InputError unless rows and columns multiply to the ``dimension``."""
    rows, columns = shape
    if rows * columns != dimension:
        wrong = f"{rows} x {columns} is {rows * columns}; the dimension is {dimension}"
        raise InputError("shape", wrong)


def check_cube(shape: tuple[int, int, int], dimension: int) -> None:
    """InputError unless bands, rows and columns multiply to the ``dimension``."""
    bands, rows, columns = shape
    found = bands * rows * columns
    if found != dimension:
        wrong = f"{bands} x {rows} x {columns} is {found}; the dimension is {dimension}"
        raise InputError("shape", wrong)
