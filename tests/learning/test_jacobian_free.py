"""Jacobian-free gradients against the implicit function theorem, and what restarting gains."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from cases import lollipop  # noqa: E402
from scipy.optimize import minimize_scalar  # noqa: E402

from dadao_sim import Problem  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.learning import learn  # noqa: E402
from dadao_sim.learning.fixed_point_maps import MAPS  # noqa: E402
from dadao_sim.learning.jacobian_free import backpropagate  # noqa: E402
from dadao_sim.local_steps.terms import make  # noqa: E402

APPLICATIONS = (1, 10, 50, 100)


def regression(nodes, samples=4, dimension=12, seed=0):
    """A sparse signal, and what the nodes measured of it, with much noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((nodes, samples, dimension))
    signal = np.where(rng.random(dimension) < 0.3, 1 + rng.random(dimension), 0.0)
    b = A @ signal + 3 * rng.standard_normal((nodes, samples))
    return Problem.from_arrays(A, b, "least_squares"), signal


def hessian(problem):
    """Of F, column by column."""
    at = [problem.gradients(np.tile(x, (problem.nodes, 1))).mean(axis=0) for x in np.eye(12)]
    return np.stack(at, axis=1) - problem.gradients(np.zeros((problem.nodes, 12))).mean(0)[:, None]


def gradient(fixed_point_map, weights, theta, state, applications):
    """d <weights, x>/d strength through that many applications from ``state``."""
    strength = torch.tensor(theta["strength"], dtype=torch.float64, requires_grad=True)
    full = {"step": torch.tensor(theta["step"], dtype=torch.float64), "strength": strength}
    backpropagate(fixed_point_map, lambda x: (weights * x).sum(), full, state, applications)
    return float(strength.grad)


def errors(fixed_point_map, weights, theta, state, exact):
    found = [gradient(fixed_point_map, weights, theta, state, k) for k in APPLICATIONS]
    return np.abs(np.array(found) - exact) / abs(exact)


def test_the_error_of_the_gradient_falls_as_q_to_the_K():
    """Proximal gradient with l1: J = D (I - a H), B = -a sign(x), D the support of x."""
    problem, _ = regression(3)
    H = hessian(problem)
    theta = {"step": 1 / problem.L, "strength": 0.4}
    x = problem.with_local_step(make("l1", 12, strength=0.4)).x_star
    weights = np.linspace(1, 2, 12)
    D = np.diag((x != 0).astype(float))
    J = D @ (np.eye(12) - theta["step"] * H)
    B = -theta["step"] * np.sign(x)
    exact = weights @ np.linalg.solve(np.eye(12) - J, B)
    q = np.abs(np.linalg.eigvals(J)).max()
    assert 0.5 < q < 0.99
    assert 3 <= np.count_nonzero(x) < 12
    fixed_point_map = MAPS["proximal_gradient"](problem, None, "l1")
    state = torch.from_numpy(x.copy()).reshape(1, 1, 12)
    found = errors(fixed_point_map, torch.from_numpy(weights), theta, state, exact)
    for k, error in zip(APPLICATIONS, found, strict=True):
        assert error < 2 * q**k + 1e-9
    assert found[0] > 0.1 * q  # one application alone is far off
    early, late = (
        gradient(fixed_point_map, torch.from_numpy(weights), theta, state, k) - exact
        for k in (200, 400)
    )
    assert (late / early) ** (1 / 200) == pytest.approx(q, rel=2e-3)


