"""Eigenvalues and effective resistances of a Laplacian, computed in full: up to 1500 nodes."""

from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits


class DenseSpectrum:
    """Spectrum of a dense Laplacian (n, n) of a connected graph with ``edges`` (|E|, 2)."""

    def __init__(self, laplacian: np.ndarray, edges: np.ndarray):
        self._laplacian = laplacian
        self._edges = edges

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """All n eigenvalues, ascending; the first is zero up to rounding."""
        # One thread: the bits of a parameter must not depend on the machine's load.
        with threadpool_limits(limits=1, user_api="blas"):
            return np.linalg.eigvalsh(self._laplacian)

    @property
    def lambda_2(self) -> float:
        """Smallest positive eigenvalue."""
        return float(self.eigenvalues[1])

    @property
    def lambda_max(self) -> float:
        """Largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @cached_property
    def resistances(self) -> np.ndarray:
        """b_e^T L^+ b_e of every edge, (|E|,)."""
        from scipy.linalg.lapack import dpotrf, dpotri

        n = len(self._laplacian)
        # s 11^T / n moves the zero eigenvalue to s and changes no b_e^T L^+ b_e, as b_e^T 1 = 0.
        shift = np.trace(self._laplacian) / (n - 1) / n
        with threadpool_limits(limits=1, user_api="blas"):
            factor, _ = dpotrf(self._laplacian + shift, lower=1)
            inverse, _ = dpotri(factor, lower=1)  # lower triangle only
        i, j = self._edges.T
        diagonal = inverse.diagonal()
        return diagonal[i] + diagonal[j] - 2.0 * inverse[j, i]

    @property
    def resistance_interval(self) -> tuple[float, float]:
        """Lower and upper bound of the largest resistance: here the same number."""
        largest = float(self.resistances.max())
        return largest, largest
