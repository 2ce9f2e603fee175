"""What a run has cost: the tally of what was asked for, by events or round by round."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.asked import Asked
from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compiled.kernel import kernel
from dadao_sim.events.log import (
    COMMUNICATIONS,
    GOSSIP,
    GRADIENT,
    GRADIENT_START,
    KIND_NAMES,
    SEND,
    Events,
)
from dadao_sim.simulation.limits import NEARLY, Limits

STARTS, EXCHANGED = [GRADIENT, GRADIENT_START], [GOSSIP, SEND]


def shares(method: Method, problem: Any, batch_size: int | None) -> np.ndarray:
    """What a gradient of each node counts, (n,): 1, or the part of its samples that a minibatch is,
    or one sample.
    """
    if isinstance(method, AsynchronousMethod) and method.samples:
        return 1 / np.asarray(problem.samples)
    is_full = batch_size is None or method.samples
    return np.ones(problem.nodes) if is_full else batch_size / problem.samples


@kernel
def count(kind, i, first, stop, costs, shared, share, counts, gradients, communications):
    """Add to ``counts`` (5,) what the rows ``first`` to ``stop`` of these kinds cost, up to the one
    with which they come to so many ``gradients``, or ``communications``; the row after the last.

    A row costs ``costs`` (kinds, 4), and of gradients as often as ``shared`` (kinds,) says the
    ``share`` (n,) of node i. The counts are in the order of :class:`Tally`;
    last is what rounding has put into the gradients, whose shares a limit is sensitive to.
    """
    asked, conjugates, solves, used = counts[0], counts[1], counts[2], counts[3]
    rounded = counts[4]
    row = first
    while row < stop:
        at = kind[row]
        added = costs[at, 0] + shared[at] * share[i[row]] - rounded
        before = asked
        asked += added
        rounded = (asked - before) - added  # Kahan
        conjugates += costs[at, 1]
        solves += costs[at, 2]
        used += costs[at, 3]
        row += 1
        if asked >= gradients or used >= communications:
            break
    counts[0], counts[1], counts[2], counts[3] = asked, conjugates, solves, used
    counts[4] = rounded
    return row


class EventCounts:
    """What the events played so far have cost.

    One communication is one activation of one undirected edge, both ways; a message one way is half
    of one. What a method asks for in an event
    is in ``asked``; ``share`` (n,) is what a gradient of each node counts.
    """

    def __init__(self, asked: Asked, share: np.ndarray):
        self.asked, self.share = asked, share
        start, node, edge = asked.start, asked.gradient, asked.exchange
        self._counts = np.array(
            [
                *(start.gradients, start.conjugate_gradients, start.local_solves),
                *(start.communications, 0.0),
            ],
            dtype=float,
        )
        self._costs = np.zeros((len(KIND_NAMES), 4))
        self._costs[STARTS, :3] = node.whole, node.conjugate_gradients, node.local_solves
        self._costs[EXCHANGED, :3] = edge
        self._costs[:, 3] = COMMUNICATIONS
        self._shared = np.zeros(len(KIND_NAMES))
        self._shared[STARTS] = node.gradients - node.whole

    def add(self, events: Events, first: int, stop: int, limits: Limits) -> tuple[int, str]:
        """Count the rows ``first`` to ``stop``, but none after one that comes to a limit. Where
        they end, and which limit that is, or "".
        """
        end = count(
            *(events.kind, events.i, first, stop, self._costs, self._shared, self.share),
            *(self._counts, NEARLY * limits.gradients, NEARLY * limits.communications),
        )
        return end, limits.reached(self.tally) if end > first else ""

    @property
    def tally(self) -> Tally:
        """What has been counted."""
        gradients, conjugates, solves, communications, _ = self._counts.tolist()
        sent = (1 if self.asked.one_way else 2) * communications
        return Tally(
            gradients=gradients,
            conjugate_gradients=conjugates,
            local_solves=solves,
            communications=communications,
            messages=sent,
            floats_sent=sent * self.asked.numbers,
            bytes_sent=sent * self.asked.bytes_each_way,
        )

    def gradients(self, events: Events) -> np.ndarray:
        """What each row adds to the gradients."""
        kind = events.kind
        return self._costs[kind, 0] + self._shared[kind] * self.share[events.i]
