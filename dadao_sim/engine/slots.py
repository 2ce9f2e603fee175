"""Where the vectors of delayed events wait: a slot from the event that begins them to the last that
ends them. The one that has been free for longest is taken next, so that events of a window that are
played at the same time share few of them.
"""

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    BEGIN,
    END,
    GRADIENT_START,
    KIND_NAMES,
    LOST,
    SEND,
    SEND_ONE,
    Events,
)

OVER = -1
SPARE_BYTES = 2**27
"""Of slots that are made beforehand, lest events that share no node wait for one."""


@kernel
def assign_slots(kind, start, first_row, old, arrivals, slot, free, end, total):
    """Write the ``slot`` of every row of a window; ``arrivals`` of each row counts what has heard
    of the exchange that it began, OVER where nothing is under way.

    ``old`` (4, k) has the rows, slots, kinds and arrivals of what began before the window, in order
    of rows. ``free[:end]`` are free slots of ``total`` in all. Returns the first row that ends what
    is not under way (-1 if none does), where those begin and end that are free then, and the new
    ``total``.
    """
    begin = 0
    for row in range(kind.shape[0]):
        what = kind[row]
        if what in BEGIN:
            if begin < end:
                slot[row] = free[begin]
                begin += 1
            else:
                slot[row] = total
                total += 1
            arrivals[row] = 0
        elif what in END:
            began = start[row] - first_row
            place = -1
            if began < 0:
                place = np.searchsorted(old[0], start[row])
                if place == old.shape[1] or old[0, place] != start[row]:
                    return row, begin, end, total
                begun_as, heard, where = old[2, place], old[3, place], old[1, place]
            elif began < row:
                begun_as, heard, where = np.int64(kind[began]), arrivals[began], slot[began]
            else:
                return row, begin, end, total
            exchange = what in (ARRIVE_I, ARRIVE_J)
            wanted = SEND if exchange else SEND_ONE if what == ARRIVE_ONE else GRADIENT_START
            if heard == OVER or (what != LOST and begun_as != wanted):
                return row, begin, end, total
            heard += 1
            if not exchange or heard == 2:
                heard = OVER
                free[end] = where
                end += 1
            if place >= 0:
                old[3, place] = heard
            else:
                arrivals[began] = heard
            slot[row] = where
    return -1, begin, end, total


class Slots:
    """The slots of one replay; they live on from window to window.

    ``vectors`` (k, width) grows as more is under way at once. An exchange is over when it has
    arrived at both ends, or is lost for the ends that it has not reached.
    """

    def __init__(self, width: int):
        self.vectors = np.zeros((1, width))
        self._free = np.zeros(1, dtype=np.int64)
        self._open = np.zeros((4, 0), dtype=np.int64)  # start row, slot, kind, arrivals

    def assign(self, events: Events, *, spread: bool = False) -> np.ndarray:
        """The slot of every row (int64), -1 for atomic events; where ``spread`` as many of them as
        there are rows, if they need little memory.

        Raises InputError where a row ends what is not under way.
        """
        rows = len(events)
        if spread:
            wanted = min(rows, SPARE_BYTES // max(8 * self.vectors.shape[1], 1))
            there = len(self.vectors)
            self._grow(there, there + wanted - len(self._free))
        slot, arrivals = np.full((2, rows), OVER, dtype=np.int64)
        free = np.concatenate([self._free, np.zeros(len(self.vectors) + rows, dtype=np.int64)])
        wrong, begin, end, total = assign_slots(
            *(events.kind, events.start, events.first_row, self._open, arrivals, slot),
            *(free, len(self._free), len(self.vectors)),
        )
        if wrong >= 0:
            raise InputError(
                f"events.start: row {events.first_row + wrong} ({KIND_NAMES[events.kind[wrong]]}) "
                f"ends row {events.start[wrong]}, where nothing of its kind is under way"
            )
        self._free = free[begin:end]
        begun = np.flatnonzero(arrivals != OVER)
        now = np.stack([events.first_row + begun, slot[begun], events.kind[begun], arrivals[begun]])
        self._open = np.hstack([self._open[:, self._open[3] != OVER], now])
        if total > len(self.vectors):
            self._grow(total, max(total, 2 * len(self.vectors)))
        return slot

    def _grow(self, taken: int, total: int) -> None:
        """To ``total`` slots, if there are fewer; the new ones from ``taken`` on are free."""
        there, width = self.vectors.shape
        if total > there:
            more = np.zeros((total, width))
            more[:there] = self.vectors
            self._free = np.concatenate([self._free, np.arange(taken, total)])
            self.vectors = more
