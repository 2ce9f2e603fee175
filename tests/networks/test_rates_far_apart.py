"""chi1 and chi2 of rates that are decades apart: right or refused, and never underestimated."""

import itertools
import math

import numpy as np
import pytest
from exact import eigenvalues_below, resistances
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.spectrum_dense import grounded_inverse
from dadao_sim.networks.spectrum_sparse import SparseSpectrum

RIGHT, ROUNDING = 1e-6, 1e-8


def cliques(size, rate):
    """Two cliques with rates 1, and a bridge of this rate."""
    one = list(itertools.combinations(range(size), 2))
    bridge = (size - 1, size)
    pairs = sorted([*one, bridge, *((i + size, j + size) for i, j in one)])
    return 2 * size, np.array(pairs), np.array([rate if e == bridge else 1.0 for e in pairs])


@st.composite
def graphs_with_any_rates(draw):
    nodes = draw(st.integers(2, 7))
    edges = {(draw(st.integers(0, k - 1)), k) for k in range(1, nodes)}
    ends = st.integers(0, nodes - 1)
    edges |= {
        tuple(sorted(p)) for p in draw(st.lists(st.tuples(ends, ends), max_size=9)) if p[0] != p[1]
    }
    span = draw(st.sampled_from([3, 7, 12, 16, 30, 99]))
    exponents = [draw(st.floats(-span, span)) for _ in edges]
    return nodes, np.array(sorted(edges)), np.array([10.0**e for e in exponents])


def is_right(nodes, edges, rates, chi1, chi2, right=RIGHT):
    """Not below the exact value by more than rounding, nor above it by more than ``right``."""
    exact = max(resistances(nodes, edges.tolist(), rates)) / 2
    assert 1 - ROUNDING <= chi2 / exact <= 1 + right
    bounds = [x / chi1 for x in (1 - ROUNDING, 1 + right)]
    below = [eigenvalues_below(nodes, edges.tolist(), rates, x) for x in bounds]
    assert below[0] == 1, "chi1 is underestimated"
    assert below[1] >= 2, "chi1 is overestimated"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(graphs_with_any_rates())
@example(cliques(5, 1e-6))
@example(cliques(5, 1e-12))
@example(cliques(5, 1e-15))
@example(cliques(5, 1e-17))
@example(cliques(4, 1e-99))
def test_dense_constants_are_exact_whatever_the_rates(graph):
    nodes, edges, rates = graph
    network = Network(nodes, edges, rates)
    ordered = network.rates
    chi1, chi2 = network.chi1(ordered), network.chi2(ordered)
    is_right(nodes, network.edges, ordered, chi1, chi2)
    problem = RateProblem.of(GraphSequence([network, network]))
    assert problem.connectivity(ordered) == (chi1, chi2)


@settings(max_examples=25, deadline=None)
@given(graphs_with_any_rates())
def test_each_entry_of_the_grounded_inverse_is_exact(graph):
    """Relative to itself, however small: negative control for all that is subtracted elsewhere."""
    nodes, edges, rates = graph
    inverse = grounded_inverse(nodes, edges, rates)
    to_ground = [[0, k] for k in range(1, nodes)]
    with_all = [*edges.tolist(), *to_ground]  # resistances to node 0, by edges that conduct nothing
    exact = resistances(nodes, with_all, [*rates, *[0.0] * (nodes - 1)])[len(edges) :]
    for k in range(1, nodes):
        assert inverse[k, k] == pytest.approx(float(exact[k - 1]), rel=1e-13)


def test_lapack_alone_is_wrong_where_rates_are_far_apart():
    """Negative control: what chi1 was before, of two cliques with a bridge of rate 1e-17."""
    nodes, edges, rates = cliques(5, 1e-17)
    eigenvalues = np.linalg.eigvalsh(Network(nodes, edges).laplacian(rates).toarray())
    assert abs(1 / eigenvalues[1] / 2.5e17 - 1) > 0.5


LARGE = [
    *(("barbell", 120, {}), ("lollipop", 100, {}), ("path", 150, {}), ("star", 150, {})),
    *(("grid_2d", None, {"rows": 10, "columns": 15}), ("random_regular", 150, {"degree": 4})),
    *(("barabasi_albert", 150, {"attach": 2}), ("erdos_renyi", 120, {"probability": 0.3})),
]


@pytest.mark.parametrize(("name", "nodes", "options"), LARGE)
@pytest.mark.parametrize("decades", [0, 4, 9, 12, 15, 20, 90])
def test_sparse_constants_are_right_or_refused(name, nodes, options, decades):
    """As above 1500 nodes, against the dense ones, which rational arithmetic has judged."""
    rng = np.random.default_rng(decades)
    network = build(name, nodes, rng, **options)
    rates = 10 ** rng.uniform(-decades, 0, len(network.edges))
    chi1, chi2 = network.chi1(rates), network.chi2(rates)
    sparse = SparseSpectrum(network.laplacian(rates), network.edges, rates)
    condition = 2 * network.laplacian(rates).diagonal().max() * chi1
    if condition > 2e12:
        with pytest.raises(InputError, match="cannot be told in floating point; bring them close"):
            _ = sparse.resistances
    try:
        lambda_2 = sparse.lambda_2
    except InputError:
        assert condition > 3e11, "refused although it is well conditioned"
        return
    assert 1 - ROUNDING <= 1 / lambda_2 / chi1 <= 1.05
    assert 1 - ROUNDING <= sparse.resistances.max() / 2 / chi2 <= 1.06
    assert sparse.resistance_interval[0] / 2 <= chi2 * (1 + ROUNDING)


@pytest.mark.parametrize("rate", [1e-3, 1e-6, 1e-9, 1e-13, 1e-17, 1e-40])
def test_a_weak_bridge_between_large_cliques(monkeypatch, rate):
    """chi2 is 1/(2r) exactly, and 1/chi1 = 2r/m to first order."""
    monkeypatch.setattr("dadao_sim.networks.network.DENSE_NODES", 0)
    nodes, edges, rates = cliques(100, rate)
    network = Network(nodes, edges)
    try:
        chi1, chi2 = network.chi1(rates), network.chi2(rates)
    except InputError:
        assert rate < 1e-7
        return
    assert rate > 1e-12
    assert 1 - ROUNDING <= 2 * rate * chi2 <= 1.05
    assert 1 <= chi1 * 2 * rate / 100 <= 1.05 + rate * 50


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1500, 1502])
@pytest.mark.parametrize("name", ["barbell", "lollipop"])
def test_cliques_on_both_sides_of_the_dense_limit(name, nodes):
    """The bridge, or an edge of the tail, alone: 1/2; the dense inverse is no bound but the value.

    With a ball for each edge 1502 nodes took minutes.
    """
    network = build(name, nodes, np.random.default_rng(0))
    assert network.chi2() == pytest.approx(1 / 2, rel=1e-5)
    lower, upper = network.spectrum().resistance_interval
    assert 1 / 2 * (1 - 1e-5) <= lower / 2 <= upper / 2 <= 1 / 2 * (1 + 1e-5)


@pytest.mark.parametrize("bad", [1e-101, 1e101, 5e-324, 1.7e308, math.nan, -0.0])
def test_rates_that_no_constant_can_hold_are_refused(bad):
    with pytest.raises(InputError, match=r"^rates: the rate of edge 1-2 is .*must"):
        Network(3, np.array([[0, 1], [1, 2]]), rates=np.array([1.0, bad]))
