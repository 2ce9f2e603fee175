import json
import math
import pickle
import sys
import types

import networkx as nx
import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence
from dadao_sim.networks.graphs import GRAPHS, build
from dadao_sim.networks.section import build_network
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts


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


@pytest.mark.parametrize("name", GRAPHS)
def test_every_builder_is_deterministic_connected_and_finite(name):
    first, second = build(name, 64, rng(5)), build(name, 64, rng(5))
    assert first.nodes == 64
    np.testing.assert_array_equal(first.edges, second.edges)
    assert nx.is_connected(getattr(first, "undirected", first).to_networkx())
    if first.positions is not None:
        assert np.isfinite(first.positions).all()
        assert pdist(first.positions).min() > 1e-3


@pytest.mark.parametrize(
    "name",
    ["random_geometric", "erdos_renyi", "barabasi_albert", "watts_strogatz", "random_regular"],
)
def test_random_graphs_come_from_the_generator(name):
    assert not np.array_equal(build(name, 64, rng(1)).edges, build(name, 64, rng(2)).edges)


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
    assert network.added_edges == len(longer)
    assert GraphSequence([network, network]).added_edges == 2 * len(longer)


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
        ("ring", 5, {}, "graph: unknown value 'ring'.*known: .*path, random_digraph"),
        ("star", None, {}, "^nodes: is missing"),
        ("star", 1, {}, "^nodes: must be at least 2, got 1"),
        ("star", -3, {}, "^nodes: must be at least 2, got -3"),
        ("cycle", 2, {}, "^nodes: must be at least 3, got 2"),
        ("grid_2d", 300, {}, "^nodes: 300 is not possible, .* use 289 or 324"),
        ("grid_2d", 3, {}, "^nodes: 3 is not possible, .* use 4"),
        ("grid_2d", 10, {"rows": 3, "columns": 4}, "^nodes: 10 .* use 12"),
        ("grid_2d", 12, {"rows": 3}, "^rows: only one side is given; give rows and columns"),
        ("torus_2d", 50, {}, "^nodes: 50 .* use 49 or 64"),
        ("torus_2d", 4, {}, "^nodes: 4 .* use 9"),
        ("torus_2d", None, {"rows": 2, "columns": 8}, "^rows: 2 x 8 is too small"),
        ("hypercube", 100, {}, "^nodes: 100 .* use 64 or 128"),
        ("barbell", 17, {}, "^nodes: 17 .* use 16 or 18"),
        ("barbell", 17, {"bridge": 2}, "^nodes: 17 .* use 16 or 18"),
        ("barbell", 17, {"clique": 8}, "^nodes: 17 .* 2 clique . bridge = 16; use 16"),
        ("barbell", 16, {"bridge": -1}, "^bridge: must be at least 0, got -1"),
        ("lollipop", 10, {"clique": 4, "tail": 4}, "^nodes: 10 .* use 8"),
        ("lollipop", 5, {"clique": 8}, "^nodes: 5 is less than clique or tail"),
        ("random_regular", 9, {"degree": 3}, "^nodes: 9 .* use 8 or 10"),
        ("random_regular", 4, {}, "^nodes: 4 .* use 5"),
        ("random_regular", 10, {"degree": 1}, "^degree: 1 gave no connected"),
        ("barabasi_albert", 3, {"attach": 3}, "^nodes: 3 .* use 4"),
        ("watts_strogatz", 20, {"neighbours": 3}, "^neighbours: 3 is odd.* use 2 or 4"),
        ("watts_strogatz", 4, {}, "^nodes: 4 .* use 5"),
        ("watts_strogatz", 20, {"probability": -0.1}, "^probability: must be at least 0, got -0.1"),
        ("erdos_renyi", 20, {"probability": 1.5}, "^probability: must be at most 1, got 1.5"),
        ("erdos_renyi", 50, {"probability": 0.001}, "^probability: 0.001 gave no connected"),
        ("random_geometric", 20, {"radius": 0.0}, "^radius: must be above 0, got 0.0"),
        ("star", 9, {"degree": 3}, r"^degree: unknown key \(known: graph, nodes\)"),
        ("grid_2d", None, {}, "^nodes: the number of nodes is missing; give at least 4"),
        ("star", True, {}, "^nodes: must be an integer, got true"),
        ("star", 4.0, {}, "^nodes: must be an integer, got 4.0"),
        (
            "barbell",
            8,
            {"degree": 3},
            r"^degree: unknown key .*nodes, clique, bridge\)",
        ),
    ],
)
def test_impossible_graphs(name, nodes, options, message):
    with pytest.raises(InputError, match=message):
        build(name, nodes, rng(), **options)


