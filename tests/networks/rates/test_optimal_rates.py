"""The optimum: known values, two independent solvers, perturbations, and the certificate."""

import math

import networkx as nx
import numpy as np
import pytest
from rate_cases import barbell, constants, least_total, lollipop, named, random_graph, real

from dadao_sim.networks.rates import RATE_METHODS, compare_rates, optimal_rates

ROUNDING = 1e-9


def assert_certified(graph, found):
    """The bound, the total recomputed from the rates alone, and the gap fit together."""
    chi1, chi2 = constants(graph, found.rates)
    assert chi1 * chi2 == pytest.approx(0.5, rel=1e-7)
    assert found.rates.sum() == pytest.approx(found.total_rate, rel=1e-12)
    assert (found.chi1, found.chi2) == pytest.approx((chi1, chi2), rel=1e-7)
    dense = least_total(graph, found.rates)
    assert found.lower_bound <= dense * (1 + ROUNDING)
    assert dense <= (1 + found.gap) * found.lower_bound * (1 + ROUNDING)
    assert found.gap >= 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_exact_and_first_order_agree_within_their_gaps(seed):
    graph = random_graph(seed)
    conic = optimal_rates(graph, "exact", solver="CLARABEL")
    own = optimal_rates(graph, "exact", solver="interior_point")
    smooth = optimal_rates(graph, "first_order")
    for found in (conic, own, smooth):
        assert_certified(graph, found)
    assert conic.gap < 1e-5
    assert own.gap < 2e-6
    assert smooth.gap < 0.01
    # Every bound is below every total: each certificate is tested by another method's rates.
    least = min(found.total_rate for found in (conic, own, smooth))
    assert max(found.lower_bound for found in (conic, own, smooth)) <= least * (1 + ROUNDING)


def test_no_perturbation_beats_exact():
    rng = np.random.default_rng(1)
    for graph in (barbell(), lollipop(), random_graph(100)):
        best = optimal_rates(graph, "exact")
        for _ in range(100):
            size = 10.0 ** rng.uniform(-4, 0)
            w = best.rates * np.exp(size * rng.standard_normal(len(best.rates)))
            w += rng.random() * size * rng.random(len(w)) * w.mean()
            assert least_total(graph, w) >= best.total_rate * (1 - 1e-6)


@pytest.mark.parametrize("name", ["star", "cycle", "complete"])
def test_uniform_is_optimal_where_all_edges_are_alike(name):
    graph = named(name, 16)
    for method in ("uniform", "exact", "first_order"):
        found = optimal_rates(graph, method)
        assert_certified(graph, found)
        assert found.gap < 1e-5
        assert found.rates == pytest.approx(found.rates.mean(), rel=1e-2)


def test_values_of_the_formulas():
    path, star = named("path", 16), named("star", 16)
    assert optimal_rates(star).total_rate == pytest.approx(15, abs=5e-3)
    assert optimal_rates(path).total_rate == pytest.approx(76.5, abs=0.05)
    assert optimal_rates(path, "uniform").total_rate == pytest.approx(76.5, abs=0.05)
    assert optimal_rates(path, "max_lambda2").total_rate == pytest.approx(124, abs=0.5)
    for graph, uniform, optimal in ((barbell(), 126.15, 32.92), (lollipop(), 113.53, 44.46)):
        for method in ("exact", "auto"):
            assert optimal_rates(graph, method).total_rate == pytest.approx(optimal, abs=6e-3)
        smooth = optimal_rates(graph, "first_order")
        assert smooth.total_rate == pytest.approx(optimal, rel=1e-3)
        assert smooth.gap < 1e-3
        assert optimal_rates(graph, "uniform").total_rate == pytest.approx(uniform, abs=6e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "first_order", "auto"])
def test_geant2012(method):
    graph = real("geant2012")
    found = optimal_rates(graph, method)
    assert_certified(graph, found)
    assert found.total_rate <= 114.7
    assert found.lower_bound >= 113.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cogentco", "uscarrier"])
