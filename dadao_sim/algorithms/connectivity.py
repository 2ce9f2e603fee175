"""What the methods need to know of a network: the worst over the graphs of a sequence."""

import math
from typing import Any


def shape_chi1(network: Any) -> float:
    """chi1 of the gossip rates scaled to a total of 1; at a total rate c it is c times smaller."""
    return max(graph.chi1(graph.shape / graph.shape.sum()) for graph in network.graphs)


def shape_chi2(network: Any) -> float:
    """chi2 of the gossip rates scaled to a total of 1; at a total rate c it is c times smaller."""
    return max(graph.chi2(graph.shape / graph.shape.sum()) for graph in network.graphs)


def condition_number(network: Any) -> float:
    """chi = lambda_max/lambda_2 of the Laplacian with unit weights, worst over the sequence."""
    return max(graph.lambda_max() / graph.lambda_2() for graph in network.graphs)


def rounds_of_multi_consensus(chi: float) -> int:
    """T = ceil(chi ln 2); a relative rounding error of chi does not add a round."""
    return math.ceil(chi * math.log(2) * (1 - 1e-12))
