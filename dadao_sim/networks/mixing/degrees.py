"""Mixing matrices from the degrees and the spectrum of the graph."""

import numpy as np

from dadao_sim.networks.mixing.mixing import OneWeight, OwnWeights
from dadao_sim.networks.network import Network


def degrees(graph: Network) -> np.ndarray:
    """The number of neighbours of each node, (n,)."""
    return np.bincount(graph.edges.ravel(), minlength=graph.nodes)


def metropolis(graph: Network) -> np.ndarray:
    """1/(1 + max(d_i, d_j)) of each edge, (|E|,): Metropolis and Hastings."""
    return 1 / (1.0 + degrees(graph)[graph.edges].max(axis=1))


LAPLACIAN = OneWeight(name="laplacian", divisor=lambda graph: graph.lambda_max())
LAZY_LAPLACIAN = LAPLACIAN.lazy()
METROPOLIS = OwnWeights(name="metropolis", weights=metropolis)
LAZY_METROPOLIS = METROPOLIS.lazy()
MAX_DEGREE = OneWeight(name="max_degree", divisor=lambda graph: 1.0 + degrees(graph).max())
LAZY_MAX_DEGREE = MAX_DEGREE.lazy()
# Among the W with one weight for all edges the fastest (Xiao, Boyd 2004, equation 22).
BEST_CONSTANT = OneWeight(
    name="best_constant", divisor=lambda graph: (graph.lambda_2() + graph.lambda_max()) / 2
)
LAZY_BEST_CONSTANT = BEST_CONSTANT.lazy()
