"""Stages: what the nodes hold changes a few times, by what they have found so far."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dadao_sim.problems.data.arrays import FloatArray

Agree = Callable[[Sequence[FloatArray], float], FloatArray]
"""(values, q) -> (n,): near the q-quantile of the values of all nodes, agreed on by gossip; values
are an array for each node."""


class Stages(NamedTuple):
    """``times`` times, each after ``every`` more units of a method's time, the problem changes; the
    nodes then agree on a number by ``rounds`` rounds of gossip, a unit of time each. 0: on none.
    """

    every: float
    times: int
    rounds: int = 0
