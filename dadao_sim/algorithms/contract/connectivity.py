"""What the methods need to know of a network: the worst over the graphs of a sequence."""

import math
from typing import Any

import numpy as np


def graph_totals(network: Any) -> np.ndarray:
    """The total gossip rate of each graph, relative to their mean, (K,).

    Where every edge has rate 1 the graphs of a sequence share one total, as in the authors'
    program; rates that were chosen are kept in proportion across the graphs.
    """
    totals = np.array([graph.rates.sum() for graph in network.graphs])
    if all((graph.rates == 1).all() for graph in network.graphs):
        return np.ones(len(totals))
    return totals / totals.mean()


def unit_rates(network: Any) -> list[np.ndarray]:
    """The rates of each graph's edges, scaled so that the mean total over the graphs is 1."""
    totals = graph_totals(network)
    return [
        total * graph.rates / graph.rates.sum()
        for total, graph in zip(totals, network.graphs, strict=True)
    ]


def unit_chi1(network: Any) -> float:
    """chi1 of the gossip rates scaled to a total of 1; at a total rate c it is c times smaller."""
    pairs = zip(network.graphs, unit_rates(network), strict=True)
    return max(graph.chi1(rates) for graph, rates in pairs)


def unit_chi2(network: Any) -> float:
    """chi2 of the gossip rates scaled to a total of 1; at a total rate c it is c times smaller."""
    pairs = zip(network.graphs, unit_rates(network), strict=True)
    return max(graph.chi2(rates) for graph, rates in pairs)


def condition_number(network: Any) -> float:
    """chi = lambda_max/lambda_2 of the Laplacian with unit weights, worst over the sequence."""
    return max(graph.lambda_max() / graph.lambda_2() for graph in network.graphs)


def rounds_of_multi_consensus(chi: float) -> int:
    """T = ceil(chi ln 2); a relative rounding error of chi does not add a round."""
    return math.ceil(chi * math.log(2) * (1 - 1e-12))
