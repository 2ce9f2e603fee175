"""DADAO's flow against a matrix exponential, its averages against quadrature, its rate against the
theory."""

import numpy as np
import pytest
from cases import small_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from dadao_sim import Events, Problem, replay, simulate
from dadao_sim.algorithms import dadao
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError
from dadao_sim.events.log import GRADIENT
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.replay import make_player


def params_for(kappa, network, overrides=None):
    problem = Problem.averaging(np.zeros((network.nodes, 1)))
    constants = {"mu": 1.0, "L": kappa, **(overrides or {})}
    return get_method("dadao").tune(problem, network, constants).params


def flow_matrix(p):
    """The right-hand side of the flow as written in the paper, on (x, x~, y, y~, z, z~)."""
    M = np.zeros((6, 6))
    M[0, [0, 1]] = -p.eta, p.eta
    M[1, [0, 1]] = p.eta_tilde, -p.eta_tilde
    M[2, [2, 3]] = -p.alpha, p.alpha
    M[3, [1, 2, 4]] = -p.theta * p.nu, -p.theta, -p.theta
    M[4, [4, 5]] = -p.alpha, p.alpha
    M[5, [4, 5]] = p.alpha_tilde, -p.alpha_tilde
    return M


@pytest.mark.slow
@given(
    h=st.floats(-6, 2.7).map(lambda e: 10.0**e),
    kappa=st.sampled_from([1.0, 10.0, 1e3, 1e5]),
    overrides=st.sampled_from([{}, {"eta": 0.3}, {"alpha_tilde": 0.07, "eta_tilde": 0.2}]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_the_flow_is_a_matrix_exponential(h, kappa, overrides, seed):
    p = params_for(kappa, build("cycle", 5, None), overrides)
    start = np.random.default_rng(seed).standard_normal((6, 2))
    state = State(start[None].copy(), np.array([1.0]), np.array([1]))
    dadao.flow(state, p, 0, 1.0 + h)
    h = (1.0 + h) - 1.0
    expected = expm(h * flow_matrix(p)) @ start
    assert_allclose(state.values[0], expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


def test_no_time_changes_nothing():
    p = params_for(10.0, build("cycle", 5, None))
    values = np.random.default_rng(0).standard_normal((1, 6, 3))
    state = State(values.copy(), np.array([2.0]), np.array([1]))
    dadao.flow(state, p, 0, 2.0)
    assert (state.values == values).all()


def test_the_time_average_is_an_integral():
    """Between two gradient events, against a numerical solution of the differential equation."""
    network = build("cycle", 4, None)
    problem = small_problem(4)
    tuning = get_method("dadao").tune(problem, network, options=Options(averaging="time"))
    events = Events.from_arrays([0.7, 1.9], [GRADIENT, GRADIENT], [2, 2])
    x0 = np.ones((4, 3))
    player = make_player(get_method("dadao"), problem, tuning, x0, {})
    parts = []
    for row, (begin, end) in enumerate([(0.0, 0.7), (0.7, 1.9), (1.9, 3.0)]):
        begin_values = player.state.values[2, :6].copy()
        M = flow_matrix(tuning.params)

        def slope(t, s, M=M):
            return (M @ s.reshape(6, 3)).ravel()

        solution = solve_ivp(
            slope, (begin, end), begin_values.ravel(), rtol=1e-11, atol=1e-11, dense_output=True
        )
        nodes, weights = np.polynomial.legendre.leggauss(20)
        times = begin + (end - begin) * (nodes + 1) / 2
        x = solution.sol(times).reshape(6, 3, -1)[0]
        parts.append((end - begin) / 2 * x @ weights)
        player.play(events, row, min(row + 1, 2))
    estimates = np.empty((4, 3))
    player.observe(3.0, estimates)
    assert_allclose(estimates[2], sum(parts) / 3.0, rtol=1e-8)


def test_the_event_average_is_the_mean_of_x_just_before_events():
    network, problem = build("cycle", 4, None), small_problem(4)
    tuning = get_method("dadao").tune(problem, network, options=Options(averaging="events"))
    times = np.array([0.5, 0.9, 2.0, 2.2])
    events = Events.from_arrays(times, np.full(4, GRADIENT), np.full(4, 1))
    player = make_player(get_method("dadao"), problem, tuning, np.ones((4, 3)), {})
    before = []
    for row in range(4):
        before.append(player.state.values[1, dadao.X].copy())
        player.play(events, row, row + 1)
    estimates = np.empty((4, 3))
    player.observe(5.0, estimates)
    assert_allclose(estimates[1], np.mean(before, axis=0), rtol=1e-13)
    assert_allclose(estimates[0], 1.0)


def quadratic_scenario(kappa, time, **more):
    return {
        "name": "slope",
        "repeats": 3,
        "problem": {
            "kind": "least_squares",
            "data": {
                "kind": "synthetic",
                "dim": 8,
                "samples_per_node": 20,
                "condition_number": kappa,
            },
        },
        "network": {"graph": "cycle", "nodes": 10},
        "algorithms": ["dadao"],
        "stop": {"time": time, "accuracy": 1e-14},
        "record": {"points": 400},
        **more,
    }


def slope(kappa):
    """Decay of log(accuracy) per unit of time, over the samples between 1e-4 and 1e-12."""
    curves = simulate(quadratic_scenario(kappa, 160 * np.sqrt(kappa))).curves
    slopes = []
    for _, run in curves.groupby("repeat"):
        linear = run[(run.accuracy < 1e-4) & (run.accuracy > 1e-12)]
        slopes.append(np.polyfit(linear.time, np.log(linear.accuracy), 1)[0])
    return -np.mean(slopes)


def test_the_rate_goes_as_the_root_of_the_condition_number():
    scaled = np.array([slope(kappa) * np.sqrt(kappa) for kappa in (10.0, 100.0, 1000.0)])
    assert scaled.max() / scaled.min() - 1 <= 0.10, scaled


def test_half_of_the_least_rate_diverges_on_a_path():
    algorithms = ["dadao", {"name": "dadao", "label": "half", "rate_factor": 0.5}]
    scenario = quadratic_scenario(10.0, 4000.0, repeats=1, algorithms=algorithms)
    scenario["network"] = {"graph": "path", "nodes": 16}
    runs = simulate(scenario).runs.set_index("algorithm")
    assert runs.status["dadao"] == "converged"
    assert runs.status["half"] == "diverged"
    assert runs.time["half"] < 4000.0


@pytest.mark.parametrize(("slower", "status"), [(10, "converged"), (100, "diverged")])
def test_the_slowest_node_sets_the_unit_of_time(slower, status):
    """A node somewhat slower than its clock says does no harm; far slower, and DADAO diverges."""
    scenario = quadratic_scenario(10.0, 4000.0, repeats=1)
    scenario["network"] = {"graph": "cycle", "nodes": 16}
    scenario["clock"] = {"node_rates": [1 / slower] + [1.0] * 15}
    result = simulate(scenario)
    assert result.runs.status[0] == status
    gradients = result.curves.gradients.iloc[-1]
    expected = result.curves.time.iloc[-1] * (15 + 1 / slower)
    assert gradients == pytest.approx(expected, abs=5 * np.sqrt(expected))


def test_methods_without_clocks_at_nodes_refuse_node_rates():
    scenario = quadratic_scenario(10.0, 10.0, algorithms=["msda"])
    scenario["clock"] = {"node_rates": [1.0] * 10}
    with pytest.raises(InputError, match=r"clock\.node_rates: msda has no clocks at its nodes"):
        simulate(scenario)
    scenario = quadratic_scenario(10.0, 10.0)
    scenario["clock"] = {"node_rates": [1.0] * 9}
    with pytest.raises(InputError, match=r"clock\.node_rates: 9 given for 10 nodes"):
        simulate(scenario)


def test_an_override_reaches_what_follows_from_it():
    network = build("path", 16, None)
    plain, doubled = (params_for(10.0, network, o) for o in ({}, {"nu": 2 * 0.5}))
    assert doubled.nu == 2 * plain.nu
    assert doubled.eta == pytest.approx(np.sqrt(2) * plain.eta, rel=1e-14)


def test_stochastic_gradients_reach_a_neighbourhood_that_averaging_shrinks():
    scenario = quadratic_scenario(5.0, 3000.0, repeats=1)
    scenario["stop"] = {"time": 3000.0}
    scenario["algorithms"] = [
        {"name": "dadao", "label": "last", "batch_size": 4},
        {"name": "dadao", "label": "events", "batch_size": 4, "averaging": "events"},
        {"name": "dadao", "label": "time", "batch_size": 4, "averaging": "time"},
    ]
    curves = simulate(scenario).curves
    late = curves[curves.time > 2500].groupby("algorithm").accuracy.mean()
    assert late["last"] > 1e-6, "with full gradients this would be 1e-14"
    assert late["events"] < 0.1 * late["last"]
    assert late["time"] < 0.1 * late["last"]


def test_replay_refuses_what_it_cannot_play():
    network, problem = build("path", 4, None), small_problem(4)
    events = Events.from_arrays([1.0], [GRADIENT], [0])
    with pytest.raises(InputError, match="did you mean 'alpha_tilde'"):
        replay("dadao", problem, network, events, overrides={"alpha_tide": 1.0})
    with pytest.raises(InputError, match="has no block 'w'"):
        replay("dadao", problem, network, events, w=np.zeros(3))
    for y in (np.zeros((3, 3)), "zero", [0.0, np.nan, 0.0]):
        with pytest.raises(InputError, match=r"y: this cannot be a block of dadao; .* \(4, 3\)"):
            replay("dadao", problem, network, events, y=y)
    with pytest.raises(InputError, match="plays a log of rounds only"):
        replay("msda", problem, network, events)
