"""Directed networks: against networkx, and against dense eigenvectors."""

import networkx as nx
import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.networks import (
    Digraph,
    DirectedNetwork,
    DirectedSequence,
    GraphSequence,
    Network,
    read_graphml,
    write_graphml,
)
from dadao_sim.networks.convert import as_any_network, as_network
from dadao_sim.networks.directed import (
    arcs_of,
    in_turn,
    perron_vectors,
    pull_weights,
    push_weights,
)
from dadao_sim.networks.graphs import build
from dadao_sim.networks.section import build_network

CROSSED = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 3), (2, 0), (1, 0)]


def rng(seed=0):
    return np.random.default_rng(seed)


def crossed():
    """Five nodes, a ring with chords, and one edge that goes both ways."""
    return DirectedNetwork(5, np.array(CROSSED[::-1]))


def dense_perron(M):
    """The eigenvector of eigenvalue 1, of sum 1."""
    values, vectors = np.linalg.eig(M)
    v = vectors[:, np.argmin(np.abs(values - 1))].real
    return v / v.sum()


# ---- what it is ----------------------------------------------------------------------------------


def test_arcs_edges_degrees_and_weights():
    network = crossed()
    assert network.arcs.tolist() == sorted(map(list, CROSSED))
    graph = nx.DiGraph(CROSSED)
    assert network.edges.tolist() == sorted(map(sorted, graph.to_undirected().edges))
    np.testing.assert_array_equal(network.edges[network.edge_of_arc], np.sort(network.arcs, axis=1))
    assert network.out_degrees.tolist() == [graph.out_degree(v) for v in range(5)]
    assert network.in_degrees.tolist() == [graph.in_degree(v) for v in range(5)]
    C, R = network.C.toarray(), network.R.toarray()
    for i in range(5):
        for j in range(5):
            there = i == j or graph.has_edge(i, j)
            assert C[j, i] == (there / (1 + graph.out_degree(i)))
            assert R[j, i] == (there / (1 + graph.in_degree(j)))
    np.testing.assert_allclose(network.pi, dense_perron(C), rtol=1e-12)
    np.testing.assert_allclose(network.p, dense_perron(R.T), rtol=1e-12)
    assert isinstance(network.undirected, Network)
    assert network.graphs == (network,)


def test_of_an_undirected_network_every_edge_is_an_arc_each_way():
    path = Network(3, np.array([(0, 1), (1, 2)]))
    assert arcs_of(path).tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    (pi,), (p,) = perron_vectors(path)
    np.testing.assert_allclose(pi, np.array([2, 3, 2]) / 7, rtol=1e-14)  # 1 + degree, over the sum
    np.testing.assert_allclose(p, pi, rtol=1e-14)
    C, R = push_weights(path).toarray(), pull_weights(path).toarray()
    np.testing.assert_array_equal(R, C.T)


def test_the_eigenvectors_of_a_sequence_go_round_with_it():
    """Against the eigenvectors of the product of a whole turn, from each of its places."""
    sequence = in_turn(build("random_digraph", 12, rng(3)), 3)
    pi, p = perron_vectors(sequence)
    C = [push_weights(graph).toarray() for graph in sequence.graphs]
    R = [pull_weights(graph).toarray() for graph in sequence.graphs]
    for k in range(3):
        turn = [(k + q) % 3 for q in range(3)]
        push, pull = np.eye(12), np.eye(12)
        for q in turn:
            push, pull = C[q] @ push, R[q] @ pull
        np.testing.assert_allclose(pi[k], dense_perron(push), rtol=1e-9)
        np.testing.assert_allclose(p[k], dense_perron(pull.T), rtol=1e-9)


def test_above_what_is_eliminated_they_come_of_iteration(monkeypatch):
    network = build("random_digraph", 40, rng(1))
    exact = perron_vectors(network)
    monkeypatch.setattr("dadao_sim.networks.directed.SOLVED_PERRON", 10)
    np.testing.assert_allclose(perron_vectors(network), exact, rtol=1e-10)
    monkeypatch.setattr("dadao_sim.networks.directed.MOST_STEPS", 2)
    with pytest.raises(InputError, match=r"^network: it mixes too slowly"):
        perron_vectors(network)


