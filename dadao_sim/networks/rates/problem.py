"""The problem of optimal rates: which rates there are, what they cost, and what they achieve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from dadao_sim.networks.network import Network
from dadao_sim.networks.rates.costs import Costs
from dadao_sim.networks.sequence import GraphSequence


@dataclass(frozen=True, eq=False)
class RateProblem:
    """Minimise cost @ rates subject to chi1 chi2 <= 1/2, chi1 and chi2 the worst over the graphs.

    - graphs: the network, or the networks of a sequence.
    - members: per graph, the index among the m rates of each of its edges.
    - cost: (m,) mean over the time of what an exchange costs, 0 while its edge is not there. All
      cost 1 by default, so that the cost of the rates is the mean number of communications per unit
      of time. Others are in units of their mean over all edges of all graphs, ``unit``.
    """

    graphs: tuple[Network, ...]
    members: tuple[np.ndarray, ...]
    cost: np.ndarray
    unit: float = 1.0

    @classmethod
    def of(
        cls, network: Network | GraphSequence, shared: bool = True, costs: Costs | None = None
    ) -> RateProblem:
        """The problem of a network, or of a sequence with one rate per edge of the union
        (``shared``) or one rate per edge of each graph. ``costs``: per graph, of its edges.
        """
        graphs = network.graphs
        ends = np.cumsum([0, *(len(graph.edges) for graph in graphs)])
        members = tuple(np.arange(a, b) for a, b in pairwise(ends))
        if isinstance(network, GraphSequence) and shared:
            members = network.members
        every = np.concatenate(members)
        if costs is None:
            return cls(graphs, members, np.bincount(every) / len(graphs))
        given = np.concatenate(costs)
        unit = float(given.mean())  # as numbers of order one: the rates do not depend on the unit
        return cls(graphs, members, np.bincount(every, given / unit) / len(graphs), unit)

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

    @cached_property
    def share(self) -> np.ndarray:
        """(m,) share of the time during which the edge of a rate is there: 1 in a fixed graph."""
        return np.bincount(np.concatenate(self.members)) / len(self.graphs)

    def even(self) -> np.ndarray:
        """Rates (m,) of cost 1 that spend as much on every edge while it is there: without costs
        the uniform ones.
        """
        return (self.share / self.cost) / self.share.sum()

    def total(self, rates: np.ndarray) -> float:
        """Mean cost per unit of time, in units of ``unit``."""
        return float(self.cost @ rates)

    def communications(self, rates: np.ndarray) -> float:
        """Mean number of communications per unit of time."""
        return float(self.share @ rates)

    def connectivity(self, rates: np.ndarray) -> tuple[float, float]:
        """chi1 and chi2 of these rates, worst over the graphs, never underestimated."""
        pairs = list(zip(self.graphs, self.by_graph(rates), strict=True))
        return max(g.chi1(w) for g, w in pairs), max(g.chi2(w) for g, w in pairs)

    def least(self, w: np.ndarray) -> np.ndarray:
        """The rates proportional to w (m,) of least cost with chi1 chi2 = 1/2."""
        w = w / self.total(w)
        chi1, chi2 = self.connectivity(w)
        return w * np.sqrt(2 * chi1 * chi2)

    def least_total(self, w: np.ndarray) -> float:
        """Their cost."""
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
