"""Levels at equal distances: the cell a number lies in, the level next to it, the outer levels."""

import math
from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel


class Grid(NamedTuple):
    """The levels ``low``, ``low`` + ``spacing``, ..., ``number`` of them."""

    low: float
    spacing: float
    number: int


@kernel
def cell(grid, w):
    """(a, b), the neighbours of w among the levels; off the outer ones the outermost two."""
    k = min(max(math.floor((w - grid.low) / grid.spacing), 0), grid.number - 2)
    return grid.low + k * grid.spacing, grid.low + (k + 1) * grid.spacing


@kernel
def nearest(grid, w):
    """The level nearest to w, the upper one of two."""
    k = min(max(math.floor((w - grid.low) / grid.spacing + 0.5), 0), grid.number - 1)
    return grid.low + k * grid.spacing


@kernel
def within_levels(grid, w):
    """w, clipped to the outer levels."""
    high = grid.low + (grid.number - 1) * grid.spacing
    return grid.low if w < grid.low else high if w > high else w


@kernel
def round_to(grid, x, out):
    """Write the levels nearest to x (d,) into ``out`` (d,)."""
    for k in range(x.shape[0]):
        out[k] = nearest(grid, x[k])


@kernel
def descend(r, step, x, g, t, out):
    """x - step g, clipped to the outer levels."""
    for k in range(x.shape[0]):
        out[k] = within_levels(r.grid, x[k] - step * g[k])


def grid_of(levels: tuple[float, ...]) -> Grid:
    """The grid of levels that increase by equal steps."""
    low, high = levels[0], levels[-1]
    return Grid(float(low), float((high - low) / (len(levels) - 1)), len(levels))


def psi(grid: Grid, eps: float, x: np.ndarray) -> np.ndarray:
    """eps - (x - a)^2 (x - b)^2 of each of x, which lies in the cell [a, b]: below 0 where it is
    infeasible.
    """
    k = np.clip(np.floor((x - grid.low) / grid.spacing), 0, grid.number - 2)
    a = grid.low + k * grid.spacing
    answer: np.ndarray = eps - ((x - a) * (x - (a + grid.spacing))) ** 2
    return answer
