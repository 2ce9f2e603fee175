import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence, Network

TRIANGLE = [[0, 1], [1, 2], [0, 2]]


@st.composite
def connected_graphs(draw):
    """A random tree plus random extra edges, with random rates."""
    nodes = draw(st.integers(2, 14))
    edges = {(draw(st.integers(0, k - 1)), k) for k in range(1, nodes)}
    ends = st.integers(0, nodes - 1)
    extra = draw(st.lists(st.tuples(ends, ends), max_size=12))
    edges |= {(min(pair), max(pair)) for pair in extra if pair[0] != pair[1]}
    rates = [draw(st.floats(0.01, 100.0)) for _ in edges]
    return Network(nodes, np.array(sorted(edges)), rates=np.array(rates))


# ---- construction --------------------------------------------------------------------------------


def test_edges_are_sorted_with_all_that_is_per_edge():
    network = Network(
        4,
        np.array([[3, 2], [0, 1], [2, 1]]),
        rates=np.array([3.0, 1.0, 2.0]),
        lengths_km=np.array([30.0, 10.0, np.nan]),
    )
    assert network.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert network.edges.dtype == np.int32
    assert network.edges.flags.c_contiguous
    assert network.rates.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(network.lengths_km, [10, np.nan, 30])
    assert network.graphs == (network,)


def test_arrays_are_read_only_and_not_those_given():
    rates = np.ones(3)
    network = Network(3, np.array(TRIANGLE), rates=rates)
    rates[0] = 7.0
    assert network.rates[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        network.rates[0] = 2.0


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        (1, np.empty((0, 2), int), r"^nodes: at least 2 nodes are needed, not 1"),
        (3.0, [[0, 1], [1, 2]], r"^nodes: a whole number is needed, not 3.0"),
        (3, np.empty((0, 2), int), r"not connected, it has 3 components"),
        (4, [[0, 1], [2, 3]], r"not connected, it has 2 components"),
        (2, [[0, 1], [1, 1]], r"^edges: node 1 has an edge to itself"),
        (2, [[0, 1], [1, 0]], r"between nodes 0 and 1 is given more than once"),
        (2, [[0, 2]], r"^edges: node 2 does not exist; nodes go from 0 to 1"),
        (2, [[0.0, 1.0]], r"^edges: an integer array of shape \(edges, 2\)"),
        (2, [0, 1], r"^edges: an integer array of shape \(edges, 2\)"),
    ],
)
def test_what_is_no_connected_simple_graph_is_refused(nodes, edges, message):
    with pytest.raises(InputError, match=message):
        Network(nodes, np.array(edges))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_rates_must_be_positive(bad):
    rates = [1.0, bad, 1.0]
    message = f"rates: the rate of edge 0-2 is {bad}; rates must be finite and > 0"
    with pytest.raises(InputError, match=message):
        Network(3, np.array(TRIANGLE)[[0, 2, 1]], rates=np.array(rates))
    with pytest.raises(InputError, match=message):
        Network(3, np.array(TRIANGLE)).chi1(rates)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rates", np.ones(2)), ("lengths_km", np.ones(2)), ("lengths_km", np.ones(4))),
        *(("positions", np.ones((2, 2))), ("labels", ("a", "b"))),
    ],
)
def test_wrong_lengths_are_refused(field, value):
    with pytest.raises(InputError, match=f"^{field}: "):
        Network(3, np.array(TRIANGLE), **{field: value})


def test_edge_indices_in_either_order():
    network = Network(5, np.array([[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]]))
    ends = network.edges
    assert network.edge_indices(ends[:, 0], ends[:, 1]).tolist() == [0, 1, 2, 3, 4]
    assert network.edge_indices(ends[::-1, 1], ends[::-1, 0]).tolist() == [4, 3, 2, 1, 0]
    assert network.edge_indices(3, [2, 4]).tolist() == [3, 4]


@pytest.mark.parametrize("pair", [(0, 2), (2, 2), (0, 5), (-1, 1), (4, 9)])
def test_edge_indices_of_no_edge(pair):
    network = Network(5, np.array([[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]]))
    with pytest.raises(InputError, match=f"no edge between nodes {pair[0]} and {pair[1]}"):
        network.edge_indices(*pair)


# ---- networkx ------------------------------------------------------------------------------------


def test_networkx_and_back():
    graph = nx.Graph(name="three")
    graph.add_node("b", label="Bern", longitude=7.4, latitude=46.9)
    graph.add_node("a", pos=(1.0, 2.0))
    graph.add_node("c")
    graph.add_edge("a", "b", length_km=5.0, speed=2.0)
    graph.add_edge("c", "a", speed="3")
    network = Network.from_networkx(graph, rates="speed")
    assert network.name == "three"
    assert network.labels == ("Bern", "a", "c")
    assert network.edges.tolist() == [[0, 1], [1, 2]]
    assert network.rates.tolist() == [2, 3]
    np.testing.assert_array_equal(network.lengths_km, [5, np.nan])
    np.testing.assert_array_equal(network.positions, [[7.4, 46.9], [1, 2], [np.nan, np.nan]])

    back = Network.from_networkx(network.to_networkx(), rates="gossip_rate")
    for field in ("edges", "rates", "lengths_km", "positions"):
        np.testing.assert_array_equal(getattr(back, field), getattr(network, field))
    assert (back.labels, back.name) == (network.labels, network.name)


