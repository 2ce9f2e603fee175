"""What no method can beat: the least that the worst problem of its kind costs on a graph.

The problem is that of Scaman et al. 2017 (Nesterov's chain, split over the graph): nodes of a set A
hold one half of a chain of coordinates, nodes of a set B the other, the rest only (mu/2) ||x||^2::

    f_i = (mu/2) ||x||^2 + (c/2) [(x_1)^2 - 2 b x_1 + sum_k (x_2k - x_2k+1)^2]      i in A
    f_i = (mu/2) ||x||^2 + (c/2) sum_k (x_2k-1 - x_2k)^2                            i in B

with c = (L - mu)/2, so that each f_i is mu-strongly convex and L-smooth. With m nodes in each set F
has the condition number 1 + 2 (m/n) (kappa - 1), and its minimiser x*_k = b' q^k, with
q = (sqrt(kappa_F) - 1)/(sqrt(kappa_F) + 1). A method whose nodes start at 0 and combine what they
know of gradients (or of conjugate gradients) and of their neighbours has coordinate k + 1 not
before coordinate k has travelled from one set to the other. So an accuracy of q^{2k} at all nodes
takes k coordinates, each a gradient after the one before, and k - 1 journeys of ``distance`` hops.

The counts hold for every run of every such method, on that problem: on an easier one a method may
need less. The theorem itself states the order: sqrt(kappa) ln(1/eps) gradients one after the other,
and sqrt(kappa/gamma) ln(1/eps) rounds, gamma the eigengap of the gossip matrix.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csgraph

from dadao_sim.errors import InputError
from dadao_sim.networks import Network

MOST_NODES = 5000
"""Whose distances are all computed."""


@dataclass(frozen=True)
class LowerBound:
    """To an accuracy, on the worst problem: so many ``gradients`` each of which waits for another,
    and ``rounds`` of gossip (of a method of events, exchanges each of which waits for another).

    ``size`` and ``distance`` are those of the two sets that give the most rounds.
    """

    gradients: int
    rounds: int
    size: int
    distance: int


def lower_bound(mu: float, L: float, network: Network, accuracy: float) -> LowerBound:
    """The least cost of ||x_i - x*||^2 <= ``accuracy`` ||x*||^2 at all nodes, from 0.

    Raises InputError unless 0 < mu <= L and 0 < accuracy < 1, and above ``MOST_NODES`` nodes.
    """
    if not 0 < mu <= L < math.inf:
        raise InputError("mu", f"{mu:g} with L = {L:g}", "give 0 < mu <= L")
    if not 0 < accuracy < 1:
        raise InputError("accuracy", f"{accuracy:g} given", "give one between 0 and 1")
    if network.nodes > MOST_NODES:
        raise InputError(
            "network", f"{network.nodes:,} nodes", f"distances are computed up to {MOST_NODES:,}"
        )
    # Wherever the sets are: in two halves of the graph.
    gradients = coordinates(L / mu, network.nodes // 2, network.nodes, accuracy)
    best = LowerBound(gradients, 0, network.nodes // 2, 0)
    for distance, size in apart(network):
        count = coordinates(L / mu, size, network.nodes, accuracy)
        rounds = max(count - 1, 0) * distance
        if rounds > best.rounds:
            best = LowerBound(gradients, rounds, size, distance)
    return best


def coordinates(kappa: float, size: int, nodes: int, accuracy: float) -> int:
    """How many an accuracy takes, with ``size`` of ``nodes`` in each set: q^{2k} <= accuracy."""
    root = math.sqrt(1 + 2 * size / nodes * (kappa - 1))
    q = (root - 1) / (root + 1)
    return math.ceil(math.log(accuracy) / (2 * math.log(q)) - 1e-9) if q > 0 else 0


def apart(network: Network) -> list[tuple[int, int]]:
    """(distance, size): two sets of so many nodes that are that far apart, found from balls around
    every node and what lies beyond them. Any two halves are 1 apart.
    """
    graph = network.laplacian()
    hops = csgraph.shortest_path(graph != 0, method="D", unweighted=True).astype(np.int64)
    radius = int(hops.max())
    # (n, radius + 1): nodes within r of each node; and so those at r or more.
    within = np.stack([(hops <= r).sum(axis=1) for r in range(radius + 1)], axis=1)
    found = [(1, network.nodes // 2)]
    for distance in range(2, radius + 1):
        size = 0
        for r in range(radius + 1 - distance):
            beyond = network.nodes - within[:, r + distance - 1]
            size = max(size, int(np.minimum(within[:, r], beyond).max()))
        if size:
            found.append((distance, min(size, network.nodes // 2)))
    return found
