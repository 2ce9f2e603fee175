"""The places of nodes that can have only so many exchanges at once."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dadao_sim.events.world.exchanging import Clock


class Node:
    """How many places of a node are ``busy``, and the exchanges that wait for one, those that have
    waited longest first.
    """

    __slots__ = ("busy", "waiting")

    def __init__(self) -> None:
        self.busy = 0
        self.waiting: list[Clock] = []


class Places:
    """The ``limit`` places of each node.

    An exchange takes a place at both ends of its edge. If it has to ``wait`` it stands among those
    that wait at both.
    """

    def __init__(self, nodes: int, limit: int, *, wait: bool):
        self.nodes, self.limit, self.wait = [Node() for _ in range(nodes)], limit, wait

    def take(self, clock: "Clock") -> bool:
        """Take a place at both ends of the edge of ``clock``; false where there is none."""
        i, j, limit = clock.i, clock.j, self.limit
        if i.busy >= limit or j.busy >= limit:
            return False
        i.busy += 1
        j.busy += 1
        return True

    def give_back(self, clock: "Clock") -> None:
        """Leave the places at both ends."""
        clock.i.busy -= 1
        clock.j.busy -= 1

    def queue(self, clock: "Clock", time: float) -> None:
        """Let the exchange of ``clock`` wait from ``time`` on."""
        clock.since = time
        clock.i.waiting.append(clock)
        clock.j.waiting.append(clock)

    def can_begin(self, node: Node) -> "Clock | None":
        """The exchange that waits longest of those at ``node`` that can begin, its places taken."""
        if node.busy < self.limit:
            for clock in node.waiting:
                if self.take(clock):
                    clock.i.waiting.remove(clock)
                    clock.j.waiting.remove(clock)
                    return clock
        return None

    def waiting(self) -> dict[int, float]:
        """The edges whose exchanges wait, and since when."""
        return {clock.k: clock.since for node in self.nodes for clock in node.waiting}
