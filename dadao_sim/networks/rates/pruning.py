"""Fewer edges: chi2 counts every edge of the graph, so one that is never used need not be there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.networks.network import Network

if TYPE_CHECKING:
    from dadao_sim.networks.rates.optimal import RatesFound

NEGLIGIBLE = 1e-3  # rate, relative to the mean, below which an edge is dropped
ROUNDS = 10


def pruned(rates: RatesFound, solve: Callable[[Network, np.ndarray], RatesFound]) -> RatesFound:
    """Drop the edges of negligible rate and solve again, as long as that lowers the total cost.

    A spanning tree of largest rates always stays. The result is on a network of its own. ``solve``
    is given that network and the ids of its edges in the whole one.
    """
    assert isinstance(rates.network, Network), "checked by optimal_rates"
    best = replace(rates, kept=np.arange(len(rates.network.edges)), unpruned_total=rates.total_cost)
    seconds = rates.seconds
    for _ in range(ROUNDS):
        graph = best.network
        assert isinstance(graph, Network)
        assert best.kept is not None
        keep = needed_edges(graph, best.rates)
        if keep.all():
            break
        again = solve(_subgraph(graph, keep), best.kept[keep])
        seconds += again.seconds
        if again.total_cost >= best.total_cost:
            break
        best = replace(again, kept=best.kept[keep], unpruned_total=rates.total_cost)
    return replace(best, seconds=seconds)


def needed_edges(graph: Network, rates: np.ndarray) -> np.ndarray:
    """Which edges have more than a negligible rate, or are in the spanning tree, (|E|,) bool."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    i, j = graph.edges.T
    # By rank, from 1: a stored zero is no edge to scipy.
    rank = np.empty(len(rates))
    rank[np.argsort(-rates, kind="stable")] = np.arange(1, len(rates) + 1)
    tree = minimum_spanning_tree(coo_array((rank, (i, j)), shape=(graph.nodes,) * 2).tocsr())
    keep = rates > NEGLIGIBLE * rates.mean()
    keep[graph.edge_indices(*tree.nonzero())] = True
    return keep


def _subgraph(graph: Network, keep: np.ndarray) -> Network:
    return replace(
        graph,
        edges=graph.edges[keep],
        rates=graph.rates[keep],
        lengths_km=None if graph.lengths_km is None else graph.lengths_km[keep],
        edge_attributes={name: each[keep] for name, each in graph.edge_attributes.items()},
    )
