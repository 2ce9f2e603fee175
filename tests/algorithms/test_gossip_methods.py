"""Gossip on averaging problems: its equations, the exact decay of its mean square, its limits."""

import numpy as np
import pytest
import yaml
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose
from scipy.linalg import expm
from scipy.optimize import brentq

from dadao_sim import Problem, load_scenario, replay, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compression.sparsifiers import TopK
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player

ASYNCHRONOUS = ("randomised_gossip", "accelerated_gossip")
GOSSIP = (*ASYNCHRONOUS, "synchronous_gossip", "choco_gossip")
CENTRES = np.random.default_rng(3).standard_normal((7, 3))
PROBLEM = Problem.averaging(CENTRES)


def points(network):
    return Problem.averaging(np.random.default_rng(1).standard_normal((network.nodes, 2)))


def log_of(name, network, count, seed=4):
    tuning = METHODS[name].tune(points(network), network)
    return clock_of_the_paper(tuning, network, np.random.SeedSequence(seed)).window()[:count]


# ---- The equations -------------------------------------------------------------------------------


def connectivity(network):
    """chi1, chi2 of equal rates of total n/2, by a pseudo-inverse."""
    n = network.nodes
    laplacian, rate = np.zeros((n, n)), n / 2 / len(network.edges)
    for i, j in network.edges:
        b = np.eye(n)[i] - np.eye(n)[j]
        laplacian += rate * np.outer(b, b)
    inverse = np.linalg.pinv(laplacian)
    resistances = [inverse[i, i] + inverse[j, j] - 2 * inverse[i, j] for i, j in network.edges]
    return 1 / np.linalg.eigvalsh(laplacian)[1], max(resistances) / 2


def test_randomised_gossip_is_its_equations():
    events = log_of("randomised_gossip", lollipop(), 300)
    X = CENTRES.copy()
    for i, j in zip(events.i, events.j, strict=True):
        average = np.eye(7)
        average[np.ix_([i, j], [i, j])] = 0.5
        X = average @ X
    found = replay("randomised_gossip", PROBLEM, lollipop(), events)["x"]
    assert_allclose(found, X, rtol=0, atol=1e-12)


def test_accelerated_gossip_is_its_equations():
    """Each node flowed at its own events by a matrix exponential; stacked columns (x, x~)."""
    network = lollipop()
    events = log_of("accelerated_gossip", network, 300)
    chi1, chi2 = connectivity(network)
    flow = np.array([[-1.0, 1.0], [1.0, -1.0]]) / (2 * np.sqrt(chi1 * chi2))
    steps = np.array([0.5, np.sqrt(chi1 / chi2) / 2])
    S, last = np.stack([CENTRES, CENTRES], axis=1), np.zeros(7)
    for t, i, j in zip(events.time, events.i, events.j, strict=True):
        for node in (i, j):
            S[node] = expm(flow * (t - last[node])) @ S[node]
            last[node] = t
        m = S[i, 0] - S[j, 0]
        S[i] -= np.outer(steps, m)
        S[j] += np.outer(steps, m)
    found = replay("accelerated_gossip", PROBLEM, network, events)
    assert_allclose(np.stack([found["x"], found["x_tilde"]], axis=1), S, rtol=0, atol=1e-12)


