"""Crashes: times in which a node is gone."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.events.log import RESET
from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.periods import Periods, PeriodsOfMany

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network

ATTEMPTS = 10_000  # of a gradient between crashes, after which it is hopeless


class CrashPeriods(Periods):
    """Times in which a node is gone, with what it was computing and what was sent to it."""

    state: Literal["kept", "lost"] = Field(
        default="kept", description="lost: the node starts again from zero"
    )


class Crashes(Fault):
    """Crashes and restarts of every node; a node that has not joined yet cannot crash."""

    place = "nodes"
    crashes: CrashPeriods | None = Field(default=None, description="of each node")

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Nodes leave and come back."""
        assert self.crashes is not None
        state, present = self.crashes.state, world.now.present
        gone = [False] * len(present)

        def crash(i: int) -> None:
            if present[i]:
                gone[i] = True
                world.leave(i)

        def restart(i: int) -> None:
            if gone[i]:
                gone[i] = False
                if state == "lost":
                    world.log.write(world.env.now, RESET, i)
                world.come(i)

        self.crashes.alternate(world, len(present), rng, crash, restart)

    def gone(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """While a node is down."""
        assert self.crashes is not None
        return self.crashes.until(end, network.nodes, rng)

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """A gradient that a crash meets begins anew, and the others wait."""
        assert self.crashes is not None
        periods = PeriodsOfMany(self.crashes, network.nodes, rng)
        return CrashesInRounds(self.crashes.state, network, periods)


class CrashesInRounds(RoundFault):
    """A node begins, and exchanges, when it is there; its gradient needs a time without a crash."""

    def __init__(self, state: str, network: "Network", periods: PeriodsOfMany):
        self.state, self.network, self.periods = state, network, periods
        self.joined = False

    def begun(self, begun: np.ndarray, durations: np.ndarray) -> np.ndarray:
        """After the crashes that come before the end. InputError where there is always one."""
        periods = self.periods
        if not self.joined:  # who has not joined yet cannot crash
            periods.skip_to(begun)
            self.joined = True
        begun = periods.clear(begun)
        for _ in range(ATTEMPTS):
            periods.go_to(begun)
            hit = begun + durations > periods.begin
            if not hit.any():
                return begun
            periods.mark(hit)
            begun = np.where(hit, periods.end, begun)
        node = self.network.called(int(hit.argmax()))
        raise InputError(
            "nodes.crashes",
            f"node {node} never gets a gradient done between two crashes",
            "make them rarer",
        )

    def ready(self, ready: np.ndarray) -> np.ndarray:
        """When the node is there."""
        return self.periods.clear(ready)

    def reset(self) -> list[int]:
        """Those that crashed, if that takes their state."""
        crashed = np.flatnonzero(self.periods.passed).tolist()
        self.periods.passed[:] = False
        return crashed if self.state == "lost" else []
