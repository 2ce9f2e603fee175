"""Quadratic programmes with a parameter, their values as functions of it, and their solutions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray, IntArray

ACCURACY, MOST_ITERATIONS = 1e-9, 200_000
"""Of OSQP, before its active constraints are solved for."""
ACTIVE = 1e-10
"""Of a multiplier, relative to the largest: OSQP leaves rounding where there is none."""
RHO = 0.1
"""OSQP's step. It stays, and every solution starts from zeros: OSQP's own changes of it, and its
warm starts, would make an answer depend on what was asked before."""


class Solution(NamedTuple):
    """``u`` (m,) and its ``multipliers`` (k,)."""

    u: FloatArray
    multipliers: FloatArray


@dataclass(frozen=True, eq=False)
class ParametricProgramme:
    """phi(theta) = min_u f(u, theta) subject to G u + E theta <= c, with
    f = u^T Q u/2 + u^T C theta + theta^T R theta/2 convex in both together and Q positive definite.

    phi is convex. By the envelope theorem its gradient is that of f + y^T (G u + E theta) at the
    solution u and its multipliers y.
    """

    Q: FloatArray
    C: FloatArray
    R: FloatArray
    G: FloatArray
    E: FloatArray
    c: FloatArray

    @cached_property
    def _solver(self) -> Any:
        import osqp
        from scipy.sparse import csc_matrix

        solver = osqp.OSQP()
        solver.setup(
            csc_matrix(self.Q),
            np.zeros(len(self.Q)),
            csc_matrix(self.G),
            np.full(len(self.c), -np.inf),
            self.c,
            rho=RHO,
            adaptive_rho=False,
            eps_abs=ACCURACY,
            eps_rel=ACCURACY,
            max_iter=MOST_ITERATIONS,
            polishing=False,
            verbose=False,
        )
        return solver

    def __getstate__(self) -> dict[str, Any]:
        """All but the solver, which no other process could use."""
        return {name: value for name, value in vars(self).items() if name != "_solver"}

    def solve(self, theta: FloatArray) -> Solution:
        """The solution at ``theta`` (p,), the same whatever was solved before: the free one where
        it keeps to the constraints, else OSQP's, and then that of the equations which hold where
        its active constraints are.
        """
        nothing = Solution(np.zeros(len(self.Q)), np.zeros(len(self.c)))
        free = self._on_active(nothing, theta)
        if free is not nothing:
            return free
        solver = self._solver
        solver.update(q=self.C @ theta, u=self.c - self.E @ theta)
        solver.warm_start(x=np.zeros(len(self.Q)), y=np.zeros(len(self.c)))
        found = solver.solve(raise_error=False)
        if found.info.status != "solved":
            raise InputError("programme", f"{found.info.status} at {theta}", "check its limits")
        return self._on_active(Solution(found.x, np.maximum(found.y, 0.0)), theta)

    def _on_active(self, found: Solution, theta: FloatArray) -> Solution:
        """To rounding; ``found`` where that is no solution, or no single one."""
        active = self._active(found)
        m, room = len(self.Q), self.c - self.E @ theta
        right = np.concatenate([-self.C @ theta, room[active]])
        try:
            whole = np.linalg.solve(self._equations(active), right)
        except np.linalg.LinAlgError:
            return found
        u, multipliers = whole[:m], whole[m:]
        if (self.G @ u - room).max() > ACCURACY or multipliers.min(initial=0.0) < -ACCURACY:
            return found
        every = np.zeros(len(self.c))
        every[active] = np.maximum(multipliers, 0.0)
        return Solution(u, every)

    def _active(self, found: Solution) -> IntArray:
        return np.flatnonzero(found.multipliers > ACTIVE * (1 + found.multipliers.max()))

    def _equations(self, active: IntArray) -> FloatArray:
        """Of u and the multipliers of these constraints, which hold as equations."""
        m, rows = len(self.Q), self.G[active]
        matrix = np.zeros((m + len(active), m + len(active)))
        matrix[:m, :m], matrix[:m, m:], matrix[m:, :m] = self.Q, rows.T, rows
        return matrix

    def hessian(self, found: Solution) -> FloatArray:
        """phi'' (p, p) where ``found`` is the solution: as the constraints with multipliers stay
        active, both are affine in theta around it. On the other side of a kink of the gradient it
        is another.
        """
        active, m = self._active(found), len(self.Q)
        right = -np.vstack([self.C, self.E[active]])
        moves, *_ = np.linalg.lstsq(self._equations(active), right, rcond=None)
        H = self.R + self.C.T @ moves[:m] + self.E[active].T @ moves[m:]
        return (H + H.T) / 2

    def objective(self, u: FloatArray, theta: FloatArray) -> float:
        """f(u, theta)."""
        own = u @ (self.Q @ u) / 2 + theta @ (self.R @ theta) / 2
        return float(own + u @ (self.C @ theta))

    def slope(self, found: Solution, theta: FloatArray) -> FloatArray:
        """grad phi(theta) (p,), of the solution there."""
        return self.C.T @ found.u + self.R @ theta + self.E.T @ found.multipliers

    def divergence(
        self, there: Solution, theta: FloatArray, origin: Solution, theta_0: FloatArray
    ) -> float:
        """phi(theta) - phi(theta_0) - <grad phi(theta_0), theta - theta_0> of both solutions: a
        square and the slack of constraints, so that nothing cancels. One that has a multiplier
        has no slack, but for rounding, which is large beside the square of a short step.
        """
        slack = np.where(there.multipliers > 0, 0.0, self.c - self.G @ there.u - self.E @ theta)
        square = self.objective(there.u - origin.u, theta - theta_0)
        return square + float(origin.multipliers @ np.maximum(slack, 0.0))

    def violation(self, u: FloatArray, theta: FloatArray) -> float:
        """How far u is beyond the constraint that it violates most."""
        return float(np.maximum(self.G @ u + self.E @ theta - self.c, 0.0).max())

    def residual(self, u: FloatArray, theta: FloatArray, near: float = 0.02) -> float:
        """||grad_u f + G^T y|| with the best y >= 0 of the constraints that are active at u but for
        ``near``, or violated: of the conditions of Karush, Kuhn and Tucker what is left.
        """
        from scipy.optimize import nnls

        gradient = self.Q @ u + self.C @ theta
        active = self.G @ u + self.E @ theta - self.c > -near
        if not active.any():
            return float(np.linalg.norm(gradient))
        return float(nnls(self.G[active].T, -gradient)[1])

    def curvature(self, dimension: int) -> tuple[float, float]:
        """mu and L of phi in the first ``dimension`` coordinates of theta, where the constraints do
        not have them: with constraints active u follows theta less, so that the curvature is least
        with none, and most with u held.
        """
        schur = self.R - self.C.T @ np.linalg.solve(self.Q, self.C)
        free, held = (matrix[:dimension, :dimension] for matrix in (schur, self.R))
        return float(np.linalg.eigvalsh(free)[0]), float(np.linalg.eigvalsh(held)[-1])
