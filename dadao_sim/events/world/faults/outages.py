"""Outages: times in which no exchange begins over a link."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.periods import Periods, PeriodsOfMany

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network


class Outages(Fault):
    """No exchange begins over a link while it is out; what is on its way arrives."""

    place = "links"
    outages: Periods | None = Field(
        default=None, description="of each link, in which no exchange begins"
    )

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Links close and open."""
        assert self.outages is not None
        self.outages.alternate(world, len(world.now.closed), rng, world.close, world.open)

    def cut(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """While a link is out."""
        assert self.outages is not None
        return self.outages.until(end, len(network.edges), rng)

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """Messages are put off."""
        assert self.outages is not None
        return OutagesInRounds(self.outages, len(network.edges), rng)


class OutagesInRounds(RoundFault):
    """What would be sent in an outage is sent at its end."""

    def __init__(self, outages: Periods, edges: int, rng: np.random.Generator):
        self.periods = PeriodsOfMany(outages, edges, rng)

    def opened(self, at: np.ndarray) -> np.ndarray:
        """The earlier end of each edge first, for periods go forward only."""
        order = np.argsort(at, axis=0, kind="stable")
        put_off = [self.periods.clear(t) for t in np.take_along_axis(at, order, axis=0)]
        opened = np.empty_like(at)
        np.put_along_axis(opened, order, np.array(put_off), axis=0)
        return opened
