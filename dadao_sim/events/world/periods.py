"""Crashes, outages and slow periods of many nodes or links, for rounds: all of them at once."""

import numpy as np

from dadao_sim.events.world.spec import Periods


class PeriodsOfMany:
    """The present or next period of each of ``count``: from ``begin`` to ``end``, both (count,).

    Times asked for must not decrease from call to call. ``passed`` (count,) marks those for which a
    period was met, or missed between two calls, since it was last cleared: once per period.
    """

    def __init__(self, periods: Periods, count: int, rng: np.random.Generator):
        self.periods, self.rng = periods, rng
        self.begin = periods.every * rng.standard_exponential(count)
        self.end = self.begin + periods.length * rng.standard_exponential(count)
        self.passed = np.zeros(count, dtype=bool)
        self.known = np.zeros(count, dtype=bool)  # the period has been marked already

    def go_to(self, t: np.ndarray) -> np.ndarray:
        """Leave all periods behind that are over at the times ``t`` (count,); whether each is in
        one then.
        """
        while (over := np.flatnonzero(t >= self.end)).size:
            self.passed[over] |= ~self.known[over]
            self.known[over] = False
            gaps = self.rng.standard_exponential((2, over.size))
            self.begin[over] = self.end[over] + self.periods.every * gaps[0]
            self.end[over] = self.begin[over] + self.periods.length * gaps[1]
        inside = t >= self.begin
        self.mark(inside)
        return inside

    def mark(self, those: np.ndarray) -> None:
        """Mark ``those`` (count,) as passed by their present period."""
        self.passed |= those & ~self.known
        self.known |= those

    def clear(self, t: np.ndarray) -> np.ndarray:
        """The first times from ``t`` on outside all periods, (count,)."""
        return np.where(self.go_to(t), self.end, t)
