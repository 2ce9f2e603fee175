"""Messages one way between processes: who sends one goes on, and does not hear of it again."""

import select
from collections.abc import Mapping

import numpy as np

from dadao_sim.live.board import Board
from dadao_sim.live.wires import Gone, TooLong, Wire

MOST_BYTES = 65536  # read at a time


class Post:
    """What a node sends to its neighbours and gets from them: numbers, ``length`` at a time, each
    time with a tag.

    What comes is taken in while the node sends or waits, so that nobody waits for one that does not
    read; a node waits at most ``patience`` seconds, and no longer than who started it lives.
    """

    def __init__(self, wires: Mapping[int, Wire], length: int, patience: float, board: Board):
        self.patience, self.board = patience, board
        self.size = 8 * (1 + length)
        self.wires = dict(wires)  # those to whom something can be sent
        self.open = dict(wires)  # those from whom something may come
        self.coming = {j: bytearray() for j in wires}
        self.there: dict[tuple[int, int], np.ndarray] = {}

    def send(self, j: int, tag: int, vector: np.ndarray) -> None:
        """To neighbour j. Gone, TooLong."""
        data, wire = memoryview(np.int64(tag).tobytes() + vector.tobytes()), self.wires[j]
        while data:
            if self._take_in([wire]):
                data = data[wire.send_some(data) :]

    def take(self, j: int, tag: int) -> np.ndarray:
        """What neighbour j sent with that tag. Gone, TooLong."""
        while (j, tag) not in self.there:
            if j not in self.open:
                raise Gone
            self._take_in([])
        return self.there.pop((j, tag))

    def emptied(self) -> list[tuple[tuple[int, int], np.ndarray]]:
        """All that has come, in the order in which it came, with who sent it and its tag."""
        found = list(self.there.items())
        self.there.clear()
        return found

    def read(self, j: int) -> bool:
        """Read what has come from neighbour j; False where nothing will any more. TooLong."""
        data = self.open[j].receive_some(MOST_BYTES) if j in self.open else b""
        if not data:
            self.open.pop(j, None)
            return False
        coming = self.coming[j]
        coming += data
        while len(coming) >= self.size:
            tag = int(np.frombuffer(coming[:8], dtype=np.int64)[0])
            self.there[j, tag] = np.frombuffer(coming[8 : self.size]).copy()
            del coming[: self.size]
        return True

    def close(self, j: int) -> None:
        """Nothing goes to neighbour j any more, or comes from there."""
        self.wires.pop(j, None)
        self.open.pop(j, None)

    def _take_in(self, out: list[Wire]) -> bool:
        """Read what has come, wait where nothing has; whether one of ``out`` can be written."""
        wanted: list[int | Wire] = [self.board.lifeline, *self.open.values()]
        readable, writable, _ = select.select(wanted, out, [], self.patience)
        if not readable and not writable:
            raise TooLong
        if self.board.lifeline in readable:
            self.board.leave()
        for j, wire in list(self.open.items()):
            if wire in readable:
                self.read(j)
        return bool(writable)
