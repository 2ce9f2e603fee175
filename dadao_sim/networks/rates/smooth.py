"""Smooth stand-ins for the constants of one graph, with gradients: what ``first_order`` descends.

With exponent r, 1/lambda_2 is replaced by (sum_k lambda_k^-r)^(1/r) and the largest resistance by
(sum_e R_e^r)^(1/r): power means, too large by a factor of at most n^(1/r) and |E|^(1/r).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.networks.network import DENSE_NODES, Network
from dadao_sim.networks.rates.dense import laplacian, over_edges, pseudo_inverse
from dadao_sim.networks.rates.dual import DualPoint, SparseDualPoint, believed
from dadao_sim.networks.selected_inverse import SelectedInverse, selected_inverse

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

EIGENVECTORS = 16  # in graphs too large for a full eigendecomposition
LANCZOS_TOLERANCE = 1e-6
NEGLIGIBLE = 1e-3  # weight of an edge, relative to the largest, below which its potential is left
BLOCK = 512


@dataclass(frozen=True, eq=False)
class AnyPoint:
    """A graph at some rates: the positive eigenvalues (k,) that count with their vectors (n, k),
    and the resistances (|E|,).
    """

    edges: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray
    resistances: np.ndarray

    def power_sums(self, exponent: float) -> tuple[float, float]:
        """Logarithms of sum_k lambda_k^-r and of sum_e R_e^r."""
        from scipy.special import logsumexp

        return (
            float(logsumexp(-exponent * np.log(self.eigenvalues))),
            float(logsumexp(exponent * np.log(self.resistances))),
        )

    def by_eigenvalue(self, exponent: float, log_sum: float) -> np.ndarray:
        """lambda_k^(-r-1) over the sum of all lambda^-r, (k,)."""
        return np.exp(-exponent * np.log(self.eigenvalues) - log_sum) / self.eigenvalues

    def by_edge(self, exponent: float, log_sum: float) -> np.ndarray:
        """R_e^(r-1) over the sum of all R^r, (|E|,)."""
        return np.exp(exponent * np.log(self.resistances) - log_sum) / self.resistances


@dataclass(frozen=True, eq=False)
class Point(AnyPoint):
    """One with the pseudo-inverse (n, n)."""

    inverse: np.ndarray

    def dual_point(self, exponent: float) -> DualPoint:
        """X = sum_k lambda_k^(-r-1) u_k u_k^T and p_e = R_e^(r+1): the gradients of the power means
        are b_g^T X b_g and b_g^T Phi b_g, and at their minimum a dual point of the problem.
        """
        relative = self.eigenvalues / self.eigenvalues[0]
        p = (self.resistances / self.resistances.max()) ** (exponent + 1)
        chosen = np.flatnonzero(p >= NEGLIGIBLE)
        i, j = self.edges[chosen].T
        factor = self.vectors * relative ** (-0.5 * (exponent + 1))
        return DualPoint(factor, p[chosen], chosen, self.inverse[:, i] - self.inverse[:, j])

    def gradients(
        self, exponent: float, log_sums: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of (1/r) log of each sum over the graphs, in the rates of this graph, (|E|,) each.

        ``log_sums``: logarithms of the two sums over all graphs.
        """
        i, j = self.edges.T
        weight = self.by_eigenvalue(exponent, log_sums[0])
        slope_1 = -((self.vectors[i] - self.vectors[j]) ** 2) @ weight
        share = self.by_edge(exponent, log_sums[1])
        chosen = np.flatnonzero(share >= 1e-2 * NEGLIGIBLE * share.max())
        slope_2 = np.zeros(len(i))
        for first in range(0, len(chosen), BLOCK):
            part = chosen[first : first + BLOCK]
            potentials = self.inverse[:, i[part]] - self.inverse[:, j[part]]
            slope_2 -= (potentials[i] - potentials[j]) ** 2 @ share[part]
        return slope_1, slope_2


