"""AskewSGD: quantised models by directions that are skewed towards annealed sets."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Network, Problem, replay, simulate
from dadao_sim.algorithms.contract.registry import entry
from dadao_sim.errors import InputError
from dadao_sim.events.log import concatenate
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.quantise.askew import skewed
from dadao_sim.local_steps.quantise.grid import psi
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.plotting.paths import paths_figure
from dadao_sim.reports.paths import path_of, paths
from dadao_sim.reports.theory import theory_report
from dadao_sim.results.look import Look
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.study import Study
from dadao_sim.strict import references_of

BINARY, FOUR = [-1, 1], [-3, -1, 1, 3]
UNBOUNDED = 1e-9
"""A step so short that the cap, h/4 of a step, is out of the way."""


def step(dimension, kind="askew", levels=BINARY, **keys):
    return build_local_step({"quantise": {"kind": kind, "levels": levels, **keys}}, dimension)


def annealed(dimension, hold, every, alpha=0.2, **keys):
    anneal = {"hold": hold, "factor": 0.96, "every": every}
    return step(dimension, alpha=alpha, anneal=anneal, **keys)


def centralised(local_step, gradient, w, length, times):
    """w after so many steps of the length, with the gradient where the step asks for it."""
    for t in times:
        seen = local_step.quantised(w) if local_step.kind == "straight_through" else w
        w = w + length * local_step.direction(w, gradient(seen), length, t)
    return w


def signs(X):
    return np.where(X >= 0, 1.0, -1.0)


def points(d, levels=BINARY):
    return np.array(list(itertools.product(map(float, levels), repeat=d)))


def slope_of(grid, w):
    """psi' of each coordinate, by the product rule."""
    a = grid.low + grid.spacing * np.clip(
        np.floor((w - grid.low) / grid.spacing), 0, grid.number - 2
    )
    u, v = w - a, w - a - grid.spacing
    return -2 * u * v * (u + v)


# ---- the velocity -------------------------------------------------------------------------------


def projected(g, p, slope, alpha):
    """The minimiser of (v + g)^2 over slope v >= -alpha p, or over all v where p >= 0, by
    projection on a half-line.
    """
    if p >= 0 or slope == 0:
        return -g
    bound = -alpha * p / slope
    return max(-g, bound) if slope > 0 else min(-g, bound)


@pytest.mark.parametrize("levels", [BINARY, FOUR])
def test_the_closed_form_is_the_quadratic_programme(levels):
    draw = np.random.default_rng(0)
    d = 300
    for _ in range(10):
        eps, alpha = draw.uniform(1e-3, 0.9), draw.uniform(0.05, 2)
        local = step(d, levels=levels, alpha=alpha, eps=eps)
        w, g = draw.uniform(levels[0], levels[-1], d), draw.standard_normal(d)
        v = np.empty(d)
        for k in range(d):
            v[k] = skewed(local.grid, alpha, eps, w[k], g[k])
        p, slope = psi(local.grid, eps, w), slope_of(local.grid, w)
        wanted = [projected(*row, alpha) for row in zip(g, p, slope, strict=True)]
        assert_allclose(v, wanted, rtol=1e-12, atol=1e-12)
        outside = p < 0
        assert outside.sum() > 10
        assert (slope * v + alpha * p)[outside].min() > -1e-12
        assert_allclose(v[~outside], -g[~outside], rtol=1e-12)


def test_it_is_the_solution_of_a_solver():
    cvxpy = pytest.importorskip("cvxpy")
    draw, d, alpha, eps = np.random.default_rng(1), 40, 0.7, 0.2
    local = step(d, alpha=alpha, eps=eps)
    w, g = draw.uniform(-1, 1, d), draw.standard_normal(d)
    p, slope = psi(local.grid, eps, w), slope_of(local.grid, w)
    v, out = cvxpy.Variable(d), p < 0
    limits = [cvxpy.multiply(slope[out], v[out]) >= -alpha * p[out]]
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(v + g)), limits)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    ours = [skewed(local.grid, alpha, eps, *row) for row in zip(w, g, strict=True)]
    assert_allclose(ours, v.value, atol=1e-6)