def test_uniform_without_a_rate_attribute():
    network = Network.from_networkx(nx.path_graph(3))
    assert network.rates.tolist() == [1, 1]
    assert network.positions is None
    assert network.lengths_km is None


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.Graph(), "the graph is empty; at least 2 nodes"),
        (nx.path_graph(1), "^nodes: at least 2 nodes"),
        (nx.path_graph(3, nx.DiGraph), "the graph is directed"),
        (nx.path_graph(3, nx.MultiGraph), "the graph is a multigraph"),
        (nx.Graph([(0, 1), (1, 1)]), "has an edge to itself"),
        (nx.Graph([(0, 1), (2, 3), (4, 5)]), "not connected, it has 3 components"),
    ],
)
def test_networkx_graphs_that_are_refused(graph, message):
    with pytest.raises(InputError, match=message):
        Network.from_networkx(graph)


def test_rate_attributes_that_are_refused():
    graph = nx.Graph([(0, 1, {"speed": 1.0, "kind": "fibre"}), (1, 2, {"kind": "copper"})])
    with pytest.raises(
        InputError, match=r"1 of 2 edges have no attribute 'speed'.*'kind', 'speed'"
    ):
        Network.from_networkx(graph, rates="speed")
    with pytest.raises(
        InputError, match=r"^edge '0'-'1': its attribute 'kind' is 'fibre', which is no n"
    ):
        Network.from_networkx(graph, rates="kind")


# ---- Laplacian, chi1, chi2: against dense linear algebra ----------------------------------------


@settings(max_examples=40, deadline=None)
@given(connected_graphs())
def test_constants_against_dense_linear_algebra(network):
    incidence = np.zeros((len(network.edges), network.nodes))
    for e, (i, j) in enumerate(network.edges):
        incidence[e, i], incidence[e, j] = 1, -1
    laplacian = incidence.T @ np.diag(network.rates) @ incidence
    np.testing.assert_allclose(
        network.laplacian(network.rates).toarray(), laplacian, rtol=1e-12, atol=1e-12
    )
    eigenvalues = np.linalg.svd(laplacian, compute_uv=False)  # descending, the last is zero
    resistances = np.diag(incidence @ np.linalg.pinv(laplacian, hermitian=True) @ incidence.T)
    chi1, chi2 = network.chi1(network.rates), network.chi2(network.rates)
    assert network.lambda_2(network.rates) == pytest.approx(eigenvalues[-2], rel=1e-8)
    assert network.lambda_max(network.rates) == pytest.approx(eigenvalues[0], rel=1e-10)
    np.testing.assert_allclose(network.resistances(network.rates), resistances, rtol=1e-8)
    assert chi1 == pytest.approx(1 / eigenvalues[-2], rel=1e-8)
    assert chi2 == pytest.approx(resistances.max() / 2, rel=1e-8)


@settings(max_examples=40, deadline=None)
@given(connected_graphs(), st.floats(1e-3, 1e3))
def test_properties_of_the_constants(network, factor):
    rates = network.rates
    # Foster's theorem; every resistance at most that of the edge alone; chi2 <= chi1.
    assert rates @ network.resistances(rates) == pytest.approx(network.nodes - 1, rel=1e-9)
    assert (network.resistances(rates) <= (1 + 1e-9) / rates).all()
    assert network.chi2(rates) <= network.chi1(rates) * (1 + 1e-9)
    # Homogeneous of degree -1.
    assert network.chi1(factor * rates) == pytest.approx(network.chi1(rates) / factor, rel=1e-8)
    assert network.chi2(factor * rates) == pytest.approx(network.chi2(rates) / factor, rel=1e-8)


@settings(max_examples=25, deadline=None)
@given(connected_graphs(), st.randoms(use_true_random=False))
def test_relabelling_keeps_the_constants_and_moves_the_names(network, random):
    order = list(range(network.nodes))
    random.shuffle(order)
    labelled = Network(
        network.nodes,
        network.edges,
        rates=network.rates,
        labels=tuple(f"node {k}" for k in range(network.nodes)),
        positions=np.column_stack([np.arange(network.nodes), np.zeros(network.nodes)]),
    )
    moved = labelled.relabelled(order)
    assert moved.labels == tuple(f"node {k}" for k in order)
    assert moved.positions[:, 0].tolist() == order
    edges = moved.edge_indices(
        np.argsort(order)[network.edges[:, 0]], np.argsort(order)[network.edges[:, 1]]
    )
    np.testing.assert_array_equal(moved.rates[edges], network.rates)
    assert moved.chi1(moved.rates) == pytest.approx(network.chi1(network.rates), rel=1e-8)
    assert moved.chi2(moved.rates) == pytest.approx(network.chi2(network.rates), rel=1e-8)


