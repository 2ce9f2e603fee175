"""Data of all nodes in one array, checked once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.text.lines import written

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


def parts_of(name: str, of_nodes: Any) -> Sequence[Any]:
    """``of_nodes`` if it is a list of what the nodes hold, or an array; InputError if not."""
    frames = hasattr(of_nodes, "iloc") or hasattr(of_nodes, "toarray")
    is_list = isinstance(of_nodes, Sequence | np.ndarray) and not isinstance(of_nodes, str | bytes)
    foreign = not is_list and hasattr(of_nodes, "__array__") and not frames
    if foreign or isinstance(of_nodes, memoryview):
        of_nodes = np.asarray(of_nodes)  # of another library: a tensor
        is_list = True
    if not is_list or getattr(of_nodes, "ndim", 1) == 0:
        given = f"one {type(of_nodes).__name__}" if frames else written(of_nodes)
        raise InputError(name, f"{given} given", "a list with an array for each node is needed")
    return of_nodes


def same_nodes(A: Any, b: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Rows and targets node by node; InputError unless both are of the same nodes."""
    A, b = parts_of("A", A), parts_of("b", b)
    if len(A) == 0:
        raise InputError("data", "no nodes", "at least one is needed")
    if len(A) != len(b):
        raise InputError("data", f"A has {len(A)} nodes and b has {len(b)}", "they must agree")
    return A, b


def stacked(A: Any, b: Any) -> tuple[FloatArray, FloatArray, IntArray]:
    """All rows (N, d), all targets (N,), samples per node (n,); InputError if they do not fit.

    Arrays (n, m, d) and (n, m) of float64 are not copied, all others are.
    """
    A, b = same_nodes(A, b)
    if isinstance(A, np.ndarray) and isinstance(b, np.ndarray) and A.ndim == 3 and 0 not in A.shape:
        if b.shape != A.shape[:2]:
            raise InputError("data", f"b has shape {b.shape}", f"{A.shape[:2]} is needed, as A has")
        rows, targets = _floats("A", A), _floats("b", b)
        rows, targets = rows.reshape(-1, A.shape[2]), targets.reshape(-1)
        samples = np.full(A.shape[0], A.shape[1], dtype=np.int64)
    else:
        rows, targets, samples = _concatenated(A, b)
    bad = ~(np.isfinite(rows).all(axis=1) & np.isfinite(targets))
    if bad.any():
        where = where_in(int(bad.argmax()), samples)
        raise InputError(f"data of {where}", "nan or infinite", "finite numbers are needed")
    return rows, targets, samples


def rows_of_nodes(name: str, A: Any) -> tuple[FloatArray, IntArray]:
    """All rows (N, d), samples per node (n,), of what has no targets; InputError as ``stacked``."""
    parts = parts_of(name, A)
    rows, _, samples = stacked(A, [np.zeros(np.shape(part)[:1]) for part in parts])
    return rows, samples


def _floats(name: str, array: NDArray[Any]) -> FloatArray:
    """The array itself where nothing is to be done, for the sake of memory."""
    plain = type(array) is np.ndarray and array.dtype == np.float64 and array.flags.c_contiguous
    return array if plain else reals(name, array, truths=True)


def _concatenated(
    A: Sequence[ArrayLike], b: Sequence[ArrayLike]
) -> tuple[FloatArray, FloatArray, IntArray]:
    parts = [reals(f"A of node {i}", part, truths=True) for i, part in enumerate(A)]
    targets = [reals(f"b of node {i}", part, truths=True) for i, part in enumerate(b)]
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
