"""What is measured at a sample: the errors of the nodes' estimates."""

from typing import Any

import numpy as np

from dadao_sim.errors import InputError


class Errors:
    """The errors of the estimates X (n, d) of a problem started at ``x0`` (n, d).

    Raises InputError where x0 is the optimum, so that no accuracy could be measured.
    """

    def __init__(self, problem: Any, x0: np.ndarray):
        self.problem = problem
        self.start = float(((x0 - problem.x_star) ** 2).sum(axis=1).mean())
        if self.start == 0:
            weaker = ", or a smaller strength" if problem.local_step is not None else ""
            raise InputError(
                f"start: x0 is the optimum itself; use kind: normal, or another seed{weaker}"
            )

    def __call__(self, X: np.ndarray) -> dict[str, float]:
        """mean_squared_distance, accuracy (the same over that of x0), suboptimality,
        consensus_error.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean = X.mean(axis=0)
            distance = float(((X - self.problem.x_star) ** 2).sum(axis=1).mean())
            spread = float(((X - mean) ** 2).sum(axis=1).mean())
            finite = bool(np.isfinite(mean).all())
            gap = self.problem.suboptimality(mean) if finite else np.inf
        return {
            "mean_squared_distance": distance,
            "accuracy": distance / self.start,
            "suboptimality": float(gap),
            "consensus_error": spread,
        }
