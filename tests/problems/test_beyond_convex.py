"""Beyond convex sums: what is said of a problem is tried, and nothing is answered wrongly."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dadao_sim import Problem, load_result, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError

X_STAR = np.array([0.6, -1.1, 0.4])
RING = nx.cycle_graph(6)


class Phases:
    """(1/4m) sum_k ((a_k.x)^2 - (a_k.x*)^2)^2: the minimisers are x* and -x*, 0 is a maximiser."""

    def __init__(self, seed):
        self.A = np.random.default_rng(seed).standard_normal((30, 3))
        self.squares = (self.A @ X_STAR) ** 2

    def value(self, x):
        return float((((self.A @ x) ** 2 - self.squares) ** 2).mean() / 4)

    def gradient(self, x):
        z = self.A @ x
        return self.A.T @ ((z * z - self.squares) * z) / len(z)


class Quadratic:
    def __init__(self, H, c):
        self.H, self.c = np.asarray(H, dtype=float), np.asarray(c, dtype=float)

    def value(self, x):
        return float(x @ self.H @ x / 2 - self.c @ x)

    def gradient(self, x):
        return self.H @ x - self.c


class DoubleWell:
    """x^4/4 - x^2/2 + x/10: minima near -1.047 (the lower one) and .946."""

    def value(self, x):
        return float((x**4 / 4 - x**2 / 2 + x / 10).sum())

    def gradient(self, x):
        return x**3 - x + 0.1


def phases(**more):
    more = {"x_star": [X_STAR, -X_STAR], **more}
    return Problem.from_objectives([Phases(i) for i in range(6)], dimension=3, convex=False, **more)


def wells(x_star=None):
    return Problem.from_objectives([DoubleWell()] * 6, dimension=1, convex=False, x_star=x_star)


def rotation(rho, n=6):
    """F_i(z) = S z - c_i with S = rho I + a rotation: monotone iff rho >= 0."""
    S = np.array([[rho, 1.0], [-1.0, rho]])
    c = np.random.default_rng(1).standard_normal((n, 2))
    functions = [lambda z, i=i: S @ z - c[i] for i in range(n)]
    return functions, np.linalg.solve(S, c.mean(axis=0))


# ---- what is said is tried
# ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mu": 0.1, "L": 1e9}, "mu: node 0 is not mu = 0.1: between two points near 0"),
        ({"L": 1e9}, "mu: node 0 is not convex: between two points near 0"),
        ({"convex": False, "L": 0.5}, "L: 0.5 given for node 0, whose gradients change"),
        ({"convex": False, "mu": 0.1, "L": 9}, "mu: is given, and convex=False; leave one"),
        ({"convex": False, "x_star": X_STAR + 0.1}, "x_star: not a stationary point: the mean"),
        ({"convex": False, "L": [1e9] * 5}, "L: is not one number for each node; 6 of at least 0"),
    ],
)
def test_what_a_few_gradients_contradict_is_refused(more, said):
    with pytest.raises(InputError) as caught:
        Problem.from_objectives([Phases(i) for i in range(6)], dimension=3, **more)
    assert str(caught.value).startswith(said)


@given(st.integers(0, 2**32 - 1))
def test_what_is_true_is_believed(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 5, 2)
    halves = rng.standard_normal((n, d, d)) * 10 ** rng.uniform(-3, 3)
    H = halves @ halves.transpose(0, 2, 1) + np.eye(d) * 10 ** rng.uniform(-3, 3)
    ends = np.linalg.eigvalsh(H)
    functions = [Quadratic(H[i], rng.standard_normal(d)) for i in range(n)]
    rounding = 1 + 1e-9
    mu, L = ends.min() / rounding, ends.max(axis=1) * rounding
    exact = np.linalg.solve(H.sum(axis=0), sum(f.c for f in functions))
    problem = Problem.from_objectives(functions, mu, L, int(d), exact)
    assert (problem.problem_class, problem.L) == ("strongly convex", L.max())
    assert_allclose(problem.node_L, L)
    with pytest.raises(InputError, match="L: "):
        Problem.from_objectives(functions, None, ends[:, :1].min() / 2, int(d))


def test_a_zero_that_is_none_and_constants_that_are_not_so_are_refused():
    functions, z = rotation(0.3)
    Problem.from_operators(functions, 2, mu=0.3, L=np.sqrt(1.09), z_star=z)
    with pytest.raises(InputError, match="z_star: no zero: the mean of the operators there is"):
        Problem.from_operators(functions, 2, z_star=z + 1e-6)
    with pytest.raises(InputError, match=r"mu: node 0 is not mu = 0\.31"):
        Problem.from_operators(functions, 2, mu=0.31)
    with pytest.raises(InputError, match=r"L: 1 given for node 0"):
        Problem.from_operators(functions, 2, L=1.0)
    with pytest.raises(InputError, match="operators: that of node 1: has shape"):
        Problem.from_operators([functions[0], lambda z: z[:1]], 2)


# ---- measures
# -------------------------------------------------------------------------------------------


def test_one_solution_holds_for_the_whole_network():
    problem = phases()
    apart = np.array([X_STAR, -X_STAR] * 3)
    assert problem.squared_distance(np.tile(-X_STAR, (6, 1))) == 0
    assert_allclose(problem.squared_distance(apart), 2 * X_STAR @ X_STAR)


def test_stationarity_is_that_of_the_objective():
    problem = phases()
    x, h = np.array([0.3, 0.2, -0.7]), 1e-6
    steps = h * np.eye(3)
    slope = [(problem.mean_value(x + e) - problem.mean_value(x - e)) / (2 * h) for e in steps]
    assert_allclose(problem.stationarity(x), np.dot(slope, slope), rtol=1e-7)
    assert problem.stationarity(X_STAR) < 1e-24


def test_suboptimality_is_not_clipped():
    """From the higher of two minima the lower one is negative."""
    higher, lower = np.sort(np.roots([1, 0, -1, 0.1]))[[2, 0]]
    problem = wells([higher])
    assert problem.suboptimality([lower]) < -0.19
    functions = [Quadratic([[1.0]], [0.0])] * 2
    problem = Problem.from_objectives(functions, 1.0, 1.0, 1)
    assert problem.suboptimality([0.0]) == 0


def test_without_a_solution_the_accuracy_is_of_the_stationarity(tmp_path):
    result = simulate(
        wells(),
        RING,
        [{"name": "gradient_tracking", "parameters": {"step": 0.2}}],
        out=tmp_path / "r",
        start={"kind": "normal", "shared": True},
        stop={"time": 500, "accuracy": 1e-20},
        record={"metrics": ["stationarity", "objective"]},
    )
    curves = result.curves
    assert_allclose(curves.accuracy, curves.stationarity / curves.stationarity[0], rtol=1e-12)
    assert curves.mean_squared_distance.isna().all()
    assert curves.suboptimality.isna().all()
    assert list(result.runs.status) == ["converged"]
    x = result.states["gradient_tracking", 0]["x"].mean()
    assert abs(x**3 - x + 0.1) < 1e-9
    assert_allclose(curves.objective.iloc[-1], x**4 / 4 - x**2 / 2 + x / 10)
    again = load_result(tmp_path / "r")
    assert again.curves.equals(curves)
    assert again.metrics["accuracy"].title == result.metrics["accuracy"].title
    assert "nabla" in result.metrics["accuracy"].title


def test_a_start_from_which_nothing_moves_is_refused():
    asked = [{"name": "gradient_tracking", "parameters": {"step": 0.1}}]
    with pytest.raises(InputError, match="start: x0 is a stationary point"):
        simulate(phases(x_star=None), RING, asked, time=5)


# ---- methods
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gradient_tracking", "ad_psgd", "a2cid2"])
def test_the_nodes_agree_on_one_of_two_solutions(name):
    asked = [{"name": name, "parameters": {"step": 0.03}}]
    start = {"kind": "normal", "shared": True}
    result = simulate(phases(), RING, asked, time=1500, start=start)
    X = result.states[name, 0]["x"]
    assert min(np.abs(X - X_STAR).max(), np.abs(X + X_STAR).max()) < 1e-8
    assert result.curves.suboptimality.iloc[-1] < 1e-12
    assert not result.runs.experimental.any()


def test_a_method_says_what_it_solves():
    with pytest.raises(InputError) as caught:
        simulate(phases(), RING, ["nids"], time=5)
    able = [name for name, m in METHODS.items() if "non-convex" in m.solves]
    assert str(caught.value) == (
        "algorithms: nids minimises convex functions, and the problem python is not convex; "
        f"use one of {', '.join(able)}"
    )
    functions, z = rotation(0.3)
    problem = Problem.from_operators(functions, 2, mu=0.3, L=1.2, z_star=z)
    with pytest.raises(InputError, match=r"dadao minimises .* is one of operators; use one of"):
        simulate(problem, RING, ["dadao"], time=5)
    assert {"gradient_tracking", "ad_psgd"} <= set(able)


def test_an_operator_has_no_suboptimality_and_a_zero_that_is_found():
    functions, z = rotation(0.3)
    problem = Problem.from_operators(functions, 2, mu=0.3, L=1.2, z_star=z)
    asked = [{"name": "gradient_tracking", "parameters": {"step": 0.1}}]
    result = simulate(problem, RING, asked, time=1500)
    assert_allclose(result.states["gradient_tracking", 0]["x"], np.tile(z, (6, 1)), atol=1e-9)
    assert result.curves.suboptimality.isna().all()
    assert result.runs.experimental.all()


def test_an_l_that_is_not_known_is_made_up_for_by_parameters():
    def final(**parameters):
        asked = [{"name": "gradient_tracking", "parameters": parameters}]
        result = simulate(phases(), RING, asked, time=30, start={"kind": "normal", "shared": True})
        return result.states["gradient_tracking", 0]["x"]

    with pytest.raises(InputError, match="gradient_tracking: L: none was given; give one, or"):
        final()
    assert (final(L=40) == final(step=1 / 40)).all()
    with pytest.raises(InputError, match="parameter 'step' must be above 0, not -1"):
        final(step=-1)


def test_a_node_without_a_function_takes_part():
    """mu = 0 and L_3 = 0: the others have a minimiser."""
    rng = np.random.default_rng(4)
    H = [np.diag(rng.uniform(1, 3, 2)) if i != 3 else np.zeros((2, 2)) for i in range(6)]
    c = [rng.standard_normal(2) if i != 3 else np.zeros(2) for i in range(6)]
    functions = [Quadratic(*each) for each in zip(H, c, strict=True)]
    x_star = np.linalg.solve(sum(H), sum(c))
    L = [np.diag(h).max() for h in H]
    problem = Problem.from_objectives(functions, None, L, 2, x_star)
    with pytest.raises(InputError, match="node 3 has L_i = 0 and no step of its own; set own_ste"):
        simulate(problem, RING, ["nids"], time=5)
    asked = [{"name": "nids", "parameters": {"own_steps": 0}}, "pg_extra", "gradient_tracking"]
    result = simulate(problem, RING, asked, time=800)
    for label, _ in result.states:
        assert_allclose(result.states[label, 0]["x"], np.tile(x_star, (6, 1)), atol=1e-9)


def test_the_start_can_be_shared():
    asked = [{"name": "gradient_tracking", "parameters": {"step": 1e-9}}]
    start = {"kind": "normal", "scale": 2.0, "shared": True}
    X = simulate(phases(), RING, asked, time=1, start=start).states["gradient_tracking", 0]["x"]
    assert np.ptp(X, axis=0).max() < 1e-6
    assert np.abs(X).max() > 0.1
    with pytest.raises(
        InputError, match=r"start\.shared: only kind normal and orthonormal have it"
    ):
        simulate(phases(), RING, asked, time=1, start={"shared": True})