@pytest.mark.parametrize("name", ["prox_ed", "pg_extra"])
def test_the_error_falls_as_q_to_the_K_for_a_decentralised_map(name):
    """J and B by finite differences of a dense NumPy transcription, on duals of mean zero."""
    problem, _ = regression(7, dimension=4)
    a, s, n, d = 0.9 / problem.L, 0.4, 7, 4
    laplacian = lollipop().laplacian().toarray()
    W = np.eye(n) - laplacian / np.linalg.eigvalsh(laplacian)[-1]
    Wt = (np.eye(n) + W) / 2

    def transcribed(z, strength):
        X, Y = z.reshape(2, n, d)
        forward = X - a * (problem.gradients(X) + Y)
        v = Wt @ forward if name == "prox_ed" else W @ X - X + forward
        dual = Y + (np.eye(n) - Wt) @ (forward if name == "prox_ed" else X) / a
        return np.stack([np.sign(v) * np.maximum(np.abs(v) - a * strength, 0), dual]).ravel()

    z = np.zeros(2 * n * d)
    for _ in range(4000):
        z = transcribed(z, s)
    h = 1e-5
    J = np.stack(
        [(transcribed(z + h * e, s) - transcribed(z - h * e, s)) / (2 * h) for e in np.eye(z.size)],
        axis=1,
    )
    B = (transcribed(z, s + h) - transcribed(z, s - h)) / (2 * h)
    mean_zero = np.eye(n)[:, 1:] - 1 / n
    basis = np.zeros((z.size, n * d + (n - 1) * d))
    basis[: n * d, : n * d] = np.eye(n * d)
    basis[n * d :, n * d :] = np.kron(mean_zero, np.eye(d))
    inside = np.linalg.pinv(basis)
    J, B = inside @ J @ basis, inside @ B
    weights = np.zeros(z.size)
    weights[: n * d] = np.linspace(1, 2, n * d)
    exact = weights @ basis @ np.linalg.solve(np.eye(len(J)) - J, B)
    q = np.abs(np.linalg.eigvals(J)).max()
    fixed_point_map = MAPS[name](problem, lollipop(), "l1")
    state = torch.from_numpy(z.reshape(2, n, d).copy())
    w = torch.from_numpy(weights[: n * d].reshape(n, d).copy())
    found = errors(fixed_point_map, w, {"step": a, "strength": s}, state, exact)
    for k, error in zip(APPLICATIONS, found, strict=True):
        assert error < 10 * q**k + 1e-6  # J is not normal


def distance(problem, signal, strength):
    x = problem.with_local_step(make("l1", len(signal), strength=strength)).x_star
    return float(((x - signal) ** 2).mean())


def recovery(signal):
    target = torch.from_numpy(signal)
    return lambda x: ((x - target) ** 2).mean()


@pytest.mark.parametrize("method", ["proximal_gradient", "prox_ed", "nids", "pg_extra"])
def test_the_learned_strength_recovers_the_signal_as_the_best_one_does(method):
    problem, signal = regression(7)
    network = None if method == "proximal_gradient" else lollipop()
    found = learn(
        problem,
        recovery(signal),
        method=method,
        network=network,
        start={"strength": 0.02},
        applications=10,
        iterations=600,
    )
    strength = found.local_step["prox"]["strength"]
    best = minimize_scalar(
        lambda s: distance(problem, signal, s), bounds=(1e-3, 2), method="bounded"
    )
    assert distance(problem, signal, strength) < 1.01 * best.fun
    assert distance(problem, signal, 0.02) > 1.5 * best.fun  # there was something to learn
    assert found.losses[-1] == pytest.approx(best.fun, rel=0.02)
    assert found.x.shape == ((1 if network is None else 7), 12)


def test_restarting_beats_truncation_on_the_same_budget():
    """One application of the map per update for both; judged at the fixed point."""
    problem, signal = regression(7)
    start = {"strength": 0.02}
    final = {}
    for restart in (True, False):
        found = learn(problem, recovery(signal), start=start, iterations=600, restart=restart)
        final[restart] = distance(problem, signal, found.values["strength"])
    assert final[True] < 1.03 * distance_of_the_best_l1(problem, signal)
    assert final[False] > distance(problem, signal, 0.02)  # it unlearned


def test_both_strengths_of_an_elastic_net_are_learned():
    problem, signal = regression(7)
    start = {"strength": 0.02, "l2": 0.02}
    options = {"penalty": "elastic_net", "learned": ("strength", "l2"), "applications": 5}
    found = learn(problem, recovery(signal), start=start, **options)
    spec = found.local_step["prox"]
    x = problem.with_local_step(make(spec.pop("kind"), 12, **spec)).x_star
    assert spec.keys() == start.keys()
    assert float(((x - signal) ** 2).mean()) < 1.1 * distance_of_the_best_l1(problem, signal)


