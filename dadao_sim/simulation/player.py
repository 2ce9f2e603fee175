"""A player: the state of a method under way, which consumes windows of events."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.events.log import Events
from dadao_sim.simulation.limits import Limits


class Player(ABC):
    """The state of a method under way, which consumes windows of events and counts what it asks."""

    objective: Any
    shape: tuple[int, int]
    """Nodes and dimension, of what ``observe`` writes."""

    @property
    @abstractmethod
    def tally(self) -> Tally:
        """What was asked for so far."""

    @abstractmethod
    def begin(self, events: Events) -> None:
        """Prepare the state before the first event; ``events`` is the first window."""

    @abstractmethod
    def play_until(self, events: Events, first: int, stop: int, limits: Limits) -> tuple[int, str]:
        """Replay rows ``first`` to ``stop`` of the window ``events``, or until what is
        counted reaches one of ``limits``; the row that is next, and which limit it was ("" if
        none).
        """

    def play(self, events: Events, first: int, stop: int) -> None:
        """Replay rows ``first`` to ``stop`` of the window ``events``."""
        self.play_until(events, first, stop, Limits())

    @abstractmethod
    def observe(self, t: float, out: np.ndarray) -> None:
        """Write the estimate of x* of every node at time t into ``out`` (n, d)."""

    def clock(self, t: float) -> float:
        """What the local step takes time t for."""
        return t

    @abstractmethod
    def warm_up(self) -> None:
        """Compile what the run will need, so that its wall time is its own. The state stays as it
        is.
        """

    @abstractmethod
    def blocks(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """A copy of blocks, those of nodes (n, d) and those of samples (N,), each node and each
        sample at its own last event.
        """

    @property
    def remark(self) -> str:
        """What the method has to say of the run so far, in a line; "" for nothing."""
        return ""

    @property
    @abstractmethod
    def arrays(self) -> list[np.ndarray]:
        """The arrays of the state."""
