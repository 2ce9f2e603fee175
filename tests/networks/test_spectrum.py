"""Closed forms; and the sparse bounds against the dense values, from the safe side."""

import math
from functools import cache

import numpy as np
import pytest

from dadao_sim.networks import Network
from dadao_sim.networks.graphs import build
from dadao_sim.networks.local_resistance import pair_bounds, resistance_bounds, solved_bounds
from dadao_sim.networks.spectrum_sparse import (
    SparseSpectrum,
    lambda_2_by_inverse,
    lambda_2_by_lanczos,
    lambda_max_by_lanczos,
    solver_by_conjugate_gradients,
    solver_by_factors,
)

# name, nodes, options, lambda_2, lambda_max, largest resistance over an edge
CLOSED_FORMS = [
    ("star", 300, {}, 1.0, 300.0, 1.0),
    ("path", 50, {}, 2 - 2 * math.cos(math.pi / 50), 2 + 2 * math.cos(math.pi / 50), 1.0),
    ("cycle", 60, {}, 2 - 2 * math.cos(2 * math.pi / 60), 4.0, 59 / 60),
    ("complete", 40, {}, 40.0, 40.0, 2 / 40),
    (
        "grid_2d",
        None,
        {"rows": 7, "columns": 12},
        2 - 2 * math.cos(math.pi / 12),
        4 + 2 * math.cos(math.pi / 12) + 2 * math.cos(math.pi / 7),
        None,
    ),
    ("torus_2d", 64, {}, 2 - 2 * math.cos(2 * math.pi / 8), 8.0, 63 / 128),
    ("hypercube", 128, {}, 2.0, 14.0, 127 / (64 * 7)),
]


@pytest.mark.parametrize(
    ("name", "nodes", "options", "smallest", "largest", "resistance"), CLOSED_FORMS
)
def test_closed_forms(name, nodes, options, smallest, largest, resistance):
    network = build(name, nodes, np.random.default_rng(0), **options)
    assert network.lambda_2() == pytest.approx(smallest, rel=1e-10)
    assert network.lambda_max() == pytest.approx(largest, rel=1e-10)
    assert network.chi1() == pytest.approx(1 / smallest, rel=1e-10)
    if resistance is not None:
        # Edge-transitive graphs, by Foster's theorem, and trees.
        assert network.chi2() == pytest.approx(resistance / 2, rel=1e-10)


def test_star_and_path_of_the_paper():
    star = build("star", 300, np.random.default_rng(0))
    assert star.chi1(np.ones(299)) == pytest.approx(1, rel=1e-12)
    assert star.chi2(np.ones(299)) == pytest.approx(1 / 2, rel=1e-12)
    path = build("path", 16, np.random.default_rng(0))
    w = np.full(15, 1 / 15)
    assert math.sqrt(2 * path.chi1(w) * path.chi2(w)) == pytest.approx(76.517, abs=5e-4)


# ---- sparse --------------------------------------------------------------------------------------

GRAPHS = [
    ("star", 300, {}),
    ("path", 250, {}),
    ("cycle", 401, {}),
    ("complete", 300, {}),
    ("grid_2d", None, {"rows": 20, "columns": 30}),
    ("torus_2d", 625, {}),
    ("hypercube", 512, {}),
    ("barbell", 200, {}),
    ("lollipop", 200, {}),
    ("exponential", 600, {}),
    ("random_geometric", 700, {}),
    ("erdos_renyi", 500, {}),
    ("erdos_renyi", 400, {"probability": 0.2}),
    ("barabasi_albert", 800, {"attach": 1}),
    ("barabasi_albert", 800, {"attach": 3}),
    ("watts_strogatz", 800, {}),
    ("random_regular", 900, {"degree": 3}),
    ("random_regular", 900, {"degree": 4}),
]


@cache
def network_and_rates(case: int, uniform: bool) -> tuple[Network, np.ndarray]:
    name, nodes, options = GRAPHS[case]
    rng = np.random.default_rng(case)
    network = build(name, nodes, rng, **options)
    return network, np.ones(len(network.edges)) if uniform else rng.uniform(
        0.2, 2.0, len(network.edges)
    )


every_graph = pytest.mark.parametrize(
    "case", range(len(GRAPHS)), ids=[f"{name}-{k}" for k, (name, _, _) in enumerate(GRAPHS)]
)
both_rates = pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "random"])


@pytest.mark.slow
@every_graph
@both_rates
def test_sparse_eigenvalues_are_safe_and_tight(case, uniform):
    network, rates = network_and_rates(case, uniform)
    laplacian = network.laplacian(rates)
    exact = network.spectrum(rates)
    assert exact.lambda_max <= lambda_max_by_lanczos(laplacian) <= exact.lambda_max * 1.01
    estimates = [lambda_2_by_lanczos(laplacian)]
    for solver in (solver_by_factors, solver_by_conjugate_gradients):
        solve = solver(laplacian)
        estimates.append(None if solve is None else lambda_2_by_inverse(laplacian, solve))
    assert estimates[1] is not None
    for estimate in estimates:
        assert estimate is None or exact.lambda_2 * (1 - 1e-2) <= estimate <= exact.lambda_2