def test_relabelling_takes_arcs_ids_and_positions_along():
    named = DirectedNetwork(
        3, np.array([(0, 1), (1, 2), (2, 0)]), positions=np.eye(3)[:, :2], ids=("a", "b", "c")
    )
    other = named.relabelled([2, 0, 1])
    assert other.ids == ("c", "a", "b")
    assert other.arcs.tolist() == [[0, 1], [1, 2], [2, 0]]
    assert other.positions.tolist() == [[0, 0], [1, 0], [0, 1]]
    assert (other.node("a"), other.called(0), other.arc_called(0, 1)) == (1, "'c'", "'c'->'a'")
    with pytest.raises(InputError, match=r"^order: a permutation of 0..2 is needed"):
        named.relabelled([0, 0, 1])


@pytest.mark.parametrize(
    ("nodes", "arcs", "message"),
    [
        (3, [(0, 1), (1, 2)], "the graph: no way leads from node 1 to node 0; "),
        (3, [(1, 0), (0, 1), (1, 2)], "the graph: no way leads from node 2 to node 0; "),
        (4, [(0, 1), (1, 0), (2, 3), (3, 2)], "the graph: no way leads from node 0 to node 2; "),
        (2, [(0, 1), (1, 0), (0, 1)], "arcs: the arc 0->1 is given more than once; a simple"),
        (2, [(0, 1), (1, 1)], "arcs: node 1 has an arc to itself; remove the self loop"),
        (2, [(0, 1), (1, 2)], "arcs: node 2 does not exist; nodes go from 0 to 1"),
        (2, [(0.0, 1.0)], "arcs: an integer array of shape (arcs, 2) is needed, not float64"),
        (1, [(0, 0)], "nodes: at least 2 nodes are needed, not 1"),
        ("2", [(0, 1)], "nodes: a whole number is needed, not '2'"),
    ],
)
def test_what_is_no_directed_network_is_refused(nodes, arcs, message):
    with pytest.raises(InputError) as caught:
        DirectedNetwork(nodes, np.array(arcs))
    assert str(caught.value).startswith(message)


# ---- builders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [2, 3, 16])
def test_the_ring_and_the_one_peer_exponential_graph(nodes):
    ring = build("directed_ring", nodes, rng())
    assert ring.to_networkx().edges == nx.cycle_graph(nodes, nx.DiGraph).edges
    sequence = build("exponential_one_peer", nodes, rng())
    hops = [1 << k for k in range(10) if 1 << k < nodes]
    assert len(sequence.graphs) == len(hops)
    for graph, hop in zip(sequence.graphs, hops, strict=True):
        assert set(map(tuple, graph.arcs.tolist())) == {
            (i, (i + hop) % nodes) for i in range(nodes)
        }


def test_one_turn_of_the_one_peer_exponential_graph_is_the_exact_mean():
    """At powers of two: B. Ying and others, NeurIPS 2021, lemma 1. Not at other numbers."""
    for nodes, exact in ((16, True), (12, False)):
        product = np.eye(nodes)
        for graph in build("exponential_one_peer", nodes, rng()).graphs:
            product = push_weights(graph).toarray() @ product
        assert np.allclose(product, 1 / nodes, atol=1e-15) == exact


@pytest.mark.parametrize(("name", "options"), [("random_digraph", {}), ("k_out", {"out": 5})])
def test_random_ones_come_from_the_generator_and_are_strongly_connected(name, options):
    first, same, other = (build(name, 40, rng(seed), **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.arcs, same.arcs)
    assert not np.array_equal(first.arcs, other.arcs)
    assert nx.is_strongly_connected(first.to_networkx())
    if name == "k_out":
        assert first.out_degrees.tolist() == [5] * 40


def test_every_arc_of_a_random_digraph_is_as_likely():
    counts = np.zeros((6, 6))
    for seed in range(200):
        arcs = build("random_digraph", 6, rng(seed), probability=0.7).arcs
        counts[tuple(arcs.T)] += 1
    assert (counts.diagonal() == 0).all()
    shares = counts[~np.eye(6, dtype=bool)] / 200
    # Hardly one is not strongly connected, and drawn anew; 4 deviations.
    assert np.abs(shares - 0.7).max() < 4 * np.sqrt(0.21 / 200)
    assert abs(shares.mean() - 0.7) < 4 * np.sqrt(0.21 / 200 / 30)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("random_digraph", {"probability": 0.01}, "probability: 0.01 gave no strongly connected"),
        ("k_out", {"out": 20}, "nodes: 20 is not possible, out = 20 needs more nodes than that"),
        ("directed_ring", {"turns": 21}, "turns: 21 graphs for 20 arcs; at most 20"),
        ("exponential_one_peer", {"turns": 2}, "turns: unknown key"),
    ],
)
def test_options_that_are_not_possible(name, options, message):
    with pytest.raises(InputError) as caught:
        build(name, 20, rng(), **options)
    assert str(caught.value).startswith(message)


