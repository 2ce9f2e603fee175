"""Scheduled changes of the graph: links that are cut, and links that come back."""

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError, within
from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.schedule import Schedule
from dadao_sim.networks.edges import count_components

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network

Cut = tuple[float, int, bool]  # when, which edge, and whether it is cut or comes back
Interval = tuple[int, float, float]  # which edge, from when, to when


class Changes(Fault):
    """Links are cut and restored as scheduled; what is on its way arrives."""

    place = "world"
    changes: Schedule = Field(
        default=(), description="scheduled changes of the graph, in order of time"
    )

    def cuts(self, network: "Network") -> list[Cut]:
        """The changes edge by edge. InputError for what is no edge, or is cut or not already."""
        cuts = []
        down = np.zeros(len(network.edges), dtype=bool)
        for number, change in enumerate(self.changes):
            for key, pairs, cut in (("down", change.down, True), ("up", change.up, False)):
                for i, j in pairs:
                    with within(f"changes.{number}.{key}"):
                        ends = network.node(i), network.node(j)
                        edge = int(network.edge_indices(*ends).item())
                        if down[edge] == cut:
                            state = "down already" if cut else "not down"
                            raise InputError(
                                f"edge {network.edge_called(*ends)} is {state} at {change.at:g}"
                            )
                    down[edge] = cut
                    cuts.append((change.at, edge, cut))
        return cuts

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """InputError where the nodes would never agree, or a run never end."""
        down = np.zeros(len(network.edges), dtype=bool)
        for _, edge, cut in self.cuts(network):
            down[edge] = cut
        parts = count_components(network.nodes, network.edges[~down])
        if parts > 1 and accuracy:
            raise InputError(
                "changes",
                f"they leave the network in {parts} parts for ever, and the accuracy asked for may "
                "never be reached",
                "bring links back, or ask for no accuracy",
            )
        if down.all() and end == math.inf:
            raise InputError(
                "changes",
                "they cut every link for ever, and a run might never end",
                "bring links back, or limit the time",
            )

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Links close and open."""
        for time, edge, cut in self.cuts(world.network):
            world.after(time, partial(world.close if cut else world.open, edge))

    def cut(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """As scheduled; to infinity where a link does not come back."""
        rows = [(edge, *times) for edge, *times in self._intervals(network) if times[0] < end]
        return np.array(rows).reshape(-1, 3)

    def _intervals(self, network: "Network") -> list[Interval]:
        """Edge, begin and end of each cut, in order of time."""
        begun: dict[int, float] = {}
        intervals = []
        for time, edge, cut in self.cuts(network):
            if cut:
                begun[edge] = time
            else:
                intervals.append((edge, begun.pop(edge), time))
        intervals += [(edge, time, math.inf) for edge, time in begun.items()]
        return sorted(intervals, key=lambda interval: (interval[1:], interval[0]))

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """Rounds wait for links. InputError for an edge that stays cut."""
        intervals = self._intervals(network)
        if any(end == math.inf for _, _, end in intervals):
            raise InputError(
                "changes",
                "a link that is cut for ever stops a synchronous method for ever",
                "bring it back, or leave out the synchronous methods",
            )
        return ChangesInRounds(intervals)


class ChangesInRounds(RoundFault):
    """What would be sent over a cut link is sent when it is back: (edge, from, to)."""

    def __init__(self, intervals: list[Interval]):
        self.intervals = intervals

    def opened(self, at: np.ndarray) -> np.ndarray:
        """Put off over one interval after the other."""
        at = at.copy()
        for edge, begin, end in self.intervals:
            at[:, edge] = np.where((at[:, edge] >= begin) & (at[:, edge] < end), end, at[:, edge])
        return at
