import math

import networkx as nx
import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from dadao_sim.errors import InputError
from dadao_sim.networks import BUILDERS, build
from dadao_sim.networks.builders import options_of
from dadao_sim.networks.spec import GRAPH_OPTIONS, GraphName


def rng(seed=0):
    return np.random.default_rng(seed)


def least_total_rate(network):
    w = np.full(len(network.edges), 1 / len(network.edges))
    return math.sqrt(2 * network.chi1(w) * network.chi2(w))


def circulant(n, hops):
    return nx.circulant_graph(n, hops)


@pytest.mark.parametrize(
    ("name", "nodes", "options", "expected"),
    [
        ("star", 9, {}, nx.star_graph(8)),
        ("star", 2, {}, nx.path_graph(2)),
        ("path", 7, {}, nx.path_graph(7)),
        ("cycle", 3, {}, nx.cycle_graph(3)),
        ("cycle", 8, {}, nx.cycle_graph(8)),
        ("complete", 6, {}, nx.complete_graph(6)),
        ("exponential", 2, {}, nx.path_graph(2)),
        ("exponential", 12, {}, nx.circulant_graph(12, [1, 2, 4, 8])),
        ("exponential", 16, {}, nx.circulant_graph(16, [1, 2, 4, 8])),
        ("grid_2d", 25, {}, nx.grid_2d_graph(5, 5)),
        ("grid_2d", None, {"rows": 3, "columns": 5}, nx.grid_2d_graph(3, 5)),
        ("grid_2d", 6, {"rows": 1, "columns": 6}, nx.path_graph(6)),
        ("torus_2d", 16, {}, nx.grid_2d_graph(4, 4, periodic=True)),
        ("torus_2d", None, {"rows": 3, "columns": 5}, nx.grid_2d_graph(3, 5, periodic=True)),
        ("barbell", 16, {}, nx.barbell_graph(8, 0)),
        ("barbell", 11, {"bridge": 3}, nx.barbell_graph(4, 3)),
        ("barbell", None, {"clique": 5, "bridge": 2}, nx.barbell_graph(5, 2)),
        ("lollipop", 14, {"clique": 8}, nx.lollipop_graph(8, 6)),
        ("lollipop", 14, {"tail": 6}, nx.lollipop_graph(8, 6)),
        ("lollipop", None, {"clique": 8, "tail": 6}, nx.lollipop_graph(8, 6)),
        ("lollipop", 9, {}, nx.lollipop_graph(5, 4)),
        ("random_regular", 8, {"degree": 7}, nx.complete_graph(8)),
        ("erdos_renyi", 9, {"probability": 1.0}, nx.complete_graph(9)),
        ("watts_strogatz", 9, {"probability": 0.0}, nx.circulant_graph(9, [1, 2])),
        ("barabasi_albert", 5, {"attach": 4}, nx.star_graph(4)),
        ("random_geometric", 7, {"radius": 2.0}, nx.complete_graph(7)),
    ],
)
def test_edges_are_those_of_networkx(name, nodes, options, expected):
    network = build(name, nodes, rng(), **options)
    expected = nx.convert_node_labels_to_integers(expected)
    assert network.nodes == len(expected)
    assert set(map(tuple, network.edges.tolist())) == {tuple(sorted(e)) for e in expected.edges}
    assert network.name == name
    assert network.rates.tolist() == [1.0] * len(network.edges)


def test_hypercube_is_that_of_networkx():
    expected = nx.hypercube_graph(4)
    number = {bits: sum(bit << k for k, bit in enumerate(bits)) for bits in expected}
    pairs = {tuple(sorted((number[u], number[v]))) for u, v in expected.edges}
    assert set(map(tuple, build("hypercube", 16, rng()).edges.tolist())) == pairs


@pytest.mark.parametrize(
    ("name", "nodes", "options", "rate"),
    [
        ("star", 16, {}, 15.00),
        ("path", 16, {}, 76.517),
        ("barbell", 16, {}, 126.15),
        ("lollipop", 14, {"clique": 8}, 113.53),
    ],
)
def test_least_total_rates(name, nodes, options, rate):
    assert least_total_rate(build(name, nodes, rng(), **options)) == pytest.approx(rate, abs=5e-3)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_builder_is_deterministic_connected_and_finite(name):
    first, second = build(name, 64, rng(5)), build(name, 64, rng(5))
    assert first.nodes == 64
    np.testing.assert_array_equal(first.edges, second.edges)
    assert nx.is_connected(first.to_networkx())
    if first.positions is not None:
        assert np.isfinite(first.positions).all()
        assert pdist(first.positions).min() > 1e-3


@pytest.mark.parametrize(
    "name",
    ["random_geometric", "erdos_renyi", "barabasi_albert", "watts_strogatz", "random_regular"],
)
def test_random_graphs_come_from_the_generator(name):
    assert not np.array_equal(build(name, 64, rng(1)).edges, build(name, 64, rng(2)).edges)


def test_scenarios_know_the_same_graphs_and_options():
    assert set(GraphName.__args__) == set(BUILDERS)
    for name in BUILDERS:
        assert set(options_of(name)) == set(GRAPH_OPTIONS.get(name, ()))


# ---- random graphs -------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.03, 0.1, 0.3, None])
@pytest.mark.parametrize("nodes", [2, 3, 60])
def test_random_geometric_adds_only_the_shortest_edges_needed(nodes, radius):
    network = build("random_geometric", nodes, rng(3), radius=radius)
    reach = math.sqrt(2 * math.log(nodes) / (math.pi * nodes)) if radius is None else radius
    distances = squareform(pdist(network.positions))
    within = {(i, j) for i in range(nodes) for j in range(i + 1, nodes) if distances[i, j] <= reach}
    tree = minimum_spanning_tree(distances).tocoo()  # dense Prim or Kruskal, no Delaunay
    longer = {
        tuple(sorted((int(i), int(j))))
        for i, j, length in zip(tree.row, tree.col, tree.data, strict=True)
        if length > reach
    }
    assert set(map(tuple, network.edges.tolist())) == within | longer


