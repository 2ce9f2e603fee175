"""The problem of optimal rates: which rates there are, what they cost, and what they achieve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence


@dataclass(frozen=True, eq=False)
class RateProblem:
    """Minimise cost @ rates subject to chi1 chi2 <= 1/2, chi1 and chi2 the worst over the graphs.

    - graphs: the network, or the networks of a sequence.
    - members: per graph, the index among the m rates of each of its edges.
    - cost: (m,) share of the time during which the edge of a rate is there (1 in a fixed graph),
      so that the cost of the rates is the mean number of communications per unit of time.
    """

    graphs: tuple[Network, ...]
    members: tuple[np.ndarray, ...]
    cost: np.ndarray

    @classmethod
    def of(cls, network: Network | GraphSequence, shared: bool = True) -> RateProblem:
        """The problem of a network, or of a sequence with one rate per edge of the union
        (``shared``) or one rate per edge of each graph.
        """
        graphs = network.graphs
        ends = np.cumsum([0, *(len(graph.edges) for graph in graphs)])
        members = tuple(np.arange(a, b) for a, b in pairwise(ends))
        if isinstance(network, GraphSequence) and shared:
            members = network.members
        cost = np.bincount(np.concatenate(members)) / len(graphs)
        return cls(graphs, members, cost)

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.graphs[0].nodes

    @property
    def size(self) -> int:
        """Number of rates m."""
        return len(self.cost)

    @property
    def constraints(self) -> int:
        """Number of edges over all graphs: of resistances that are bounded."""
        return sum(map(len, self.members))

    def by_graph(self, rates: np.ndarray) -> tuple[np.ndarray, ...]:
        """The rates of each graph's edges, in its own order."""
        return tuple(rates[ids] for ids in self.members)

    def total(self, rates: np.ndarray) -> float:
        """Mean number of communications per unit of time."""
        return float(self.cost @ rates)

    def connectivity(self, rates: np.ndarray) -> tuple[float, float]:
        """chi1 and chi2 of these rates, worst over the graphs, never underestimated."""
        pairs = list(zip(self.graphs, self.by_graph(rates), strict=True))
        return max(g.chi1(w) for g, w in pairs), max(g.chi2(w) for g, w in pairs)

    def least(self, w: np.ndarray) -> np.ndarray:
        """The rates proportional to w (m,) of least total with chi1 chi2 = 1/2."""
        w = w / self.total(w)
        chi1, chi2 = self.connectivity(w)
        return w * np.sqrt(2 * chi1 * chi2)

    def least_total(self, w: np.ndarray) -> float:
        """Their total."""
        return self.total(self.least(w))

    def averaged(self, parts: list[np.ndarray]) -> np.ndarray:
        """Relative rates from those of each graph: the mean over the graphs that have the edge."""
        total, count = np.zeros(self.size), np.zeros(self.size)
        for ids, part in zip(self.members, parts, strict=True):
            total[ids] += part / part.sum()
            count[ids] += 1
        return total / count

    def with_rates(self, rates: np.ndarray) -> tuple[Network, ...]:
        """The graphs, with these rates."""
        return tuple(
            replace(graph, rates=part)
            for graph, part in zip(self.graphs, self.by_graph(rates), strict=True)
        )
