"""Things that come and go: crashes, outages, slow periods; one by one, or of many at once.

Each node and each link has random numbers of its own, so that its periods are the same instants in
every world of a repeat, whatever method asks, how often, and for which of them first.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.strict import Positive, StrictModel, misuse

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running

SHORTEST = 1e-4  # of a period and the time to the next, in mean gradient intervals


class Periods(StrictModel):
    """Something that comes and goes, with exponential times between and of it."""

    every: Positive = Field(description="mean time from the end of one to the next")
    length: Positive = Field(description="mean length of one")

    @model_validator(mode="after")
    def _last_long_enough(self) -> Self:
        if self.every + self.length < SHORTEST:
            both = self.every + self.length
            raise misuse(
                f"one comes every {both:g} mean gradient intervals; every and length must make at "
                f"least {SHORTEST:g}"
            )
        return self

    def alternate(
        self,
        world: "Running",
        count: int,
        rng: np.random.Generator,
        begin: Callable[[int], None],
        end: Callable[[int], None],
    ) -> None:
        """Let ``begin(k)`` and ``end(k)`` take turns for each k below ``count``, for ever, at the
        times of a ``PeriodsOfMany`` of the same ``rng``.
        """
        own = rng.spawn(count)

        def wait(k: int) -> None:
            world.after(self.every * own[k].standard_exponential(), lambda: come(k))

        def come(k: int) -> None:
            begin(k)
            world.after(self.length * own[k].standard_exponential(), lambda: go(k))

        def go(k: int) -> None:
            end(k)
            wait(k)

        for k in range(count):
            wait(k)

    def until(self, end: float, count: int, rng: np.random.Generator) -> np.ndarray:
        """Those that begin before ``end``: which k below ``count``, begin and end; (rows, 3)."""
        many = PeriodsOfMany(self, count, rng)
        rows = [np.empty((0, 3))]
        while (here := np.flatnonzero(many.begin < end)).size:
            rows.append(np.column_stack([here, many.begin[here], many.end[here]]))
            many.go_on(here)
        return np.vstack(rows)


class PeriodsOfMany:
    """The present or next period of each of ``count``: from ``begin`` to ``end``, both (count,).

    Times asked for must not decrease from call to call. ``passed`` (count,) marks those for which a
    period was met, or missed between two calls, since it was last cleared: once per period.
    """

    def __init__(self, periods: Periods, count: int, rng: np.random.Generator):
        self.periods, self.own = periods, rng.spawn(count)
        self.begin, self.end = np.zeros(count), np.zeros(count)
        self.passed = np.zeros(count, dtype=bool)
        self.known = np.zeros(count, dtype=bool)  # the period has been marked already
        self.go_on(np.arange(count))

    def go_on(self, those: np.ndarray) -> None:
        """Leave the present periods of ``those`` (numbers) for the next."""
        gaps = np.array([self.own[k].standard_exponential(2) for k in those.tolist()])
        self.begin[those] = self.end[those] + self.periods.every * gaps[:, 0]
        self.end[those] = self.begin[those] + self.periods.length * gaps[:, 1]
        self.known[those] = False

    def skip_to(self, t: np.ndarray) -> None:
        """Leave all periods behind that begin before the times ``t`` (count,), unmarked: there was
        nothing for them to meet.
        """
        while (before := np.flatnonzero(self.begin < t)).size:
            self.go_on(before)

    def go_to(self, t: np.ndarray) -> np.ndarray:
        """Leave all periods behind that are over at the times ``t`` (count,); whether each is in
        one then.
        """
        while (over := np.flatnonzero(t >= self.end)).size:
            self.passed[over] |= ~self.known[over]
            self.go_on(over)
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


class GivenPeriods(PeriodsOfMany):
    """Periods that are known: rows of which k below ``count``, begin and end, in order of time and
    without two of one k at once. After the last of a k there is none for ever.
    """

    def __init__(self, given: Sequence[tuple[int, float, float]], count: int):
        self.left: list[deque[tuple[float, float]]] = [deque() for _ in range(count)]
        for k, begin, end in given:
            self.left[k].append((begin, end))
        self.begin, self.end = np.zeros(count), np.zeros(count)
        self.passed = np.zeros(count, dtype=bool)
        self.known = np.zeros(count, dtype=bool)
        self.go_on(np.arange(count))

    def go_on(self, those: np.ndarray) -> None:
        """Leave the present periods of ``those`` (numbers) for the next."""
        for k in those.tolist():
            following = self.left[k].popleft() if self.left[k] else (math.inf, math.inf)
            self.begin[k], self.end[k] = following
        self.known[those] = False