def distance_of_the_best_l1(problem, signal):
    grid = np.geomspace(1e-2, 2, 60)
    return min(distance(problem, signal, s) for s in grid)


@pytest.mark.parametrize(
    ("method", "start", "learned"),
    [
        ("proximal_gradient", {}, ("step",)),
        ("proximal_gradient", {"metric": np.ones(12)}, ("step", "metric")),
        ("prox_ed", {}, ("step",)),
        ("nids", {"step": None}, ("step",)),
    ],
)
def test_a_learned_step_or_metric_comes_nearer_in_the_same_rounds(method, start, learned):
    problem, _ = regression(7)
    network = None if method == "proximal_gradient" else lollipop()
    x_star = problem.with_local_step(make("l1", 12, strength=0.4)).x_star
    initial = 0.3 / problem.L
    start = {"strength": 0.4, "step": initial, **start}
    if start["step"] is None:  # one per node
        start["step"] = np.full(7, initial)
    found = learn(
        problem,
        recovery(x_star),
        method=method,
        network=network,
        start=start,
        learned=learned,
        applications=15,
        iterations=150,
        restart=False,
    )
    assert found.losses[-1] < 0.5 * found.losses[0]
    fixed_point_map = MAPS[method](problem, network, "l1")
    theta = {name: torch.tensor(value) for name, value in found.values.items()}
    assert (theta["step"] < fixed_point_map.largest_step(theta)).all()
    if method == "nids":
        assert found.values["step"].shape == (7,)
    refusal = {"nids": "not one per node", "proximal_gradient": "is centralised.*metric"}
    if method in refusal:
        with pytest.raises(InputError, match=refusal[method]) as refused:
            _ = found.parameters
        assert "\n" not in str(refused.value)
    else:
        assert found.parameters == {"step": float(found.values["step"])}
    assert found.local_step == {"prox": {"kind": "l1", "strength": pytest.approx(0.4)}}


def test_a_step_stays_where_the_method_converges():
    """A loss that rewards large steps drives the step up to the bound and no further."""
    problem, _ = regression(7)
    options = {"start": {"strength": 0.1}, "learned": ("step",), "learning_rate": 0.2}
    found = learn(problem, lambda x: -(x**2).sum(), **options, iterations=100, restart=False)
    bound = 2 / np.linalg.eigvalsh(hessian(problem))[-1]
    assert found.values["step"] == pytest.approx(0.99 * bound)
    # Learning goes on from there, but not from above.
    again = {**options, "start": {"strength": 0.1, "step": found.values["step"]}}
    learn(problem, lambda x: (x**2).sum(), **again, iterations=1)
    again["start"]["step"] = 0.995 * bound
    with pytest.raises(
        InputError, match=r"start: step: .* given; .* at most .*, 0\.99 of its bound"
    ):
        learn(problem, lambda x: (x**2).sum(), **again, iterations=1)


def test_the_default_step_suits_the_metric():
    """2 over the largest eigenvalue in the metric is the bound; half of it is the default."""
    problem, signal = regression(7)
    metric = np.linspace(0.1, 2, 12)
    start = {"strength": 0.4, "metric": metric}
    found = learn(problem, recovery(signal), start=start, iterations=1)
    scaled = hessian(problem) / np.sqrt(np.outer(metric, metric))
    assert found.values["step"] == pytest.approx(1 / np.linalg.eigvalsh(scaled)[-1])


def test_one_name_may_stand_alone():
    problem, signal = regression(3)
    options = {"start": {"strength": 0.1}, "iterations": 3}
    one = learn(problem, recovery(signal), learned="strength", **options)
    assert one.values == learn(problem, recovery(signal), learned=("strength",), **options).values


def test_the_same_call_gives_the_same_bits():
    problem, signal = regression(7)
    threads = torch.get_num_threads()
    runs = []
    for count in (1, 2):
        torch.set_num_threads(count)
        runs.append(learn(problem, recovery(signal), start={"strength": 0.1}, iterations=30))
    torch.set_num_threads(threads)
    assert_array_equal(runs[0].losses, runs[1].losses)
    assert_array_equal(runs[0].x, runs[1].x)


