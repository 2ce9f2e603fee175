"""The places of nodes that can have only so many exchanges at once."""

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dadao_sim.events.world.situation import Tick


class Places:
    """The places of each node, ``busy`` of which are taken, and the exchanges that wait for one.

    An exchange takes a place at both ends. If it has to wait it stands in the queues of both, and
    ``since`` says since when.
    """

    def __init__(self, nodes: int, edges: list[tuple[int, int]], limit: int, *, wait: bool):
        self.edges, self.limit, self.wait = edges, limit, wait
        self.busy = [0] * nodes
        self.queues: list[deque[tuple[Tick, float]]] = [deque() for _ in range(nodes)]
        self.since: dict[int, float] = {}

    def take(self, e: int) -> bool:
        """Take a place at both ends of edge e; false where there is none."""
        (i, j), busy = self.edges[e], self.busy
        if busy[i] >= self.limit or busy[j] >= self.limit:
            return False
        busy[i] += 1
        busy[j] += 1
        return True

    def give_back(self, e: int) -> None:
        """Leave the places at both ends."""
        i, j = self.edges[e]
        self.busy[i] -= 1
        self.busy[j] -= 1

    def queue(self, tick: "Tick", time: float) -> None:
        """Let the exchange of ``tick`` wait from ``time`` on."""
        self.since[tick.k] = time
        for node in self.edges[tick.k]:
            self.queues[node].append((tick, time))

    def can_begin(self, node: int) -> "Iterator[tuple[Tick, float]]":
        """The exchanges that wait at ``node`` and can begin, their places taken, and since when
        they have waited; the longest waiting first.
        """
        queue, busy, limit, since = self.queues[node], self.busy, self.limit, self.since
        passed_over = []
        while queue and busy[node] < limit:
            waiting = queue.popleft()
            tick, asked = waiting
            if since.get(tick.k) != asked:
                continue  # begun from its other end
            if self.take(tick.k):
                del since[tick.k]
                yield waiting
            else:
                passed_over.append(waiting)
        if passed_over:
            queue.extendleft(reversed(passed_over))
