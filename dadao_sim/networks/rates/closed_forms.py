"""Rates in closed form, from the degrees and the resistances of one graph."""

import numpy as np

from dadao_sim.networks.network import Network


def uniform(graph: Network) -> np.ndarray:
    """The same rate on every edge."""
    return np.ones(len(graph.edges))


def metropolis(graph: Network) -> np.ndarray:
    """1 / (1 + max(degree_i, degree_j)): the weights of Metropolis and Hastings."""
    i, j = graph.edges.T
    degree = _degrees(graph)
    return 1.0 / (1.0 + np.maximum(degree[i], degree[j]))


def degree(graph: Network) -> np.ndarray:
    """1/degree_i + 1/degree_j: a node picks a neighbour uniformly, at the same rate everywhere."""
    i, j = graph.edges.T
    degree = _degrees(graph)
    return 1.0 / degree[i] + 1.0 / degree[j]


def effective_resistance(graph: Network) -> np.ndarray:
    """Proportional to the resistance of the edge in the unit graph (Can et al. 2019)."""
    return graph.resistances()


def _degrees(graph: Network) -> np.ndarray:
    return np.bincount(graph.edges.ravel(), minlength=graph.nodes).astype(float)
