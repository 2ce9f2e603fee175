"""A free node whose method sends messages one way: it sends, and goes on.

A message has the time at which it was sent, and a number. Who sends it writes that down, and then
puts it on the wire; who gets it writes that down, and then lets it act, no earlier than it was sent
and ``delay`` later. Nobody waits for an answer: while a wire is full its node takes in what comes.
What is on its way at the horizon acts on nobody; what a node that was killed had put on the wire
still arrives. A node is done at the horizon when everybody that
it hears has said that it is, or has died.
"""

import heapq
from typing import Any

import numpy as np

from dadao_sim.live.free import FreeNode
from dadao_sim.live.post import Post
from dadao_sim.live.records import TOLD, TOOK
from dadao_sim.live.wires import Gone

DONE = -1  # in the place of a number


class TellingNode(FreeNode):
    """It sends to those it may send to, and hears those that send to it."""

    def __init__(self, *parts: Any):
        super().__init__(*parts)
        length = 1 + len(self.handlers.parcel)  # the time, and the message
        self.post = Post(self.wires, length, self.patience, self.board)
        self.silence = np.zeros(length)
        self.told = 0
        self.under_way: list[tuple[float, int, int, np.ndarray]] = []  # due, from whom, number

    def _turn_to(self, j: int) -> None:
        """Send to a neighbour."""
        t, number = self.now(), self.told
        self.told += 1
        self.write(TOLD, t, j, self.i, number)
        said = self.handlers.tell(self.edges[j], t)
        self.made += 1
        try:
            self.post.send(j, number, np.concatenate([[t], said]))
        except Gone:
            self._send_no_more(j)
        self._sort()

    def _serve(self, j: int) -> None:
        """Read what a neighbour has sent."""
        if not self.post.read(j):
            self._drop(j)
        self._sort()

    def _sort(self) -> None:
        """What was read, by the time at which it is there."""
        for (j, number), message in self.post.emptied():
            if number == DONE:
                self.awaited.discard(j)
            else:
                due = message[0] + self.pace.delay / self.pace.unit
                heapq.heappush(self.under_way, (due, j, number, message))

    def _next(self) -> float:
        arrives = self.under_way[0][0] if self.under_way else np.inf
        return min(super()._next(), arrives)

    def _tick_if_due(self) -> None:
        """What has arrived, and then what is due of its own."""
        while self.under_way and self.under_way[0][0] <= self.clock() < self.pace.horizon:
            _, j, number, message = heapq.heappop(self.under_way)
            t = self.now(message[0])
            self.write(TOOK, t, j, j, number)
            self.handlers.take(self.edges[j], t, message[1:])
        super()._tick_if_due()

    def _say_done(self, j: int) -> None:
        try:
            self.post.send(j, DONE, self.silence)
        except Gone:
            self._send_no_more(j)
        self._sort()

    def _send_no_more(self, j: int) -> None:
        """To a neighbour that has died; what it sent before is still read."""
        self.due.pop(j, None)
        if j not in self.awaited:
            self._drop(j)

    def _drop(self, j: int) -> None:
        if j in self.wires:
            super()._drop(j)
            self.post.close(j)
