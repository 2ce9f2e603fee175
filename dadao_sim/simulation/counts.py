"""What the events played so far have cost, from the events alone."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import Method, SynchronousMethod, Tuning
from dadao_sim.events.log import GOSSIP, GRADIENT, GRADIENT_START, RESENT, ROUND, SEND, Events

COUNTED = ("gradients", "conjugate_gradients", "communications", "rounds")


class Counter:
    """What the events played so far have cost, under the method's declared costs.

    One communication is one activation of one undirected edge: two directed messages. A gradient of
    a node counts 1, a minibatch its share of the node's samples. ``gradients`` counts every oracle
    call, ``conjugate_gradients`` those of them that are conjugate.
    """

    def __init__(
        self, method: Method, problem: Any, network: Any, tuning: Tuning, batch: int | None
    ):
        self.costs, self.nodes = tuning.costs or method.costs, problem.nodes
        self.synchronous = isinstance(method, SynchronousMethod)
        self.sent = self.costs.sent(problem.dimension)
        self.share = np.ones(problem.nodes) if batch is None else batch / problem.samples
        self.edges = np.array([len(graph.edges) for graph in network.graphs])
        self.gossip_rounds = tuning.gossip_rounds
        self.before = self.totals = dict.fromkeys(COUNTED, 0.0)
        self.window: dict[str, np.ndarray] = {}

    def load(self, events: Events) -> None:
        """Prepare the running counts of a window, on top of all windows before."""
        increments = self._of_rounds(events) if self.synchronous else self._of_events(events)
        self.before = self.totals
        self.window = {
            name: self.before[name] + np.cumsum(values, dtype=float)
            for name, values in zip(COUNTED, increments, strict=True)
        }
        self.totals = {name: float(values[-1]) for name, values in self.window.items()}

    def _of_events(self, events: Events) -> tuple[np.ndarray, ...]:
        """What each row adds to ``COUNTED``."""
        started = (events.kind == GRADIENT) | (events.kind == GRADIENT_START)
        exchanged = (events.kind == GOSSIP) | (events.kind == SEND)
        gradients = started * (self.costs.gradients * self.share[events.i])
        conjugates = started * self.costs.conjugates + exchanged * self.costs.conjugates_per_gossip
        return gradients + conjugates, conjugates, exchanged, np.zeros(len(events))

    def _of_rounds(self, events: Events) -> tuple[np.ndarray, ...]:
        """The same for steps of a synchronous method; their rounds of gossip take the graphs in
        turn, and what is resent is a communication more (a part of one, where it has several
        messages).
        """
        rounds = (events.kind == ROUND).astype(float)
        gradients = self.costs.gradients * self.share.sum() * rounds
        conjugates = self.costs.conjugates * self.nodes * rounds
        step = self.totals["rounds"] + np.cumsum(rounds) - rounds
        first = step.astype(np.int64) * self.gossip_rounds
        turns, rest = divmod(self.gossip_rounds, len(self.edges))
        in_turn = first[:, None] + np.arange(rest)
        communications = turns * self.edges.sum() + self.edges[in_turn % len(self.edges)].sum(
            axis=1
        )
        resent = (events.kind == RESENT) / self.costs.in_sequence
        exchanged = rounds * communications + resent
        return gradients + conjugates, conjugates, exchanged, rounds

    def after(self, row: int) -> dict[str, float]:
        """The counts after the first ``row`` rows of the window loaded last."""
        if row == 0:
            counts = dict(self.before)
        else:
            counts = {name: float(values[row - 1]) for name, values in self.window.items()}
        counts["messages"] = 2 * counts["communications"]
        for name, each in zip(("floats_sent", "bytes_sent"), self.sent, strict=True):
            counts[name] = counts["messages"] * each
        return counts

    def rows_until(self, name: str, limit: float) -> int:
        """How many rows of the window make the count ``name`` reach ``limit``; one more than all if
        none.
        """
        # Shares of samples are added up in floating point: 100 batches of 1 % are a whole pass.
        return int(np.searchsorted(self.window[name], limit * (1 - 1e-12))) + 1
