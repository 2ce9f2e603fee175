"""A node is what its file calls it, wherever it stands in the file."""

import itertools
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.events.world.faults.changes import Changes
from dadao_sim.events.world.faults.late import Late
from dadao_sim.networks import GraphSequence, Network, read_graphml, write_graphml
from dadao_sim.networks.rates import optimal_rates
from dadao_sim.networks.section import build_network

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1)


@st.composite
def named_graphs(draw, names=NAMES):
    """Ids, and the edges of a connected graph over them."""
    ids = draw(st.lists(names.map(str.strip).filter(bool), min_size=2, max_size=7, unique=True))
    edges = {(draw(st.integers(0, k - 1)), k) for k in range(1, len(ids))}
    ends = st.integers(0, len(ids) - 1)
    extra = draw(st.lists(st.tuples(ends, ends), max_size=6))
    edges |= {(min(pair), max(pair)) for pair in extra if pair[0] != pair[1]}
    return ids, [(ids[i], ids[j]) for i, j in sorted(edges)]


def numbers(count):
    return st.permutations(range(count)).map(lambda order: list(map(str, order)))


def write(path, ids, edges):
    graph = nx.Graph()
    graph.add_nodes_from(ids)
    graph.add_edges_from((u, v, {"length_km": float(len(u + v))}) for u, v in edges)
    nx.write_graphml(graph, path)
    return path


def called(network):
    """Its edges as pairs of ids, with their lengths."""
    ids = network.ids or tuple(map(str, range(network.nodes)))
    pairs = [frozenset((ids[i], ids[j])) for i, j in network.edges.tolist()]
    return dict(zip(pairs, network.lengths_km.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(named_graphs(), st.randoms(use_true_random=False))
def test_a_sequence_matches_nodes_by_their_ids(tmp_path_factory, graph, random):
    folder = tmp_path_factory.mktemp("sequence")
    ids, edges = graph
    other = random.sample(ids, len(ids))
    turned = [random.choice([(u, v), (v, u)]) for u, v in random.sample(edges, len(edges))]
    files = [
        str(write(folder / "a.graphml", ids, edges)),
        str(write(folder / "b.graphml", other, turned)),
    ]
    sequence = build_network({"sequence": {"files": files}}, np.random.default_rng(0))
    one, two = sequence.graphs
    assert one.ids == two.ids
    assert one.labels == two.labels
    np.testing.assert_array_equal(one.edges, two.edges)
    assert len(sequence.edges) == len(edges)
    assert called(one) == called(two) == {frozenset(e): float(len(e[0] + e[1])) for e in edges}


@settings(max_examples=40, deadline=None)
@given(named_graphs(), st.data())
def test_other_nodes_are_refused_by_file_and_id(tmp_path_factory, graph, data):
    folder = tmp_path_factory.mktemp("sequence")
    ids, edges = graph
    renamed = data.draw(st.sampled_from(ids))
    new = data.draw(NAMES.map(str.strip).filter(bool).filter(lambda name: name not in ids))
    moved = {name: name for name in ids} | {renamed: new}
    write(folder / "a.graphml", ids, edges)
    write(folder / "b.graphml", moved.values(), [(moved[u], moved[v]) for u, v in edges])
    files = [str(folder / "a.graphml"), str(folder / "b.graphml")]
    with pytest.raises(InputError, match=r"b\.graphml has no node .*a\.graphml has") as caught:
        build_network({"sequence": {"files": files}}, np.random.default_rng(0))
    assert str(caught.value).startswith("sequence.files: ")
    assert repr(renamed)[1:-1][:50] in str(caught.value)


def test_more_nodes_or_fewer_are_refused_by_id():
    path, longer = (Network.from_networkx(nx.path_graph(list(s))) for s in ("abc", "abcd"))
    for graphs, lacks in (([path, longer], 0), ([longer, path], 1)):
        with pytest.raises(InputError, match=rf"graph {lacks} .*has no node 'd'"):
            GraphSequence(graphs)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12).flatmap(numbers))
def test_ids_that_are_the_numbers_of_the_nodes_are_these_numbers(tmp_path_factory, ids):
    """The path 0-1-...-n-1, whose nodes stand in the file in any order."""
    edges = [(str(k), str(k + 1)) for k in range(len(ids) - 1)]
    network = read_graphml(write(tmp_path_factory.mktemp("n") / "n.graphml", ids, edges))
    assert network.ids is None
    assert network.edges.tolist() == [[k, k + 1] for k in range(len(ids) - 1)]
    assert network.labels == tuple(map(str, range(len(ids))))


