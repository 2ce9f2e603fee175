"""What is measured at a sample: the errors of the nodes' estimates."""

import math
from typing import Any

import numpy as np

from dadao_sim.compiled.parallel import squared_distances
from dadao_sim.errors import InputError


class Errors:
    """The errors of the estimates X (n, d) of a problem started at ``x0`` (n, d).

    Raises InputError where x0 is the optimum, so that no accuracy could be measured.
    """

    def __init__(self, problem: Any, x0: np.ndarray):
        self.problem = problem
        self.has_solution = problem.solutions is not None
        self.start = self._error(x0)
        if self.start == 0 and not self.has_solution:
            raise InputError(
                "start: x0 is a stationary point, from which no method moves; use kind: normal"
            )
        if self.start == 0:
            weaker = ", or a smaller strength" if problem.local_step is not None else ""
            raise InputError(
                f"start: x0 is the optimum itself; use kind: normal, or another seed{weaker}"
            )

    def __call__(self, X: np.ndarray, t: float = 0.0) -> dict[str, float]:
        """At time t: mean_squared_distance, accuracy (the same over that of x0; where no solution
        is known the stationarity over that of x0), suboptimality, consensus_error.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean = X.mean(axis=0)
            error = self._error(X)
            spread = float(squared_distances(X, mean).mean())
            finite = bool(np.isfinite(mean).all())
            gap = self.problem.suboptimality(mean) if finite else np.inf
        return {
            "mean_squared_distance": error if self.has_solution else math.nan,
            "accuracy": error / self.start,
            "suboptimality": float(gap),
            "consensus_error": spread,
        }

    def _error(self, X: np.ndarray) -> float:
        """The squared distance to a solution; without one the stationarity at the mean."""
        if self.has_solution:
            return float(self.problem.squared_distance(X))
        mean = X.mean(axis=0)
        return float(self.problem.stationarity(mean)) if np.isfinite(mean).all() else math.inf
