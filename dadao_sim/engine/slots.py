"""Where the vectors of delayed events wait: a slot from the event that begins them to the last that
ends them.
"""

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events import (
    ARRIVE_I,
    ARRIVE_J,
    GRADIENT_END,
    GRADIENT_START,
    KIND_NAMES,
    LOST,
    SEND,
    Events,
)

ENDS_OF = {GRADIENT_START: {GRADIENT_END, LOST}, SEND: {ARRIVE_I, ARRIVE_J, LOST}}


class Slots:
    """The slots of one replay; they live on from window to window.

    ``vectors`` (k, width) grows as more is under way at once. An exchange is over when it has
    arrived at both ends, or is lost for the ends that it has not reached.
    """

    def __init__(self, width: int):
        self.vectors = np.zeros((1, width))
        self._free: list[int] = [0]
        self._open: dict[int, tuple[int, int, int]] = {}  # start row -> slot, kind, arrivals

    def assign(self, events: Events) -> np.ndarray:
        """The slot of every row (int64), -1 for atomic events.

        Raises InputError where a row ends what is not under way.
        """
        slot = np.full(len(events), -1, dtype=np.int64)
        for row in np.flatnonzero((events.kind >= GRADIENT_START) & (events.kind <= LOST)):
            kind = int(events.kind[row])
            if kind in ENDS_OF:
                slot[row] = self._take()
                self._open[events.first_row + int(row)] = (int(slot[row]), kind, 0)
                continue
            start = int(events.start[row])
            if start not in self._open or kind not in ENDS_OF[self._open[start][1]]:
                raise InputError(
                    f"events.start: row {events.first_row + row} ({KIND_NAMES[kind]}) ends "
                    f"row {start}, where nothing of its kind is under way"
                )
            slot[row], begun_as, arrivals = self._open[start]
            arrivals += 1
            if kind in (LOST, GRADIENT_END) or arrivals == 2:
                del self._open[start]
                self._free.append(int(slot[row]))
            else:
                self._open[start] = (int(slot[row]), begun_as, arrivals)
        return slot

    def _take(self) -> int:
        if not self._free:
            count = len(self.vectors)
            self.vectors = np.concatenate([self.vectors, np.zeros_like(self.vectors)])
            self._free = list(range(count, 2 * count))
        return self._free.pop()
