"""What holds at this moment in the world: who is there, which links are open, who is slow."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import simpy


@dataclass
class Situation:
    """Plain lists, for they are read at every event.

    ``crashes`` counts the crashes of each node, so that what began before one is known to be void;
    ``closed`` counts the reasons for which no exchange can begin over each edge; ``slowness`` is
    the present factor of each node; ``computing`` the row in which the gradient under way at each
    node began, -1 if none is.
    """

    present: list[bool]
    crashes: list[int]
    closed: list[int]
    slowness: list[float]
    computing: list[int]
    incident: list[list[int]]
    waited: list[float] = field(default_factory=list)

    @classmethod
    def at_the_start(cls, edges: np.ndarray, slowness: np.ndarray) -> "Situation":
        """All nodes there, all links open."""
        nodes = len(slowness)
        incident: list[list[int]] = [[] for _ in range(nodes)]
        for e, (i, j) in enumerate(edges.tolist()):
            incident[i].append(e)
            incident[j].append(e)
        return cls(
            present=[True] * nodes,
            crashes=[0] * nodes,
            closed=[0] * len(edges),
            slowness=slowness.tolist(),
            computing=[-1] * nodes,
            incident=incident,
            waited=[0.0] * len(edges),
        )


class Tick(simpy.Event):
    """An event of SimPy that is scheduled again and again instead of being made anew.

    ``k`` says whose it is, ``crashes`` how often its node had crashed when it was scheduled.
    """

    def __init__(self, env: simpy.Environment, k: int, crashes: int = 0):
        super().__init__(env)
        self._ok = True
        self._value = None
        self.k, self.crashes = k, crashes


def call_at(env: simpy.Environment, delay: float, action: Callable[[], None]) -> None:
    """Let ``action()`` happen ``delay`` from now."""
    tick = Tick(env, 0)
    assert tick.callbacks is not None
    tick.callbacks.append(lambda _: action())
    env.schedule(tick, delay=delay)
