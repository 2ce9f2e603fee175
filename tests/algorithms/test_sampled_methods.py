"""Methods that draw samples: against their equations, to x*, their costs and what they refuse."""

import numpy as np
import pytest
from cases import lollipop, small_problem
from numpy.testing import assert_allclose

from dadao_sim import Network, Problem, replay
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.samples import Samples, Table
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.events.log import RESET, ROUND, Events
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms import make
from dadao_sim.simulation.replay import make_player

ROUNDS, NODES, DIMENSION, SAMPLES = 50, 7, 3, 8
NAMES = ("gt_saga", "gt_svrg", "gt_sarah", "destress")
NETWORK = lollipop()
LOG = RoundClock(np.random.SeedSequence(1)).window()


# ---- The equations, from rows and targets alone --------------------------------------------------


def mixer(x):
    """Steele, Lea and Flood's 64-bit mixer, in whole numbers of Python."""
    z = (x + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


class Data:
    """The data of ``small_problem``, made again; sample gradients by their formula."""

    def __init__(self, kind):
        rng = np.random.default_rng(0)
        self.kind, self.A = kind, rng.standard_normal((NODES, SAMPLES, DIMENSION))
        b = self.A @ np.ones(DIMENSION) + rng.standard_normal((NODES, SAMPLES))
        self.b = np.where(b > 0, 1.0, -1.0) if kind == "logistic_l2" else b

    def each(self, X):
        """Of every sample (n, m, d)."""
        z = np.einsum("imd,id->im", self.A, X)
        if self.kind == "least_squares":
            return 2 * (z - self.b)[..., None] * self.A
        slope = -self.b / (1 + np.exp(self.b * z))
        return slope[..., None] * self.A + 0.3 * X[:, None]

    def full(self, X):
        return self.each(X).mean(axis=1)

    def of(self, X, draw):
        return np.take_along_axis(self.each(X), draw[..., None], axis=1).mean(axis=1)

    @property
    def smoothness(self):
        squares = (self.A**2).sum(axis=2).max()
        return 2 * squares if self.kind == "least_squares" else squares / 4 + 0.3


def draw(k, batch, call=0):
    """What each node draws in round k, in call number ``call``; before round 0 where k is -1."""
    mark = int(LOG.mark[k]) if k >= 0 else 2**64 - 1 - int(LOG.mark[0])
    start = mark + call * 0xA0761D6478BD642F
    marks = [(start + i * 0xD1342543DE82EF95) % 2**64 for i in range(NODES)]
    return np.array([[mixer(m + j) % SAMPLES for j in range(batch)] for m in marks])


laplacian = NETWORK.laplacian().toarray()
W = np.eye(NODES) - laplacian / np.linalg.eigvalsh(laplacian)[-1]


def gt_saga(X, data, batch):
    a = 0.1 / data.smoothness
    T = data.each(X)
    Y = g = np.zeros_like(X)
    for k in range(ROUNDS):
        s = draw(k, batch)
        old = np.take_along_axis(T, s[..., None], axis=1).mean(axis=1)
        new = data.of(X, s) - old + T.mean(axis=1)
        np.put_along_axis(
            T, s[..., None], np.take_along_axis(data.each(X), s[..., None], axis=1), axis=1
        )
        Y = W @ (Y + new - g)
        g, X = new, W @ (X - a * Y)
    return X


def gt_svrg(X, data, batch):
    a, period = 0.1 / data.smoothness, 2 * -(-SAMPLES // batch)
    Y = g = np.zeros_like(X)
    for k in range(ROUNDS):
        if k % period == 0:
            snapshot, new = X, data.full(X)
        else:
            s = draw(k, batch)
            new = data.of(X, s) - data.of(snapshot, s) + data.full(snapshot)
        Y = W @ (Y + new - g)
        g, X = new, W @ (X - a * Y)
    return X


def gt_sarah(X, data, batch):
    a, period = 0.1 / data.smoothness, -(-SAMPLES // batch)
    Y = V = np.zeros_like(X)
    before = X
    for k in range(ROUNDS):
        s = draw(k, batch)
        new = data.full(X) if k % period == 0 else V + data.of(X, s) - data.of(before, s)
        Y = W @ Y + new - V
        V, before, X = new, X, W @ X - a * Y
    return X


def destress(X, data, batch):
    eta = 0.3 / data.smoothness
    values, vectors = np.linalg.eigh(W)
    slem = max(values[-2], -values[0])

    def mixing(K):
        def T(x):
            return np.polynomial.chebyshev.chebval(x, [0] * K + [1])

        return (vectors * (T(values / slem) / T(1 / slem))) @ vectors.T

    W_in, W_out = mixing(3), mixing(6)
    S = G = np.zeros_like(X)
    for k in range(ROUNDS):
        S, G = W_out @ (S + data.full(X) - G), data.full(X)
        u, v = X, S
        for t in range(10):
            s = draw(k, batch, call=1 + t)  # the full gradient was the first call
            u, before = W_in @ (u - eta * v), u
            v = W_in @ (v + data.of(u, s) - data.of(before, s))
        X = u
    return X


def played(name, problem, batch, x0, rounds=ROUNDS, network=NETWORK):
    method = get_method(name)
    tuning = method.tune(problem, network, options=Options(batch_size=batch))
    player = make_player(method, problem, tuning, x0, {}, batch)
    player.play(LOG, 0, rounds)
    return player


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("equation", [gt_saga, gt_svrg, gt_sarah, destress])
def test_a_method_is_its_equations(equation, kind, batch):
    x0 = np.random.default_rng(2).standard_normal((NODES, DIMENSION))
    wanted = equation(x0, Data(kind), batch)
    found = played(equation.__name__, small_problem(NODES, kind), batch, x0).s.x
    assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_is_drawn_where_nothing_is_said(name):
    problem, x0 = small_problem(NODES), np.ones((NODES, DIMENSION))
    one = played(name, problem, 1, x0).s.x
    assert np.array_equal(one, played(name, problem, None, x0).s.x)
    assert np.array_equal(one, replay(name, problem, NETWORK, LOG[:ROUNDS], x0)["x"])


# ---- Minibatches in the place of gradients -------------------------------------------------------


def d_psgd(X, a, gradients):
    for k in range(ROUNDS):
        X = W @ X - a * gradients(X, k)
    return X


def exact_diffusion(X, a, gradients):
    return diffused(X, a, gradients, (np.eye(NODES) + W) / 2)


def diffused(X, a, gradients, mixing):
    psi = X
    for k in range(ROUNDS):
        psi_next = X - a * gradients(X, k)
        X, psi = mixing @ (psi_next + X - psi), psi_next
    return X


def d2(X, a, gradients):
    return diffused(X, a, gradients, W)


def gradient_tracking(X, a, gradients):
    Y = g = gradients(X, -1)
    for k in range(ROUNDS):
        X = W @ (X - a * Y)
        new = gradients(X, k)
        Y, g = W @ (Y + new - g), new
    return X


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("equation", [d_psgd, exact_diffusion, d2, gradient_tracking])
def test_a_method_of_gradients_takes_minibatches(equation, kind, batch):
    data, problem = Data(kind), small_problem(NODES, kind)
    x0, a = np.random.default_rng(2).standard_normal((NODES, DIMENSION)), 0.1 / problem.L
    wanted = equation(x0, a, lambda X, k: data.of(X, draw(k, batch)))
    method = get_method(equation.__name__)
    tuning = method.tune(problem, NETWORK, {"step": a}, Options(batch_size=batch))
    player = make_player(method, problem, tuning, x0, {}, batch)
    player.play(LOG, 0, ROUNDS)
    assert_allclose(player.s.x, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


# ---- To x* ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("name", NAMES)
def test_it_converges_linearly_to_the_optimum(name, kind):
    problem, x0 = small_problem(NODES, kind), np.ones((NODES, DIMENSION))
    method = get_method(name)
    player = make_player(method, problem, method.tune(problem, NETWORK), x0, {})
    clock, errors = RoundClock(np.random.SeedSequence(3)), []
    for _ in range(40):
        errors.append(((player.s.x - problem.x_star) ** 2).sum())
        if errors[-1] <= 1e-18 * errors[0]:
            break
        player.play(clock.window(), 0, 256)
    assert errors[-1] <= 1e-18 * errors[0]
    halves = np.log(errors[0] / errors[len(errors) // 2]) / np.log(errors[0] / errors[-1])
    assert 0.3 < halves < 0.8 or len(errors) < 4  # a straight line in the logarithm


def test_minibatches_alone_do_not():
    """A negative control of the test above."""
    problem = small_problem(NODES)
    player = played("gradient_tracking", problem, 1, np.ones((NODES, DIMENSION)), rounds=1000)
    assert ((player.s.x - problem.x_star) ** 2).sum() > 1e-3


# ---- Sample gradients ----------------------------------------------------------------------------


def uneven():
    rng = np.random.default_rng(4)
    A = [rng.standard_normal((m, DIMENSION)) for m in (4, 9, 5)]
    return A, [rng.standard_normal(len(rows)) for rows in A]


def python_term():
    from dadao_sim.local_steps import from_callable

    return from_callable(lambda v, step: v / (1 + step), dimension=DIMENSION)


def sampled_problems():
    A, b = uneven()
    dense = Problem.from_arrays(A, b, "ridge", mu=0.4)
    from scipy.sparse import csr_array

    yield "uneven", dense
    yield "sparse", Problem.from_arrays([csr_array(rows) for rows in A], b, "ridge", mu=0.4)
    yield "uniform", Problem.from_arrays(A, b, "huber_l2", mu=0.4, weighting="uniform")
    yield "composite", dense.with_local_step(make("l1", DIMENSION, strength=0.2))
    yield "python", dense.with_local_step(python_term())


def sample_gradient(problem, i, k, x):
    out = np.empty((1, DIMENSION))
    X = np.tile(x, (problem.nodes, 1))
    objective = problem.sample_objective()
    oracles.sample_gradients(objective, np.array([i]), np.array([k]), X, out)
    return out[0]


@pytest.mark.parametrize(("name", "problem"), list(sampled_problems()), ids=lambda v: str(v)[:9])
def test_the_mean_over_the_samples_is_the_gradient(name, problem):
    x = np.array([0.3, -1.0, 2.0])
    for i, m in enumerate(problem.samples):
        each = [sample_gradient(problem, i, k, x) for k in range(m)]
        assert_allclose(np.mean(each, axis=0), problem.gradient(i, x), rtol=1e-12)
        assert np.std(each, axis=0).min() > 0.1


@pytest.mark.parametrize(("name", "problem"), list(sampled_problems()), ids=lambda v: str(v)[:9])
def test_the_smoothness_of_samples_is_reached_and_never_passed(name, problem):
    """Along its own row the gradient of a sample changes the most; Huber's at its targets."""
    rates = []
    A, b = uneven()
    for i, rows in enumerate(A):
        for k, a in enumerate(rows):
            x, step = a * b[i][k] / (a @ a), 1e-3 * a
            change = sample_gradient(problem, i, k, x + step) - sample_gradient(problem, i, k, x)
            rates.append(np.linalg.norm(change) / np.linalg.norm(step))
    assert_allclose(max(rates), problem.sample_L, rtol=1e-9)


def test_a_minibatch_and_a_draw_of_samples_are_the_same():
    problem = small_problem(NODES)
    X, batch = np.random.default_rng(5).standard_normal((NODES, DIMENSION)), 5
    player = played("gt_saga", problem, batch, X, rounds=0)
    player.nodes.at(0, 12345)
    marks = player.nodes.marks.copy()
    mean = player.nodes.sample_gradients(X, player.nodes.draw()).mean(axis=1)
    out = np.empty_like(X)
    oracles.all_gradients(problem.stochastic_objective(batch), X, marks, out)
    assert_allclose(mean, out, rtol=1e-13)
    assert not np.array_equal(marks, player.nodes.marks)  # the next draw is another


# ---- The table -----------------------------------------------------------------------------------


def test_the_mean_of_the_table_is_that_of_its_rows():
    rng = np.random.default_rng(6)
    samples = Samples(np.array([3, 1, 5]), batch=4)  # more than some have: drawn twice
    table = Table(samples, rng.standard_normal((9, 2)))
    points = rng.standard_normal((9, 2))
    for _ in range(200):
        draw = rng.integers(samples.counts[:, None], size=(3, 4))
        table[draw] = points[samples.firsts[:-1, None] + draw] + rng.standard_normal(2)
        if rng.random() < 0.05:
            table.forget(2)
            assert not table.rows[4:].any()
    split = np.split(table.rows, [3, 4])
    assert_allclose(table.mean, [rows.mean(axis=0) for rows in split], atol=1e-13)


def test_a_node_that_loses_its_state_loses_its_table():
    problem, method = small_problem(NODES), get_method("gt_saga")
    tuning = method.tune(problem, NETWORK)
    player = make_player(method, problem, tuning, np.ones((NODES, DIMENSION)), {})
    kinds, nodes = np.array([ROUND, RESET]), np.array([-1, 2])
    player.play(Events.from_arrays([1.0, 1.0], kinds, nodes, mark=[7, 0]), 0, 2)
    rows = player.nodes.table.rows.reshape(NODES, SAMPLES, DIMENSION)
    assert [bool(one.any()) for one in rows] == [i != 2 for i in range(NODES)]
    assert not player.nodes.table.mean[2].any()


def test_a_trial_round_leaves_the_table_alone():
    problem, method = small_problem(NODES), get_method("gt_saga")
    x0 = np.ones((NODES, DIMENSION))
    plain, tried = (
        make_player(method, problem, method.tune(problem, NETWORK), x0, {}) for _ in range(2)
    )
    for first, last in ((0, 10), (10, 20)):
        tried.warm_up()
        for player in (plain, tried):
            player.play(LOG, first, last)
    assert np.array_equal(plain.s.x, tried.s.x)
    assert plain.tally == tried.tally


# ---- Costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("name", "start", "rounds", "gradients"),
    [
        # At 8 samples a node: one part per sample and point.
        ("gt_saga", 1, 32, lambda b: 32 * b / 8),
        ("gt_svrg", 0, 32, lambda b: 2 * b + (32 - 2 * b) * 2 * b / 8),
        ("gt_sarah", 0, 32, lambda b: 4 * b + (32 - 4 * b) * 2 * b / 8),
        ("destress", 0, 32, lambda b: 32 * (1 + 10 * 2 * b / 8)),
    ],
)
def test_sample_gradients_are_counted_in_parts(name, start, rounds, gradients, batch):
    problem = small_problem(NODES)
    player = played(name, problem, batch, np.ones((NODES, DIMENSION)), rounds)
    assert player.tally.gradients == NODES * (start + gradients(batch))
    asked = player.asked
    assert asked.start.gradients == NODES * start
    assert_allclose(asked.per_round.gradients, NODES * gradients(batch) / rounds, rtol=1e-14)
    assert_allclose(asked.per_round.communications, player.tally.communications / rounds)


def test_uneven_nodes_count_their_own_parts():
    A, b = uneven()
    problem = Problem.from_arrays(A, b, "ridge", mu=0.4)
    network = Network(3, np.array([(0, 1), (1, 2)]))
    x0 = np.ones((3, DIMENSION))
    player = played("gt_saga", problem, 2, x0, rounds=10, network=network)
    assert_allclose(player.tally.gradients, 3 + 10 * 2 * (1 / 4 + 1 / 9 + 1 / 5), rtol=1e-14)


# ---- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "problem",
    [
        Problem.averaging(np.ones((NODES, DIMENSION))),
        Problem.quadratic(np.tile(np.eye(DIMENSION), (NODES, 1, 1)), np.ones((NODES, DIMENSION))),
    ],
    ids=["averaging", "quadratic"],
)
def test_what_has_no_samples_is_refused(name, problem):
    with pytest.raises(InputError, match=f"{name} takes gradients of single samples"):
        get_method(name).check_supported(problem, NETWORK)
    with pytest.raises(InputError, match="has no samples"):
        problem.sample_objective()
    with pytest.raises(InputError, match="has no samples"):
        _ = problem.sample_L


@pytest.mark.parametrize("name", ["gt_saga", "gt_svrg"])
def test_a_matrix_with_negative_eigenvalues_is_refused(name):
    method, options = get_method(name), Options(mixing="metropolis")
    with pytest.raises(InputError, match=f"{name}: mixing: .* use lazy_metropolis"):
        method.check_supported(small_problem(NODES), NETWORK, options)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("gt_svrg", {"period": 1.5}, "'period' must be a whole number of at least 1"),
        ("gt_sarah", {"period": 0}, "'period' must be a whole number of at least 1"),
        ("destress", {"K_in": 0}, "'K_in' must be a whole number of at least 1"),
        ("gt_saga", {"step": -1.0}, "'step' must be above 0"),
    ],
)
def test_constants_that_make_no_sense_are_refused(name, parameters, message):
    with pytest.raises(InputError, match=message):
        get_method(name).tune(small_problem(NODES), NETWORK, parameters)
