"""Data of all nodes in one array, checked once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def offsets_of(samples: IntArray) -> IntArray:
    """Where the rows of each node begin, and where the last ones end; (n,) to (n + 1,)."""
    return np.concatenate([[0], np.cumsum(samples)]).astype(np.int64)


def where_in(row: int, samples: IntArray) -> str:
    """In words, the node and its row that are a row of all the data."""
    offsets = offsets_of(samples)
    i = int(np.searchsorted(offsets, row, side="right")) - 1
    return f"node {i}, row {row - offsets[i]}"


def scales(samples: IntArray, weighting: str) -> FloatArray:
    """The factor of each node's sum of losses (n,): n/N for ``samples``, 1/m_i for ``uniform``."""
    if weighting == "samples":
        return np.full(samples.size, samples.size / samples.sum())
    return 1.0 / samples


def stacked(
    A: FloatArray | Sequence[ArrayLike], b: FloatArray | Sequence[ArrayLike]
) -> tuple[FloatArray, FloatArray, IntArray]:
    """All rows (N, d), all targets (N,), samples per node (n,); InputError if they do not fit.

    Arrays (n, m, d) and (n, m) of float64 are not copied.
    """
    if len(A) == 0:
        raise InputError("data", "no nodes", "at least one is needed")
    if len(A) != len(b):
        raise InputError("data", f"A has {len(A)} nodes and b has {len(b)}", "they must agree")
    if isinstance(A, np.ndarray) and isinstance(b, np.ndarray) and A.ndim == 3 and 0 not in A.shape:
        if b.shape != A.shape[:2]:
            raise InputError("data", f"b has shape {b.shape}", f"{A.shape[:2]} is needed, as A has")
        rows, targets = A.reshape(-1, A.shape[2]), b.reshape(-1)
        samples = np.full(A.shape[0], A.shape[1], dtype=np.int64)
    else:
        rows, targets, samples = _concatenated(A, b)
    bad = ~(np.isfinite(rows).all(axis=1) & np.isfinite(targets))
    if bad.any():
        where = where_in(int(bad.argmax()), samples)
        raise InputError(f"data of {where}", "nan or infinite", "finite numbers are needed")
    return rows, targets, samples


def _concatenated(
    A: FloatArray | Sequence[ArrayLike], b: FloatArray | Sequence[ArrayLike]
) -> tuple[FloatArray, FloatArray, IntArray]:
    parts = [np.asarray(part, dtype=np.float64) for part in A]
    targets = [np.asarray(part, dtype=np.float64) for part in b]
    for i, (part, target) in enumerate(zip(parts, targets, strict=True)):
        if part.ndim != 2 or part.shape[1] == 0 or part.shape[1] != parts[0].shape[-1]:
            raise InputError(
                f"data of node {i}",
                f"A has shape {part.shape}",
                "(samples, dimension) is needed, with one dimension >= 1 for all nodes",
            )
        if target.shape != part.shape[:1] or target.size == 0:
            raise InputError(
                f"data of node {i}",
                f"A has shape {part.shape} and b {target.shape}",
                "one target per row is needed, and at least one row",
            )
    samples = np.array([part.shape[0] for part in parts], dtype=np.int64)
    return np.concatenate(parts), np.concatenate(targets), samples