@dataclass(frozen=True, eq=False)
class SparsePoint(AnyPoint):
    """One at ``rates`` (|E|,) of a graph whose sparse factorisation is cheap."""

    rates: np.ndarray
    inverse: SelectedInverse

    def dual_point(self, exponent: float) -> SparseDualPoint:
        """As that of a Point, with all edges in it."""
        relative = self.eigenvalues / self.eigenvalues[0]
        p = (self.resistances / self.resistances.max()) ** (exponent + 1)
        factor = self.vectors * relative ** (-0.5 * (exponent + 1))
        return SparseDualPoint(factor, p, self.rates, self.inverse)

    def loads(
        self, exponent: float, log_sums: tuple[float, float]
    ) -> tuple[float, np.ndarray, float, np.ndarray]:
        """The sums of the dual point with X and p scaled so that the loads are minus the gradients
        of a Point: tr X, b_g^T X b_g, sum p, b_g^T Phi b_g.
        """
        i, j = self.edges.T
        weight = self.by_eigenvalue(exponent, log_sums[0])
        centred = self.vectors - self.vectors.mean(axis=0)
        x = (centred[i] - centred[j]) ** 2 @ weight
        trace = float((centred**2).sum(axis=0) @ weight)
        q = self.by_edge(exponent, log_sums[1])
        p = q * self.resistances**2
        energies = self.inverse.energies(self.rates, q)
        phi = believed(self.inverse.nodes, energies, self.rates, p, self.resistances)
        return trace, x, float(p.sum()), phi


def sparse_point_at(graph: Network, rates: np.ndarray) -> SparsePoint | None:
    """The graph, whose factorisation is cheap, at these rates; None if rounding leaves its
    Laplacian indefinite.
    """
    inverse = selected_inverse(graph)
    assert inverse is not None, "asked by who is here"
    resistances = inverse.resistances(rates)
    if not ((resistances > 0) & np.isfinite(resistances)).all():
        return None
    values, vectors = _smallest_by_factors(graph.laplacian(rates), inverse.order)
    if not (values > 0).all():
        return None
    return SparsePoint(graph.edges, values, vectors, resistances, rates, inverse)


def _smallest_by_factors(laplacian: csr_array, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As ``_smallest``, of the Laplacian; all nodes but one in the ``order`` of elimination."""
    from scipy.sparse.linalg import LinearOperator, splu

    factor = splu(
        laplacian[order][:, order].tocsc(),
        permc_spec="NATURAL",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    n = laplacian.shape[0]

    def pseudo_inverse(v: np.ndarray) -> np.ndarray:
        v = v.ravel() - np.mean(v)
        solution = np.zeros(n)
        solution[order] = factor.solve(v[order])
        solution -= np.mean(solution)
        return solution

    return _smallest(LinearOperator((n, n), matvec=pseudo_inverse, dtype=np.float64))


def point_at(graph: Network, rates: np.ndarray) -> Point | None:
    """The graph at these rates; None if rounding leaves its Laplacian indefinite."""
    matrix = laplacian(graph.nodes, graph.edges, rates)
    inverse = pseudo_inverse(matrix)
    if inverse is None:
        return None
    resistances = over_edges(inverse, graph.edges)
    if graph.nodes <= DENSE_NODES:
        values, vectors = np.linalg.eigh(matrix)
        values, vectors = values[1:], vectors[:, 1:]
    else:
        values, vectors = _smallest(inverse)
    if not (values > 0).all() or not (resistances > 0).all():
        return None
    return Point(graph.edges, values, vectors, resistances, inverse)


def _smallest(inverse: np.ndarray | LinearOperator) -> tuple[np.ndarray, np.ndarray]:
    """The smallest positive eigenvalues of the Laplacian, ascending, with their vectors."""
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal((inverse.shape[0],))
    values, vectors = eigsh(
        inverse, k=EIGENVECTORS, which="LA", v0=start - start.mean(), tol=LANCZOS_TOLERANCE
    )
    order = np.argsort(-values)
    return 1 / values[order], vectors[:, order]
