"""What all processes of a live run see: when it began, how far each node is, whether the one that
started them is still there.
"""

import mmap
import os
import select

import numpy as np

STAGES = READY, GRADIENTS, EXCHANGES, BUSY = range(4)
LEFT = 3  # the exit code of a node whose starter has gone


class Board:
    """Shared memory, and a pipe that closes with the process that made it.

    Attributes:
        lifeline: readable when the process that made the board has gone; of a child, after
            :meth:`joined`.
        counts: (n, 4), of each node whether it is ready, its gradients, the exchanges that it
            asked for and made, and the seconds that it was at work.

    """

    def __init__(self, nodes: int):
        self._memory = mmap.mmap(-1, 8 * (1 + nodes * len(STAGES)))  # shared with children
        self._start = np.frombuffer(self._memory, np.int64, 1)
        self.counts = np.frombuffer(self._memory, np.float64, offset=8).reshape(nodes, -1)
        self.lifeline, self._held = os.pipe()

    @property
    def start(self) -> int:
        """When time 0 is, in nanoseconds of the monotonic clock; 0 while that is not known."""
        return int(self._start[0])

    @start.setter
    def start(self, moment: int) -> None:
        self._start[0] = moment

    def joined(self) -> None:
        """To be called by a child: only the parent holds the lifeline."""
        os.close(self._held)

    def report(self, i: int, gradients: int, exchanges: int, busy: float) -> None:
        """What node i has done so far."""
        self.counts[i, GRADIENTS:] = gradients, exchanges, busy

    def pause(self, seconds: float) -> None:
        """Wait so long; end this process where the one that made the board has gone."""
        if select.select([self.lifeline], [], [], seconds)[0]:
            self.leave()

    def leave(self) -> None:
        """End this process: nobody waits for it any more."""
        os._exit(LEFT)

    def close(self) -> None:
        """The parent's, when all children have ended."""
        os.close(self.lifeline)
        os.close(self._held)