def test_erdos_renyi_draws_every_pair_equally_often():
    nodes, draws = 6, 3000
    generator, counts = rng(0), np.zeros((6, 6))
    sizes = []
    for _ in range(draws):
        edges = build("erdos_renyi", nodes, generator, probability=0.8).edges
        counts[edges[:, 0], edges[:, 1]] += 1
        sizes.append(len(edges))
    often = counts[np.triu_indices(nodes, k=1)] / draws
    # Conditioned on being connected, which at p = 0.8 moves the frequency by less than 0.01.
    assert abs(often - 0.8).max() < 0.04
    assert np.var(sizes) == pytest.approx(15 * 0.8 * 0.2, rel=0.15)


@pytest.mark.parametrize(
    ("nodes", "degree"), [(2, 1), (5, 2), (12, 2), (10, 5), (50, 3), (101, 50), (64, 40), (3000, 4)]
)
def test_random_regular_has_its_degree(nodes, degree):
    network = build("random_regular", nodes, rng(7), degree=degree)
    np.testing.assert_array_equal(np.bincount(network.edges.ravel()), np.full(nodes, degree))


def test_random_regular_is_spread_over_the_labelled_graphs():
    """The 70 labelled connected cubic graphs on 6 nodes: 10 are K_{3,3}, 60 prisms."""
    generator = rng(1)
    graphs = [build("random_regular", 6, generator, degree=3) for _ in range(1500)]
    triangles = [sum(nx.triangles(graph.to_networkx()).values()) for graph in graphs]
    assert len({graph.edges.tobytes() for graph in graphs}) == 70
    assert 0.05 < np.mean(np.array(triangles) == 0) < 0.30  # 1/7 if exactly uniform


def test_watts_strogatz_and_barabasi_albert_have_their_edges():
    assert len(build("watts_strogatz", 100, rng(), neighbours=6).edges) == 300
    assert len(build("barabasi_albert", 100, rng(), attach=3).edges) == 97 * 3


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nodes", "options", "message"),
    [
        ("ring", 5, {}, "network.graph: 'ring' is not known; choose from star, path, cycle"),
        ("star", None, {}, "network.nodes: the number of nodes is missing"),
        ("star", 1, {}, "network.nodes: 1 is not possible, .* use 2"),
        ("star", -3, {}, "network.nodes: -3 is not possible"),
        ("cycle", 2, {}, "network.nodes: 2 is not possible, .* use 3"),
        ("grid_2d", 300, {}, "network.nodes: 300 is not possible, .* use 289 or 324"),
        ("grid_2d", 3, {}, "network.nodes: 3 is not possible, .* use 4"),
        ("grid_2d", 10, {"rows": 3, "columns": 4}, "network.nodes: 10 .* use 12"),
        ("grid_2d", 12, {"rows": 3}, "network.rows: give rows and columns together"),
        ("torus_2d", 50, {}, "network.nodes: 50 .* use 49 or 64"),
        ("torus_2d", 4, {}, "network.nodes: 4 .* use 9"),
        ("torus_2d", None, {"rows": 2, "columns": 8}, "network.rows: 2 x 8 is too small"),
        ("hypercube", 100, {}, "network.nodes: 100 .* use 64 or 128"),
        ("barbell", 17, {}, "network.nodes: 17 .* use 16 or 18"),
        ("barbell", 17, {"bridge": 2}, "network.nodes: 17 .* use 16 or 18"),
        ("barbell", 17, {"clique": 8}, "network.nodes: 17 .* 2 clique . bridge = 16; use 16"),
        ("barbell", 16, {"bridge": -1}, "network.bridge: -1 is not possible"),
        ("lollipop", 10, {"clique": 4, "tail": 4}, "network.nodes: 10 .* use 8"),
        ("lollipop", 5, {"clique": 8}, "network.nodes: 5 is less than clique or tail"),
        ("random_regular", 9, {"degree": 3}, "network.nodes: 9 .* use 8 or 10"),
        ("random_regular", 4, {}, "network.nodes: 4 .* use 5"),
        ("random_regular", 10, {"degree": 1}, "network.degree: 1 gave no connected"),
        ("barabasi_albert", 3, {"attach": 3}, "network.nodes: 3 .* use 4"),
        ("watts_strogatz", 20, {"neighbours": 3}, "network.neighbours: 3 is odd.* use 2 or 4"),
        ("watts_strogatz", 4, {}, "network.nodes: 4 .* use 5"),
        ("watts_strogatz", 20, {"probability": -0.1}, "network.probability: -0.1 is not in"),
        ("erdos_renyi", 20, {"probability": 1.5}, r"network.probability: 1.5 is not in \[0, 1\]"),
        ("erdos_renyi", 50, {"probability": 0.001}, "network.probability: 0.001 gave no connected"),
        ("random_geometric", 20, {"radius": 0.0}, "network.radius: 0.0 is not possible"),
        ("star", 9, {"degree": 3}, "network.degree: .* no such option; it takes no options"),
        ("barbell", 8, {"degree": 3}, "network.degree: .* it takes clique, bridge"),
    ],
)
def test_impossible_graphs(name, nodes, options, message):
    with pytest.raises(InputError, match=message):
        build(name, nodes, rng(), **options)


def test_options_that_are_none_count_as_not_given():
    assert len(build("star", 9, rng(), degree=None, rows=None).edges) == 8