def test_x0_is_where_it_starts():
    problem, signal = regression(7)
    x0 = np.linspace(0, 1, 12)
    found = learn(problem, recovery(signal), start={"strength": 0.1}, iterations=1, x0=x0)
    step = 1 / np.linalg.eigvalsh(hessian(problem))[-1]
    forward = x0 - step * problem.gradients(np.tile(x0, (7, 1))).mean(axis=0)
    assert_allclose(found.x[0], make("l1", 12, strength=0.1).prox(forward, step), atol=1e-12)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"method": "dadao"}, "method 'dadao'"),
        ({"penalty": "l0"}, "penalty 'l0'"),
        ({"start": {}}, "and strength, must be in start"),
        ({"start": {"strength": 0.1, "rho": 1.0}}, "known are step, strength, metric"),
        ({"learned": ("metric",)}, "must be in start"),
        ({"start": {"strength": -0.1}}, "strength: finite numbers > 0"),
        ({"start": {"strength": 0.1, "step": np.ones(12)}}, "step: finite numbers > 0"),
        ({"start": {"strength": 0.1, "metric": np.ones(3)}}, "metric: finite numbers > 0"),
        ({"start": {"strength": "much"}}, "start: strength: numbers are needed, got 'much'"),
        ({"start": {"strength": [[1], [1, 2]]}}, "start: strength: numbers are needed"),
        ({"start": 0.1}, r"start: names with their values are needed, got 0\.1"),
        ({"start": {"strength": 0.1, "step": 1e3}}, "start: step: 1000 given; .* at most"),
        ({"learned": ()}, "what is learned"),
        ({"learned": "rho"}, "learned: rho given"),
        ({"applications": 0}, "applications: a whole number >= 1 is needed, got 0"),
        ({"applications": 1.5}, r"applications: .*, got 1\.5"),
        ({"iterations": 0}, "iterations: a whole number >= 1 is needed, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate: a number > 0 is needed, got 0\.0"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": np.nan}, "learning_rate"),
        ({"x0": np.ones(3)}, r"x0: finite numbers of shape \(12,\)"),
        ({"x0": np.full(12, np.inf)}, "x0: finite numbers"),
        ({"x0": "origin"}, "x0: numbers are needed, got 'origin'"),
    ],
)
def test_what_cannot_be_learned_is_said(options, reason):
    problem, signal = regression(3)
    with pytest.raises(InputError, match=reason) as refused:
        learn(problem, recovery(signal), **{"start": {"strength": 0.1}, **options})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (lambda x: x**2, r"one real number.*got shape \(1, 12\)"),
        (lambda x: 1.0, r"one real number.*got 1\.0"),
        (lambda x: torch.zeros(()), r"computed from x by torch; got shape \(\)"),
        (lambda x: x.sum() + 0j, r"one real number"),
        (lambda x: x.detach().sum(), "computed from x"),
        (lambda x: (x.sum() * 0).sqrt(), "no finite derivative at iteration 0"),
        ("mean", "a function of x is needed, got 'mean'"),
    ],
)
def test_a_loss_that_cannot_be_followed_is_said(loss, reason):
    problem, _ = regression(3)
    with pytest.raises(InputError, match=reason) as refused:
        learn(problem, loss, start={"strength": 0.1}, iterations=1)
    assert "\n" not in str(refused.value)


def test_a_loss_without_bound_is_said():
    problem, _ = regression(3)
    with pytest.raises(InputError, match="the loss is inf at iteration 0"):
        learn(problem, lambda x: x.sum() / 0.0 + np.inf, start={"strength": 0.1})


def test_a_loss_of_numpy_and_a_term_of_the_problem_are_refused():
    problem = Problem.averaging(np.arange(12.0).reshape(4, 3))
    with pytest.raises(InputError, match="loss failed: it is given a torch tensor of shape"):
        learn(problem, lambda x: ((x - np.ones(3)) ** 2).mean(), start={"strength": 0.1})
    composite = problem.with_local_step(make("tv_1d", 3, strength=0.1))
    with pytest.raises(InputError, match="the problem has a local step, tv_1d; give the smooth"):
        learn(composite, lambda x: x.sum(), start={"strength": 0.1})
