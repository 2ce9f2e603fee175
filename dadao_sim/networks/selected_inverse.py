"""Effective resistances of all edges at once, exactly, where a sparse factorisation is cheap.

With one node grounded L is positive definite, P L P^T = (lower) D (lower)^T, and the entries of its
inverse Z on the pattern of the factor follow column by column from the last one (Takahashi, Fagan
and Chin 1973):

    Z_ij = -sum_k lower_kj Z_ik  (i > j),     Z_jj = 1/D_j - sum_k lower_kj Z_kj,     k > j.

All edges lie in that pattern. The kernels take complex rates as they are, which gives derivatives
without a difference: with q a change of rates, R(w + i h q) = R(w) - i h sum_e q_e M_ge^2 + O(h^2),
M = B^T L^+ B, exact to rounding for h as small as 1e-60.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.compiled.kernel import kernel

if TYPE_CHECKING:
    from dadao_sim.networks.network import Network

MOST_WORK = 300_000_000  # multiplications of a factorisation: about a second, twice for a step
MOST_ENTRIES = 20_000_000  # of a factor
WIDEST_LEVEL = 8.0  # nodes at one distance from an end, in sqrt n: more is an expander or has hubs
FEW_CYCLES = 1000  # beyond those of a tree, where every factor is small
STEP = 1e-60  # of the derivative, relative


@lru_cache(maxsize=4)
def selected_inverse(graph: Network) -> SelectedInverse | None:
    """What knows the pattern of the graph's factor; None where a factorisation is not cheap."""
    return made_for(graph.nodes, graph.edges)


def made_for(nodes: int, edges: np.ndarray) -> SelectedInverse | None:
    """The same, for graphs that are not kept."""
    if not _is_narrow(nodes, edges):
        return None
    made = SelectedInverse(nodes, edges)
    return made if made.is_cheap else None


class SelectedInverse:
    """The pattern of the factor of a connected graph on ``nodes`` with ``edges`` (|E|, 2).

    - is_cheap: whether the factor has few entries; if not, nothing else may be asked.
    - order: (n - 1,) the nodes but for the grounded one, as they are eliminated.
    """

    def __init__(self, nodes: int, edges: np.ndarray):
        self.nodes, self.edges = nodes, edges
        degree = np.bincount(edges.ravel(), minlength=nodes)
        ground = int(degree.argmax())
        self.order = _elimination_order(nodes, edges, ground)
        n = nodes - 1
        place = np.full(nodes, -1)
        place[self.order] = np.arange(n)
        ends = place[edges]
        self._low, self._high = ends.min(axis=1), ends.max(axis=1)
        self._grounded = self._low < 0
        # The upper triangle by columns, the diagonal last in each.
        inside = np.flatnonzero(~self._grounded)
        inside = inside[np.lexsort((self._low[inside], self._high[inside]))]
        self._indptr = np.append(0, np.cumsum(np.bincount(self._high[inside], minlength=n) + 1))
        self._diagonal = np.zeros(self._indptr[-1], dtype=bool)
        self._diagonal[self._indptr[1:] - 1] = True
        self._indices = np.empty(self._indptr[-1], dtype=np.int64)
        self._indices[self._diagonal] = np.arange(n)
        self._indices[~self._diagonal] = self._low[inside]
        self._inside = inside
        self._parent, counts, entries, work = _symbolic(
            n, self._indptr, self._indices, MOST_ENTRIES, MOST_WORK
        )
        self.is_cheap = entries <= MOST_ENTRIES and work <= MOST_WORK
        self._start = np.append(0, np.cumsum(counts))
        self._rows = np.empty(self._start[-1] if self.is_cheap else 0, dtype=np.int64)
        self._at: np.ndarray | None = None  # where the edges are in the factor

    def resistances(self, rates: np.ndarray) -> np.ndarray:
        """b_e^T L^+ b_e of every edge at these rates (|E|,), real or complex.

        Not all are positive and finite where L is not definite for floating point.
        """
        n, kind = self.nodes - 1, rates.dtype
        i, j = self.edges.T
        degree = np.zeros(self.nodes, dtype=kind)
        np.add.at(degree, i, rates)
        np.add.at(degree, j, rates)
        data = np.empty(len(self._indices), dtype=kind)
        data[self._diagonal] = degree[self.order]
        data[~self._diagonal] = -rates[self._inside]
        lower, pivots = np.empty(len(self._rows), dtype=kind), np.empty(n, dtype=kind)
        pattern = (self._indptr, self._indices, self._parent, self._start, self._rows)
        _factorise(*pattern, data, lower, pivots)
        inverse, diagonal = np.empty_like(lower), np.empty_like(pivots)
        _invert(self._start, self._rows, lower, pivots, inverse, diagonal)
        if self._at is None:
            keys = np.repeat(np.arange(n), np.diff(self._start)) * n + self._rows
            self._at = np.searchsorted(keys, self._low[self._inside] * n + self._high[self._inside])
        found = diagonal[self._high]
        found[self._inside] += diagonal[self._low[self._inside]] - 2 * inverse[self._at]
        return found

    def energies(self, rates: np.ndarray, q: np.ndarray) -> np.ndarray:
        """sum_e q_e (b_g^T L^+ b_e)^2 of every edge g, (|E|,), for q (|E|,) >= 0, not all 0."""
        step = STEP * rates.max() / q.max()
        return -self.resistances(rates + 1j * (step * q)).imag / step


