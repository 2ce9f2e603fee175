"""ESDACD, edge ADMM and Walkman: their equations, rates, clocks, costs and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import load_scenario, replay, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, GRADIENT, RESET, Events
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.networks.graphs import build
from dadao_sim.problems import Problem
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player

NODES, DIMENSION = 7, 3
PROBLEM, NETWORK = small_problem(NODES), lollipop()
PAIRWISE = ("esdacd", "edge_admm", "walkman")
ZEROS = np.zeros((NODES, DIMENSION))
H = np.stack(
    [
        PROBLEM.gradients(np.tile(e, (NODES, 1))) - PROBLEM.gradients(ZEROS)
        for e in np.eye(DIMENSION)
    ],
    axis=2,
)
C = -PROBLEM.gradients(ZEROS)  # grad f_i(x) = H_i x - C_i


def made(name, network=NETWORK, problem=PROBLEM, seed=4):
    """The tuning of a method, and its events."""
    tuning = METHODS[name].tune(problem, network)
    clock = clock_of_the_paper(tuning, network, np.random.SeedSequence(seed))
    return tuning, clock.window()


def resistances(network):
    """Of the edges, with unit weights, by a pseudo-inverse; and lambda_2."""
    laplacian = network.laplacian().toarray()
    inverse = np.linalg.pinv(laplacian)
    R = [inverse[i, i] + inverse[j, j] - 2 * inverse[i, j] for i, j in network.edges]
    return np.array(R), np.linalg.eigvalsh(laplacian)[1]


def close(found, wanted):
    assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


# ---- The equations -------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", ["equal", "unequal"])
def test_esdacd_is_its_equations(rates):
    """In the variables (v, y) of the other common form, every node at every step."""
    network, mu, L = NETWORK, PROBLEM.mu, PROBLEM.L
    if rates == "unequal":
        network = replace(network, rates=np.linspace(1, 3, len(network.edges)))
    tuning, events = made("esdacd", network)
    events = events[:300]
    p = network.rates / network.rates.sum()
    R, lambda_2 = resistances(network)
    sigma = lambda_2 / L
    rho = (p * np.sqrt(mu * sigma / (2 * R))).min()
    s0 = rho / (p * sigma)
    s1 = rho * s0 * (1 + R / p) / (1 + rho)
    de = rho * (1 - rho) / (1 + rho)
    v = y = ZEROS
    own = np.zeros((2, NODES, DIMENSION))  # v and y of each node just after its own last step
    player = make_player(METHODS["esdacd"], PROBLEM, tuning, ZEROS, {})
    estimates = np.empty((NODES, DIMENSION))
    for k, (e, i, j) in enumerate(zip(events.edge, events.i, events.j, strict=True)):
        q = np.linalg.solve(H[i], y[i] + C[i]) - np.linalg.solve(H[j], y[j] + C[j])
        v, y = (1 - rho) * v + rho * y, de * v + (1 - de) * y
        for node, sign in ((i, -1), (j, 1)):
            v[node] += sign * s0[e] * q
            y[node] += sign * s1[e] * q
            own[:, node] = v[node], y[node]
        if k % 37 == 0:  # at the step itself, and between it and the next
            player.play(events, k - 36 if k else 0, k + 1)
            for later in (0.0, 0.6):
                player.observe((k + 1 + later) / tuning.params.total_rate, estimates)
                close(estimates, np.linalg.solve(H, (y + C)[..., None])[..., 0])
    found = replay("esdacd", PROBLEM, network, events)
    close(found["v"], own[0])
    close((found["x"] + rho * found["v"]) / (1 + rho), own[1])


def test_edge_admm_is_its_equations():
    """With a z and two multipliers for each edge, and each solve a linear system."""
    tuning, events = made("edge_admm")
    events = events[:300]
    lambdas = np.linalg.eigvalsh(NETWORK.laplacian().toarray())
    c = 3 * np.sqrt(PROBLEM.mu * PROBLEM.L / (lambdas[1] * lambdas[-1]))
    x0 = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    X = x0.copy()
    at = [[e for e, ends in enumerate(NETWORK.edges) if k in ends] for k in range(NODES)]
    z = {(k, e): x0[k] for k in range(NODES) for e in at[k]}
    duals = {(k, e): np.zeros(DIMENSION) for k in range(NODES) for e in at[k]}
    for e, i, j in zip(events.edge, events.i, events.j, strict=True):
        for k in (i, j):
            matrix = H[k] + c * len(at[k]) * np.eye(DIMENSION)
            X[k] = np.linalg.solve(matrix, C[k] + sum(c * z[k, f] - duals[k, f] for f in at[k]))
        z[i, e] = z[j, e] = (X[i] + X[j]) / 2
        duals[i, e] = duals[i, e] + c * (X[i] - X[j]) / 2
        duals[j, e] = duals[j, e] - c * (X[i] - X[j]) / 2
    found = replay("edge_admm", PROBLEM, NETWORK, events, x0)
    close(found["x"], X)
    close(found["z"], np.array([np.mean([z[k, e] for e in at[k]], axis=0) for k in range(NODES)]))
    close(found["l"], np.array([sum(duals[k, e] for e in at[k]) for k in range(NODES)]))
    assert_allclose(found["l"].sum(axis=0), 0, atol=1e-12)
    assert tuning.constants["c"] == pytest.approx(c, rel=1e-12)


def test_walkman_is_its_equations():
    """One token, and each solve a linear system; it is the mean of y - z/beta throughout."""
    _, events = made("walkman")
    events = events[:300]
    beta = np.sqrt(PROBLEM.mu * PROBLEM.L)
    Y = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    x0, Z, x, holder = Y.copy(), ZEROS.copy(), Y.mean(axis=0), events.i[0]
    for kind, i, j in zip(events.kind, events.i, events.j, strict=True):
        assert i == holder
        if kind == GOSSIP:
            holder = j
            continue
        y, z = Y[i].copy(), Z[i].copy()
        matrix = H[i] + beta * np.eye(DIMENSION)
        Y[i] = np.linalg.solve(matrix, C[i] + beta * x + z)
        Z[i] = z + beta * (x - Y[i])
        x = x + ((Y[i] - Z[i] / beta) - (y - z / beta)) / NODES
        assert_allclose(x, (Y - Z / beta).mean(axis=0), atol=1e-12)
    found = replay("walkman", PROBLEM, NETWORK, events, x0)
    close(found["y"], Y)
    close(found["z"], Z)
    close(found["x"][holder], x)


# ---- Rates ---------------------------------------------------------------------------------------


def decay_of_esdacd(network, mu, L, curvature):
    """1 - E|.|^2 after a step over that before, asymptotically, all Hessians being ``curvature``:
    from the spectral radius of M -> sum_e p_e J_e M J_e^T in the variables (v, x).
    """
    n = network.nodes
    A = np.tile(np.diag(np.sqrt([1.0, L / mu])), (n, 1, 1))
    problem = Problem.from_arrays(A, np.ones((n, 2)), "least_squares")
    tuning = METHODS["esdacd"].tune(problem, network, {"mu": mu, "L": L})
    p, rho = tuning.params, tuning.params.rho
    basis = np.linalg.svd(np.ones((1, n)))[2][1:].T
    P = np.kron(np.array([[1, rho], [rho, 1]]) / (1 + rho), np.eye(n - 1))
    out = np.zeros((len(P) ** 2,) * 2)
    for e, (i, j) in enumerate(network.edges):
        b = basis[i] - basis[j]
        step = np.zeros((2 * (n - 1), 2 * (n - 1)))
        step[: n - 1, n - 1 :] = p.step_v[e] * np.outer(b, b) / curvature
        step[n - 1 :, n - 1 :] = p.step_x[e] * np.outer(b, b) / curvature
        J = (np.eye(len(P)) - step) @ P
        out += np.kron(J, J) / len(network.edges)
    return 1 - np.abs(np.linalg.eigvals(out)).max(), rho


@pytest.mark.parametrize("kappa", [10.0, 100.0])
@pytest.mark.parametrize("graph", ["path", "cycle", "star", "complete", "barbell"])
def test_esdacd_decays_as_it_is_guaranteed_to(graph, kappa):
    network = build(graph, 8, None)
    found = []
    for curvature in (1.0, np.sqrt(kappa), kappa):
        exact, rho = decay_of_esdacd(network, 1.0, kappa, curvature)
        found.append(exact / rho)
    print(f"{graph}, kappa {kappa:g}: {min(found):.3f} of the guaranteed rate")
    assert min(found) >= 1 - 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["cycle", "random_geometric"])
@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("name", PAIRWISE)
def test_each_converges_linearly_to_the_optimum(name, kind, graph):
    """To 1e-9 of the start in the norm; of three thirds of the way the last takes no longer than
    1.6 times the second.
    """
    data = {"kind": "synthetic", "dim": 4, "samples_per_node": 20}
    if kind == "least_squares":
        data |= {"condition_number": 100, "heterogeneity": 0, "noise": 1}
    problem = {"kind": kind, "data": data}
    if kind == "logistic_l2":
        problem["mu"] = 0.02
    result = simulate(
        {
            "name": "linear",
            "problem": problem,
            "network": {"graph": graph, "nodes": 10},
            "algorithms": [name],
            "stop": {"time": 20000, "accuracy": 1.0e-18},
            "record": {"points": 4000, "spacing": "linear"},
        }
    )
    curves = result.curves
    assert result.runs["status"][0] == "converged", curves.iloc[-1]
    one, two, three = (
        curves["time"][(curves["accuracy"] <= level).idxmax()] for level in (1e-6, 1e-12, 1e-18)
    )
    print(f"{name}, {kind}, {graph}: 1e-6, 1e-12, 1e-18 at {one:g}, {two:g}, {three:g}")
    assert three - two <= 1.6 * (two - one)
    if name == "esdacd":
        (run,) = result.manifest["runs"]
        tuning = run["constants"]
        rate = 12 * np.log(10) / ((three - one) * tuning["total_rate"])
        print(f"    {rate / tuning['rho']:.2f} of the guaranteed rate")
        assert rate >= tuning["rho"]


# ---- Clocks --------------------------------------------------------------------------------------


def test_steps_are_at_equal_distances_and_of_random_edges():
    network = replace(NETWORK, rates=np.linspace(1, 3, 9))
    tuning, events = made("esdacd", network)
    count = len(events)
    assert_allclose(events.time * tuning.clock.edges.sum(), np.arange(1, count + 1), rtol=1e-12)
    share = np.bincount(events.edge) / count
    wanted = network.rates / network.rates.sum()
    assert_allclose(share, wanted, atol=4 * np.sqrt(0.25 / count))
    clock = PoissonClock(np.zeros(7), np.ones(9), NETWORK.edges, np.random.SeedSequence(1))
    other = PoissonClock(
        *(np.zeros(7), np.ones(9), NETWORK.edges, np.random.SeedSequence(1)), steps=True
    )
    for _ in range(2):  # the same edges at other times, window after window
        drawn, step = clock.window(), other.window()
        assert_array_equal(drawn.edge, step.edge)
    assert step.time[-1] == 2 * len(step) / 9


def test_the_token_walks_over_edges_and_has_no_favourite_node():
    tuning, first = made("walkman")
    clock = clock_of_the_paper(tuning, NETWORK, np.random.SeedSequence(4))
    windows = [clock.window() for _ in range(20)]
    assert_array_equal(windows[0].i, first.i)
    holder, computed, hops, steps = int(first.i[0]), np.zeros(7), np.zeros(9), 0
    for events in windows:
        events.check(7)
        assert_array_equal(events.on(NETWORK).edge, events.edge)
        for kind, i, j, edge in zip(events.kind, events.i, events.j, events.edge, strict=True):
            assert i == holder
            if kind == GRADIENT:
                computed[i] += 1
                steps += 1
            else:
                holder = j
                hops[edge] += 1
    assert windows[1].first_row == len(windows[0])
    assert windows[-1].time[-1] == pytest.approx(steps / 7)
    # The steps of a walk depend on each other: here as if they were some 30 times fewer.
    error = 4 * np.sqrt(30 / steps)
    assert_allclose(computed / steps * 7, 1, atol=7 * error / 2)
    degrees = np.bincount(NETWORK.edges.ravel())
    rates = 2 / np.maximum(*degrees[NETWORK.edges].T)
    assert_allclose(tuning.clock.edges, rates)
    assert_allclose(hops / steps * 7, rates, atol=7 * error / 2)
    assert tuning.communications == pytest.approx(rates.sum())


# ---- What is paid, what is refused ---------------------------------------------------------------

SCENARIO = {
    "name": "pairwise",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 10, "condition_number": 10},
    },
    "network": {"graph": "cycle", "nodes": 8},
    "algorithms": list(PAIRWISE),
    "stop": {"time": 3000, "accuracy": 1.0e-10},
    "record": {"points": 20},
}


def test_they_run_from_a_file_and_are_charged_what_they_ask_for(tmp_path):
    file = tmp_path / "pairwise.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    result = simulate(load_scenario(file))
    assert (result.runs["status"] == "converged").all()
    ends = result.curves.groupby("algorithm").last()
    dual, admm, token = (ends.loc[name] for name in PAIRWISE)
    assert dual.gradients == dual.conjugate_gradients == 8 + 2 * dual.communications
    assert dual.communications == pytest.approx(4 * dual.time, abs=1.5)
    assert admm.gradients == admm.local_solves == 2 * admm.communications
    for one in (dual, admm):
        assert one.messages == 2 * one.communications
        assert one.floats_sent == 3 * one.messages
    assert token.gradients == token.local_solves == pytest.approx(8 * token.time, abs=1.5)
    assert token.messages == token.communications == token.floats_sent / 3 == token.bytes_sent / 24
    assert 0.8 * token.gradients < token.messages <= token.gradients  # of equal degrees: all move


@pytest.mark.parametrize("name", PAIRWISE)
def test_they_refuse_what_they_cannot_do(name):
    method = METHODS[name]
    refused = [
        *(Options(batch_size=2), Options(averaging="events")),
        *(Options(mixing="metropolis"), Options(chebyshev=2)),
    ]
    for options in refused:
        with pytest.raises(InputError, match=f"^{name} "):
            method.check_supported(PROBLEM, NETWORK, options)
    with pytest.raises(InputError, match=f"^{name} has no form for time-varying graphs"):
        method.check_supported(PROBLEM, sequence())


@pytest.mark.parametrize("name", ["esdacd", "walkman"])
def test_who_makes_one_step_at_a_time_cannot_be_in_a_world(name):
    scenario = {**SCENARIO, "algorithms": [name], "world": {"preset": "datacenter"}}
    with pytest.raises(InputError, match=f"world: {name} makes one step at a time"):
        simulate(scenario)


def test_a_walk_has_no_rates_of_the_users():
    token = {"name": "walkman", "rates": "optimal"}
    with pytest.raises(InputError, match=r"walkman: rates: .* leave rates out"):
        simulate({**SCENARIO, "algorithms": [token]})


@pytest.mark.parametrize("name", ["edge_admm", "walkman"])
def test_a_penalty_that_needs_mu_says_so(name):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((7, 2, 3)), rng.standard_normal((7, 2))
    problem = Problem.from_arrays(A, b, "least_squares")
    constant = "c" if name == "edge_admm" else "beta"
    with pytest.raises(InputError, match=f"^{name}: its {constant} needs mu; give one"):
        METHODS[name].tune(problem, NETWORK)
    assert METHODS[name].tune(problem, NETWORK, {constant: 2.0}).constants[constant] == 2.0


# ---- What the nodes remember of their edges ------------------------------------------------------


def test_a_node_that_lost_its_state_forgets_its_edges_too():
    """z is the mean of what it remembers of its edges; that is what its next exchanges replace."""
    tuning, events = made("edge_admm")
    keep = 200
    kinds = np.append(events.kind[:keep], RESET)
    log = Events.from_arrays(
        np.append(events.time[:keep], events.time[keep - 1]),
        kinds,
        np.append(events.i[:keep], 3),
        np.append(events.j[:keep], -1),
        NETWORK,
    )
    player = make_player(METHODS["edge_admm"], PROBLEM, tuning, np.ones((7, 3)), {})
    player.play(log, 0, keep)
    mine = [(e, list(ends).index(3)) for e, ends in enumerate(NETWORK.edges) if 3 in ends]
    remembered = np.array([player.state.ends[place] for place in mine])
    assert_allclose(player.blocks(("x", "z"))["z"][3], remembered.mean(axis=0), rtol=1e-12)
    others = player.state.ends.copy()
    player.play(log, keep, keep + 1)
    for place in mine:
        others[place] = 0.0
    assert_array_equal(player.state.ends, others)
    assert not player.state.values[3].any()


@pytest.mark.slow
def test_edge_admm_converges_with_messages_under_way():
    """Each end keeps its own z_e: they agree again when both have heard of each other."""
    world = {"links": {"latency": 0.05, "jitter": 0.5}}
    result = simulate({**SCENARIO, "algorithms": ["edge_admm"], "world": world})
    assert result.runs["status"][0] == "converged"
