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

    ``crashes`` counts the crashes of each node, so that what began before one is known to be void;
    ``closed`` counts the reasons for which no exchange can begin over each edge; ``slowness`` is
    the present factor of each node; ``computing`` the row in which the gradient under way at each
    node began, -1 if none is; ``incident`` lists the edges of each node; ``waited`` adds up how
    long the exchanges of each edge have waited for a place, up to the time ``until``.
    """

    present: list[bool]
    crashes: list[int]
    closed: list[int]
    slowness: list[float]
    computing: list[int]
    incident: list[list[int]]
    waited: list[float] = field(default_factory=list)
    until: float = math.inf

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
            slowness=as_numbers(slowness),
            computing=[-1] * nodes,
            incident=incident,
            waited=[0.0] * len(edges),
        )


class Tick(simpy.Event):
    """An event of SimPy that is scheduled again and again instead of being made anew.

    ``k`` says whose it is, ``crashes`` how often its node had crashed when it was scheduled.
    """

    # A dictionary for each would be another place of memory to read at each event.
    __slots__ = ("_ok", "_value", "callbacks", "crashes", "env", "k")

    def __init__(self, env: simpy.Environment, k: int, crashes: int = 0):
        self.env, self._ok, self._value = env, True, None
        self.k, self.crashes = k, crashes


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
        self.now.crashes[i] += 1
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
