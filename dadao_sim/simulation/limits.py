"""Where a run ends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dadao_sim.algorithms.contract.tally import Tally

# Shares of samples are added up in floating point: 100 batches of 1 % are a whole pass.
NEARLY = 1 - 1e-12


@dataclass(frozen=True)
class Limits:
    """Where a run ends, whichever comes first; gradients and communications are of all nodes
    together.
    """

    time: float = math.inf
    gradients: float = math.inf
    communications: float = math.inf
    accuracy: float = 0.0
    until: tuple[tuple[str, float, bool], ...] = ()
    """Metrics by name, the value that ends a run, and whether they rise to it."""

    def arrived(self, sample: Mapping[str, float]) -> str:
        """Which metric of ``until`` has come to its value in a sample; "" if none."""
        for name, level, rises in self.until:
            if sample[name] >= level if rises else sample[name] <= level:
                return f"{name} {level:g}"
        return ""

    def reached(self, tally: Tally) -> str:
        """Which limit of what is counted ``tally`` has come to; "" if none."""
        if tally.communications >= NEARLY * self.communications:
            return "communications"
        return "gradients" if tally.gradients >= NEARLY * self.gradients else ""

    def horizon(self, gradients_per_unit: float, communications_per_unit: float) -> float:
        """The expected time at which a run ends if it does not converge; infinite where it never
        does. Of communications there is at least one.
        """
        expected = (
            (self.gradients, gradients_per_unit),
            (max(1.0, self.communications), communications_per_unit),
        )
        return min(self.time, *(limit / rate for limit, rate in expected if rate > 0))
