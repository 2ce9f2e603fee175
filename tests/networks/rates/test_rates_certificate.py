"""The lower bound is one for any dual point, however wild; the smoothed objective's gradient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rate_cases import barbell, least_total, random_graph, real, sequence
from scipy.optimize import check_grad

from dadao_sim.networks.network import Network
from dadao_sim.networks.rates import optimal_rates
from dadao_sim.networks.rates import smooth as smooth_module
from dadao_sim.networks.rates.certificate import bound_of_any_graph, certify
from dadao_sim.networks.rates.dual import DualPoint, lower_bound
from dadao_sim.networks.rates.first_order import _Descent, first_order, smooth_dual
from dadao_sim.networks.rates.interior_point import interior_point
from dadao_sim.networks.rates.problem import RateProblem

FOREVER = float("inf")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_dual_point_gives_a_bound(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(seed % 50)
    problem = RateProblem.of(graph)
    w, points = interior_point(problem, 1e-6, FOREVER)
    noise = 10.0 ** rng.uniform(-6, 1)
    good = points[0]

    def shaken(array):
        return array * (1 + noise * rng.standard_normal(array.shape))

    point = DualPoint(shaken(good.factor), shaken(good.p), good.edges, shaken(good.potentials))
    assert lower_bound(problem, [point]) <= least_total(graph, w) * (1 + 1e-9)


def test_the_bound_of_any_graph_is_reached_by_complete_graphs_only():
    assert optimal_rates(random_graph(1)).total_rate > bound_of_any_graph(
        RateProblem.of(random_graph(1))
    )
    nodes = 9
    complete = Network(nodes, np.column_stack(np.triu_indices(nodes, 1)))
    assert optimal_rates(complete).total_rate == pytest.approx(
        bound_of_any_graph(RateProblem.of(complete)), rel=1e-8
    )


def test_a_wrong_dual_point_is_loose_and_an_empty_one_says_nothing():
    graph = barbell()
    problem = RateProblem.of(graph)
    n, m = graph.nodes, len(graph.edges)
    unit = DualPoint(np.eye(n), np.ones(m), np.arange(m), np.eye(n)[:, graph.edges[:, 0]])
    assert 0 < lower_bound(problem, [unit]) < 32
    nothing = DualPoint(np.zeros((n, 1)), np.zeros(m), np.arange(m), unit.potentials)
    assert lower_bound(problem, [nothing]) == 0


@pytest.mark.slow
def test_the_small_conic_problem_tightens_the_smooth_bound():
    problem = RateProblem.of(real("geant2012"))
    w = first_order(problem, FOREVER)
    natural = lower_bound(problem, smooth_dual(problem, w))
    tight = certify(problem, w, FOREVER)
    total = problem.least_total(w)
    assert total / natural > 1.01
    assert 1 < total / tight < 1.002


@pytest.mark.parametrize("theta", [0.5, 0.1])
@pytest.mark.parametrize("exponent", [4, 32])
def test_gradient_of_the_smoothed_objective(theta, exponent, monkeypatch):
    monkeypatch.setattr(smooth_module, "NEGLIGIBLE", 0.0)
    for network in (random_graph(2), sequence()):
        problem = RateProblem.of(network)
        descent = _Descent(problem, FOREVER, theta)
        descent.exponent = exponent
        v = 0.3 * np.random.default_rng(0).standard_normal(problem.size)
        error = check_grad(lambda v: descent(v)[0], lambda v: descent(v)[1], v)  # noqa: B023
        assert error < 1e-5


def test_the_path_for_large_graphs_is_as_good(monkeypatch):
    """Few eigenvectors by Lanczos in the place of all of them."""
    graph = real("geant2012")
    problem = RateProblem.of(graph)
    monkeypatch.setattr(smooth_module, "DENSE_NODES", 20)
    w = first_order(problem, FOREVER)
    assert problem.least_total(w) < 1.01 * optimal_rates(graph).total_rate
    assert problem.least_total(w) < 1.02 * certify(problem, w, FOREVER)
