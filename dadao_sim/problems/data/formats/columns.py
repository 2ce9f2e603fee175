"""Which columns of a table are features and which are the targets, and what targets can be."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.problems.data.formats.format import Asked, Column
from dadao_sim.text.lines import listed, written


class Chosen(NamedTuple):
    """Places of the columns, from 0: of the targets, or None, and of the features in order."""

    target: int | None
    features: list[int]


def chosen_columns(path: Path, names: list[str], asked: Asked) -> Chosen:
    """Which columns are what; InputError for one that is not there, or is asked for twice."""
    left_out = [_place(path, names, column, "leave_out") for column in asked.leave_out or ()]
    target = None
    if asked.target is not None:
        target = _place(path, names, asked.target, "target")
        if target in left_out:
            wrong = f"{written(asked.target)} is the target of {path.name}"
            raise InputError("leave_out", wrong, "leave out something else")
    rest = [k for k in range(len(names)) if k != target and k not in left_out]
    if asked.target is None and not asked.points and rest:
        target = rest.pop()
    return Chosen(target, rest)


def _place(path: Path, names: list[str], column: Column, option: str) -> int:
    if isinstance(column, int) and 1 <= column <= len(names):
        return column - 1
    if isinstance(column, str) and column in names:
        return names.index(column)
    none = f"no column {written(column)} in {path.name}"
    if isinstance(column, int):
        raise InputError(option, none, f"it has columns 1 to {len(names)}")
    raise InputError(option, none, f"it has {listed(names, 100)}")


FEWEST_COUNTED = 3
"""Rows from which 0, 1, 2, ... in a first column are taken for an index."""


def refuse_a_count(
    path: Path, X: NDArray[Any], names: list[str], chosen: Chosen, asked: Asked
) -> None:
    """InputError where the first column counts the rows from 0 or 1 and nothing says what it is."""
    if asked.leave_out is not None or len(chosen.features) < 2 or chosen.features[0] != 0:
        return
    first = X[:, 0]
    if len(first) < FEWEST_COUNTED or first[0] not in (0.0, 1.0):
        return
    if np.array_equal(first, first[0] + np.arange(len(first))):
        raise InputError(
            "leave_out",
            f"column {written(names[0])} of {path.name} counts the rows from {first[0]:g}",
            "say leave_out: [1] if it is an index, leave_out: [] if it is a feature",
        )


def targets_of(path: Path, y: NDArray[Any]) -> Any:
    """Numbers, or text; true and false are text."""
    if y.dtype.kind == "b":
        return np.where(y, "true", "false")
    if y.dtype.kind == "U":
        return y
    return reals(f"path: targets in {path.name}", y)