# ---- sequences -----------------------------------------------------------------------------------


def test_halves_in_turn_are_jointly_connected_and_none_is_alone():
    halves = build("directed_ring", 6, rng(), turns=2)
    assert [graph.arcs.tolist() for graph in halves.graphs] == [
        [[0, 1], [2, 3], [4, 5]],
        [[1, 2], [3, 4], [5, 0]],
    ]
    assert halves.arcs.tolist() == build("directed_ring", 6, rng()).arcs.tolist()
    with pytest.raises(InputError, match="the graph: no way leads"):
        as_any_network(halves.graphs[0])
    with pytest.raises(InputError) as caught:
        DirectedSequence([halves.graphs[0], halves.graphs[0]])
    assert str(caught.value).startswith("graphs: the 2 graphs together: no way leads from node 0")


def test_the_nodes_of_a_sequence_are_matched_by_their_ids():
    one = nx.DiGraph([("a", "b"), ("b", "c")])
    two = nx.DiGraph([("c", "a")])
    two.add_node("b")
    sequence = DirectedSequence([one, two])
    assert sequence.ids == ("a", "b", "c")
    assert [graph.arcs.tolist() for graph in sequence.graphs] == [[[0, 1], [1, 2]], [[2, 0]]]
    with pytest.raises(InputError, match=r"^graphs.1: a Digraph, .* is needed, not a Graph"):
        DirectedSequence([one, nx.path_graph(3)])
    with pytest.raises(InputError, match=r"^graphs: there is none"):
        DirectedSequence([])


# ---- the border with networkx, files and scenarios -----------------------------------------------


def test_through_networkx_and_graphml_and_back(tmp_path):
    graph = nx.DiGraph([("x", "y"), ("y", "z"), ("z", "x"), ("y", "x")], name="triangle")
    graph.edges["x", "y"]["length_km"] = 3.0
    graph.edges["y", "z"]["price"] = 2.0
    network = as_any_network(graph)
    assert isinstance(network, DirectedNetwork)
    assert network.undirected.lengths_km[0] == 3.0
    back = DirectedNetwork.from_networkx(network.to_networkx())
    write_graphml(network, tmp_path / "triangle.graphml")
    write_graphml(network, tmp_path / "triangle.graphml")  # ours may be written again
    theirs = nx.read_graphml(tmp_path / "triangle.graphml")
    assert theirs.is_directed()
    for other in (back, read_graphml(tmp_path / "triangle.graphml"), as_any_network(theirs)):
        assert other.ids == ("x", "y", "z")
        assert other.arcs.tolist() == network.arcs.tolist()
        np.testing.assert_array_equal(other.lengths_km, network.lengths_km)
        np.testing.assert_array_equal(
            other.arc_attributes["price"], network.arc_attributes["price"]
        )
    graph.edges["y", "x"]["length_km"] = 4.0
    right = "it has another lengths_km than 'y'->'x'; one edge has one"
    with pytest.raises(InputError, match=f"^network: arc 'x'->'y': {right}$"):
        as_any_network(graph)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"lengths_km": [1, 2, -3]}, "lengths_km: arc 2->0 is -3 km long; lengths must be finite"),
        ({"lengths_km": [1, 2]}, r"lengths_km: one per arc is needed, shape \(3,\), not \(2,\)$"),
        ({"arc_attributes": [1, 2, 3]}, "arc_attributes: arrays by name are needed, not a list$"),
        ({"arc_attributes": {3: [1, 2, 3]}}, "arc_attributes: names are texts, not 3$"),
    ],
)
def test_numbers_of_arcs_are_checked_when_a_network_is_made(about, said):
    with pytest.raises(InputError, match=f"^{said}"):
        DirectedNetwork(3, [(0, 1), (1, 2), (2, 0)], **about)