def test_infeasibility_decays_at_the_rate_alpha():
    alpha, eps, length = 1.0, 0.05, 0.001
    local = step(1, alpha=alpha, eps=eps)
    w = np.array([0.3])
    start = local.infeasibility(w, 0)
    for t in range(4000):
        w = w + length * local.direction(w, np.zeros(1), length, t)
    rate = math.log(start / local.infeasibility(w, 0)) / (4000 * length)
    assert rate == pytest.approx(alpha, rel=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_with_fixed_sets_it_ends_at_a_kkt_point(seed):
    """-g in the normal cone of {psi >= 0}: g = lambda psi' with lambda >= 0, 0 inside."""
    draw, d, eps = np.random.default_rng(seed), 12, 0.3
    B = draw.standard_normal((d, d))
    H, c = B @ B.T / d + 0.1 * np.eye(d), 2 * draw.standard_normal(d)
    local = step(d, alpha=1.0, eps=eps)
    length = 0.2 / np.linalg.eigvalsh(H)[-1]
    w = centralised(local, lambda w: H @ w - c, 0.1 * draw.standard_normal(d), length, range(20000))
    g, p, slope = H @ w - c, psi(local.grid, eps, w), slope_of(local.grid, w)
    outer = np.abs(np.abs(w) - 1) < 1e-12  # where the clip holds it
    inside = (p > 1e-6) & ~outer
    assert local.infeasibility(w, 0) < 1e-8
    assert np.abs(g[inside]).max(initial=0.0) < 1e-8
    edge = ~inside & ~outer
    assert (g[edge] / slope[edge]).min(initial=0.0) > -1e-8
    assert (g[outer] * w[outer]).max(initial=-1.0) < 1e-8  # it would go further out


@pytest.mark.parametrize("levels", [BINARY, FOUR])
def test_no_step_is_longer_than_a_quarter_of_the_spacing(levels):
    draw, d = np.random.default_rng(0), 200
    local = step(d, levels=levels, alpha=0.5, eps=1e-3)
    near_the_middle = local.grid.low + local.grid.spacing / 2 + 1e-9 * draw.standard_normal(d)
    for w in (near_the_middle, draw.uniform(levels[0], levels[-1], d)):
        for length in (0.01, 1.0, 50.0):
            v = local.direction(w, 5 * draw.standard_normal(d), length, 0)
            assert np.abs(length * v).max() <= local.grid.spacing / 4 + 1e-12
            moved = w + length * v
            assert moved.min() >= levels[0]
            assert moved.max() <= levels[-1]
    free = local.direction(near_the_middle, np.zeros(d), UNBOUNDED, 0)
    assert np.abs(free).max() > local.grid.spacing / 4  # without the cap it would


def test_the_sets_tighten_with_time():
    local = annealed(1, hold=600, every=10)
    found = [local.eps_at(t) for t in (0, 600, 610, 700)]
    assert_allclose(found, [1, 1, 0.96, 0.96**10])
    assert step(1, levels=FOUR, alpha=1).eps_at(10**6) == 1.0  # (h/2)^4, without anneal
    assert step(1, kind="rounding").eps_at(0) == 0


def test_at_the_start_all_is_feasible_and_free():
    d = 50
    local = step(d, levels=FOUR, alpha=1.0)
    w, g = np.linspace(-2.9, 2.9, d), np.linspace(-1, 1, d)
    assert local.infeasibility(w, 0) < 1e-15
    assert_allclose(local.direction(w, g, 0.01, 0), -g, atol=1e-12)


def test_straight_through_takes_gradients_at_the_levels():
    H = np.array([[[2.0, 0.5], [0.5, 1.0]]])
    smooth = Problem.quadratic(H, np.zeros((1, 2)))
    x = np.array([[0.3, -2.0]])
    for kind, at in (("straight_through", [1.0, -1.0]), ("rounding", x[0])):
        problem = smooth.with_local_step(step(2, kind))
        assert_allclose(problem.gradients(x)[0], H[0] @ at)
    python = Problem.from_objectives([_Quadratic(H[0])], L=3.0, mu=0.1, dimension=2)
    problem = python.with_local_step(step(2, "straight_through"))
    assert_allclose(problem.gradients(x)[0], H[0] @ [1.0, -1.0])


class _Quadratic:
    def __init__(self, H):
        self.H = H

    def value(self, x):
        return float(x @ self.H @ x / 2)

    def gradient(self, x):
        return self.H @ x


# ---- the authors' toy, and honest negatives -----------------------------------------------------


def toy(seed, samples=2000, d=10):
    """Logistic regression with binary weights: A (m, d), labels +-1, a start (d,)."""
    draw = np.random.default_rng(seed)
    true = signs(draw.standard_normal(d))
    A = draw.uniform(-1, 1, (samples, d))
    b = np.where(draw.random(samples) < 1 / (1 + np.exp(-A @ true)), 1.0, -1.0)
    return A, b, 0.1 * draw.standard_normal(d)


def logistic(A, b):
    return lambda w: -A.T @ (b / (1 + np.exp(b * (A @ w)))) / len(b)


def losses(A, b, points):
    return np.logaddexp(0, -b[:, None] * (A @ points.T)).mean(axis=0)


def test_the_toy_ends_at_the_brute_force_optimum():
    for seed in range(10):
        A, b, w = toy(seed)
        every = points(10)
        best = every[losses(A, b, every).argmin()]
        local = annealed(10, hold=180, every=3, alpha=0.1)
        found = centralised(local, logistic(A, b), w, 2.0, range(600))
        assert_array_equal(signs(found), best)
        assert np.abs(found**2 - 1).max() < 0.1


def correlated(seed, kappa, d=12):
    """H, c, a start, and the excess of a point, rounded: 0 of the best, 1 of the mean."""
    draw = np.random.default_rng(1000 + seed)
    U = np.linalg.qr(draw.standard_normal((d, d)))[0]
    H = U @ np.diag(np.geomspace(1, 1 / kappa, d)) @ U.T
    c = H @ draw.uniform(-1.5, 1.5, d)
    every = points(d)
    values = np.einsum("ij,ij->i", every @ H, every) / 2 - every @ c
    least, mean = values.min(), values.mean()

    def excess(w):
        q = signs(w)
        return (q @ H @ q / 2 - c @ q - least) / (mean - least)

    return H, c, 0.1 * draw.standard_normal(d), excess


def test_it_is_a_stable_estimator_and_no_better_optimiser_than_rounding():
    """The honest negative: on correlated least squares annealing ends where rounding the minimiser
    in the box ends, and only the last iterate of straight-through is worse.
    """
    kinds = {
        "askew": annealed(12, hold=600, every=20),
        "rounding": step(12, "rounding"),
        "straight_through": step(12, "straight_through"),
    }
    found = {kind: [] for kind in kinds}
    for seed in range(6):
        H, c, w, excess = correlated(seed, 10)
        for kind, local in kinds.items():
            times = range(2500 if kind == "askew" else 800)
            found[kind].append(
                excess(centralised(local, lambda w, H=H, c=c: H @ w - c, w, 1.0, times))
            )
    mean = {kind: np.mean(values) for kind, values in found.items()}
    assert mean["askew"] == pytest.approx(mean["rounding"], abs=0.01)
    assert 0 < mean["askew"] < 0.15
    assert mean["straight_through"] > 2 * mean["askew"]


# ---- inside the simulator -----------------------------------------------------------------------


def sorted_nodes(seed=4, n=8, m=100, d=10):
    """The toy, its samples sorted by their scores: nodes that disagree."""
    A, b, _ = toy(seed, n * m, d)
    true = signs(np.random.default_rng(seed).standard_normal(d))
    order = np.argsort(A @ true)
    A, b = A[order].reshape(n, m, d), b[order].reshape(n, m)
    return Problem.from_arrays(A, b, "logistic_l2", mu=1e-3)


def network(graph):
    return Network.from_networkx(graph)


def mixing(graph):
    lap = nx.laplacian_matrix(graph).toarray().astype(float)
    return np.eye(len(lap)) - lap / np.linalg.eigvalsh(lap)[-1]


def rounds(count):
    clock = RoundClock(np.random.SeedSequence(1))
    return concatenate([clock.window() for _ in range(-(-count // 1024))])[:count]


def starts(n, d):
    return 0.1 * np.random.default_rng(0).standard_normal((n, d))


@pytest.mark.parametrize("kind", ["askew", "straight_through", "rounding"])
def test_a_dense_transcription_of_sonata(kind):
    smooth, graph, tau = sorted_nodes(), nx.cycle_graph(8), 2.0
    tightens = {"alpha": 0.2, "anneal": {"hold": 5, "factor": 0.8, "every": 1}}
    keys = tightens if kind == "askew" else {}
    local = step(10, kind, **keys)
    problem, W, X = smooth.with_local_step(local), mixing(graph), starts(8, 10)
    over = {"tau": tau, "gamma": 0.9}
    found = replay("sonata", problem, network(graph), rounds(40), x0=X, overrides=over)

    def gradients(X):
        return smooth.gradients(signs(X) if kind == "straight_through" else X)

    G, Y = gradients(X), gradients(X)
    for k in range(40):
        eps = 1.0 * 0.8 ** max(0, k - 5)
        V = -Y
        if kind == "askew":
            p, slope = eps - (X**2 - 1) ** 2, -4 * X * (X**2 - 1)
            rows = zip(Y.ravel(), p.ravel(), slope.ravel(), strict=True)
            V = np.array([projected(*row, 0.2) for row in rows]).reshape(X.shape)
            V = np.clip(V, -tau / 2, tau / 2)
        moved = np.clip(X + V / tau, -1, 1)
        X = W @ (X + 0.9 * (moved - X))
        after = gradients(X)
        Y, G = W @ (Y + after - G), after
    assert_allclose(found["x"], X, atol=1e-12)


def test_on_a_complete_graph_it_is_the_centralised_method():
    smooth, tau = sorted_nodes(), 1.0
    local = annealed(10, hold=20, every=2, alpha=0.3)
    x0 = np.tile(starts(1, 10), (8, 1))
    problem = smooth.with_local_step(local)
    over = {"tau": tau, "gamma": 1.0}
    graph = network(nx.complete_graph(8))
    found = replay("sonata", problem, graph, rounds(300), x0=x0, overrides=over)["x"]
    w = centralised(local, smooth.mean_operator, x0[0], 1 / tau, range(300))
    assert np.abs(w**2 - 1).max() < 0.5
    assert_allclose(found, np.tile(w, (8, 1)), atol=1e-12)


METRICS = ["infeasibility", "agreement", "rounded_excess", "rounded_objective"]


def scenario(algorithms, time=900, metrics=METRICS, **keys):
    return {
        "name": "askew",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
        "network": {"graph": "cycle", "nodes": 8},
        "local_step": {"quantise": ANNEALED},
        "algorithms": algorithms,
        "start": {"kind": "normal", "scale": 0.1},
        "stop": {"time": time},
        "record": {"points": 5, "metrics": metrics},
        **keys,
    }


ANNEALED = {
    "levels": BINARY,
    "kind": "askew",
    "alpha": 0.3,
    "anneal": {"hold": 300, "factor": 0.95, "every": 6},
}
SONATA = {"name": "sonata", "parameters": {"tau": 1.0}}


def on_its_own_data(smooth, i, local):
    """What node i makes of its f_i without its neighbours."""
    return centralised(local, lambda w: smooth.gradient(i, w), starts(1, 10)[0], 1.0, range(900))


@pytest.mark.parametrize("graph", [nx.cycle_graph(8), nx.star_graph(7)], ids=["cycle", "star"])
def test_all_nodes_agree_on_the_centralised_model_and_alone_they_do_not(graph):
    """The lesson, of two methods on two graphs, with its negative control."""
    smooth = sorted_nodes()
    given = {"problem": smooth, "network": network(graph)}
    result = simulate(scenario([SONATA, "dadao"]), **given)
    local = annealed(10, hold=300, every=6, alpha=0.3)
    w = centralised(local, smooth.mean_operator, starts(1, 10)[0], 1.0, range(900))
    best = smooth.with_local_step(local).best
    assert_array_equal(signs(w), best)
    for label in ("sonata", "dadao"):
        last = result.curves[result.curves["algorithm"] == label].iloc[-1]
        assert last["agreement"] == 1
        assert last["rounded_excess"] == 0
        assert last["infeasibility"] < 0.02
        X = result.states[label, 0]["x"]
        assert_array_equal(signs(X), np.tile(best, (8, 1)))
        assert np.abs(X**2 - 1).max() < 0.2
    alone = np.array([on_its_own_data(smooth, i, local) for i in range(8)])
    assert smooth.with_local_step(local).agreement(alone) < 0.8
    assert (signs(alone) != best).any(axis=1).sum() >= 2
    assert (result.summary["experimental"]).all()


def test_infeasibility_is_measured_at_the_time_of_the_last_step():
    smooth = sorted_nodes()
    given = {"problem": smooth, "network": network(nx.cycle_graph(8))}
    result = simulate(scenario([SONATA], time=600), **given)
    X = result.states["sonata", 0]["x"]
    wanted = np.maximum(0, (X**2 - 1) ** 2 - 0.95 ** ((599 - 300) / 6)).max()
    assert result.curves["infeasibility"].iloc[-1] == pytest.approx(wanted, rel=1e-12)
    assert wanted > 0


def test_an_algorithm_may_have_a_local_step_of_its_own():
    smooth = sorted_nodes()
    given = {"problem": smooth, "network": network(nx.cycle_graph(8))}
    own = {"quantise": {"levels": BINARY, "kind": "rounding"}}
    specs = [SONATA, {**SONATA, "label": "box", "local_step": own}]
    result = simulate(scenario(specs, time=60), **given)
    alone = simulate(scenario([SONATA], time=60, local_step=own), **given)
    assert_array_equal(result.states["box", 0]["x"], alone.states["sonata", 0]["x"])
    twice = simulate(scenario([SONATA], time=60), **given)
    assert_array_equal(result.states["sonata", 0]["x"], twice.states["sonata", 0]["x"])


def test_four_levels():
    """Nodes agree on levels between the outer ones too."""
    draw = np.random.default_rng(0)
    target = np.array([-2.7, -1.2, 0.8, 1.3, 3.5])
    smooth = Problem.averaging(target + 0.3 * draw.standard_normal((6, 5)))
    local = {**ANNEALED, "levels": FOUR}
    changes = {"local_step": {"quantise": local}, "metrics": METRICS[:3]}
    specs = [{"name": "sonata", "parameters": {"tau": 2.0}}]
    result = simulate(scenario(specs, **changes), problem=smooth, network=network(nx.path_graph(6)))
    last = result.curves.iloc[-1]
    assert last["agreement"] == 1
    assert last["rounded_excess"] == 0
    X = result.states["sonata", 0]["x"]
    assert_allclose(X, np.tile([-3, -1, 1, 1, 3], (6, 1)), atol=0.15)


class _Unit:
    """The logistic loss of 2 tanh(<w, x>): not convex."""

    def __init__(self, A, b):
        self.A, self.b = A, b

    def value(self, w):
        return float(np.logaddexp(0, -2 * self.b * np.tanh(self.A @ w)).mean())

    def gradient(self, w):
        a = np.tanh(self.A @ w)
        slope = -2 * self.b / (1 + np.exp(2 * self.b * a)) * (1 - a * a)
        return self.A.T @ slope / len(self.b)


def test_functions_of_python_that_are_not_convex():
    A, b, _ = toy(1, 400, 6)
    nodes = [_Unit(A[i::4], b[i::4]) for i in range(4)]
    smooth = Problem.from_objectives(nodes, dimension=6, convex=False)
    given = {"problem": smooth, "network": network(nx.path_graph(4))}
    result = simulate(scenario([SONATA]), **given)
    last = result.curves.iloc[-1]
    assert last["agreement"] == 1
    assert last["infeasibility"] < 0.01
    assert last["rounded_excess"] < 0.01
    with pytest.raises(InputError, match="mu"):
        simulate(scenario(["dadao"]), **given)


# ---- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"levels": [1, -1]}, "quantise.levels: must increase by equal steps"),
        ({"levels": [-1, 0, 2]}, "quantise.levels: must increase by equal steps"),
        ({"levels": [1]}, "quantise.levels: "),
        ({"anneal": {"factor": 1}}, "quantise.anneal.factor: 1 never tightens; below 1"),
        ({"anneal": {"factor": 1.5}}, "quantise.anneal.factor: 1.5 never tightens; below 1"),
        ({"kind": "skew"}, "quantise.kind: unknown value 'skew'; did you mean 'askew'?"),
        ({"kind": "rounding"}, "quantise.alpha: unknown key (known: kind, levels)"),
    ],
)
def test_what_is_no_quantiser(keys, said):
    with pytest.raises(InputError, match="^" + _literal(said)):
        step(3, **{"alpha": 1.0, **keys})


def _literal(text):
    for sign in "().?'":
        text = text.replace(sign, "\\" + sign)
    return text


@pytest.mark.parametrize("name", ["nids", "pg_extra", "prox_ed", "d_admm"])
def test_methods_that_know_only_a_prox_refuse(name):
    problem = sorted_nodes().with_local_step(step(10, "rounding"))
    with pytest.raises(InputError) as error:
        replay(name, problem, network(nx.cycle_graph(8)), rounds(2))
    assert str(error.value) == (
        f"{name} has no form with a local step of this kind: it needs (x, gradient), not a prox"
    )


def test_methods_without_a_local_step_say_so():
    problem = sorted_nodes().with_local_step(step(10, "rounding"))
    with pytest.raises(InputError, match=r"its form with one is the method sonata"):
        replay("gradient_tracking", problem, network(nx.cycle_graph(8)), rounds(2))


def test_too_many_points_are_not_tried():
    smooth = Problem.averaging(np.random.default_rng(0).standard_normal((3, 17)))
    given = {"problem": smooth, "network": network(nx.path_graph(3))}
    with pytest.raises(InputError, match=r"not available: 2\^17 points are too many to try"):
        simulate(scenario([SONATA], metrics=["rounded_excess"]), **given)
    changes = {"metrics": ["rounded_objective", "agreement"]}
    last = simulate(scenario([SONATA], **changes), **given).curves.iloc[-1]
    assert last["agreement"] == 1
    assert math.isnan(last["suboptimality"])
    mean = smooth.centres.mean(axis=0)
    wanted = smooth.mean_value(signs(mean))
    assert last["rounded_objective"] == pytest.approx(wanted)  # separable: rounding is best


def test_metrics_of_quantised_models_need_levels():
    given = {"problem": sorted_nodes(), "network": network(nx.cycle_graph(8))}
    with pytest.raises(InputError, match=r"agreement.*local_step\.quantise"):
        simulate(scenario([SONATA], metrics=["agreement"], local_step=None), **given)


def test_no_exact_rate_is_claimed():
    study = Study.of(load_scenario(shipped.scenarios()["systems/quantised-models"]))
    with pytest.raises(
        InputError, match="where a local step of kind askew ends is not known beforeh"
    ):
        theory_report(study)


def test_operators_are_refused():
    problem = Problem.from_operators([lambda z: z], 2, mu=1.0, L=1.0)
    with pytest.raises(InputError, match="rounding is of a function"):
        problem.with_local_step(step(2, "rounding"))


# ---- the shipped scenario -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped_result():
    return simulate(load_scenario(shipped.scenarios()["systems/quantised-models"]))


def test_the_scenario_shows_its_lesson(shipped_result):
    """All nodes agree on one model, that of plain rounding, which is not the best one; the last
    iterates of straight-through are worse, and the nodes do not agree on them.
    """
    curves = shipped_result.curves.groupby("algorithm")
    last = curves.last()
    agreed = ["AskewSGD", "AskewSGD in DADAO", "rounding"]
    assert (last.loc[agreed, "agreement"] == 1).all()
    assert_allclose(last.loc[agreed, "rounded_excess"], 4.98624, rtol=1e-5)
    assert (last.loc[agreed[:2], "infeasibility"] < 1e-3).all()
    late = shipped_result.curves.query("algorithm == 'straight-through' and time > 1000")
    assert late["rounded_excess"].mean() > 3 * last.loc["AskewSGD", "rounded_excess"]
    assert late["rounded_excess"].min() == 0  # its best iterate, for whoever can tell it
    assert late["agreement"].mean() < 0.6


def test_the_papers_are_cited():
    asked = load_scenario(shipped.scenarios()["systems/quantised-models"])
    found = dict.fromkeys(references_of(asked))
    assert list(found) == ["leconte2023askewsgd", "courbariaux2015binaryconnect"]
    for key in found:
        assert entry(key).startswith(f"@inproceedings{{{key},")


def test_the_paths_end_at_the_edge_of_the_gap(shipped_result):
    found = path_of(shipped_result, "AskewSGD")
    assert found.of_time == "rounds"
    assert found.points.shape == (61, 8, 12)
    eps = 0.96 ** (np.maximum(0, found.times - 600) / 10)
    half = np.sqrt(1 - np.sqrt(eps))
    assert_allclose(found.gaps, [[-half, half]], atol=1e-12)
    assert_array_equal(found.points[-1], shipped_result.states["AskewSGD", 0]["x"])
    assert np.abs(found.points[-1]).min() > half[-1] - 1e-3
    assert not path_of(shipped_result, "straight-through").gaps.any()
    both = [found, path_of(shipped_result, "AskewSGD in DADAO")]
    assert both[1].of_time == "mean gradient intervals"
    figure = paths_figure(both)
    assert figure.axes[0].get_xlabel() == "Time (rounds)"


def test_paths_of_what_has_no_levels_are_refused():
    given = {"problem": sorted_nodes(), "network": network(nx.cycle_graph(8))}
    changes = {"metrics": [], "local_step": None, "time": 5}
    result = simulate(scenario([SONATA], **changes), **given)
    with pytest.raises(InputError, match="paths: no algorithm has levels to come to; leave it"):
        paths(result)
    quantised = simulate(scenario([SONATA], metrics=[], time=5), **given)
    with pytest.raises(InputError, match="paths: dadao has no levels to come to; leave it out"):
        paths_figure(paths(quantised), Look(algorithms=("dadao",)))
