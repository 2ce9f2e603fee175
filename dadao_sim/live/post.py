"""Messages one way between processes: who sends one goes on, and does not hear of it again."""

import select
from collections.abc import Mapping

import numpy as np

from dadao_sim.live.wires import Gone, TooLong, Wire

MOST_BYTES = 65536  # read at a time


class Post:
    """What a node sends to its neighbours and gets from them, numbers of ``length`` each, with the
    row of the log in which it was sent.

    What comes is taken in while the node sends or waits, so that nobody waits for one that does not
    read; a node waits at most ``patience`` seconds.
    """

    def __init__(self, wires: Mapping[int, Wire], length: int, patience: float):
        self.wires, self.patience = wires, patience
        self.size = 8 * (1 + length)
        self.open = dict(wires)
        self.coming = {j: bytearray() for j in wires}
        self.there: dict[int, np.ndarray] = {}

    def send(self, j: int, row: int, vector: np.ndarray) -> None:
        """To neighbour j. Gone, TooLong."""
        data, wire = memoryview(np.int64(row).tobytes() + vector.tobytes()), self.wires[j]
        while data:
            if self._take_in([wire]):
                data = data[wire.send_some(data) :]

    def take(self, j: int, row: int) -> np.ndarray:
        """What neighbour j sent in that row. Gone, TooLong."""
        while row not in self.there:
            if j not in self.open:
                raise Gone
            self._take_in([])
        return self.there.pop(row)

    def _take_in(self, out: list[Wire]) -> bool:
        """Read what has come, wait where nothing has; whether one of ``out`` can be written."""
        readable, writable, _ = select.select(list(self.open.values()), out, [], self.patience)
        if not readable and not writable:
            raise TooLong
        for j, wire in list(self.open.items()):
            if wire in readable:
                data = wire.receive_some(MOST_BYTES)
                if not data:
                    del self.open[j]
                self._sort(self.coming[j], data)
        return bool(writable)

    def _sort(self, coming: bytearray, data: bytes) -> None:
        coming += data
        while len(coming) >= self.size:
            row = int(np.frombuffer(coming[:8], dtype=np.int64)[0])
            self.there[row] = np.frombuffer(coming[8 : self.size]).copy()
            del coming[: self.size]