@pytest.mark.parametrize("method", ["first_order", "auto"])
def test_real_networks_are_certified_to_one_per_cent(name, method):
    graph = real(name)
    found = optimal_rates(graph, method)
    assert_certified(graph, found)
    assert found.gap < 0.01


def test_two_nodes():
    found = optimal_rates(named("path", 2))
    # lambda_2 = 2w and R = 1/w: chi1 chi2 = 1/(4 w^2)
    assert found.rates == pytest.approx([math.sqrt(0.5)])
    assert found.gap < 1e-5


@pytest.mark.parametrize("method", list(RATE_METHODS))
def test_every_method_is_certified_against_the_same_optimum(method):
    graph = random_graph(7)
    found = optimal_rates(graph, method)
    assert_certified(graph, found)
    assert found.lower_bound == pytest.approx(optimal_rates(graph).total_rate, rel=1e-3)


def test_comparison_shares_the_best_bound():
    found = compare_rates(barbell(), ["uniform", "max_lambda2", "exact"])
    assert [rates.method for rates in found] == ["uniform", "max_lambda2", "exact"]
    assert len({rates.lower_bound for rates in found}) == 1
    assert found[2].total_rate < found[1].total_rate < found[0].total_rate


# ---- the two one-sided designs, and the closed forms ---------------------------------------------


@pytest.mark.parametrize("graph", [barbell(), lollipop(), random_graph(3), real("geant2012")])
def test_min_resistance_reaches_n_minus_1(graph):
    """Kiefer and Wolfowitz: the least largest resistance is n - 1, where log det is largest."""
    found = optimal_rates(graph, "min_resistance").rates
    _, chi2 = constants(graph, found / found.sum())
    assert 2 * chi2 == pytest.approx(graph.nodes - 1, rel=1e-6)


def test_min_resistance_has_the_most_spanning_trees():
    graph = barbell()
    w = np.full(len(graph.edges), 1 / len(graph.edges))
    i, j = graph.edges.T
    for _ in range(2000):  # the multiplicative algorithm for D-optimal designs
        inverse = np.linalg.inv(graph.laplacian(w).toarray() + 1)
        w *= (inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]) / (graph.nodes - 1)
    found = optimal_rates(graph, "min_resistance").rates
    assert found / found.sum() == pytest.approx(w, abs=1e-4)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_max_lambda2_is_that_of_a_conic_program():
    import cvxpy as cp

    graph = lollipop()
    w, t = cp.Variable(len(graph.edges), nonneg=True), cp.Variable()
    incidence = nx.incidence_matrix(
        nx.Graph(graph.edges.tolist()),
        nodelist=range(graph.nodes),
        edgelist=graph.edges.tolist(),
        oriented=True,
    ).toarray()
    laplacian = incidence @ cp.diag(w) @ incidence.T
    projector = np.eye(graph.nodes) - 1 / graph.nodes
    cp.Problem(cp.Maximize(t), [laplacian >> t * projector, cp.sum(w) == 1]).solve("CLARABEL")
    found = optimal_rates(graph, "max_lambda2").rates
    chi1, _ = constants(graph, found / found.sum())
    assert 1 / chi1 == pytest.approx(float(t.value), rel=1e-5)


def test_closed_forms():
    graph = lollipop()
    degree = np.bincount(graph.edges.ravel())
    larger = degree[graph.edges].max(axis=1)
    inverse = nx.resistance_distance(graph.to_networkx())
    expected = {
        "uniform": np.ones(len(graph.edges)),
        "metropolis": 1 / (1 + larger),
        "degree": (1 / degree[graph.edges]).sum(axis=1),
        "effective_resistance": np.array([inverse[i][j] for i, j in graph.edges]),
    }
    for method, w in expected.items():
        rates = optimal_rates(graph, method).rates
        assert rates / rates.sum() == pytest.approx(w / w.sum(), rel=1e-9)
