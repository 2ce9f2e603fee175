"""What is measured at a sample where a scenario asks for more than ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dadao_sim.metrics import Metric
from dadao_sim.simulation.measures import Errors


class ErrorsAndMetrics(Errors):
    """The errors of the estimates X (n, d), and then ``metrics`` of them."""

    def __init__(self, problem: Any, x0: np.ndarray, metrics: Sequence[Metric]):
        super().__init__(problem, x0)
        self.metrics = metrics

    def __call__(self, X: np.ndarray, t: float = 0.0) -> dict[str, float]:
        """See :class:`Errors`. InputError for a metric that is no number."""
        ours = super().__call__(X, t)
        return ours | {metric.name: metric.measure(self.problem, X, t) for metric in self.metrics}
