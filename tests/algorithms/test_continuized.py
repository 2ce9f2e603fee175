"""The constants of Continuized: the exact decay of its mean square, written with dense matrices."""

import numpy as np
import pytest
from cases import lollipop
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.networks.graphs import build
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

MU, L = 1.0, 100.0


def tuned(network, **overrides):
    """For nodes whose Hessians are diag(mu, L)."""
    A = np.tile(np.diag(np.sqrt([MU, L])), (network.nodes, 1, 1))
    problem = Problem.from_arrays(A, np.ones((network.nodes, 2)), "least_squares")
    scale = problem.L / L  # of the package's sum of squares
    assert problem.mu == pytest.approx(scale * MU)
    return METHODS["continuized"].tune(problem, network, {"mu": MU, "L": L, **overrides}).params


def decay(network, p, curvature):
    """-d/dt log E|(y, z) - optimum|^2 in the time of a clock of rate 1, all Hessians being
    ``curvature``: minus the spectral abscissa of M -> A M + M A^T + sum_e p_e (J_e M J_e^T - M).
    """
    n = network.nodes
    basis = np.linalg.svd(np.ones((1, n)))[2][1:].T  # (n, n - 1): y and z keep their sums
    flow = p.eta * np.kron([[-1.0, 1.0], [1.0, -1.0]], np.eye(n - 1))
    size = 2 * (n - 1)
    eye = np.eye(size)
    generator = np.kron(flow, eye) + np.kron(eye, flow)
    for (i, j), R in zip(network.edges, p.resistance, strict=True):
        b = basis[i] - basis[j]
        J = eye.copy()
        J[: n - 1, : n - 1] -= p.gamma * R * np.outer(b, b) / curvature
        J[n - 1 :, : n - 1] -= p.gamma_tilde * np.outer(b, b) / curvature
        generator += (np.kron(J, J) - np.eye(size**2)) / len(network.edges)
    return -np.linalg.eigvals(generator).real.max()


def worst(network, p):
    return min(decay(network, p, h) for h in (MU, np.sqrt(MU * L), L))


NETWORKS = {
    **{f"{graph}-8": build(graph, 8, None) for graph in ("path", "cycle", "star", "complete")},
    "barbell-8": build("barbell", 8, None),
    "lollipop": lollipop(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_default_decays_as_it_is_guaranteed_to(name):
    network = NETWORKS[name]
    p = tuned(network)
    assert worst(network, p) >= p.eta * (1 - 1e-9)


def test_the_published_constants_diverge_where_the_default_does_not():
    network = build("path", 12, None)
    default, published = tuned(network), tuned(network, margin=1.0)
    assert published.eta == pytest.approx(np.sqrt(2) * default.eta, rel=1e-12)
    assert published.gamma == default.gamma
    assert published.gamma_tilde == default.gamma_tilde
    assert worst(network, default) >= default.eta
    assert worst(network, published) < 0


@given(st.floats(2.0, 50.0))
@settings(max_examples=10, deadline=None)
def test_a_greater_margin_is_safe_too(margin):
    network = NETWORKS["path-8"]
    p = tuned(network, margin=margin)
    assert worst(network, p) >= p.eta * (1 - 1e-9)


def test_the_shipped_scenario_shows_both():
    scenario = load_scenario(shipped.scenarios()["continuized"])
    runs = simulate(scenario).runs
    status = {label: set(rows["status"]) for label, rows in runs.groupby("algorithm")}
    assert status == {
        "Continuized, corrected": {"converged"},
        "Continuized, published": {"diverged"},
    }