def test_relabelling_needs_a_permutation():
    with pytest.raises(InputError, match=r"permutation of 0\.\.2"):
        Network(3, np.array(TRIANGLE)).relabelled([0, 1, 1])


def test_spectra_of_other_rates_are_not_confused():
    network = Network(3, np.array(TRIANGLE))
    for scale in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1.0, 2.0]:
        assert network.chi1(np.full(3, scale)) == pytest.approx(1 / (3 * scale), rel=1e-12)


# ---- sequences -----------------------------------------------------------------------------------


def test_sequence_is_the_union_of_its_graphs():
    path = Network(4, np.array([[0, 1], [1, 2], [2, 3]]))
    star = Network(4, np.array([[0, 1], [0, 2], [0, 3]]), positions=np.eye(4)[:, :2])
    sequence = GraphSequence([path, star])
    assert sequence.nodes == 4
    assert sequence.graphs == (path, star)
    assert sequence.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert sequence.edges.dtype == np.int32
    assert [ids.tolist() for ids in sequence.members] == [[0, 3, 4], [0, 1, 2]]
    for graph, ids in zip(sequence.graphs, sequence.members, strict=True):
        np.testing.assert_array_equal(sequence.edges[ids], graph.edges)
    assert sequence.rates.tolist() == [1] * 5
    assert sequence.edge_indices([3, 1], [2, 2]).tolist() == [4, 3]
    assert sequence.positions is None
    with pytest.raises(InputError, match="no edge between nodes 1 and 3"):
        sequence.edge_indices(1, 3)


def test_relabelled_sequence():
    path = Network(3, np.array([[0, 1], [1, 2]]))
    star = Network(3, np.array([[0, 1], [0, 2]]))
    moved = GraphSequence([path, star]).relabelled([2, 0, 1])
    assert moved.graphs[0].edges.tolist() == [[0, 2], [1, 2]]  # 2-1 and 0-1 of the path
    assert moved.graphs[1].edges.tolist() == [[0, 1], [1, 2]]


def test_sequences_that_are_refused():
    with pytest.raises(InputError, match=r"^graphs: there is none; give at least one"):
        GraphSequence([])
    pair = Network(2, np.array([[0, 1]]))
    with pytest.raises(
        InputError,
        match=r"^graphs: graph 1 \(network\) has no node '2', which graph 0 .*has; ",
    ):
        GraphSequence([Network(3, np.array(TRIANGLE)), pair])


# ---- arrays that are not what they seem ----------------------------------------------------------

HIDDEN = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize(
    "values", [HIDDEN, [np.ma.masked, 1.0], np.array(["1", "2"], dtype=object), ["1", "2"]]
)
@pytest.mark.parametrize("name", ["rates", "lengths_km"])
def test_masked_numbers_and_text_are_no_numbers_of_edges(name, values):
    with pytest.raises(InputError, match=f"^{name}: (some are masked|real numbers are needed)"):
        Network(3, np.array([[0, 1], [1, 2]]), **{name: values})


def test_masked_positions_and_edges_are_not_uncovered():
    edges = np.array([[0, 1], [1, 2]])
    with pytest.raises(InputError, match=r"^positions: some are masked"):
        Network(3, edges, positions=[HIDDEN, HIDDEN, HIDDEN])
    for hidden in (np.ma.masked_equal(edges, 0), list(np.ma.masked_equal(edges, 0))):
        with pytest.raises(InputError, match=r"^edges: some numbers are masked"):
            Network(3, hidden)
    assert len(Network(3, np.ma.masked_array(edges)).edges) == 2


@pytest.mark.parametrize(
    "order", [[0.0, 1.0, 2.0], None, "012", [[0, 1, 2]], np.ma.masked_array([2, 1, 0], [1, 0, 0])]
)
def test_orders_that_are_no_permutation(order):
    with pytest.raises(InputError, match=r"^order: a permutation of 0\.\.2"):
        Network(3, np.array([[0, 1], [1, 2]])).relabelled(order)


@pytest.mark.parametrize("node", [0.5, "0", None, np.nan, 2**70, True, [0.9], np.ma.masked])
def test_an_edge_is_not_sought_by_what_is_no_number_of_a_node(node):
    network = Network(3, np.array([[0, 1], [1, 2]]))
    with pytest.raises(InputError, match=r"^i: .* whole numbers of nodes"):
        network.edge_indices(node, 1)
    assert network.edge_indices(np.uint8(1), 0) == 0


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_a_sequence_matches_ids_that_are_numbers_with_no_ids(one, other):
    path = np.array([[0, 1], [1, 2], [2, 3]])
    graphs = [
        Network(4, path),  # called 0..3
        *(Network(4, np.argsort(ids)[path], ids=tuple(map(str, ids))) for ids in (one, other)),
    ]
    for first in range(3):
        sequence = GraphSequence(graphs[first:] + graphs[:first])
        names = sequence.ids or tuple("0123")
        for graph in sequence.graphs:
            ends = {frozenset((names[i], names[j])) for i, j in graph.edges.tolist()}
            assert ends == {frozenset("01"), frozenset("12"), frozenset("23")}
