"""What the methods need to know of a network: the worst over the graphs of a sequence."""

import math
from typing import Any


def gossip_connectivity(network: Any) -> tuple[float, float]:
    """chi1 and chi2 of the shape of the gossip rates scaled to a total of 1, worst over the
    sequence.

    Both are homogeneous of degree -1 in the rates: at a total rate c they are c times smaller.
    """
    shapes = [graph.shape / graph.shape.sum() for graph in network.graphs]
    pairs = list(zip(network.graphs, shapes, strict=True))
    return max(g.chi1(w) for g, w in pairs), max(g.chi2(w) for g, w in pairs)


def condition_number(network: Any) -> float:
    """chi = lambda_max/lambda_2 of the Laplacian with unit weights, worst over the sequence."""
    return max(graph.lambda_max() / graph.lambda_2() for graph in network.graphs)


def rounds_of_multi_consensus(chi: float) -> int:
    """T = ceil(chi ln 2); a relative rounding error of chi does not add a round."""
    return math.ceil(chi * math.log(2) * (1 - 1e-12))
