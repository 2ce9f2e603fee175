"""Bounds on eigenvalues and resistances of a large sparse Laplacian, always on the safe side.

lambda_2 is bounded from below and lambda_max from above, so chi1 and chi2 are never underestimated.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, cg, eigsh, splu
from threadpoolctl import threadpool_limits

from dadao_sim.errors import InputError
from dadao_sim.networks.local_resistance import resistance_bounds
from dadao_sim.networks.selected_inverse import made_for
from dadao_sim.networks.spectrum_dense import FAR_APART

Solver = Callable[[np.ndarray], np.ndarray]

LANCZOS_VECTORS = 24
LANCZOS_RESTARTS = 40
TOLERANCE = 2e-3  # residual over eigenvalue at which Lanczos stops, on the Laplacian
INVERSE_TOLERANCE = 1e-4  # and on its pseudo-inverse, where a step is worth more
SOLVER_STEPS = 300  # of conjugate gradients; beyond them the Laplacian is factorised
SOLVER_TOLERANCE = 1e-10
FEW_CYCLES = 1000  # beyond those of a tree: what is left of a factor without its nodes of degree 2
ROUNDING = 1e-9  # allowance for floating point, relative
NOISE = 64 * np.finfo(float).eps  # and what it may change of eigenvalues, relative to the largest
HOPELESS = 0.01  # share of lambda_2 in that noise at which no bound is given

# A Ritz value lies within its residual of *some* eigenvalue. Where eigenvalues cluster at the edge
# of the spectrum (expanders) the Ritz vector is spread over the cluster, with the residual as
# standard deviation, and the extreme eigenvalue is up to about 1.3 of them away: allow two.
RESIDUALS = 2.0


class NotConverged(Exception):
    """An iteration took too many steps."""


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
        """Lower bound of the smallest positive eigenvalue.

        Raises InputError where the rates are so far apart that floating point cannot tell.
        """
        # One thread: the bits of a parameter must not depend on the machine's load.
        with threadpool_limits(limits=1, user_api="blas"):
            bound = self._lambda_2()
        noise = NOISE * self._anderson_morley
        if not noise < HOPELESS * bound:  # also where the bound is nan
            raise InputError(
                "rates",
                f"from {self._weights.min():.3g} to {self._weights.max():.3g}, chi1 and chi2 of "
                f"{self._laplacian.shape[0]} nodes cannot be told in floating point",
                "bring them closer together",
            )
        return bound if noise < ROUNDING * bound else bound - noise

    def _lambda_2(self) -> float:
        laplacian = self._laplacian
        if len(self._edges) >= laplacian.shape[0] + FEW_CYCLES:  # else factors cost next to nothing
            bound = self._lambda_2_without_factors()
            if bound is not None:
                return bound
        try:
            with np.errstate(all="ignore"):
                return lambda_2_by_inverse(laplacian, solver_by_factors(laplacian))
        except (RuntimeError, ArpackError):  # singular for floating point
            return 0.0

    def _lambda_2_without_factors(self) -> float | None:
        laplacian = self._laplacian
        # Beside large eigenvalues Lanczos does not see small ones, unless they are inverted.
        if self._weights.max() <= FAR_APART * self._weights.min():
            bound = lambda_2_by_lanczos(laplacian)
            if bound is not None:
                return bound
        solve = solver_by_conjugate_gradients(laplacian)
        try:
            return lambda_2_by_inverse(laplacian, solve) if solve else None
        except NotConverged:
            return None

    @cached_property
    def _anderson_morley(self) -> float:
        """An upper bound of the largest eigenvalue, from the degrees."""
        degree = self._laplacian.diagonal()
        i, j = self._edges.T
        return float((degree[i] + degree[j]).max())

    @cached_property
    def lambda_max(self) -> float:
        """Upper bound of the largest eigenvalue."""
        with threadpool_limits(limits=1, user_api="blas"):
            by_lanczos = lambda_max_by_lanczos(self._laplacian)
        return min(self._anderson_morley, by_lanczos or self._anderson_morley)

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
            exact = self._resistances_by_factors()
            if exact is not None:
                lower = upper = exact
            else:
                lower, upper = resistance_bounds(self._laplacian, self._edges, self._weights, chi1)
        slack = max(ROUNDING, NOISE * self._anderson_morley * chi1)
        return lower * (1 - slack), upper * (1 + slack)

    def _resistances_by_factors(self) -> np.ndarray | None:
        """All of them, up to rounding; None where a factorisation is not cheap, or spoilt."""
        n = self._laplacian.shape[0]
        inverse = made_for(n, self._edges)
        if inverse is None:
            return None
        found = inverse.resistances(self._weights)
        # Foster: their sum with the weights is n - 1.
        good = (found > 0).all() and abs(self._weights @ found / (n - 1) - 1) < ROUNDING
        return found if good else None


def lambda_2_by_lanczos(laplacian: csr_array) -> float | None:
    """Lower bound of lambda_2 from Lanczos on the Laplacian itself: for expanders.

    None if LANCZOS_RESTARTS restarts do not suffice.
    """
    n = laplacian.shape[0]
    # The zero eigenvalue is moved to the mean of the positive ones: lambda_2 is now the smallest.
    shift = laplacian.diagonal().sum() / (n - 1)
    deflated = LinearOperator(
        (n, n), matvec=lambda v: laplacian @ v + shift * v.mean(), dtype=np.float64
    )
    try:
        vector = _extreme_vector(deflated, "SA", TOLERANCE, LANCZOS_RESTARTS)
    except ArpackNoConvergence:
        return None
    value, residual = _ritz_pair(laplacian, vector)
    if residual > 2 * TOLERANCE * value:
        return None
    return (value - RESIDUALS * residual) * (1 - ROUNDING)


def lambda_2_by_inverse(laplacian: csr_array, solve: Solver) -> float:
    """Lower bound of lambda_2 from Lanczos on the pseudo-inverse: for small spectral gaps."""
    n = laplacian.shape[0]

    def pseudo_inverse(v: np.ndarray) -> np.ndarray:
        solution = solve(v.ravel() - v.mean())
        return solution - solution.mean()

    inverse = LinearOperator((n, n), matvec=pseudo_inverse, dtype=np.float64)
    vector = _extreme_vector(inverse, "LA", INVERSE_TOLERANCE, restarts=1000)
    value, residual = _ritz_pair(inverse, vector)
    return (1 - ROUNDING) / (value + RESIDUALS * residual)


def solver_by_conjugate_gradients(laplacian: csr_array) -> Solver | None:
    """x with L x = b for b of sum zero, by conjugate gradients with the diagonal as preconditioner.

    For expanders with hubs, whose factors would be full. None if it takes too many steps; what it
    returns raises NotConverged where a later one does.
    """
    preconditioner = diags_array(1 / laplacian.diagonal())

    def attempt(b: np.ndarray, most_steps: int) -> tuple[np.ndarray, int]:
        return cg(laplacian, b, rtol=SOLVER_TOLERANCE, M=preconditioner, maxiter=most_steps)

    start = _start(laplacian.shape[0])
    _, failed = attempt(start - start.mean(), SOLVER_STEPS)

    def solve(b: np.ndarray) -> np.ndarray:
        solution, failed = attempt(b, 10 * SOLVER_STEPS)
        if failed:
            raise NotConverged
        return solution

    return None if failed else solve


def solver_by_factors(laplacian: csr_array) -> Solver:
    """x with L x = b for b of sum zero, by a sparse factorisation.

    With one node grounded the Laplacian is a positive definite M-matrix: its LU needs no pivoting.
    RuntimeError where it is not for floating point, as splu where it is singular.
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
    if not (factor.U.diagonal() > 0).all():
        raise RuntimeError("Not definite for floating point")

    def solve(b: np.ndarray) -> np.ndarray:
        solution = np.zeros(n)
        solution[kept] = factor.solve(b[kept])
        return solution

    return solve


