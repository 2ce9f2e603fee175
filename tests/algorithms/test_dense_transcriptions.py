"""A2CiD2, AD-PSGD and gradient tracking against their equations written with dense matrices."""

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm

from dadao_sim import replay, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.events.log import GRADIENT
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock


def poisson_log(name, problem, network, count=300):
    rates = METHODS[name].tune(problem, network, {}).clock
    clock = PoissonClock(rates.nodes, rates.edges, network.edges, np.random.SeedSequence(4))
    return clock.window()[:count]


def transcribed(events, problem, x0, flow, step, alpha, alpha_tilde):
    """Every node flowed at every event by a matrix exponential; stacked columns (x, x~)."""
    nodes = problem.nodes
    S = np.stack([x0, x0], axis=1)  # (n, 2, d)
    now = 0.0
    for row in range(len(events)):
        S = np.einsum("ab,nbd->nad", expm(flow * (events.time[row] - now)), S)
        now = events.time[row]
        i, j = events.i[row], events.j[row]
        if events.kind[row] == GRADIENT:
            S[i] -= step * problem.gradient(i, S[i, 0])
        else:
            b = np.zeros(nodes)
            b[i], b[j] = 1, -1
            m = b @ S[:, 0]
            S[:, 0] -= alpha * np.outer(b, m)
            S[:, 1] -= alpha_tilde * np.outer(b, m)
    return S


@pytest.mark.parametrize("name", ["a2cid2", "ad_psgd"])
def test_asynchronous_sgd_is_its_equations(name):
    network, problem = lollipop(), small_problem(7)
    events = poisson_log(name, problem, network)
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    laplacian = np.zeros((7, 7))
    for i, j in network.edges:
        b = np.zeros(7)
        b[i], b[j] = 1, -1
        laplacian += (7 / 2) / len(network.edges) * np.outer(b, b)
    inverse = np.linalg.pinv(laplacian)
    chi1 = 1 / np.linalg.eigvalsh(laplacian)[1]
    resistances = [inverse[i, i] + inverse[j, j] - 2 * inverse[i, j] for i, j in network.edges]
    chi2 = max(resistances) / 2
    eta = 1 / (2 * np.sqrt(chi1 * chi2)) if name == "a2cid2" else 0.0
    flow = eta * np.array([[-1.0, 1.0], [1.0, -1.0]])
    alpha_tilde = np.sqrt(chi1 / chi2) / 2 if name == "a2cid2" else 1 / 2
    S = transcribed(events, problem, x0, flow, 1 / (16 * problem.L), 1 / 2, alpha_tilde)
    player_end = replay(name, problem, network, events, x0)
    if name == "ad_psgd":
        assert_allclose(player_end["x"], S[:, 0], rtol=1e-9, atol=1e-12)
    # The nodes are left at their own last events; gossip and gradients since do not touch them,
    # and their flow keeps the mean of x and x~.
    else:
        mean = (player_end["x"] + player_end["x_tilde"]) / 2
        assert_allclose(mean, S.mean(axis=1), rtol=1e-9, atol=1e-12)
        last = np.array([events.time[(events.i == k) | (events.j == k)][-1] for k in range(7)])
        gap = (player_end["x_tilde"] - player_end["x"]) / 2
        gap *= np.exp(-2 * eta * (events.time[-1] - last))[:, None]
        assert_allclose(gap, (S[:, 1] - S[:, 0]) / 2, rtol=1e-8, atol=1e-12)


def test_ad_psgd_is_a2cid2_without_its_momentum():
    network, problem = lollipop(), small_problem(7)
    events = poisson_log("ad_psgd", problem, network)
    plain = replay("ad_psgd", problem, network, events, np.ones(3))
    without = {"eta": 0.0, "alpha_tilde": 0.5}
    other = replay("a2cid2", problem, network, events, np.ones(3), without)
    assert_array_equal(plain["x"], other["x"])


@pytest.mark.parametrize("graphs", ["fixed", "sequence"])
def test_gradient_tracking_is_its_equations(graphs):
    network = lollipop() if graphs == "fixed" else sequence()
    problem = small_problem(7)
    step = METHODS["gradient_tracking"].tune(problem, network, {}).params.step
    W = []
    for graph in network.graphs:
        laplacian = graph.laplacian().toarray()
        W.append(np.eye(7) - laplacian / np.linalg.eigvalsh(laplacian)[-1])
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    X = x0
    Y = problem.gradients(X)
    for k in range(50):
        mixing = W[k % len(W)]
        new = mixing @ (X - step * Y)
        Y = mixing @ (Y + problem.gradients(new) - problem.gradients(X))
        X = new
    rounds = RoundClock(np.random.SeedSequence(0)).window()[:50]
    found = replay("gradient_tracking", problem, network, rounds, x0)
    assert_allclose(found["x"], X, rtol=1e-10, atol=1e-13)
    assert_allclose(found["h"] + found["g"], Y, rtol=1e-9, atol=1e-12)


