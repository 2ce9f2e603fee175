"""What a method asks of a clock."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Pace = Literal["poisson", "steps", "walk"]


@dataclass(frozen=True)
class PoissonRates:
    """The clocks an asynchronous method asks for, in events per unit of time.

    ``nodes`` (n,) and ``edges`` (|E|,) are the rates, and ``arcs`` (|E|, 2) those of messages one
    way, from the first node of an edge to the second and back; a method that sends none has no row
    there. What is sent takes ``delay`` units of time, unless a world says how long. On a sequence
    of graphs only the edges of the present one fire: graph floor(t ``switching``) mod K, its edges
    sharing the whole gossip rate.

    With the ``pace`` of "steps" the events are drawn as before, but at equal distances in time, for
    methods in discrete time; a "walk" is that of a token, and the rates are what comes of it.
    """

    nodes: np.ndarray
    edges: np.ndarray
    switching: float = 0.0
    pace: Pace = "poisson"
    arcs: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    delay: float = 0.0

    @property
    def communications(self) -> float:
        """Expected communications per unit of time; a message one way is half of one."""
        return float(self.loads.sum())

    @property
    def loads(self) -> np.ndarray:
        """The same of each edge, (|E|,)."""
        return self.edges + self.arcs.sum(axis=1) / 2 if len(self.arcs) else self.edges
