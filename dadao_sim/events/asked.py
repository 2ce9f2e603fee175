"""What a method asks of a clock."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PoissonRates:
    """The clocks an asynchronous method asks for, in events per unit of time.

    ``nodes`` (n,) and ``edges`` (|E|,) are the rates. On a sequence of graphs only the edges of the
    present one fire: graph floor(t ``switching``) mod K, its edges sharing the whole gossip rate.
    """

    nodes: np.ndarray
    edges: np.ndarray
    switching: float = 0.0