def adom_plus(problem, x0, M, chi):
    """The x of each step, for the M of each step; (steps, n, d)."""
    L, mu = problem.L, problem.mu
    tau1, tau2 = 1 / ((L / mu) ** 0.5 + 1 / 2), (mu / L) ** 0.5
    sigma2 = tau2 / (16 * chi)
    sigma1, eta, alpha, beta = 1 / (1 / sigma2 + 1 / 2), 1 / (L * tau2), mu / 2, 1 / (2 * L)
    delta, nu, theta = 1 / (17 * L), mu / 2, mu / (8 * sigma2)
    gamma, zeta = nu / (14 * sigma2 * chi**2), 1 / 2
    x = xf = x0
    y = yf = z = zf = m = np.zeros_like(x0)
    n, found = len(x0), []
    for mixing in M:
        P = np.eye(n) - mixing
        xg = tau1 * x + (1 - tau1) * xf
        yg, zg = sigma1 * y + (1 - sigma1) * yf, sigma1 * z + (1 - sigma1) * zf
        g = problem.gradients(xg) - nu * xg
        # x+ and y+ solve two linear equations in each other: by elimination, as 2 x 2 systems.
        known = np.stack([x + eta * (alpha * xg - g), y + theta * (beta * g - (yg + zg) / nu)])
        system = np.array([[1 + eta * alpha, -eta], [theta, 1 + theta * beta]])
        x_new, y_new = np.einsum("ab,bnd->and", np.linalg.inv(system), known)
        z_new = z + gamma * delta * (zg - z) - P @ (gamma / nu * (yg + zg) + m)
        m = mixing @ (gamma / nu * (yg + zg) + m)
        xf, yf = xg + tau2 * (x_new - x), yg + sigma2 * (y_new - y)
        zf = zg - zeta * P @ (yg + zg)
        x, y, z = x_new, y_new, z_new
        found.append(x)
    return np.array(found)


def test_adom_plus_takes_the_graphs_of_a_step_in_the_order_of_time():
    """As the equations say; the other way round it is another method."""
    network, problem, steps = sequence(), small_problem(7), 12
    tuning = METHODS["adom_plus_multi_consensus"].tune(problem, network, {})
    T = int(tuning.constants["T"])
    W = [tuning.weights(graph).toarray() for graph in network.graphs]
    forwards, backwards = [], []
    for k in range(steps):
        of_step = [W[q % len(W)] for q in range(k * T, (k + 1) * T)]
        backwards.append(np.linalg.multi_dot(of_step))
        forwards.append(np.linalg.multi_dot(of_step[::-1]))
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    wanted, turned = (adom_plus(problem, x0, M, 2.0)[-1] for M in (forwards, backwards))
    rounds = RoundClock(np.random.SeedSequence(0)).window()[:steps]
    found = replay("adom_plus_multi_consensus", problem, network, rounds, x0)["x"]
    assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)
    assert np.abs(turned - wanted).max() > 1e-6


SCENARIO = {
    "name": "plateau",
    "problem": {
        "kind": "least_squares",
        "data": {
            **{"kind": "synthetic", "dim": 4, "samples_per_node": 10, "condition_number": 5},
            "heterogeneity": 1.0,
        },
    },
    "network": {"graph": "cycle", "nodes": 10},
}


def test_gradient_tracking_converges_linearly():
    stop = {"time": 5000, "accuracy": 1e-20}
    result = simulate({**SCENARIO, "algorithms": ["gradient_tracking"], "stop": stop})
    assert result.runs.status[0] == "converged"


@pytest.mark.parametrize("name", ["a2cid2", "ad_psgd"])
def test_a_constant_step_stops_at_a_plateau_that_grows_with_it(name):
    L = simulate({**SCENARIO, "algorithms": [name], "stop": {"time": 1}}).manifest["runs"][0]
    step = 1 / (16 * L["constants"]["L"])
    algorithms = [
        {"name": name, "label": f"{factor}", "parameters": {"step": factor * step}}
        for factor in (0.25, 1, 4)
    ]
    curves = simulate({**SCENARIO, "algorithms": algorithms, "stop": {"time": 4000}}).curves
    late = curves[curves.time > 2000].groupby("algorithm").accuracy.mean()
    assert 1e-6 < late["0.25"] < late["1"] / 4
    assert late["1"] < late["4"] / 4
