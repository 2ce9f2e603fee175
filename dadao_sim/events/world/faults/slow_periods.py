"""Slow periods: times in which a node takes longer."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.periods import Periods, PeriodsOfMany

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network


class SlowPeriods(Periods):
    """Times in which a node is slower."""

    factor: Annotated[float, Field(ge=1)] = Field(
        description="how many times longer a gradient takes then"
    )


class Slow(Fault):
    """Nodes that are slower for a while; a gradient keeps the speed it began with."""

    place = "nodes"
    slow_periods: SlowPeriods | None = Field(default=None, description="of each node")

    def mean_slowing(self) -> float:
        """The factor, in its share of the time."""
        slow = self.slow_periods
        assert slow is not None
        return 1 + (slow.factor - 1) * slow.length / (slow.every + slow.length)

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Slowness goes up and down."""
        assert self.slow_periods is not None
        slowness, factor = world.now.slowness, self.slow_periods.factor
        usual = list(slowness)

        def slower(i: int) -> None:
            slowness[i] = usual[i] * factor

        def as_usual(i: int) -> None:
            slowness[i] = usual[i]

        self.slow_periods.alternate(world, len(usual), rng, slower, as_usual)

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """Gradients take longer."""
        assert self.slow_periods is not None
        return SlowInRounds(self.slow_periods, network.nodes, rng)


class SlowInRounds(RoundFault):
    """A gradient that begins in a slow period takes longer."""

    def __init__(self, slow: SlowPeriods, nodes: int, rng: np.random.Generator):
        self.factor = slow.factor
        self.periods = PeriodsOfMany(slow, nodes, rng)

    def durations(self, durations: np.ndarray, begun: np.ndarray) -> np.ndarray:
        """Times the factor."""
        return np.where(self.periods.go_to(begun), self.factor, 1.0) * durations
