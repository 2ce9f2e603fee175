"""Large sparse graphs: resistances by selected inversion, the descent, and its certificates."""

import numpy as np
import pytest
from rate_cases import constants, named, random_graph

from dadao_sim.networks import GraphSequence, Network
from dadao_sim.networks import selected_inverse as selected_module
from dadao_sim.networks.rates import certificate, first_order_sparse, methods, optimal_rates
from dadao_sim.networks.rates.dual import SparseDualPoint, believed, lower_bound
from dadao_sim.networks.rates.first_order_sparse import bound_of_mixture, is_sparse
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.smooth import sparse_point_at
from dadao_sim.networks.selected_inverse import SelectedInverse, made_for, selected_inverse

GRAPHS = [
    named("path", 2),
    named("path", 40),
    named("star", 12),
    named("complete", 7),
    named("barbell", 16),
    named("grid_2d", None, rows=7, columns=11),
    named("random_geometric", 60),
    *(random_graph(seed) for seed in range(4)),
]


def uneven(graph, seed=0, spread=2.0):
    return np.exp(spread * np.random.default_rng(seed).standard_normal(len(graph.edges)))


def between(graph, rates):
    """B^T L^+ B, densely."""
    matrix = np.zeros((graph.nodes, len(graph.edges)))
    matrix[graph.edges[:, 0], range(len(graph.edges))] = 1
    matrix[graph.edges[:, 1], range(len(graph.edges))] = -1
    return matrix.T @ np.linalg.pinv(matrix * rates @ matrix.T, hermitian=True) @ matrix


@pytest.fixture
def all_large(monkeypatch):
    """Every graph of more than 20 nodes is large."""
    for module in (methods, certificate, first_order_sparse):
        monkeypatch.setattr(module, "DENSE_NODES", 20)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: f"{graph.name}-{graph.nodes}")
def test_resistances_and_energies_are_those_of_the_pseudo_inverse(graph):
    inverse = SelectedInverse(graph.nodes, graph.edges)
    assert inverse.is_cheap
    q = np.random.default_rng(1).random(len(graph.edges)) ** 8
    for seed in range(2):  # the second with what the first has left
        rates = uneven(graph, seed)
        M = between(graph, rates)
        np.testing.assert_allclose(inverse.resistances(rates), np.diag(M), rtol=1e-9)
        expected = M**2 @ q
        found = inverse.energies(rates, q)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12 * expected.max())
        assert np.sort(inverse.order).tolist() == sorted(set(inverse.order.tolist()))


def test_only_where_a_factorisation_is_cheap(monkeypatch):
    grid, expander = named("grid_2d", None, rows=30, columns=50), named("random_regular", 1600)
    assert selected_inverse(grid) is selected_inverse(grid)
    assert made_for(expander.nodes, expander.edges) is None
    tree = named("star", 3000)
    assert made_for(tree.nodes, tree.edges) is not None
    monkeypatch.setattr(selected_module, "MOST_ENTRIES", 1000)
    assert made_for(grid.nodes, grid.edges) is None
    monkeypatch.undo()
    monkeypatch.setattr(selected_module, "MOST_WORK", 1000)
    assert made_for(grid.nodes, grid.edges) is None


def test_resistances_of_large_graphs_are_exact():
    grid = named("grid_2d", None, rows=40, columns=40)
    rates = uneven(grid, spread=0.5)
    lower, upper = grid.spectrum(rates).resistance_bounds
    i, j = grid.edges.T
    inverse = np.linalg.inv(grid.laplacian(rates).toarray() + 1)
    exact = inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]
    assert (lower <= exact).all()
    assert (exact <= upper).all()
    assert (upper <= exact * (1 + 1e-6)).all()


def test_sums_that_are_wrong_are_not_believed():
    graph = named("grid_2d", None, rows=5, columns=6)
    rates, p = uneven(graph), uneven(graph, 1)
    inverse = SelectedInverse(graph.nodes, graph.edges)
    R = inverse.resistances(rates)
    energies = inverse.energies(rates, p / R**2)
    good = believed(graph.nodes, energies, rates, p, R)
    assert (good >= energies).all()
    np.testing.assert_allclose(good, energies, rtol=1e-8)
    for wrong in ((1.001 * energies, R), (energies, 1.001 * R), (energies, -R)):
        assert np.isnan(believed(graph.nodes, wrong[0], rates, p, wrong[1])).all()


