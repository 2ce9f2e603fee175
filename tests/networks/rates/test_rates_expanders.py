"""Large graphs whose factors are full: the bound of lambda_2, its descent, and the rates."""

import math

import cvxpy as cp
import numpy as np
import pytest
from rate_cases import constants, least_total, named, random_graph
from scipy.optimize import check_grad

from dadao_sim.networks import GraphSequence
from dadao_sim.networks.rates import certificate, methods, optimal_rates
from dadao_sim.networks.rates.certificate import bound_of_any_graph
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.spectral_gap import (
    LowSubspace,
    _Descent,
    bound_by_lambda_2,
    loads,
    widest_gap,
)

FOREVER = math.inf


def dense(graph, rates):
    i, j = graph.edges.T
    matrix = np.zeros((graph.nodes, graph.nodes))
    matrix[i, j] = matrix[j, i] = -rates
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def largest_lambda_2(graph, costs):
    """Over rates of cost 1, by a conic solver."""
    m = len(graph.edges)
    w, t = cp.Variable(m, nonneg=True), cp.Variable()
    n = graph.nodes
    i, j = graph.edges.T
    B = np.zeros((n, m))
    B[i, range(m)], B[j, range(m)] = 1, -1
    B = np.linalg.svd(np.ones((1, n)))[2][1:] @ B  # off 1
    task = cp.Problem(cp.Maximize(t), [B @ cp.diag(w) @ B.T >> t * np.eye(n - 1), costs @ w == m])
    task.solve(solver=cp.CLARABEL)
    return float(t.value) / m


@pytest.mark.parametrize("priced", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_meets_a_conic_solver(seed, priced):
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    costs = rng.uniform(0.5, 2, len(graph.edges)) if priced else None
    problem = RateProblem.of(graph, costs=None if costs is None else (costs,))
    w, bound = widest_gap(problem, FOREVER)
    exact = largest_lambda_2(graph, problem.cost)
    assert problem.total(w) == pytest.approx(1)
    assert exact <= bound * (1 + 1e-6)
    assert bound <= 1.03 * exact
    assert np.linalg.eigvalsh(dense(graph, w))[1] >= 0.97 * exact
    least = optimal_rates(graph, cost=costs).total_cost
    assert bound_by_lambda_2(problem, bound) * problem.unit <= least * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_any_vectors_give_a_bound_of_lambda_2(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(seed)
    factor = rng.standard_normal((graph.nodes, 3))
    factor -= factor.mean(axis=0)
    bound = loads(factor, graph.edges).max() / (factor**2).sum()
    for _ in range(5):
        w = rng.exponential(size=len(graph.edges)) ** 3
        assert np.linalg.eigvalsh(dense(graph, w / w.sum()))[1] <= bound
        np.testing.assert_allclose(
            loads(factor, graph.edges) @ w, np.trace(factor.T @ dense(graph, w) @ factor)
        )


def test_the_subspace_is_that_of_the_lowest_eigenvalues():
    graph = named("random_regular", 400, degree=3)
    space = LowSubspace(graph)
    rng = np.random.default_rng(0)
    for _ in range(3):
        rates = rng.uniform(0.8, 1.2, len(graph.edges))
        values, vectors = space.at(rates)
        exact = np.linalg.eigvalsh(dense(graph, rates))
        assert len(values) == 69  # 2 sqrt(1200)
        np.testing.assert_allclose(values[:8], exact[1:9], rtol=1e-3)
        assert (values >= exact[1 : 1 + len(values)] * (1 - 1e-9)).all()  # Cauchy interlacing
        np.testing.assert_allclose(vectors.sum(axis=0), 0, atol=1e-10)


def test_the_gradient_of_the_descent():
    problem = RateProblem.of(random_graph(2))
    descent = _Descent(problem, FOREVER)
    descent.exponent = 8
    u = np.random.default_rng(0).uniform(0.7, 1.3, problem.size)
    assert check_grad(lambda u: descent(u)[0], lambda u: descent(u)[1], u) < 1e-5


@pytest.fixture
def all_large(monkeypatch):
    """Every graph of more than 20 nodes is large, and its factor full."""
    for module in (methods, certificate):
        monkeypatch.setattr(module, "DENSE_NODES", 20)
        monkeypatch.setattr(module, "LARGEST", 20)
    monkeypatch.setattr(methods, "is_sparse", lambda problem: False)


@pytest.mark.parametrize("degree", [3, 4, 6])
def test_rates_of_an_expander(all_large, degree):
    graph = named("random_regular", 300, degree=degree)
    found = optimal_rates(graph)
    # By the definitions, densely.
    assert found.total_rate == pytest.approx(least_total(graph, found.rates), rel=1e-8)
    assert bound_of_any_graph(RateProblem.of(graph)) < 0.9 * found.lower_bound
    assert found.lower_bound < found.total_rate
    assert found.total_rate <= optimal_rates(graph, "uniform").total_rate * (1 + 1e-9)


def test_a_sequence_of_expanders(all_large):
    network = GraphSequence([named("random_regular", 40, degree=d) for d in (3, 4)])
    for shared in (True, False):
        found = optimal_rates(network, shared=shared)
        pairs = [constants(g, w) for g, w in zip(network.graphs, found.by_graph, strict=True)]
        chi1, chi2 = np.max(pairs, axis=0)
        assert chi1 * chi2 == pytest.approx(0.5, rel=1e-7)
        assert found.lower_bound <= found.total_rate
        problem = RateProblem.of(network, shared)
        assert found.lower_bound > bound_of_any_graph(problem)


def test_out_of_time_the_bound_of_any_graph_is_left(all_large):
    graph = named("random_regular", 300, degree=3)
    found = optimal_rates(graph, time_limit=1e-9)
    assert found.lower_bound == pytest.approx(bound_of_any_graph(RateProblem.of(graph)))
    assert widest_gap(RateProblem.of(graph), 0.0)[1] == math.inf


def test_between_the_sizes_both_certificates_count(monkeypatch):
    for module in (methods, certificate):
        monkeypatch.setattr(module, "DENSE_NODES", 20)
    graph = named("random_regular", 120, degree=3)
    problem = RateProblem.of(graph)
    bound = bound_by_lambda_2(problem, widest_gap(problem, FOREVER)[1])
    found = optimal_rates(graph)
    assert found.lower_bound >= bound
    other = certificate.certify(problem, found.rates, FOREVER)
    assert found.lower_bound >= other * (1 - 1e-9)
    assert found.lower_bound <= found.total_rate


@pytest.mark.slow
def test_to_ten_per_cent(all_large):
    found = optimal_rates(named("random_regular", 1200, degree=4), cache=False)
    assert 0 < found.gap < 0.1


@pytest.mark.torture
@pytest.mark.parametrize("degree", [3, 4])
def test_above_8000_nodes_to_ten_per_cent(degree):
    found = optimal_rates(named("random_regular", 8200, degree=degree), cache=False)
    assert 0 < found.gap < 0.1