def lambda_max_by_lanczos(laplacian: csr_array) -> float | None:
    """Upper bound of lambda_max; None if LANCZOS_RESTARTS restarts do not suffice."""
    try:
        vector = _extreme_vector(laplacian, "LA", TOLERANCE, LANCZOS_RESTARTS)
    except ArpackNoConvergence:
        return None
    value, residual = _ritz_pair(laplacian, vector)
    return (value + RESIDUALS * residual) * (1 + ROUNDING)


def _ritz_pair(operator: csr_array | LinearOperator, vector: np.ndarray) -> tuple[float, float]:
    """Rayleigh quotient of the vector (without its mean) and the norm of the residual."""
    vector = vector - vector.mean()
    vector /= np.linalg.norm(vector)
    image = operator @ vector
    value = float(vector @ image)
    return value, float(np.linalg.norm(image - value * vector))


def _extreme_vector(
    operator: csr_array | LinearOperator, which: str, tolerance: float, restarts: int
) -> np.ndarray:
    """Approximate eigenvector at one end of the spectrum; may raise ArpackNoConvergence."""
    n = operator.shape[0]
    vectors: np.ndarray
    _, vectors = eigsh(
        operator,
        k=1,
        which=which,
        v0=_start(n),
        ncv=min(n - 1, LANCZOS_VECTORS),
        tol=tolerance,
        maxiter=restarts,
    )
    return vectors[:, 0]


def _start(n: int) -> np.ndarray:
    """Always the same random vector: the bounds are the same bytes in every run."""
    return np.random.default_rng(0).standard_normal(n)
