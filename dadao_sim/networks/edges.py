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
    return _sorted("edges", np.sort(_pairs("edges", nodes, edges, called), axis=1), nodes, called)


def canonical_arcs(
    nodes: int, arcs: ArrayLike, called: Called = str
) -> tuple[np.ndarray, np.ndarray]:
    """The same of arcs, (sender, receiver)."""
    return _sorted("arcs", _pairs("arcs", nodes, arcs, called), nodes, called)


def _pairs(where: str, nodes: int, pairs: ArrayLike, called: Called) -> np.ndarray:
    """What is given as edges or arcs, (m, 2). InputError for what is none."""
    if hides(pairs):
        raise InputError(where, "some numbers are masked", f"leave these {where} out")
    try:
        ends = np.asarray(pairs)
    except ValueError:  # rows of several lengths
        ends = np.empty(0)
    if ends.ndim != 2 or ends.shape[1] != 2 or not np.issubdtype(ends.dtype, np.integer):
        raise InputError(
            where,
            f"an integer array of shape ({where}, 2) is needed, not {ends.dtype} {ends.shape}",
        )
    outside = (ends < 0) | (ends >= nodes)
    if outside.any():
        raise InputError(
            where, f"node {ends[outside][0]} does not exist", f"nodes go from 0 to {nodes - 1}"
        )
    loops = ends[:, 0] == ends[:, 1]
    if loops.any():
        wrong = f"node {called(int(ends[loops][0, 0]))} has an {where[:-1]} to itself"
        raise InputError(where, wrong, "remove the self loop")
    return ends


def _sorted(
    where: str, ends: np.ndarray, nodes: int, called: Called
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in lexicographic order, and the order. InputError for one that is there twice."""
    keys = edge_keys(ends, nodes)
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(np.diff(keys[order]) == 0)
    if repeated.size:
        one, other = map(called, ends[order[repeated[0]]].tolist())
        pair = f"arc {one}->{other}" if where == "arcs" else f"edge between nodes {one} and {other}"
        raise InputError(
            where,
            f"the {pair} is given more than once",
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
