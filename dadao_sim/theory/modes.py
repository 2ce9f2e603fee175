"""The eigenvalues of graphs whose edges are all alike, so that modes need not mix.

A graph is taken where for every function f the numbers f(Laplacian)_ii are the same at all nodes,
and f(Laplacian)_ij at all edges ("1-walk-regular"). Edge- and vertex-transitive graphs are, among
them cycles, tori of equal sides, hypercubes and complete graphs. It is tested, never assumed: of a
graph that is a Cayley graph of a product of cycles in the order in which the nodes are numbered by
its characters, of others up to ``DENSE_NODES`` nodes by their eigenvectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dadao_sim.networks.network import Network

DENSE_NODES = 300
ALIKE = 1e-9  # by which eigenvalues may differ and count as one, and sums that should be the same


@dataclass(frozen=True)
class Modes:
    """``values`` (k,) are the distinct eigenvalues of the Laplacian with unit weights, ascending,
    the first 0; ``counts`` (k,) how often each comes.
    """

    values: np.ndarray
    counts: np.ndarray


def modes_of(network: Network) -> Modes | None:
    """The modes of a graph whose edges and nodes are certainly all alike; None for others."""
    degrees = np.bincount(network.edges.ravel(), minlength=network.nodes)
    if np.ptp(degrees) > 0:
        return None
    for shape in _shapes(network.nodes):
        modes = _of_cayley(network, shape)
        if modes is not None:
            return modes
    return _of_eigenvectors(network) if network.nodes <= DENSE_NODES else None


def _shapes(n: int) -> Iterator[tuple[int, ...]]:
    """Tuples of equal sides whose product is n."""
    for sides in range(1, n.bit_length()):
        side = round(n ** (1 / sides))
        if side > 1 and side**sides == n:
            yield (side,) * sides


def _of_cayley(network: Network, shape: tuple[int, ...]) -> Modes | None:
    """By the characters of Z_a x Z_b x ..., whose elements are the nodes in row-major order."""
    i, j = (np.stack(np.unravel_index(ends, shape)) for ends in network.edges.T)
    sides = np.array(shape)[:, None]
    ahead = np.ravel_multi_index(tuple((j - i) % sides), shape)
    back = np.ravel_multi_index(tuple((i - j) % sides), shape)
    generators, times = np.unique(np.concatenate([ahead, back]), return_counts=True)
    # Each node must have each generator once; an involution is met at both ends of its edges.
    if (times != network.nodes).any():
        return None
    row = np.zeros(network.nodes)
    row[generators] = 1.0
    values = len(generators) - np.fft.fftn(row.reshape(shape)).real.ravel()
    group, distinct = _grouped(values)
    characters = np.stack(np.unravel_index(np.arange(network.nodes), shape)) / sides
    steps = np.stack(np.unravel_index(generators, shape))
    sums = np.stack(
        [np.bincount(group, np.cos(2 * np.pi * (step @ characters))) for step in steps.T]
    )
    if np.abs(sums - sums[0]).max() > ALIKE * network.nodes:
        return None
    return Modes(distinct, np.bincount(group).astype(float))


def _of_eigenvectors(network: Network) -> Modes | None:
    values, vectors = np.linalg.eigh(network.laplacian().toarray())
    group, distinct = _grouped(values)
    i, j = network.edges.T
    at_nodes, at_edges = vectors**2, vectors[i] * vectors[j]
    for products in (at_nodes, at_edges):
        sums = np.stack([products[:, group == k].sum(axis=1) for k in range(len(distinct))])
        if np.ptp(sums, axis=1).max() > ALIKE:
            return None
    return Modes(distinct, np.bincount(group).astype(float))


def _grouped(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each value the number of its group, and the value of each group, ascending."""
    order = np.argsort(values)
    new = np.diff(values[order], prepend=values[order[0]]) > ALIKE * np.abs(values).max()
    group = np.empty(len(values), dtype=np.int64)
    group[order] = np.cumsum(new)
    distinct = values[order][np.flatnonzero(np.concatenate([[True], new[1:]]))]
    distinct[0] = 0.0
    return group, distinct