def test_networkx_graphs_of_numbers_are_numbered_by_them():
    for order in itertools.permutations(range(4)):
        graph = nx.Graph()
        graph.add_nodes_from(order)
        graph.add_edges_from([(0, 1), (1, 2), (2, 3)])
        assert Network.from_networkx(graph).edges.tolist() == [[0, 1], [1, 2], [2, 3]]


def world_of(ids):
    graph = nx.path_graph(ids)
    return Network.from_networkx(graph)


@pytest.mark.parametrize(
    ("ids", "absent"),
    [
        (["Basel", "Bern", "Zürich"], [0, 1, "Zurich", "bern"]),
        ([1, 2, 3], [0, "0"]),
        (["3", "1", "2"], [0]),
        (["007", "010", "011"], [7, 10]),
        (["0", "1", "x"], [2]),
        (["-1", "[/b]", "a\nb"], [0, "a"]),
    ],
)
def test_a_world_names_nodes_by_their_ids_and_never_by_place(ids, absent):
    network = world_of(ids)
    one, two, three = ids
    changes = Changes(changes=[{"at": 1, "down": [[two, three]]}, {"at": 2, "down": [[two, one]]}])
    place = {name: k for k, name in enumerate(network.ids)}
    for (_, edge, _), pair in zip(changes.cuts(network), ((two, three), (two, one)), strict=True):
        ends = sorted(place[str(end)] for end in pair)
        assert network.edges[edge].tolist() == ends
    late = Late(late=[{"node": three, "at": 5.0}])
    late.check(network, accuracy=False, end=10.0)
    assert late.joining(network) == {place[str(three)]: 5.0}
    with pytest.raises(InputError, match="no edge between nodes") as caught:
        Changes(changes=[{"at": 1, "down": [[one, three]]}]).cuts(network)
    assert repr(str(one)) in str(caught.value)
    for name in absent:
        with pytest.raises(InputError, match=r"^nodes\.late: the graph has no node with the id"):
            Late(late=[{"node": name, "at": 5.0}]).check(network, accuracy=False, end=10.0)
        with pytest.raises(InputError, match=r"^changes\.0\.down: the graph has no node"):
            Changes(changes=[{"at": 1, "down": [[one, name]]}]).cuts(network)


@pytest.mark.parametrize("name", [-1, 1.0, True, "", None, [0], 2**70])
def test_what_is_no_id_is_refused(name):
    with pytest.raises(ValueError, match=r"id of a node|not one of") as caught:
        Late(late=[{"node": name, "at": 5.0}]).check(world_of([0, 1, 2]), accuracy=False, end=9.0)
    assert "Traceback" not in str(caught.value)


def test_a_graph_without_ids_is_called_by_numbers():
    network = Network(3, np.array([[0, 1], [1, 2]]))
    assert [network.node(k) for k in (0, "1", 2)] == [0, 1, 2]
    for name in (3, -1, "03", "a", "²"):
        with pytest.raises(InputError, match="is not one of the 3 nodes; they go from 0 to 2"):
            network.node(name)


@settings(max_examples=30, deadline=None)
@given(named_graphs())
def test_rates_and_files_keep_the_ids(tmp_path_factory, graph):
    folder = tmp_path_factory.mktemp("ids")
    network = read_graphml(write(folder / "n.graphml", *graph))
    found = optimal_rates(network, "metropolis", cache=False).network
    assert found.ids == network.ids
    write_graphml(found, folder / "out.graphml")
    back = read_graphml(folder / "out.graphml", "gossip_rate")
    assert set(nx.read_graphml(folder / "out.graphml")) == set(graph[0])
    assert (back.ids, back.labels) == (network.ids, network.labels)
    np.testing.assert_array_equal(back.rates, found.rates)
    assert called(back) == called(network)
    order = np.random.default_rng(0).permutation(network.nodes)
    assert called(network.relabelled(order)) == called(network)


def test_the_networks_that_come_with_it_keep_their_order():
    for file in sorted((Path(__file__).parents[2] / "graphs").glob("*.graphml")):
        plain = nx.read_graphml(file)
        assert read_graphml(file).labels == tuple(d["label"] for _, d in plain.nodes(data=True))
