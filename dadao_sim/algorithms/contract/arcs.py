"""Arcs, for the methods whose messages go one way: those of a directed network, or over each edge
one to and fro.
"""

import math
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.networks.directed import DirectedNetwork, DirectedSequence

MOST_SWEEPS = 10_000
PRECISION = 1e-12  # to which nodes send as often as they hear


def ways(network: Any) -> np.ndarray:
    """Which arcs there are over each edge, (|E|, 2): from its first node to its second, and back;
    of an undirected network all, of a sequence those of any of its graphs.
    """
    if isinstance(network, DirectedSequence):
        network = network.union
    there = np.ones((len(network.edges), 2), dtype=bool)
    if isinstance(network, DirectedNetwork):
        there[:] = False
        from_second = network.arcs[:, 0] > network.arcs[:, 1]
        there[network.edge_of_arc, from_second.astype(int)] = True
    return there


def list_places(c: Any, network: Any) -> None:
    """Add to the constants where each node finds what it remembers of its edges: ``edges`` (|E|,
    2); node i is at the places ``begins[i]`` to ``begins[i + 1]`` of ``incident`` (2 |E|,), the
    numbers of its edges, and ``end`` (2 |E|,), whether it is their first node (0) or their second;
    ``sends`` and ``hears`` (2 |E|,) say whether an arc leads from it over that edge, and to it.
    """
    edges, there = network.edges, ways(network)
    order = np.argsort(edges.T.ravel(), kind="stable")
    degrees = np.bincount(edges.ravel(), minlength=network.nodes)
    c.of_edges(
        edges=edges.copy(),
        incident=np.tile(np.arange(len(edges)), 2)[order],
        end=np.repeat([0, 1], len(edges))[order],
        begins=np.concatenate([[0], np.cumsum(degrees)]),
        sends=there.T.ravel()[order],
        hears=there[:, ::-1].T.ravel()[order],
    )


def share_among_arcs(c: Any, network: Any) -> None:
    """Add to the constants what a node that divides something among itself and those it sends to
    keeps, ``push`` = 1/(1 + out-degree), and the weight of each in its mean with those it hears,
    ``pull`` = 1/(1 + in-degree), (n,).
    """
    there = ways(network)
    out, into = (
        np.bincount(network.edges.ravel(), weights.ravel(), network.nodes)
        for weights in (there, there[:, ::-1])
    )
    c.of_nodes(push=1 / (1.0 + out), pull=1 / (1.0 + into))


def messages_of_arcs(c: Any, problem: Any, network: Any) -> PoissonRates:
    """Rate 1 at every node; ``c.total_rate`` communications over all arcs together, shared as the
    network's rates say, both ways alike: half as many as there are arcs let a node send to each of
    those it can once per gradient on average.
    """
    return _messages(c, problem, ways(network) * network.rates[:, None])


def balanced_messages(c: Any, problem: Any, network: Any) -> PoissonRates:
    """The same where, of a directed network, a node sends as often as it hears: the arcs' rates are
    those of a circulation, that of largest entropy (Osborne's balancing).
    """
    there = ways(network)
    if there.all():
        return messages_of_arcs(c, problem, network)
    n, (first, second) = network.nodes, network.edges.T
    rates = np.zeros((n, n))
    rates[first, second], rates[second, first] = there.T
    for _ in range(MOST_SWEEPS):
        into, out = rates.sum(axis=0), rates.sum(axis=1)
        if np.abs(into - out).max() <= PRECISION * out.min():
            break
        for i in range(n):
            factor = math.sqrt(rates[:, i].sum() / rates[i].sum())
            rates[i] *= factor
            rates[:, i] /= factor
    else:
        raise InputError("network", "no rates are found at which nodes send as often as they hear")
    return _messages(c, problem, np.column_stack([rates[first, second], rates[second, first]]))


def _messages(c: Any, problem: Any, relative: np.ndarray) -> PoissonRates:
    """Arcs at those ``relative`` rates (|E|, 2); a message is half a communication."""
    return PoissonRates(
        nodes=np.ones(problem.nodes),
        edges=np.zeros(len(relative)),
        arcs=c.total_rate * relative / (relative.sum(axis=1).sum() / 2),
        switching=c.values.get("switching", 0.0),
    )
