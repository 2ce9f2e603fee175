"""Bounds on eigenvalues and resistances of a large sparse Laplacian, always on the safe side.

lambda_2 is bounded from below and lambda_max from above, so chi1 and chi2 are never underestimated.
"""

from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, splu
from threadpoolctl import threadpool_limits

from dadao_sim.networks.local_resistance import resistance_bounds

LANCZOS_VECTORS = 24
LANCZOS_RESTARTS = 40
LANCZOS_TOLERANCE = 2e-3  # residual over eigenvalue at which plain Lanczos stops
INVERSE_TOLERANCE = 1e-8  # the same with the factorised Laplacian, where every step is worth more
ROUNDING = 1e-9  # allowance for floating point, relative

# A Ritz value lies within its residual of *some* eigenvalue. Where eigenvalues cluster at the edge
# of the spectrum (expanders) the Ritz vector is spread over the cluster, with the residual as
# standard deviation, and the extreme eigenvalue is up to about 1.3 of them away: allow two.
RESIDUALS = 2.0


class SparseSpectrum:
    """Spectrum of a sparse Laplacian (n, n) of a connected graph with ``edges`` (|E|, 2).

    ``weights`` (|E|,) > 0 are those of the Laplacian.
    """

    def __init__(self, laplacian: csr_array, edges: np.ndarray, weights: np.ndarray):
        self._laplacian = laplacian
        self._edges = edges
        self._weights = weights

    @cached_property
    def lambda_2(self) -> float:
        """Lower bound of the smallest positive eigenvalue."""
        # One thread: the bits of a parameter must not depend on the machine's load.
        with threadpool_limits(limits=1, user_api="blas"):
            try:
                return lambda_2_by_lanczos(self._laplacian)
            except ArpackNoConvergence:
                return lambda_2_by_inverse(self._laplacian)

    @cached_property
    def lambda_max(self) -> float:
        """Upper bound of the largest eigenvalue."""
        degree = self._laplacian.diagonal()
        i, j = self._edges.T
        anderson_morley = float((degree[i] + degree[j]).max())
        with threadpool_limits(limits=1, user_api="blas"):
            try:
                return min(anderson_morley, lambda_max_by_lanczos(self._laplacian))
            except ArpackNoConvergence:
                return anderson_morley

    @property
    def resistances(self) -> np.ndarray:
        """Upper bounds of b_e^T L^+ b_e for every edge, (|E|,)."""
        return self.resistance_bounds[1]

    @property
    def resistance_interval(self) -> tuple[float, float]:
        """Lower and upper bound of the largest resistance over an edge."""
        lower, upper = self.resistance_bounds
        return float(lower.max()), float(upper.max())

    @cached_property
    def resistance_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Certified lower and upper bounds of the resistance of every edge, (|E|,) each."""
        chi1 = 1.0 / self.lambda_2
        with threadpool_limits(limits=1, user_api="blas"):
            lower, upper = resistance_bounds(self._laplacian, self._edges, self._weights, chi1)
        return lower * (1 - ROUNDING), upper * (1 + ROUNDING)


def lambda_2_by_lanczos(laplacian: csr_array) -> float:
    """Lower bound of lambda_2 from Lanczos on the Laplacian itself.

    Raises ArpackNoConvergence after LANCZOS_RESTARTS restarts (small spectral gap).
    """
    n = laplacian.shape[0]
    # The zero eigenvalue is moved to the mean of the positive ones: lambda_2 is now the smallest.
    shift = laplacian.diagonal().sum() / (n - 1)
    deflated = LinearOperator(
        (n, n), matvec=lambda v: laplacian @ v + shift * v.mean(), dtype=np.float64
    )
    value, residual = _extreme_pair(deflated, "SA", LANCZOS_TOLERANCE, LANCZOS_RESTARTS)
    if residual > 2 * LANCZOS_TOLERANCE * value:
        raise ArpackNoConvergence(
            "the residual is larger than ARPACK says", np.empty(0), np.empty(0)
        )
    return (value - RESIDUALS * residual) * (1 - ROUNDING)


def lambda_2_by_inverse(laplacian: csr_array) -> float:
    """Lower bound of lambda_2 from Lanczos on the pseudo-inverse, by a sparse factorisation.

    With one node grounded the Laplacian is a positive definite M-matrix: its LU needs no pivoting.
    """
    n = laplacian.shape[0]
    ground = int(laplacian.diagonal().argmax())
    kept = np.delete(np.arange(n), ground)
    factor = splu(
        laplacian[kept][:, kept].tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )

    def pseudo_inverse(v: np.ndarray) -> np.ndarray:
        v = v.ravel()
        solution = np.zeros(n)
        solution[kept] = factor.solve((v - v.mean())[kept])
        return solution - solution.mean()

    inverse = LinearOperator((n, n), matvec=pseudo_inverse, dtype=np.float64)
    value, residual = _extreme_pair(inverse, "LA", INVERSE_TOLERANCE, restarts=1000)
    return (1 - ROUNDING) / (value + RESIDUALS * residual)


def lambda_max_by_lanczos(laplacian: csr_array) -> float:
    """Upper bound of lambda_max; raises ArpackNoConvergence as lambda_2_by_lanczos."""
    value, residual = _extreme_pair(laplacian, "LA", LANCZOS_TOLERANCE, LANCZOS_RESTARTS)
    return (value + RESIDUALS * residual) * (1 + ROUNDING)


def _extreme_pair(
    operator: csr_array | LinearOperator, which: str, tolerance: float, restarts: int
) -> tuple[float, float]:
    """Ritz value at one end of the spectrum, and the norm of its residual."""
    n = operator.shape[0]
    start = np.random.default_rng(0).standard_normal(n)
    start -= start.mean()
    _, vectors = eigsh(
        operator,
        k=1,
        which=which,
        v0=start,
        ncv=min(n - 1, LANCZOS_VECTORS),
        tol=tolerance,
        maxiter=restarts,
    )
    vector = vectors[:, 0] - vectors[:, 0].mean()
    vector /= np.linalg.norm(vector)
    image = operator @ vector
    value = float(vector @ image)
    return value, float(np.linalg.norm(image - value * vector))