@pytest.mark.parametrize("graphs", ["fixed", "sequence"])
def test_synchronous_gossip_is_a_product_of_matrices(graphs):
    network = lollipop() if graphs == "fixed" else sequence()
    X = CENTRES
    for k in range(50):
        laplacian = network.graphs[k % len(network.graphs)].laplacian().toarray()
        X = X - laplacian @ X / np.linalg.eigvalsh(laplacian)[-1]
    log = RoundClock(np.random.SeedSequence(1)).window()[:50]
    found = replay("synchronous_gossip", PROBLEM, network, log)["x"]
    assert_allclose(found, X, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mixing", ["laplacian", "metropolis", "best_constant", "fdla"])
@pytest.mark.parametrize("rounds", [None, 3])
def test_synchronous_gossip_contracts_as_its_matrix_does(mixing, rounds):
    """The error falls by no more than max(|lambda_2|, |lambda_n|), and in the end by just that;
    Chebyshev rounds by what their polynomial leaves.
    """
    network, options = lollipop(), Options(mixing=mixing, chebyshev=rounds)
    method = METHODS["synchronous_gossip"]
    tuning = method.tune(PROBLEM, network, {}, options)
    player = make_player(method, PROBLEM, tuning, np.zeros((7, 3)), {})
    log = RoundClock(np.random.SeedSequence(1)).window()
    errors, estimates, mean = [], np.empty((7, 3)), CENTRES.mean(axis=0)
    for k in range(30):
        player.observe(float(k), estimates)
        errors.append(np.linalg.norm(estimates - mean))
        player.play(log, k, k + 1)
    W = tuning.weights(network).toarray()
    values = np.linalg.eigvalsh(W)[:-1]
    if rounds is not None:
        middle, half = (values[0] + values[-1]) / 2, (values[-1] - values[0]) / 2
        T = np.polynomial.chebyshev.Chebyshev([0] * rounds + [1])
        values = T((values - middle) / half) / T((1 - middle) / half)
    guaranteed = np.abs(values).max()
    ratios = np.array(errors[1:]) / np.array(errors[:-1])
    floor = np.array(errors[1:]) > 1e-13 * errors[0]
    assert (ratios[floor] <= guaranteed * (1 + 1e-6)).all()
    assert ratios[floor][-1] >= 0.8 * guaranteed


# ---- The rates -----------------------------------------------------------------------------------


def generator(name, network):
    """M -> A M + M A^T + sum_e lambda_e (J_e M J_e^T - M), dense, off the mean; and the basis."""
    n = network.nodes
    tuning = METHODS[name].tune(points(network), network)
    p, rates = tuning.params, tuning.clock.edges
    basis = np.linalg.svd(np.ones((1, n)))[2][1:].T  # (n, n - 1)
    two = name == "accelerated_gossip"
    steps = np.array([p.alpha, p.alpha_tilde] if two else [p.alpha])
    eta = p.eta if two else 0.0
    A = eta * np.kron(np.array([[-1.0, 1.0], [1.0, -1.0]] if two else [[0.0]]), np.eye(n - 1))
    eye = np.eye(len(A))
    out = np.kron(A, eye) + np.kron(eye, A)
    for (i, j), rate in zip(network.edges, rates, strict=True):
        b = basis[i] - basis[j]
        J = eye.copy()
        J[:, : n - 1] -= np.kron(steps[:, None], np.outer(b, b))
        out += rate * (np.kron(J, J) - np.eye(len(out)))
    return out, basis


def decay(name, network):
    """-d/dt log E||x_t - x*||^2, exactly."""
    return -np.linalg.eigvals(generator(name, network)[0]).real.max()


def laplacian_spectrum(network):
    tuning = METHODS["randomised_gossip"].tune(points(network), network)
    return np.linalg.eigvalsh(network.laplacian(tuning.clock.edges).toarray())[1:]


@pytest.mark.parametrize(
    ("graph", "nodes", "of_lambda_2"),
    [
        *(("complete", 8, 0.5), ("star", 16, 0.677), ("cycle", 16, 0.990), ("path", 16, 0.998)),
        *(("barbell", 8, None), ("path", 8, None), ("star", 8, None)),
    ],
)
def test_randomised_gossip_decays_between_half_of_lambda_2_and_all_of_it(graph, nodes, of_lambda_2):
    network = build(graph, nodes, None)
    spectrum, exact = laplacian_spectrum(network), decay("randomised_gossip", network)
    ratio = exact / spectrum[0]
    print(f"{graph} {nodes}: {ratio:.3f} lambda_2, guaranteed 0.5")
    assert 0.5 - 1e-9 <= ratio <= 1.0
    if of_lambda_2 is not None:
        assert ratio == pytest.approx(of_lambda_2, abs=6e-4)
    if graph in ("star", "cycle"):  # all edges are alike
        low, high = spectrum[0] / 2 * (1 + 1e-9), spectrum[0] * (1 - 1e-9)

        def excess(w):
            return (spectrum**2 / (spectrum - w)).sum() - 2 * spectrum.sum()

        assert exact == pytest.approx(brentq(excess, low, high), rel=1e-8)


@pytest.mark.parametrize(
    ("graph", "gain"),
    [("complete", 1.00), ("path", 2.5), ("cycle", None), ("star", None), ("barbell", None)],
)
def test_accelerated_gossip_decays_as_it_is_guaranteed_to(graph, gain):
    network = build(graph, 8, None)
    eta = METHODS["accelerated_gossip"].tune(points(network), network).params.eta
    exact, plain = decay("accelerated_gossip", network), decay("randomised_gossip", network)
    print(f"{graph}: {exact / eta:.3f} of the guarantee, {exact / plain:.2f} times plain gossip")
    assert exact >= eta * (1 - 1e-9)
    if gain is not None:
        assert exact / plain == pytest.approx(gain, abs=0.05)


@pytest.mark.parametrize("name", ASYNCHRONOUS)
def test_the_mean_square_of_runs_is_the_exact_one(name):
    """400 runs from one start at one time, within four standard errors."""
    network, runs = lollipop(), 400
    method, problem = METHODS[name], PROBLEM
    tuning = method.tune(problem, network)
    matrix, basis = generator(name, network)
    blocks = len(method.blocks)
    start = np.tile(basis.T @ CENTRES, (blocks, 1))
    moments = expm(4.0 * matrix) @ (start @ start.T).ravel()
    size = len(start)
    expected = np.trace(moments.reshape(size, size)[:6, :6])
    found, estimates = [], np.empty((7, 3))
    for seed in range(runs):
        events = clock_of_the_paper(tuning, network, np.random.SeedSequence(seed)).window()
        player = make_player(method, problem, tuning, np.zeros((7, 3)), {})
        player.play(events, 0, int(np.searchsorted(events.time, 4.0)))
        player.observe(4.0, estimates)
        found.append(((estimates - CENTRES.mean(axis=0)) ** 2).sum())
    error = np.std(found) / np.sqrt(runs)
    assert abs(np.mean(found) - expected) <= 4 * error


# ---- What is refused, and whole runs -------------------------------------------------------------


@pytest.mark.parametrize("name", GOSSIP)
def test_gossip_refuses_what_it_cannot_do(name):
    log = log_of(name, lollipop(), 1)
    with pytest.raises(InputError, match=f"{name} takes the mean .*; give it the problem"):
        METHODS[name].check_supported(small_problem(7), lollipop())
    with pytest.raises(InputError, match=f"x0: {name} starts at the points it averages"):
        replay(name, PROBLEM, lollipop(), log, np.ones(3))
    refused = [Options(batch_size=2), Options(averaging="time")]
    if name in ASYNCHRONOUS:
        refused += [Options(mixing="metropolis"), Options(chebyshev=2)]
    if name != "choco_gossip":
        refused += [Options(compression=TopK(kind="top_k", k=1))]
    for options in refused:
        with pytest.raises(InputError, match=f"^{name} "):
            METHODS[name].check_supported(PROBLEM, lollipop(), options)


def test_a_start_of_ones_own_is_refused_before_anything_runs():
    with pytest.raises(InputError, match=r"start: mine starts at the points .*; leave start out"):
        simulate({**SCENARIO, "algorithms": [LABELLED], "start": {"kind": "normal"}})


LABELLED = {"name": "randomised_gossip", "label": "mine"}
SCENARIO = {
    "name": "gossip",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}},
    "network": {"graph": "path", "nodes": 12},
    "algorithms": [
        *ASYNCHRONOUS,
        "synchronous_gossip",
        {"name": "synchronous_gossip", "label": "metropolis", "mixing": "metropolis"},
        {"name": "synchronous_gossip", "label": "chebyshev", "chebyshev": "auto"},
    ],
    "stop": {"time": 2000, "accuracy": 1.0e-10},
    "record": {"points": 50},
}


def test_gossip_runs_from_a_file_and_starts_at_the_points(tmp_path):
    file = tmp_path / "gossip.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    result = simulate(load_scenario(file))
    runs = result.runs.set_index("algorithm")
    assert (runs["status"] == "converged").all()
    assert runs.loc["chebyshev", "time"] < runs.loc["synchronous_gossip", "time"] / 3
    assert runs.loc["accelerated_gossip", "time"] < runs.loc["randomised_gossip", "time"] / 2
    assert not runs["gradients"].any()
    # The edges that a unit of time activates: n/2 of the asynchronous ones, all in a round.
    ratio = runs["communications"] / runs["time"]
    assert ratio["metropolis"] == 11
    assert ratio["randomised_gossip"] == pytest.approx(6, rel=0.1)
    # At the points the mean is x* already: all of the error is that of consensus.
    curves = result.curves
    first = curves[curves["time"] == 0]
    assert len(first) == 5
    assert (first["accuracy"] == 1.0).all()
    assert first["mean_squared_distance"].nunique() == 1
    assert_allclose(first["mean_squared_distance"], first["consensus_error"], rtol=1e-12)
