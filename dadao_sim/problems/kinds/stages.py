"""Stages: what the nodes hold changes a few times, by what they have found so far."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dadao_sim.problems.data.arrays import FloatArray

Agree = Callable[[Sequence[FloatArray], float], FloatArray]
"""(values, q) -> (n,): near the q-quantile of the values of all nodes, agreed on by gossip; values
are an array for each node."""


class Stages(NamedTuple):
    """``times`` times, each after ``every`` more units of a method's time, the problem changes; the
    nodes then agree on a number by ``rounds`` rounds of gossip, a unit of time each. 0: on none.
    The first time is after ``first`` units, where that is not None: 0 of a problem that is not
    posed before the nodes' start is known.
    """

    every: float
    times: int
    rounds: int = 0
    first: float | None = None

    @property
    def ends(self) -> FloatArray:
        """When the stages that end do so, in a method's time (times,)."""
        first = self.every if self.first is None else self.first
        return first + self.every * np.arange(self.times, dtype=float)

    def begun(self, k: int) -> float:
        """When stage k = 0, 1, ... begins, pauses included."""
        return float(self.ends[k - 1]) + k * self.rounds if k else 0.0

    def lasts(self, k: int) -> float:
        """How long stage k is; the last has no end."""
        if k == self.times:
            return math.inf
        return self.every if k or self.first is None else self.first
