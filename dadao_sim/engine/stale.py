"""Old news: what arrives after something that the same neighbour sent later."""

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, ARRIVE_ONE, LOST, Events

ARRIVALS = (ARRIVE_I, ARRIVE_J, ARRIVE_ONE)


@kernel
def pass_over(kind, i, j, edge, start, newest):
    """Make LOST of the ``kind`` of every arrival that began before one that its node had of the
    same edge; ``newest`` (|E|, 2) is the latest beginning that each end knows.
    """
    for row in range(kind.shape[0]):
        what = kind[row]
        if what in ARRIVALS:
            end = 1 if what == ARRIVE_J or (what == ARRIVE_ONE and i[row] > j[row]) else 0
            if start[row] < newest[edge[row], end]:
                kind[row] = LOST
            else:
                newest[edge[row], end] = start[row]


class Newest:
    """The latest row of which each end of each edge heard, from window to window."""

    def __init__(self, edges: int):
        self.newest = np.full((edges, 2), -1, dtype=np.int64)

    def kinds(self, events: Events) -> np.ndarray:
        """The kinds of the rows, old news as LOST, which does nothing."""
        kind = events.kind.copy()
        pass_over(kind, events.i, events.j, events.edge, events.start, self.newest)
        return kind