def _is_narrow(nodes: int, edges: np.ndarray) -> bool:
    """Whether all distances from an end of the graph are those of few nodes, or it is nearly a
    tree: a look that takes no time before an elimination order, which for expanders does.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    if len(edges) < nodes + FEW_CYCLES:
        return True
    ones = np.ones(len(edges))
    graph = coo_array((ones, tuple(edges.T)), shape=(nodes, nodes)).tocsr()
    far = int(dijkstra(graph, directed=False, unweighted=True, indices=0).argmax())
    levels = dijkstra(graph, directed=False, unweighted=True, indices=far).astype(np.int64)
    return bool(np.bincount(levels).max() <= WIDEST_LEVEL * np.sqrt(nodes))


def _elimination_order(nodes: int, edges: np.ndarray, ground: int) -> np.ndarray:
    """The nodes but the ground by minimum degree: SuperLU's, before it factorises next to nothing
    (``spilu`` that drops all).
    """
    from scipy.sparse import coo_array, eye_array
    from scipy.sparse.linalg import spilu

    kept = np.delete(np.arange(nodes), ground)
    i, j = edges.T
    ones = np.ones(len(edges))
    adjacent = coo_array((ones, (i, j)), shape=(nodes, nodes)).tocsr()
    adjacent = (adjacent + adjacent.T)[kept][:, kept]
    dominant = eye_array(nodes - 1) * (2.0 * len(edges)) - adjacent
    factor = spilu(
        dominant.tocsc(),
        drop_tol=1.0,
        fill_factor=1,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    order = np.empty(nodes - 1, dtype=np.int64)
    order[factor.perm_c] = kept
    return order


@kernel
def _symbolic(n, indptr, indices, most_entries, most_work):
    """Elimination tree, entries per column of the factor, and in all; stops where there are more
    than the most.
    """
    parent, mark = np.full(n, -1, np.int64), np.empty(n, np.int64)
    counts = np.zeros(n, np.int64)
    entries = 0
    for k in range(n):
        mark[k] = k
        for at in range(indptr[k], indptr[k + 1]):
            i = indices[at]
            while mark[i] != k:
                if parent[i] < 0:
                    parent[i] = k
                counts[i] += 1
                entries += 1
                mark[i] = k
                i = parent[i]
        if entries > most_entries:
            break
    work = 0.0
    for k in range(n):
        work += float(counts[k]) ** 2
    return parent, counts, entries, work


@kernel
def _factorise(indptr, indices, parent, start, rows, data, lower, pivots):
    """Fill ``rows``, ``lower`` and ``pivots`` row by row (Davis, LDL, 2005)."""
    n = len(pivots)
    y = np.zeros_like(pivots)
    path, mark = np.empty(n, np.int64), np.empty(n, np.int64)
    end = start[:n].copy()
    for k in range(n):
        mark[k] = k
        top = n
        for at in range(indptr[k], indptr[k + 1]):
            i = indices[at]
            y[i] = data[at]
            length = 0
            while mark[i] != k:
                path[length] = i
                length += 1
                mark[i] = k
                i = parent[i]
            while length > 0:
                top -= 1
                length -= 1
                path[top] = path[length]
        pivot = y[k]
        y[k] = 0
        for s in range(top, n):
            i = path[s]
            value = y[i]
            y[i] = 0
            for at in range(start[i], end[i]):
                y[rows[at]] -= lower[at] * value
            share = value / pivots[i]
            pivot -= share * value
            rows[end[i]] = k
            lower[end[i]] = share
            end[i] += 1
        pivots[k] = pivot


@kernel
def _invert(start, rows, lower, pivots, inverse, diagonal):
    """Fill ``inverse``, on the pattern of ``lower``, and its ``diagonal``."""
    n = len(pivots)
    place, total = np.full(n, -1, np.int64), np.empty_like(pivots)
    for j in range(n - 1, -1, -1):
        first, last = start[j], start[j + 1]
        for t in range(first, last):
            place[rows[t]] = t - first
            total[t - first] = 0
        for t in range(first, last):
            k = rows[t]
            own = t - first
            total[own] -= diagonal[k] * lower[t]
            for at in range(start[k], start[k + 1]):
                other = place[rows[at]]
                if other >= 0:
                    total[other] -= inverse[at] * lower[t]
                    total[own] -= inverse[at] * lower[first + other]
        value = 1 / pivots[j]
        for t in range(first, last):
            inverse[t] = total[t - first]
            value -= lower[t] * total[t - first]
            place[rows[t]] = -1
        diagonal[j] = value
