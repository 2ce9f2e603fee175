"""Where the world writes what happens: one row after the other, taken out in windows."""

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    LOST,
    RESENT,
    SEND,
    SEND_ONE,
    Events,
)

# How a row of LOST says what was lost; in the log all are LOST.
LOST_AT_I, LOST_AT_J, LOST_GRADIENT, LOST_ONE = 101, 102, 103, 104
OVER_EDGES = (GOSSIP, SEND, ARRIVE_I, ARRIVE_J, LOST, RESENT, LOST_AT_I, LOST_AT_J)
ONE_WAY = (SEND_ONE, ARRIVE_ONE, LOST_ONE)


class EventLog:
    """Rows in the making, as Python lists: ``time``, ``kind``, ``place`` (the edge of an exchange,
    the arc of a message one way, the node of anything else) and ``start``; ``taken`` rows have been
    taken out before them. Arc 2e leads from the first node of edge e to the second, 2e + 1 back.

    What was lost at one end only names that end as ``i``, and no ``j``.
    """

    def __init__(self, edges: np.ndarray, stretch: float, rng: np.random.Generator):
        self.edges, self.stretch = edges, stretch
        self.key = rng.integers(0, 2**64, dtype=np.uint64)
        self.time: list[float] = []
        self.kind: list[int] = []
        self.place: list[int] = []
        self.start: list[int] = []
        self.taken = 0

    def write(self, time: float, kind: int, place: int, start: int = -1) -> None:
        """A row."""
        self.time.append(time)
        self.kind.append(kind)
        self.place.append(place)
        self.start.append(start)

    @property
    def written(self) -> int:
        """How many rows there are, with those taken out; the number of the next one."""
        return self.taken + len(self.time)

    @property
    def first_mark(self) -> int:
        """The mark of the first row of all, which is known before it is written."""
        mark = np.empty(1, dtype=np.uint64)
        with np.errstate(over="ignore"):
            fill_marks(self.key, 0, mark)
        return int(mark[0])

    def take(self, count: int) -> Events:
        """Take out the first ``count`` rows, their times in units of ``stretch``."""
        time = np.fromiter(self.time, np.float64, count) / self.stretch
        kind = np.fromiter(self.kind, np.uint8, count)
        place = np.fromiter(self.place, np.int32, count)
        start = np.fromiter(self.start, np.int64, count)
        for column in (self.time, self.kind, self.place, self.start):
            del column[:count]
        one_way = np.isin(kind, ONE_WAY)
        from_second = one_way & (place % 2 == 1)
        place[one_way] //= 2
        exchange = np.isin(kind, OVER_EDGES) | one_way
        edge = np.where(exchange, place, -1).astype(np.int32)
        ends = self.edges[edge]
        i = np.where(exchange, ends[:, 0], place)
        i = np.where(kind == LOST_AT_J, ends[:, 1], i).astype(np.int32)
        alone = ~exchange | np.isin(kind, (LOST_AT_I, LOST_AT_J, LOST_ONE))
        j = ends[:, 1]
        # Who sends stands first in SEND_ONE, who gets it where it ends.
        second_first = one_way & (from_second == (kind == SEND_ONE))
        i = np.where(second_first, ends[:, 1], i).astype(np.int32)
        j = np.where(second_first, ends[:, 0], j)
        j = np.where(alone, -1, j).astype(np.int32)
        kind[kind > 100] = LOST
        mark = np.empty(count, dtype=np.uint64)
        with np.errstate(over="ignore"):  # splitmix64 wraps around, also as plain Python
            fill_marks(self.key, self.taken, mark)
        events = Events(time, kind, i, j, edge, mark, start, first_row=self.taken)
        self.taken += count
        return events


@kernel
def fill_marks(key, first_row, mark):
    """The mark of row r is splitmix64(key + r), as in a Poisson log."""
    for row in range(mark.shape[0]):
        mark[row] = splitmix64(key + np.uint64(first_row + row))
