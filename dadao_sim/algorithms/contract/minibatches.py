"""The errors of gradients of minibatches of squares, whose covariance is quadratic in the point."""

from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.kinds.linear_problem import LinearProblem
from dadao_sim.problems.kinds.square import Square

if TYPE_CHECKING:
    from dadao_sim.problems import Problem


class MinibatchErrors:
    """The covariance of g - grad f_i(x), g the gradient of a minibatch of squares."""

    def __init__(self, problem: LinearProblem, batch: int):
        m = problem.model
        parts = [slice(m.offsets[i], m.offsets[i + 1]) for i in range(problem.nodes)]
        self.rows = [m.A[part] for part in parts]
        self.targets = [m.b[part] for part in parts]
        # The gradient of a sample is weight (a.x - b) a, and the l2 term, which is exact.
        self.weights = 2.0 * m.scale * problem.samples
        self.batch, self.dimension = batch, problem.dimension

    @classmethod
    def of(cls, problem: "Problem", batch: int) -> "MinibatchErrors":
        """InputError for a problem that is not of squares."""
        if not isinstance(problem, LinearProblem) or not isinstance(problem.model.loss, Square):
            raise InputError(
                f"problem: a plateau is predicted on squares, not on {problem.kind!r}; "
                "use least_squares or ridge, without local_step"
            )
        return cls(problem, batch)

    def at(self, X: np.ndarray) -> np.ndarray:
        """(n, d, d), at the rows of X (n, d)."""
        found = []
        for A, b, w, x in zip(self.rows, self.targets, self.weights, X, strict=True):
            each = w * (A @ x - b)[:, None] * A
            off = each - each.mean(axis=0)
            found.append(off.T @ off / len(A) / self.batch)
        return np.stack(found)

    def around(self, covariances: np.ndarray) -> np.ndarray:
        """What is added, (n, d, d), where the points have ``covariances`` (n, d, d)."""
        found = []
        for A, w, P in zip(self.rows, self.weights, covariances, strict=True):
            spread = np.einsum("ka,ab,kb->k", A, P, A)
            mean = w * A.T @ A / len(A)
            mixed = w**2 * (spread[:, None] * A).T @ A / len(A)
            found.append((mixed - mean @ P @ mean) / self.batch)
        return np.stack(found)