@pytest.mark.slow
@every_graph
@both_rates
def test_sparse_resistances_bracket_the_dense_ones(case, uniform):
    network, rates = network_and_rates(case, uniform)
    exact = network.resistances(rates)
    sparse = SparseSpectrum(network.laplacian(rates), network.edges, rates)
    lower, upper = sparse.resistance_bounds
    assert (lower <= exact * (1 + 1e-10)).all()
    assert (upper >= exact * (1 - 1e-10)).all()
    chi2 = upper.max() / 2
    assert network.chi2(rates) * (1 - 1e-12) <= chi2 <= network.chi2(rates) * 1.05
    assert sparse.resistance_interval == (lower.max(), upper.max())
    np.testing.assert_array_equal(sparse.resistances, upper)


@pytest.mark.parametrize("seed", range(5))
def test_expanders_with_hubs_are_solved_by_conjugate_gradients(seed):
    """Preferential attachment: the gap is large, hubs stretch the spectrum, LU would fill up.

    Small parts hung on by few edges have eigenvectors of their own: none may be overlooked.
    """
    network = build("barabasi_albert", 900, np.random.default_rng(seed))
    laplacian = network.laplacian()
    solve = solver_by_conjugate_gradients(laplacian)
    assert solve is not None
    exact = network.lambda_2()
    assert exact * (1 - 1e-3) <= lambda_2_by_inverse(laplacian, solve) <= exact


def test_bounds_hold_where_hubs_are_not_read(monkeypatch):
    """With every node above 8 neighbours a hub the bounds are looser, and still bounds."""
    monkeypatch.setattr("dadao_sim.networks.local_resistance.HUB_DEGREE", 8)
    for case in (0, 3, 12, 14):
        network, rates = network_and_rates(case, False)
        exact = network.resistances(rates)
        lower, upper = resistance_bounds(
            network.laplacian(rates), network.edges, rates, network.chi1(rates)
        )
        assert (lower <= exact * (1 + 1e-10)).all()
        assert (upper >= exact * (1 - 1e-10)).all()


@pytest.mark.parametrize("steps", [1, 3, 10, 1000])
def test_solved_bounds_hold_wherever_conjugate_gradients_stop(monkeypatch, steps):
    monkeypatch.setattr("dadao_sim.networks.local_resistance.MOST_STEPS", steps)
    network, rates = network_and_rates(15, False)
    exact, chi1 = network.resistances(rates), network.chi1(rates)
    for e in range(0, len(exact), 200):
        i, j = network.edges[e].tolist()
        low, high = solved_bounds(network.laplacian(rates), i, j, exact[e], chi1)
        assert low <= exact[e] * (1 + 1e-10)
        assert high >= exact[e] * (1 - 1e-10)
        if steps == 1000:
            assert high <= 1.02 * low


def test_pair_bounds_are_exact_on_leaves_and_on_two_nodes():
    star = build("star", 50, np.random.default_rng(0))
    lower, upper = pair_bounds(star.laplacian(), star.edges, np.ones(49), 1.0)
    np.testing.assert_allclose(lower, 1, rtol=1e-12)
    np.testing.assert_allclose(upper, 1, rtol=1e-12)


def test_larger_chi1_only_loosens():
    """The certificate (b) uses chi1: too small a value would break it, a larger one must not."""
    network, rates = network_and_rates(17, True)
    laplacian, chi1 = network.laplacian(rates), network.chi1(rates)
    _, upper = resistance_bounds(laplacian, network.edges, rates, chi1)
    _, looser = resistance_bounds(laplacian, network.edges, rates, 10 * chi1)
    _, broken = resistance_bounds(laplacian, network.edges, rates, 0.0)
    exact = network.resistances(rates)
    assert (looser >= exact * (1 - 1e-10)).all()
    assert looser.max() >= upper.max()
    assert (broken < exact * (1 - 1e-6)).any()  # negative control


def test_network_takes_the_sparse_way_above_1500_nodes():
    """A grid of 40 x 50, against its closed form and a dense computation of the resistances."""
    network = build("grid_2d", None, np.random.default_rng(0), rows=40, columns=50)
    spectrum = network.spectrum()
    assert isinstance(spectrum, SparseSpectrum)
    chi1 = 1 / (2 - 2 * math.cos(math.pi / 50))
    assert chi1 <= network.chi1() <= 1.01 * chi1
    lambda_max = 4 + 2 * math.cos(math.pi / 50) + 2 * math.cos(math.pi / 40)
    assert lambda_max <= network.lambda_max() <= 1.01 * lambda_max
    inverse = np.linalg.inv(network.laplacian().toarray() + 1 / 2000)
    i, j = network.edges.T
    exact = (inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]).max()
    low, high = spectrum.resistance_interval
    assert low <= exact <= high <= 1.03 * low
    assert network.chi2() == high / 2
    # The same bytes from a new object: nothing depends on a random start or a cache.
    again = build("grid_2d", None, np.random.default_rng(1), rows=40, columns=50)
    assert (again.chi1(), again.chi2()) == (network.chi1(), network.chi2())
