"""Where the nodes of a network are drawn."""

import math
from dataclasses import dataclass, replace

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks import DirectedNetwork, DirectedSequence, Network
from dadao_sim.networks.convert import as_any_network, as_one_network
from dadao_sim.networks.directed import AnyNetwork

STEEPEST = math.radians(85)  # latitude, beyond which no map is drawn
DEGREE_KM = math.radians(6371.0088)  # of latitude: the mean radius of the earth
FORCE_NODES = 1000  # up to here the layout is that of Kamada and Kawai: seconds at the most


@dataclass(frozen=True)
class Layout:
    """A network in the plane: ``positions`` (n, 2) and ``edges`` (|E|, 2), pairs of nodes.

    A step along y is ``aspect`` times as long as one along x: on a map a degree of longitude is
    shorter than one of latitude, by the cosine of the latitude. A step along x has the ``length``
    in the ``unit``: "km" on a map, "" at positions of the network's own; None where the positions
    were found, and no length means anything. ``ids`` are what the nodes are called; None: 0 to n-1.
    ``arcs`` (m, 2) are those of a directed network, pairs of sender and receiver, each on an edge.
    """

    positions: np.ndarray
    edges: np.ndarray
    aspect: float = 1.0
    length: float = 1.0
    unit: str | None = None
    ids: tuple[str, ...] | None = None
    arcs: np.ndarray | None = None


def network_layout(network: AnyNetwork) -> Layout:
    """Where to draw a network, of a sequence of digraphs that of all arcs: the same every time.

    At its own positions (longitude and latitude if its edges have lengths in kilometres); a node
    without (nan) goes to the mean of its neighbours. If there are none: Kamada-Kawai up to
    FORCE_NODES nodes, beyond that the two slowest modes of the Laplacian; turned so that the
    longest side lies along x.

    Raises:
        InputError: there are positions, but not one node has one.

    """
    import networkx as nx

    network = as_any_network(network)
    if isinstance(network, DirectedNetwork | DirectedSequence):
        return replace(network_layout(network.undirected), arcs=network.arcs)
    network = as_one_network(network)
    if network.positions is not None:
        positions = _completed(network, network.positions)
        latitude = math.radians(float(positions[:, 1].mean()))
        on_map = network.lengths_km is not None and abs(latitude) < STEEPEST
        if not on_map:
            return Layout(positions, network.edges, unit="", ids=network.ids)
        shrunk = math.cos(latitude)
        return Layout(positions, network.edges, 1 / shrunk, DEGREE_KM * shrunk, "km", network.ids)
    if network.nodes <= FORCE_NODES:
        graph = network.to_networkx()
        placed = nx.kamada_kawai_layout(graph)
        points = np.array([placed[node] for node in graph])
    else:
        points = _slowest_modes(network)
    points -= points.mean(axis=0)
    directions = np.linalg.svd(points, full_matrices=False)[2]
    return Layout(points @ directions.T, network.edges, ids=network.ids)


def _completed(network: Network, positions: np.ndarray) -> np.ndarray:
    from scipy.sparse.linalg import spsolve

    unknown = np.isnan(positions).any(axis=1)
    if not unknown.any():
        return positions
    if unknown.all():
        raise InputError("network.positions", "not one node has a position")
    laplacian = network.laplacian()
    inner = laplacian[unknown][:, unknown].tocsc()
    pull = -laplacian[unknown][:, ~unknown] @ positions[~unknown]
    completed = positions.copy()
    completed[unknown] = np.column_stack([spsolve(inner, pull[:, k]) for k in (0, 1)])
    return completed


def _slowest_modes(network: Network) -> np.ndarray:
    from scipy.sparse.linalg import eigsh

    # A start of our own, and a shift just outside the spectrum: the answer never changes.
    start = np.cos(np.arange(network.nodes, dtype=float))
    laplacian = network.laplacian().tocsc()
    values, modes = eigsh(laplacian, k=3, sigma=-1e-3, which="LM", v0=start)
    return modes[:, np.argsort(values)[1:]]
