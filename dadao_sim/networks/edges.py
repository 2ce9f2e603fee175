"""Edges as arrays: one canonical order, and look-up of an edge by its two ends."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError
from dadao_sim.strict import hides
from dadao_sim.text.lines import shown

Called = Callable[[int], str]  # how messages call a node


def edge_keys(edges: np.ndarray, nodes: int) -> np.ndarray:
    """One integer i * nodes + j per edge (i, j), i < j; it orders the edges lexicographically."""
    return edges[:, 0].astype(np.int64) * nodes + edges[:, 1]


def find_edges(
    keys: np.ndarray, nodes: int, i: ArrayLike, j: ArrayLike, called: Called = str
) -> np.ndarray:
    """Ids of the edges {i, j} in the sorted ``keys``; ``i`` and ``j`` broadcast, in either order.

    Raises InputError naming the first pair that is no edge, its nodes as they are ``called``.
    """
    i, j = np.broadcast_arrays(_numbers_of_nodes("i", i), _numbers_of_nodes("j", j))
    wanted = np.minimum(i, j) * nodes + np.maximum(i, j)
    ids = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    inside = (np.minimum(i, j) >= 0) & (np.maximum(i, j) < nodes)
    missing = ~inside | (keys[ids] != wanted)
    if missing.any():
        k = np.flatnonzero(missing.ravel())[0]
        pair = [int(i.ravel()[k]), int(j.ravel()[k])]
        one, other = (called(node) if 0 <= node < nodes else str(node) for node in pair)
        raise InputError(f"no edge between nodes {one} and {other}")
    return ids


def _numbers_of_nodes(name: str, given: ArrayLike) -> np.ndarray:
    """Whole numbers as int64; InputError for anything else, which NumPy would cut to such."""
    numbers = np.asarray(given)
    if numbers.size and (numbers.dtype.kind not in "iu" or hides(given)):
        raise InputError(name, f"{shown(given)} given", "whole numbers of nodes are needed")
    return numbers.astype(np.int64)


def canonical_edges(
    nodes: int, edges: ArrayLike, called: Called = str
) -> tuple[np.ndarray, np.ndarray]:
    """Edges with i < j in lexicographic order, and the order that sorts what was given.

    Raises InputError for a node out of range, a self loop or an edge given twice; it names nodes as
    they are ``called``.
    """
    if hides(edges):
        raise InputError("edges", "some numbers are masked", "leave these edges out")
    try:
        ends = np.asarray(edges)
    except ValueError:  # rows of several lengths
        ends = np.empty(0)
    if ends.ndim != 2 or ends.shape[1] != 2 or not np.issubdtype(ends.dtype, np.integer):
        raise InputError(
            "edges",
            f"an integer array of shape (edges, 2) is needed, not {ends.dtype} {ends.shape}",
        )
    outside = (ends < 0) | (ends >= nodes)
    if outside.any():
        raise InputError(
            "edges", f"node {ends[outside][0]} does not exist", f"nodes go from 0 to {nodes - 1}"
        )
    loops = ends[:, 0] == ends[:, 1]
    if loops.any():
        raise InputError(
            "edges",
            f"node {called(int(ends[loops][0, 0]))} has an edge to itself",
            "remove the self loop",
        )
    ends = np.sort(ends, axis=1)
    keys = edge_keys(ends, nodes)
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(np.diff(keys[order]) == 0)
    if repeated.size:
        i, j = map(called, ends[order[repeated[0]]].tolist())
        raise InputError(
            "edges",
            f"the edge between nodes {i} and {j} is given more than once",
            "a simple graph is needed, not a multigraph",
        )
    return np.ascontiguousarray(ends[order], dtype=np.int32), order


def count_components(nodes: int, edges: np.ndarray) -> int:
    """Number of connected components."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), dtype=np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))
    return int(connected_components(graph, directed=False, return_labels=False))