def test_what_wants_an_undirected_network_refuses_a_directed_one():
    with pytest.raises(InputError, match=r"^graphs\.1: network is directed, and this is of undir"):
        GraphSequence([Network(3, [(0, 1), (1, 2)]), Digraph(3, [(0, 1)])])
    with pytest.raises(InputError) as caught:
        as_network(crossed())
    right = "give an undirected one, such as its undirected"
    wrong = "network: network is directed, and this is of undirected networks"
    assert str(caught.value) == f"{wrong}; {right}"
    with pytest.raises(InputError, match=r"is needed, not a Graph$"):
        DirectedNetwork.from_networkx(nx.path_graph(2))
    with pytest.raises(InputError, match=r"a simple graph is needed: networkx.DiGraph\(g\)"):
        DirectedNetwork.from_networkx(nx.MultiDiGraph([(0, 1), (1, 0)]))


def test_what_a_scenario_asks_for(tmp_path):
    files = [str(tmp_path / f"{name}.graphml") for name in ("there", "back", "both")]
    nx.write_graphml(nx.DiGraph([("a", "b"), ("b", "c")]), files[0])
    back = nx.DiGraph([("c", "b"), ("b", "a")])
    nx.write_graphml(back, files[1])
    nx.write_graphml(nx.path_graph(["a", "b", "c"]), files[2])
    sequence = build_network({"sequence": {"files": files[:2]}}, rng())
    assert [len(graph.arcs) for graph in sequence.graphs] == [2, 2]
    assert sequence.ids == ("a", "b", "c")
    four = build_network({"sequence": {"graph": "k_out", "nodes": 9, "length": 4}}, rng())
    assert isinstance(four, DirectedSequence)
    assert len(four.graphs) == 4
    named = build_network({"graph": "directed_ring", "nodes": 2, "ids": ["p", "q"]}, rng())
    assert named.ids == ("p", "q")
    named = {"graph": "directed_ring", "nodes": 4, "turns": 2, "ids": list("pqrs")}
    assert build_network(named, rng()).ids == tuple("pqrs")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"sequence": {"files": ["there.graphml", "both.graphml"]}},
            "sequence.files: there.graphml is directed and both.graphml is not; give directed ones",
        ),
        (
            {"sequence": {"files": ["there.graphml", "there.graphml"]}},
            "sequence.files.graphs: the 2 graphs together: no way leads from node 'b'",
        ),
        ({"file": "there.graphml"}, "file: there.graphml: the graph: no way leads from node 'b'"),
        (
            {"graph": "directed_ring", "nodes": 3, "rates": "optimal"},
            "rates: directed_ring is directed, and gossip rates are of undirected edges; leave",
        ),
        (
            {"file": "ring.graphml", "rates": {"attribute": "km"}},
            "file: ring.graphml: the graph is directed; gossip rates are of undirected edges",
        ),
        (
            {"sequence": {"graph": "exponential_one_peer", "nodes": 8, "length": 2}},
            "sequence.graph: exponential_one_peer is a sequence already; give it to network itself",
        ),
    ],
)
def test_sections_that_cannot_be(tmp_path, monkeypatch, section, message):
    monkeypatch.chdir(tmp_path)
    nx.write_graphml(nx.DiGraph([("a", "b")]), "there.graphml")
    nx.write_graphml(nx.path_graph(["a", "b"]), "both.graphml")
    nx.write_graphml(nx.cycle_graph(3, nx.DiGraph), "ring.graphml")
    with pytest.raises(InputError) as caught:
        build_network(section, rng())
    assert str(caught.value).startswith(message)


def test_a_digraph_says_what_it_is():
    halves = build("directed_ring", 6, rng(), turns=2)
    assert str(halves).startswith("DirectedSequence directed_ring in 2 turns: 2 graphs on 6 nodes")
    said = str(crossed())
    assert said.startswith("DirectedNetwork network: 5 nodes, 8 arcs")
    assert "one-way     6 of 7 edges" in said
    assert isinstance(halves.graphs[0], Digraph)
