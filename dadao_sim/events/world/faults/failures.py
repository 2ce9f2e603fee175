"""Failures that were recorded: which node was gone from when to when."""

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError, within
from dadao_sim.events.log import RESET
from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.faults.crashes import CrashesInRounds
from dadao_sim.events.world.periods import GivenPeriods
from dadao_sim.networks.tables import read_table
from dadao_sim.strict import FilePath, Positive, StrictModel

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network

Failure = tuple[int, float, float]  # which node, from when, to when


class FailureTrace(StrictModel):
    """Times in which nodes are gone, as a file has them."""

    file: FilePath = Field(
        description="CSV with columns node (its id), from and to, relative to the scenario file"
    )
    times: Positive = Field(
        default=1.0, description="factor that makes mean gradient intervals of from and to"
    )
    state: Literal["kept", "lost"] = Field(
        default="kept", description="lost: the node starts again from zero"
    )

    def failures(self, network: "Network") -> list[Failure]:
        """In order of time. InputError for what is no node or no time, and for two at once."""
        with within("nodes.failures.file"):
            names, rows = read_table(self.file, ("node", "from", "to"))
            place = {name: names.index(name) for name in ("node", "from", "to")}
            found = []
            for row in rows:
                with within(row.where):
                    node = network.node(row.cells[place["node"]])
                begin, end = (self.times * row.number(place[k], k) for k in ("from", "to"))
                if not 0 <= begin < end < math.inf:
                    raise InputError(
                        row.where, f"it is from {begin:g} to {end:g}", "0 <= from < to is needed"
                    )
                found.append((node, begin, end))
            found.sort(key=lambda failure: (failure[1], failure[0]))
            until: dict[int, float] = {}
            for node, begin, end in found:
                if begin < until.get(node, 0.0):
                    wrong = f"node {network.called(node)} fails at {begin:g}, and is gone already"
                    raise InputError(f"{wrong}; join the rows")
                until[node] = end
        return found


class Failures(Fault):
    """Failures as they were recorded; a node that has not joined yet cannot fail."""

    place = "nodes"
    excludes: ClassVar[tuple[str, ...]] = ("crashes",)
    failures: FailureTrace | None = Field(
        default=None, description="recorded ones, instead of crashes"
    )

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """InputError for a file that does not fit the network."""
        self._failures(network)

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Nodes leave and come back, as crashes let them."""
        assert self.failures is not None
        state, present = self.failures.state, world.now.present
        gone = [False] * len(present)

        def leave(i: int) -> None:
            if present[i]:
                gone[i] = True
                world.leave(i)

        def come(i: int) -> None:
            if gone[i]:
                gone[i] = False
                if state == "lost":
                    world.log.write(world.env.now, RESET, i)
                world.come(i)

        for node, begin, end in self._failures(world.network):
            world.after(begin, partial(leave, node))
            world.after(end, partial(come, node))

    def gone(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """While a node is down."""
        rows = [failure for failure in self._failures(network) if failure[1] < end]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """A gradient that a failure meets begins anew, and the others wait."""
        assert self.failures is not None
        periods = GivenPeriods(self._failures(network), network.nodes)
        return CrashesInRounds(self.failures.state, network, periods)

    def _failures(self, network: "Network") -> list[Failure]:
        assert self.failures is not None
        return self.failures.failures(network)
