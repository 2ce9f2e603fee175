"""Eigenvalues and effective resistances of a Laplacian, computed in full: up to 1500 nodes.

LAPACK answers where the Laplacian is well conditioned. Where rates are decades apart it does not
see the small ones beside the large ones, and the inverse is computed without a single subtraction
instead (see ``grounded_inverse``), which keeps every digit.
"""

from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

FAR_APART = 1e3  # largest over smallest rate, above which conditioning is judged strictly
STRICT, LOOSE = 1e-7, 1e-12  # reciprocal condition below which LAPACK is not trusted
ALLOWANCE = 1e-9  # for floating point, relative: chi1 and chi2 are never underestimated


class DenseSpectrum:
    """Spectrum of the Laplacian of a connected graph with ``edges`` (|E|, 2).

    ``laplacian`` is (n, n), and ``weights`` (|E|,) > 0 are the rates that it is made of.
    """

    def __init__(self, laplacian: np.ndarray, edges: np.ndarray, weights: np.ndarray):
        self._laplacian = laplacian
        self._edges = edges
        self._weights = weights
        far_apart = weights.max() > FAR_APART * weights.min()
        self._least_trusted = STRICT if far_apart else LOOSE

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """All n eigenvalues, ascending; the first is zero up to rounding. Exact to rounding
        relative to the largest.
        """
        # One thread: the bits of a parameter must not depend on the machine's load.
        with threadpool_limits(limits=1, user_api="blas"):
            return np.linalg.eigvalsh(self._laplacian)

    @cached_property
    def lambda_2(self) -> float:
        """Smallest positive eigenvalue."""
        if self.eigenvalues[1] > self._least_trusted * self.lambda_max:
            return float(self.eigenvalues[1])
        inverse = self._grounded_inverse
        # Centred it is the pseudo-inverse, whose largest eigenvalue is 1/lambda_2.
        centred = inverse - inverse.mean(axis=0) - inverse.mean(axis=1)[:, None] + inverse.mean()
        with threadpool_limits(limits=1, user_api="blas"):
            largest = float(np.linalg.eigvalsh(centred)[-1])
        return (1 - ALLOWANCE) / largest

    @property
    def lambda_max(self) -> float:
        """Largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @cached_property
    def resistances(self) -> np.ndarray:
        """b_e^T L^+ b_e of every edge, (|E|,); exact to rounding relative to the largest."""
        found, condition = resistances_by_cholesky(self._laplacian, self._edges)
        if condition >= self._least_trusted:
            return found
        inverse = self._grounded_inverse
        i, j = self._edges.T
        found = (inverse[i, i] + inverse[j, j] - 2.0 * inverse[i, j]) * (1 + ALLOWANCE)
        # Small ones beside large ones: between the edge alone and all around one end shorted.
        degree = self._laplacian.diagonal()
        return np.clip(found, 1 / np.minimum(degree[i], degree[j]), 1 / self._weights)

    @property
    def resistance_interval(self) -> tuple[float, float]:
        """Lower and upper bound of the largest resistance: here the same number."""
        largest = float(self.resistances.max())
        return largest, largest

    @cached_property
    def _grounded_inverse(self) -> np.ndarray:
        with threadpool_limits(limits=1, user_api="blas"):
            return grounded_inverse(len(self._laplacian), self._edges, self._weights)


def resistances_by_cholesky(laplacian: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, float]:
    """b_e^T L^+ b_e of every edge, (|E|,), and the reciprocal of the condition number of what was
    inverted; 0 where the Laplacian is not definite for floating point.
    """
    from scipy.linalg.lapack import dpocon, dpotrf, dpotri

    n = len(laplacian)
    # s 11^T / n moves the zero eigenvalue to s and changes no b_e^T L^+ b_e, as b_e^T 1 = 0.
    shift = np.trace(laplacian) / (n - 1) / n
    with threadpool_limits(limits=1, user_api="blas"):
        shifted = laplacian + shift
        factor, failed = dpotrf(shifted, lower=1)
        if failed:
            return np.full(len(edges), np.nan), 0.0
        condition, _ = dpocon(factor, np.abs(shifted).sum(axis=0).max(), uplo="L")
        inverse, failed = dpotri(factor, lower=1, overwrite_c=1)  # lower triangle only
    if failed or not condition > 0:
        return np.full(len(edges), np.nan), 0.0
    i, j = edges.T
    diagonal = inverse.diagonal()
    return diagonal[i] + diagonal[j] - 2.0 * inverse[j, i], float(condition)


def grounded_inverse(nodes: int, edges: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The inverse of the Laplacian without node 0, with zeros for that node; (n, n).

    By elimination after Grassmann, Taksar and Heyman: diagonals are never stored, they are the sums
    of what is left in their row. All numbers are positive and none is ever subtracted, so that each
    entry is exact to rounding relative to itself, however far apart the weights are.
    """
    from scipy.linalg.lapack import dtrtri

    scale = weights.max()
    i, j = edges.T
    conductance = np.zeros((nodes, nodes))
    conductance[i, j] = conductance[j, i] = weights / scale
    total = np.ones(nodes)
    steps = np.eye(nodes)  # I - N, with the shares of node k's neighbours in row k of N
    for k in range(nodes - 1, 0, -1):
        row = conductance[k, :k]
        total[k] = row.sum()
        share = row / total[k]
        steps[k, 1:k] = -share[1:]
        conductance[:k, :k] += share[:, None] * row
        np.fill_diagonal(conductance[:k, :k], 0.0)
    # x_k = b_k / total_k + sum of shares times x_l: the inverse is Z D^-1 Z^T with Z = (I - N)^-1.
    z, _ = dtrtri(steps, lower=1, unitdiag=1)
    z = np.tril(z, -1) + np.eye(nodes)
    z[0] = z[:, 0] = 0.0
    return (z / total) @ z.T / scale
