"""Things that come and go: crashes, outages, slow periods; one by one, or of many at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from dadao_sim.events.world.draws import exponentials
from dadao_sim.strict import Positive, StrictModel

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running


class Periods(StrictModel):
    """Something that comes and goes, with exponential times between and of it."""

    every: Positive = Field(description="mean time from the end of one to the next")
    length: Positive = Field(description="mean length of one")

    def alternate(
        self,
        world: "Running",
        count: int,
        rng: np.random.Generator,
        begin: Callable[[int], None],
        end: Callable[[int], None],
    ) -> None:
        """Let ``begin(k)`` and ``end(k)`` take turns for each k below ``count``, for ever."""
        draw = exponentials(rng)

        def wait(k: int) -> None:
            world.after(self.every * draw(), lambda: come(k))

        def come(k: int) -> None:
            begin(k)
            world.after(self.length * draw(), lambda: go(k))

        def go(k: int) -> None:
            end(k)
            wait(k)

        for k in range(count):
            wait(k)


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
