"""Expected curves: against the whole equation solved densely, and the engine's runs."""

import numpy as np
import pytest
from scipy.linalg import expm
from second_moments import METHODS, alike, network, problem_for, superoperator, unlike
from simulated import errors, standard_error

from dadao_sim import Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.theory import exact_rate, expected_curve
from dadao_sim.theory.rest import parts_of
from dadao_sim.theory.setting import Setting

TIMES = np.linspace(2.1, 28.1, 14)  # none is that of a step that is counted
RUNS = 400
START = 2.0


def ridge(nodes=5, dimension=2, samples=6):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((nodes, samples, dimension))
    b = A @ np.ones(dimension) + rng.standard_normal((nodes, samples))
    return Problem.from_arrays(A, b, "ridge", mu=0.5)


def start_of(name):
    """Methods of gossip start at the points that they average."""
    return {} if get_method(name).needs_averaging else {"x0": START}


# ---- Against the equation, densely ---------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_it_is_the_exponential_of_the_superoperator(name):
    """For methods that rest at x*: E s s^T is e^{t L} of its start."""
    if name in {"ad_psgd", "a2cid2"}:
        problem = alike(3, [2.0])  # the centres of all nodes at one place: no plateau
        problem = Problem.quadratic(problem.form.H, np.full((3, 1), 2.0))
    else:
        problem = problem_for(name, 3)
    net = network("path", 3)
    found = expected_curve(name, problem, net, [0.0, 1.0, 7.5])
    (part,) = parts_of(Setting.of(name, problem, net), None, None)
    T, estimate = part.events.reached, part.events.estimate
    s = T.T @ (part.start - part.rest)
    for t, value in zip([0.0, 1.0, 7.5], found, strict=True):
        moment = (expm(t * superoperator(part.events)) @ np.kron(s, s)).reshape(len(s), -1)
        wanted = np.trace(estimate @ T @ moment @ T.T @ estimate.T) / 3
        assert value == pytest.approx(wanted, rel=1e-9, abs=1e-18)


def test_it_starts_where_a_run_starts():
    problem, net = unlike(4, 2), network("path", 4)
    x0 = np.random.default_rng(3).standard_normal((4, 2))
    found = expected_curve("dadao", problem, net, [0.0], x0=x0)
    assert found[0] == pytest.approx(((x0 - problem.x_star) ** 2).sum() / 4)
    continuized = expected_curve("continuized", problem, net, [0.0])
    x = problem.conjugate_gradients(np.zeros((4, 2)))
    assert continuized[0] == pytest.approx(((x - problem.x_star) ** 2).sum() / 4)


def test_coordinates_that_commute_add_up():
    """Along axes of their own, and all at once."""
    net, problem = network("path", 3), unlike(3, 2)
    found = expected_curve("a2cid2", problem, net, TIMES)
    R = np.linalg.qr(np.random.default_rng(2).standard_normal((2, 2)))[0]
    H = R @ problem.form.H @ R.T
    turned = Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, problem.form.c @ R.T)
    assert np.allclose(expected_curve("a2cid2", turned, net, TIMES), found, rtol=1e-9)


@pytest.mark.parametrize("name", ["dadao", "continuized", "accelerated_gossip"])
def test_in_the_long_run_it_falls_at_the_exact_rate(name):
    net, problem = network("path", 4), problem_for(name, 4)
    sigma = exact_rate(name, problem, net).sigma
    first = 40 / abs(sigma)
    times = np.linspace(first, first + 20, 5)
    slope = np.polyfit(times, np.log(expected_curve(name, problem, net, times)), 1)[0]
    assert slope == pytest.approx(sigma, rel=0.01)


# ---- Against the engine --------------------------------------------------------------------------

