"""Problems of matrices with orthonormal columns: F is minimised over the Stiefel manifold alone."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.problem import Problem, ProblemClass

TITLES = {"stationarity": r"Riemannian $\|\mathrm{grad}\,F(\bar{x})\|^2$"}
"""Of metrics: what is stationary here need not have a gradient of 0."""
SAFE = 0.5
"""||X^T X - I|| up to which methods may start."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OrthogonalProblem(Problem):
    """Minimise F(X) with X^T X = I; x (d,) is X (rows, columns), one row after the other.

    F is asked for at the nearest such matrix, :func:`~dadao_sim.problems.kinds.stiefel.polar`:
    its value at the mean of nodes that have not agreed yet would say nothing.
    """

    @property
    @abstractmethod
    def columns(self) -> int:
        """Of X; its rows are dimension/columns."""

    @property
    def problem_class(self) -> ProblemClass:
        """The set is not convex, whatever F is."""
        return "orthogonal"

    @property
    def has_conjugate(self) -> bool:
        """Not of what is not convex."""
        return False

    def matrix(self, x: ArrayLike) -> FloatArray:
        """x (..., d) as X (..., rows, columns)."""
        x = np.asarray(x, dtype=float)
        return x.reshape(*x.shape[:-1], -1, self.columns)

    def _feasible(self, x: ArrayLike) -> FloatArray:
        """The matrix (rows, columns) with orthonormal columns that is nearest to x (d,)."""
        with one_blas_thread():
            return stiefel.polar(self.matrix(self._point(x)))

    def orthonormal(self, X: FloatArray, determinant: int = 1) -> FloatArray:
        """See :meth:`Problem.orthonormal`."""
        with one_blas_thread():
            found = stiefel.polar(self.matrix(X))
            if found.shape[-1] == found.shape[-2]:
                turned = np.linalg.det(found) * determinant < 0
                found[turned, :, 0] *= -1.0
            elif determinant < 0:
                rows, columns = found.shape[-2:]
                wrong = f"negative given, and X of {rows} x {columns} has none"
                raise InputError("determinant", wrong, "leave it out")
        return found.reshape(X.shape)

    def require_start(self, x0: FloatArray) -> None:
        """See :meth:`Problem.require_start`."""
        needed = f"{self.kind} needs a start with orthonormal columns"
        if not x0.any():
            raise InputError("start", f"{needed}: zeros is a fixed point", "use kind: orthonormal")
        away = self.infeasibility(x0)
        if not away <= SAFE:
            wrong = f"{needed}: ||X^T X - I|| is {away:.3g}, above {SAFE:g}"
            raise InputError("start", wrong, "use kind: orthonormal, with a scale near 1")

    def infeasibility(self, X: ArrayLike, t: float = 0.0) -> float:
        """The largest ||X_i^T X_i - I||_F of all nodes, of rows X (n, d)."""
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            return float(stiefel.distance(self.matrix(X)).max())

    def mean_value(self, x: ArrayLike) -> float:
        """F(polar(x)), for x (d,)."""
        return super().mean_value(self._feasible(x).ravel())

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`, of F off the manifold too; it may be negative."""
        point, start = self._point(x), self._point(origin)
        slope = self.mean_operator(start) @ (point - start)
        return float(super().mean_value(point) - super().mean_value(start) - slope)

    def stationarity(self, x: ArrayLike) -> float:
        """||P_X(grad F(X))||^2 at X = polar(x), for x (d,)."""
        X = self._feasible(x)
        slope = stiefel.tangent(X, self.matrix(self.mean_operator(X.ravel())))
        return float((slope**2).sum())

    def _mu(self) -> NoReturn:
        raise InputError("mu", f"kind {self.kind} has none", "take a method that needs none")