def test_options_that_are_none_count_as_not_given():
    assert len(build("star", 9, rng(), degree=None, rows=None).edges) == 8


def test_numbers_of_numpy_are_numbers():
    network = build("barbell", np.int64(8), rng(), bridge=np.int32(2))
    assert (network.nodes, len(network.edges)) == (8, 9)
    assert len(build("erdos_renyi", 9, rng(), probability=np.float32(1)).edges) == 36


# ---- a graph of a user's -------------------------------------------------------------------------

WHEEL = '''
from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.networks import Network
from dadao_sim.networks.graphs import Graph


class Wheel(Graph):
    """A cycle whose nodes are all joined to node 0."""

    graph: Literal["wheel"] = Field(description="a cycle around a node")
    spokes: int = Field(default=1, ge=1, description="one in so many nodes of the rim has one")

    def build(self, rng):
        rim = np.arange(1, self.nodes)
        around = np.column_stack([rim, np.roll(rim, -1)])
        spokes = np.column_stack([np.zeros_like(rim), rim])[:: self.spokes]
        return Network(self.nodes, np.vstack([around, spokes]), name=self.graph)
'''


@pytest.fixture
def wheel(monkeypatch):
    module = types.ModuleType("wheel")
    monkeypatch.setitem(sys.modules, "wheel", module)
    exec(WHEEL, vars(module))
    assert GRAPHS.collect(module) == ["wheel"]
    yield module
    del GRAPHS._things["wheel"]


@pytest.mark.usefixtures("wheel")
def test_a_graph_of_a_user_is_built_by_name_and_by_the_command(dadao_sim):
    network = build("wheel", 9, rng(), spokes=2)
    expected = nx.wheel_graph(9)
    expected.remove_edges_from([(0, k) for k in (2, 4, 6, 8)])
    assert set(map(tuple, network.edges.tolist())) == set(expected.edges)
    _, out, _ = dadao_sim(
        *("network", "--graph", "wheel", "--nodes", 9, "--set", "spokes=2", "--json")
    )
    report = json.loads(out)
    assert (report["name"], report["n"], report["edges"]) == ("wheel", 9, 12)
    assert report["chi1"] == pytest.approx(1 / np.sort(nx.laplacian_spectrum(expected))[1])
    code, out, _ = dadao_sim("list")
    assert code == 0
    assert ["wheel", "spokes"] in [line.split() for line in out.splitlines()]


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("sequence", [False, True])
def test_a_graph_of_a_user_in_a_scenario(sequence):
    graph = {"graph": "wheel", "nodes": 7, "spokes": 3}
    scenario = scenario_from_mapping(
        {
            "name": "wheel",
            "problem": {
                "kind": "least_squares",
                "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 5},
            },
            "network": {"sequence": {**graph, "length": 2}} if sequence else graph,
            "algorithms": ["dadao"],
            "stop": {"time": 1},
        }
    )
    network = build_parts(scenario, 0).network
    assert len(network.edges) == 6 + 2
    assert scenario_from_mapping(scenario.to_mapping()) == scenario
    assert pickle.loads(pickle.dumps(scenario.network)) == scenario.network
    with pytest.raises(InputError, match=r"spoke: unknown key; did you mean 'spokes'\?"):
        build_network({"graph": "wheel", "nodes": 7, "spoke": 3}, rng())


def test_a_graph_of_a_user_is_gone_when_it_is_removed():
    with pytest.raises(InputError, match="unknown value 'wheel'"):
        build("wheel", 9, rng())