@pytest.mark.parametrize("seed", range(5))
def test_any_sparse_dual_point_gives_a_bound(seed):
    rng = np.random.default_rng(seed)
    graph = named("grid_2d", None, rows=4, columns=6)
    costs = uneven(graph, seed, 0.5)
    problem = RateProblem.of(graph, costs=(costs,))
    least = optimal_rates(graph, cost=costs).total_cost
    point = SparseDualPoint(
        rng.standard_normal((24, 3)),
        rng.standard_normal(len(costs)),
        uneven(graph, seed + 9),
        SelectedInverse(24, graph.edges),
    )
    assert 0 < lower_bound(problem, [point]) * problem.unit < least
    # The same by explicit potentials.
    M = between(graph, point.rates)
    p = np.maximum(point.p, 0)
    mass, energies = point.mass_and_energies(graph.edges)
    assert mass == pytest.approx(p.sum())
    np.testing.assert_allclose(energies, (M / np.diag(M)) ** 2 @ p, rtol=1e-7)


@pytest.mark.parametrize("priced", [False, True])
def test_the_descent_meets_its_bound(all_large, priced):
    for graph in (named("grid_2d", None, rows=8, columns=15), named("random_geometric", 60)):
        costs = uneven(graph, 3, 0.7) if priced else None
        found = optimal_rates(graph, "first_order", cost=costs)
        assert is_sparse(RateProblem.of(graph))
        w = found.rates if costs is None else costs * found.rates
        chi1, chi2 = constants(graph, found.rates)
        assert chi1 * chi2 == pytest.approx(0.5, rel=1e-7)
        assert w.sum() == pytest.approx(found.total_cost)
        assert found.gap < (0.05 if priced else 0.02)


def test_the_descent_agrees_with_the_interior_point_method(monkeypatch):
    graph = named("grid_2d", None, rows=8, columns=15)
    best = {
        method: optimal_rates(graph, method) for method in ("auto", "max_lambda2", "min_resistance")
    }
    for module in (methods, certificate, first_order_sparse):
        monkeypatch.setattr(module, "DENSE_NODES", 20)
    found = optimal_rates(graph)
    assert found.solver == "L-BFGS"
    assert found.lower_bound <= best["auto"].total_rate * (1 + 1e-9)
    assert best["auto"].lower_bound <= found.total_rate
    assert found.gap <= 5e-3
    for method, constant in (("max_lambda2", 0), ("min_resistance", 1)):
        one_sided = optimal_rates(graph, method).rates
        values = [constants(graph, w / w.sum())[constant] for w in (one_sided, best[method].rates)]
        assert values[0] == pytest.approx(values[1], rel=0.02)


def test_mixtures_are_bounds_and_no_worse_than_their_parts():
    graph = named("random_geometric", 60)
    problem = RateProblem.of(graph)
    least = optimal_rates(graph).total_rate
    loads, alone = [], []
    for seed in range(6):
        point = sparse_point_at(graph, uneven(graph, seed, 0.3))
        sums = point.power_sums(8)
        trace, x, mass, phi = point.loads(8, sums)
        loads.append((x / trace, phi / mass))
        alone.append(lower_bound(problem, [point.dual_point(8)]))
    mixed = bound_of_mixture(problem, loads)
    assert max(bound_of_mixture(problem, [one]) for one in loads) <= max(alone) * (1 + 1e-6)
    assert max(alone) * (1 - 1e-3) <= mixed <= least


def test_a_sequence_of_large_graphs(all_large):
    grid = named("grid_2d", None, rows=5, columns=6)
    ring = Network(30, np.array([(k, (k + 1) % 30) for k in range(30)]))
    network = GraphSequence([grid, ring])
    found = optimal_rates(network)
    pairs = [constants(g, w) for g, w in zip(network.graphs, found.by_graph, strict=True)]
    chi1, chi2 = np.max(pairs, axis=0)
    assert chi1 * chi2 == pytest.approx(0.5, rel=1e-7)
    assert found.solver == "L-BFGS"
    assert found.lower_bound <= found.total_rate
    assert found.gap < 0.05


def test_out_of_time_there_is_a_bound(all_large):
    graph = named("grid_2d", None, rows=8, columns=15)
    found = optimal_rates(graph, time_limit=1e-3)
    assert 0 < found.lower_bound <= found.total_rate
    uniform = optimal_rates(graph, "uniform")
    assert uniform.lower_bound > found.lower_bound
    assert found.total_rate <= uniform.total_rate * (1 + 1e-9)


@pytest.mark.slow
def test_above_1500_nodes_to_one_per_cent_and_the_same_bits_again():
    graph = named("grid_2d", None, rows=30, columns=52)
    found = optimal_rates(graph, cache=False)
    assert found.gap < 0.01
    again = optimal_rates(graph, cache=False)
    assert again.rates.tobytes() == found.rates.tobytes()
    assert again.lower_bound == found.lower_bound
