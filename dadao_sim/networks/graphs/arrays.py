"""Edges and positions that several graphs are made of."""

import numpy as np


def pairs(i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Edges (|E|, 2) between the nodes ``i`` and ``j``, arrays of one shape."""
    return np.column_stack([i.ravel(), j.ravel()])


def clique(first: int, end: int) -> np.ndarray:
    """The edges between every two of the nodes ``first``, ..., ``end`` - 1."""
    return np.column_stack(np.triu_indices(end - first, k=1)) + first


def on_circle(count: int, first_at: float = np.pi / 2, last_at: float | None = None) -> np.ndarray:
    """``count`` points on the unit circle; ``last_at`` fixes the angle of the last instead."""
    step = 2 * np.pi / count
    start = first_at if last_at is None else last_at + step
    angles = start + step * np.arange(count)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def on_lattice(rows: int, columns: int) -> np.ndarray:
    """The points of a lattice, row by row from the top."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.column_stack([column, -row]).astype(float)
