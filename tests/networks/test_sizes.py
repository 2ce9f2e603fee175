"""How large a graph will be, said before it is built: against what is built."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.networks.graphs import GRAPHS, build
from dadao_sim.networks.section import build_network

OPTIONS = {
    "erdos_renyi": [{}, {"probability": 0.3}],
    "barabasi_albert": [{}, {"attach": 7}],
    "watts_strogatz": [{}, {"neighbours": 10}],
    "random_geometric": [{}, {"radius": 0.4}],
    "random_regular": [{}, {"degree": 30}, {"degree": 250}],
    "barbell": [{}, {"bridge": 100}],
    "lollipop": [{}, {"tail": 5}],
}
CASES = [(graph, options) for graph in GRAPHS for options in OPTIONS.get(graph, [{}])]


def declared(graph, **options):
    return GRAPHS[graph](graph=graph, **options)


@pytest.mark.parametrize(("graph", "options"), CASES)
def test_the_size_is_that_of_the_network(graph, options):
    """Exactly where nothing is drawn, about where something is, a bit more at borders."""
    network = build(graph, 256, np.random.default_rng(0), **options)
    size = declared(graph, nodes=256, **options).size()
    assert size.nodes == network.nodes
    assert 0.8 * len(network.edges) <= size.edges <= 1.5 * len(network.edges) + 10


@pytest.mark.parametrize(("graph", "options"), CASES)
def test_the_bytes_are_about_what_it_takes(graph, options):
    """Between a fifth and twice the peak: neither refused too early nor too late."""
    declaration = declared(graph, nodes=256 if graph == "random_regular" else 4096, **options)
    build(graph, 16, np.random.default_rng(0))  # what is imported counts for nobody
    if declaration.size().edges > 10**6:
        declaration = declared(graph, nodes=1024, **options)
    tracemalloc.start()
    try:
        declaration.build(np.random.default_rng(0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / 2 <= declaration.need().bytes <= 5 * peak + 1e5


@pytest.mark.parametrize("graph", GRAPHS)
@given(exponent=st.integers(40, 62))
def test_a_graph_that_is_too_large_is_not_built(graph, exponent):
    nodes = 2 ** (exponent // 2 * 2)  # a square, and a power of two
    with pytest.raises(InputError, match=r"^nodes: ") as caught:
        build(graph, nodes, np.random.default_rng(0))
    assert f"{nodes:,} nodes and" in str(caught.value)
    with pytest.raises(InputError, match=r"^nodes: "):
        build_network({"graph": graph, "nodes": nodes}, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("graph", "options"),
    [
        ("barbell", {"clique": 10**9}),
        ("barbell", {"clique": 3, "bridge": 10**15}),
        ("lollipop", {"clique": 10**9, "tail": 2}),
        ("grid_2d", {"rows": 2**40, "columns": 2**40}),
        ("torus_2d", {"rows": 3, "columns": 2**60}),
        ("random_geometric", {"nodes": 10**6, "radius": 50.0}),
        ("random_regular", {"nodes": 10**7, "degree": 10**6}),
        ("barabasi_albert", {"nodes": 10**7, "attach": 10**6}),
        ("watts_strogatz", {"nodes": 10**7, "neighbours": 10**6}),
        ("erdos_renyi", {"nodes": 10**7, "probability": 0.9}),
        ("erdos_renyi", {"nodes": 10**7, "probability": 1e-4}),
    ],
)
def test_options_that_make_it_large(graph, options):
    with pytest.raises(InputError, match=r"^nodes: .* nodes and .* edges"):
        build(graph, options.pop("nodes", None), np.random.default_rng(0), **options)


@given(st.integers(10**12, 2**63 - 1))
def test_sequences_that_are_long(length):
    spec = {"sequence": {"graph": "cycle", "nodes": 4, "length": length}}
    with pytest.raises(InputError, match=rf"^sequence\.length: {length:,} graphs of 4 nodes"):
        build_network(spec, np.random.default_rng(0))


def test_no_node_or_edge_without_a_number():
    """However much memory there is, for they have 32 bits."""
    for graph, nodes in (("cycle", 2**31), ("complete", 70_000)):
        with pytest.raises(InputError, match="at most 2,147,483,647 of each"):
            declared(graph, nodes=nodes).need()
    assert declared("cycle", nodes=2**31 - 1).need().bytes > 1e11


def test_large_squares_are_squares():
    """A square root in floating point is not."""
    side = 3_037_000_498
    with pytest.raises(InputError, match=f"{side**2:,} nodes and"):
        build("grid_2d", side**2, np.random.default_rng(0))
    with pytest.raises(InputError, match="has rows x columns"):
        build("grid_2d", side**2 + 1, np.random.default_rng(0))


def test_memory_that_is_limited(monkeypatch):
    """What fits into the machine does not fit into what is left."""
    from dadao_sim import memory

    monkeypatch.setattr(memory, "free_bytes", lambda: 1e6)
    build("cycle", 1000, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"would take 16 MB of memory, of which 1 MB are free"):
        build("cycle", 100_000, np.random.default_rng(0))
