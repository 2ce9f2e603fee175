"""Which events of a window may be played at the same time: those of a level.

Events that share no node commute: a node's state, its samples and its ends of edges are touched by
its own events only. The level of an event is one more than the latest level of an event before it
that has one of its nodes, or its slot. So the events of a level can be played in any order, and by
many threads, to the same bytes as all events one by one.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.prefetch import prefetch

AHEAD = 16
"""How many rows before its turn what is known of a node is fetched from memory."""
EVERY = 1 << 62
"""As a size of levels below which they are thin: all are."""


@kernel
def sort_by_levels(i, j, slot, first, stop, zero, of_node, of_slot, least, level, order, begins):
    """Write the rows ``first`` to ``stop`` into ``order`` (stop - first,), level by level, and
    where each level begins into ``begins`` (stop - first + 2,), its end last; the number of levels.

    From the first level on that has fewer than ``least`` rows, all that is left is one more level,
    in the order of the log, to be played by one thread: it may be empty. ``of_node`` (n,) and
    ``of_slot`` (k,) hold no more than ``zero`` before, and no more than ``zero`` + stop - first
    after; ``level`` is scratch.
    """
    rows = stop - first
    begins[: rows + 2] = 0
    for r in range(rows):
        row = first + r
        soon = min(row + AHEAD, stop - 1)
        prefetch(of_node, i[soon])
        prefetch(of_node, j[soon])
        here = i[row]
        there = j[row] if j[row] >= 0 else here  # no branch, which would be as good as a coin's
        at = max(zero, of_node[here], of_node[there])
        if slot[row] >= 0:
            at = max(at, of_slot[slot[row]])
            of_slot[slot[row]] = at + 1
        of_node[here] = at + 1
        of_node[there] = at + 1
        level[r] = at - zero
        begins[at - zero + 1] += 1
    wide = 0
    while wide < rows and begins[wide + 1] >= least:
        wide += 1
    for at in range(wide):
        begins[at + 1] += begins[at]
    ends = begins[wide]  # of the wide levels
    begins[wide + 1] = rows
    for r in range(rows):
        at = level[r]
        if at < wide:
            order[begins[at]] = first + r
            begins[at] += 1
        else:
            order[ends] = first + r
            ends += 1
    for at in range(wide, 0, -1):  # each has moved on to where the next begins
        begins[at] = begins[at - 1]
    begins[0] = 0
    return wide


class Levels(NamedTuple):
    """``order`` (rows,) are rows of a window; level k of them is ``order[begins[k]:begins[k+1]]``.
    All but the last may be played by many threads; the last is played in its order.
    """

    order: np.ndarray
    begins: list[int]


class Leveller:
    """Sorts the rows of windows of ``nodes`` nodes; what it needs for that it keeps."""

    def __init__(self, nodes: int):
        self._of_node = np.zeros(nodes, dtype=np.int64)
        self._of_slot = np.zeros(0, dtype=np.int64)
        self._zero = 0  # of what is left from windows before nothing is more
        self._level, self._order, self._begins = np.empty((3, 0), dtype=np.int64)

    def levels(
        self,
        i: np.ndarray,
        j: np.ndarray,
        slot: np.ndarray,
        first: int,
        stop: int,
        *,
        slots: int,
        least: int,
    ) -> Levels:
        """The levels of the rows ``first`` to ``stop``, those of fewer than ``least`` rows left
        together; ``slots`` is how many there are.
        """
        if len(self._of_slot) < slots:
            self._of_slot = np.zeros(slots, dtype=np.int64)
        rows = stop - first
        if len(self._level) < rows:
            self._level, self._order, self._begins = np.empty((3, rows + 2), dtype=np.int64)
        wide = sort_by_levels(
            *(i, j, slot, first, stop, self._zero, self._of_node, self._of_slot),
            *(least, self._level, self._order, self._begins),
        )
        self._zero += rows
        return Levels(self._order[:rows], self._begins[: wide + 2].tolist())
