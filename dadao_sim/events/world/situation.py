"""What holds at this moment in the world, and the means to change it: who is there, which links are
open, who is slow.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import simpy

from dadao_sim.events.world.log import EventLog
from dadao_sim.networks import Network


def as_numbers(values: np.ndarray) -> list[float]:
    """A list of them, of equal ones the same object: read at every event, they stay in a cache."""
    same: dict[float, float] = {}
    return [same.setdefault(value, value) for value in values.tolist()]


@dataclass
class Situation:
    """Plain lists, for they are read at every event.

    ``left`` is how many rows of the log there were when each node left last, and ``any_left`` when
    any did: what was sent in an earlier row does not reach it; ``closed`` counts the reasons for
    which no exchange can begin over each edge; ``slowness`` is the present factor of each node;
    ``incident`` lists the edges of each node; ``waited`` adds up how long the exchanges of each
    edge have waited for a place, up to the time ``until``.
    """

    present: list[bool]
    left: list[int]
    closed: list[int]
    slowness: list[float]
    incident: list[list[int]]
    waited: list[float] = field(default_factory=list)
    until: float = math.inf
    any_left: int = 0

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
            left=[0] * nodes,
            closed=[0] * len(edges),
            slowness=as_numbers(slowness),
            incident=incident,
            waited=[0.0] * len(edges),
        )


class Tick(simpy.Event):
    """An event of SimPy that is scheduled again and again instead of being made anew.

    ``k`` says whose it is.
    """

    # A dictionary for each would be another place of memory to read at each event.
    __slots__ = ("_ok", "_value", "callbacks", "env", "k")

    def __init__(self, env: simpy.Environment, k: int):
        self.env, self._ok, self._value, self.k = env, True, None, k


@dataclass
class Running:
    """A world under way, as faults meet it. ``resume(i)`` and ``stop(i)`` begin and end the
    computing of node i.
    """

    env: simpy.Environment
    log: EventLog
    now: Situation
    network: Network
    resume: Callable[[int], None]
    stop: Callable[[int], None]

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Let ``action()`` happen ``delay`` from now."""
        tick = Tick(self.env, 0)
        tick.callbacks = [lambda _: action()]
        self.env.schedule(tick, delay=delay)

    def leave(self, i: int) -> None:
        """Node i is gone, with what it was computing; no exchange begins with it."""
        self.now.present[i] = False
        self.stop(i)
        self.now.left[i] = self.now.any_left = self.log.written
        for e in self.now.incident[i]:
            self.close(e)

    def come(self, i: int) -> None:
        """Node i is there (again)."""
        self.now.present[i] = True
        for e in self.now.incident[i]:
            self.open(e)
        self.resume(i)

    def close(self, e: int) -> None:
        """One more reason for which no exchange can begin over edge e; what is on its way
        arrives.
        """
        self.now.closed[e] += 1

    def open(self, e: int) -> None:
        """One reason less."""
        self.now.closed[e] -= 1
