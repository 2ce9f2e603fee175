"""Arcs, for the methods whose messages go one way: over each edge one to and fro."""

from typing import Any

import numpy as np

from dadao_sim.events.asked import PoissonRates


def list_places(c: Any, network: Any) -> None:
    """Add to the constants where each node finds what it remembers of its edges: ``edges`` (|E|,
    2); node i is at the places ``begins[i]`` to ``begins[i + 1]`` of ``incident`` (2 |E|,), the
    numbers of its edges, and ``end`` (2 |E|,), whether it is their first node (0) or their second.
    """
    edges = network.edges
    order = np.argsort(edges.T.ravel(), kind="stable")
    degrees = np.bincount(edges.ravel(), minlength=network.nodes)
    c.of_edges(
        edges=edges.copy(),
        incident=np.tile(np.arange(len(edges)), 2)[order],
        end=np.repeat([0, 1], len(edges))[order],
        begins=np.concatenate([[0], np.cumsum(degrees)]),
    )


def messages_of_arcs(c: Any, problem: Any, network: Any) -> PoissonRates:
    """Rate 1 at every node; ``c.total_rate`` communications over all arcs together, shared as the
    network's rates say, both ways alike: |E| lets a node send to each of its neighbours once per
    gradient on average.
    """
    rates = c.total_rate * network.rates / network.rates.sum()
    edges = len(network.edges)
    return PoissonRates(
        nodes=np.ones(problem.nodes), edges=np.zeros(edges), arcs=np.column_stack([rates, rates])
    )