SETTINGS = {
    "dadao, path": ("dadao", alike(4, [1.0, 10.0]), network("path", 4), {}),
    "dadao, star": ("dadao", alike(6, [3.0]), network("star", 6), {"mu": 1.0, "L": 10.0}),
    "dadao, turned": ("dadao", unlike(5, 2, turned=True), network("cycle", 5), {}),
    "continuized": ("continuized", unlike(5), network("cycle", 5), {}),
    "accelerated": (
        *("accelerated_gossip", problem_for("accelerated_gossip", 8), network("path", 8), {}),
    ),
    "esdacd": ("esdacd", unlike(5), network("path", 5), {}),
    "gossip": ("randomised_gossip", problem_for("randomised_gossip", 6), network("star", 6), {}),
}
HOVERING = {
    "a2cid2": ("a2cid2", unlike(5), network("path", 5), None),
    "ad_psgd": ("ad_psgd", unlike(5), network("star", 5), None),
    "ad_psgd, one sample": ("ad_psgd", ridge(), network("path", 5), 1),
    "a2cid2, two samples": ("a2cid2", ridge(), network("star", 5), 2),
    "dadao, one sample": ("dadao", ridge(), network("star", 5), 1),
}


def slope(curve):
    return np.polyfit(TIMES, np.log(curve), 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_400_runs_have_its_slope_and_its_curve(name):
    """Within three standard errors: the slope over the same window, and each of 14 times."""
    method, problem, net, overrides = SETTINGS[name]
    start = start_of(method)
    runs = errors(RUNS, method, problem, net, TIMES, overrides=overrides, **start)
    mean = runs.mean(axis=0)
    x0 = {key: np.full(problem.dimension, value) for key, value in start.items()}
    curve = expected_curve(method, problem, net, TIMES, overrides, **x0)
    off = abs(slope(mean) - slope(curve))
    assert off <= 3 * standard_error(slope, runs)
    assert (np.abs(mean - curve) <= 3 * runs.std(axis=0) / RUNS**0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", HOVERING)
def test_400_runs_that_hover_have_its_curve(name):
    """Those of minibatches too."""
    method, problem, net, batch_size = HOVERING[name]
    options = Options(batch_size=batch_size)
    runs = errors(RUNS, method, problem, net, TIMES, options=options, x0=START)
    x0 = np.full(problem.dimension, START)
    curve = expected_curve(method, problem, net, TIMES, options=options, x0=x0)
    assert (np.abs(runs.mean(axis=0) - curve) <= 3 * runs.std(axis=0) / RUNS**0.5).all()


@pytest.mark.slow
def test_runs_tell_it_from_others():
    """Negative control: the same runs are far from the curves of another step, another method."""
    method, problem, net, _ = SETTINGS["dadao, turned"]
    runs = errors(RUNS, method, problem, net, TIMES, x0=START)
    mean, error = runs.mean(axis=0), runs.std(axis=0) / RUNS**0.5
    x0 = np.full(2, START)
    for name, overrides in (("dadao", {"gamma": 0.03}), ("ad_psgd", {})):
        other = expected_curve(name, problem, net, TIMES, overrides, x0=x0)
        assert (np.abs(mean - other) > 3 * error).sum() > 7


# ---- What is refused -----------------------------------------------------------------------------


def test_what_is_refused():
    net, problem = network("path", 4), unlike(4)
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((4, 9, 1)), np.where(rng.random((4, 9)) < 0.5, 1.0, -1.0)
    logistic = Problem.from_arrays(A, b, "logistic_l2", mu=0.3)
    centres = problem_for("randomised_gossip", 4)
    for name, given, options, reason in (
        ("dadao", problem, {"times": [2.0, 1.0]}, "do not ascend from 0"),
        ("dadao", problem, {"times": [-1.0]}, "do not ascend from 0"),
        ("dadao", logistic, {}, "is not quadratic"),
        ("dadao", problem, {"x0": np.ones(3)}, "x0: shape"),
        ("randomised_gossip", centres, {"x0": np.ones(1)}, "starts at the points"),
        ("dadao", problem, {"options": Options(batch_size=1)}, "is predicted on squares"),
        ("dadao", alike(80, [1.0]), {}, "up to 400"),
        ("edge_admm", problem, {}, "remember"),
    ):
        arguments = {"times": [1.0], **options}
        graph = network("path", given.nodes)
        with pytest.raises(InputError, match=reason):
            expected_curve(name, given, graph, **arguments)
    assert expected_curve("dadao", problem, net, []).shape == (0,)
