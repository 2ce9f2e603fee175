"""What a run has cost: the tally of what was asked for, by events or round by round."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.asked import Asked
from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.events.log import GOSSIP, GRADIENT, GRADIENT_START, SEND, Events
from dadao_sim.simulation.limits import NEARLY, Limits

COUNTED = ("gradients", "conjugate_gradients", "local_solves", "communications")


def shares(method: Method, problem: Any, batch_size: int | None) -> np.ndarray:
    """What a gradient of each node counts, (n,): 1, or the part of its samples that a minibatch is,
    or one sample.
    """
    if isinstance(method, AsynchronousMethod) and method.samples:
        return 1 / np.asarray(problem.samples)
    is_full = batch_size is None or method.samples
    return np.ones(problem.nodes) if is_full else batch_size / problem.samples


class EventCounts:
    """What the events played so far have cost, known for a whole window before it is played.

    One communication is one activation of one undirected edge, both ways; a message one way is half
    of one. What a method asks for in an event
    is in ``asked``; ``share`` (n,) is what a gradient of each node counts.
    """

    def __init__(self, asked: Asked, share: np.ndarray):
        self.asked, self.share = asked, share
        self.before = self.totals = {name: getattr(asked.start, name) for name in COUNTED}
        self.window: dict[str, np.ndarray] = {}

    def load(self, events: Events) -> None:
        """Prepare the running counts of a window, on top of all windows before."""
        self.before = self.totals
        self.window = {
            name: self.before[name] + np.cumsum(values, dtype=float)
            for name, values in zip(COUNTED, self.added(events), strict=True)
        }
        if len(events):
            self.totals = {name: float(values[-1]) for name, values in self.window.items()}

    def added(self, events: Events) -> tuple[np.ndarray, ...]:
        """What each row adds to ``COUNTED``."""
        started = (events.kind == GRADIENT) | (events.kind == GRADIENT_START)
        exchanged = (events.kind == GOSSIP) | (events.kind == SEND)
        node, edge = self.asked.gradient, self.asked.exchange
        full = node.gradients - node.whole  # a minibatch counts its share of these
        conjugates = started * node.conjugate_gradients + exchanged * edge.conjugate_gradients
        solves = started * node.local_solves + exchanged * edge.local_solves
        others = exchanged * (edge.gradients - edge.whole)
        gradients = started * (full * self.share[events.i]) + others + conjugates + solves
        return gradients, conjugates, solves, events.communications

    def at(self, row: int) -> Tally:
        """The tally after the first ``row`` rows of the window loaded last."""
        counts = self.before
        if row > 0:
            counts = {name: float(values[row - 1]) for name, values in self.window.items()}
        sent = (1 if self.asked.one_way else 2) * counts["communications"]
        return Tally(
            **counts,
            messages=sent,
            floats_sent=sent * self.asked.numbers,
            bytes_sent=sent * self.asked.bytes_each_way,
        )

    def rows_until(self, limits: Limits) -> tuple[int, str]:
        """How many rows of the window reach one of the limits, and which; one more than all if
        none does.
        """
        counted = (("gradients", limits.gradients), ("communications", limits.communications))
        return min(
            (int(np.searchsorted(self.window[name], NEARLY * limit)) + 1, name)
            for name, limit in counted
        )
