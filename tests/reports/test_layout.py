"""Where nodes are drawn: at their places, amid their neighbours, or near them."""

import math

import networkx as nx
import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.reports.layout import FORCE_NODES, network_layout


def from_graph(graph: nx.Graph, **attributes) -> Network:
    return Network(len(graph), np.array(graph.edges), **attributes)


def positions_of(network: Network) -> np.ndarray:
    return network_layout(network).positions


def test_a_node_without_a_place_is_drawn_amid_its_neighbours():
    ladder = nx.path_graph(4)
    positions = np.array([[0.0, 0.0], [np.nan, np.nan], [np.nan, np.nan], [3.0, 6.0]])
    points = positions_of(from_graph(ladder, positions=positions))
    np.testing.assert_allclose(points, [[0, 0], [1, 2], [2, 4], [3, 6]], atol=1e-12)
    nowhere = from_graph(ladder, positions=np.full((4, 2), np.nan))
    with pytest.raises(InputError, match="not one node"):
        positions_of(nowhere)


def test_a_path_is_laid_out_as_a_line_along_x():
    points = positions_of(from_graph(nx.path_graph(12)))
    steps = np.diff(points[:, 0])
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.ptp(points[:, 1]) < 0.1 * np.ptp(points[:, 0])


@pytest.mark.parametrize("rows", [5, math.ceil(math.sqrt(FORCE_NODES)) + 1])
def test_neighbours_are_laid_out_near_each_other_the_same_way_every_time(rows):
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, rows + 2), ordering="sorted")
    network = from_graph(graph)
    points = positions_of(network)
    np.testing.assert_array_equal(points, positions_of(network))
    edges = np.linalg.norm(points[network.edges[:, 0]] - points[network.edges[:, 1]], axis=1)
    rng = np.random.default_rng(0)
    pairs = rng.integers(network.nodes, size=(2, 500))
    apart = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    assert edges.mean() < 0.5 * apart.mean()
    assert np.unique(points.round(9), axis=0).shape == points.shape
