"""What a method asks of a clock."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Pace = Literal["poisson", "steps", "walk"]


@dataclass(frozen=True)
class PoissonRates:
    """The clocks an asynchronous method asks for, in events per unit of time.

    ``nodes`` (n,) and ``edges`` (|E|,) are the rates. On a sequence of graphs only the edges of the
    present one fire: graph floor(t ``switching``) mod K, its edges sharing the whole gossip rate.

    With the ``pace`` of "steps" the events are drawn as before, but at equal distances in time, for
    methods in discrete time; a "walk" is that of a token, and the rates are what comes of it.
    """

    nodes: np.ndarray
    edges: np.ndarray
    switching: float = 0.0
    pace: Pace = "poisson"
