"""Predicted plateaus of minibatches: against all draws written out, the formulas, and runs."""

import itertools

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.plateau import plateau
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.schedules import WarmUp
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms import make
from dadao_sim.simulation.replay import make_player

NODES, DIMENSION, SAMPLES = 7, 3, 8


class Squares:
    """Rows and targets of every node; f_i = mean (a.x - b)^2 + (ridge/2)||x||^2."""

    def __init__(self, nodes, samples, d, ridge=0.0, seed=0):
        rng = np.random.default_rng(seed)
        self.A, self.ridge = rng.standard_normal((nodes, samples, d)), ridge
        self.b = self.A @ np.ones(d) + rng.standard_normal((nodes, samples))
        kind = "ridge" if ridge else "least_squares"
        self.problem = Problem.from_arrays(self.A, self.b, kind, mu=ridge or None)

    def hessian(self, i, j):
        """Of sample j of node i; of f_i where j is None."""
        d = self.A.shape[2]
        rows = self.A[i] if j is None else self.A[i][j : j + 1]
        return 2 * rows.T @ rows / len(rows) + self.ridge * np.eye(d)

    def centre(self, i, j):
        """c of the gradient H x - c."""
        rows, targets = (self.A[i], self.b[i]) if j is None else (self.A[i][[j]], self.b[i][[j]])
        return 2 * rows.T @ targets / len(rows)


def matrix(network):
    laplacian = network.laplacian().toarray()
    return np.eye(network.nodes) - laplacian / np.linalg.eigvalsh(laplacian)[-1]


def block_diagonal(parts):
    n, d = len(parts), len(parts[0])
    out = np.zeros((n, d, n, d))
    out[np.arange(n), :, np.arange(n), :] = parts
    return out.reshape(n * d, n * d)


# ---- All draws written out -----------------------------------------------------------------------


def d_psgd(W, a, H, c):
    """s = X; s+ = A s + b for gradients H X - c."""
    return W - a * H, a * c


def exact_diffusion(W, a, H, c):
    """s = (X, Y):  Z = X - a (H X - c) - Y;  X+ = Wt Z;  Y+ = Y + (I - Wt) Z."""
    one = np.eye(len(W))
    Wt, keep = (one + W) / 2, (one - W) / 2
    step = one - a * H
    A = np.block([[Wt @ step, -Wt], [keep @ step, one - keep]])
    return A, np.concatenate([Wt @ (a * c), keep @ (a * c)])


def gradient_tracking(W, a, H, c):
    """s = (X, V), V = Y - G, where G is the last gradient: of the draw before. Written with G in
    the state: X+ = W (X - a (V + G)), G+ = H X+ - c, V+ = W (V + G+) - G+.
    """
    n = len(W)
    one, zero = np.eye(n), np.zeros((n, n))
    of_x = np.hstack([W, -a * W, -a * W])
    of_g = H @ of_x
    of_v = np.hstack([zero, W, zero]) + (W - one) @ of_g
    return np.vstack([of_x, of_v, of_g]), np.concatenate([0 * c, -(W - one) @ c, -c])


@pytest.mark.parametrize("equation", [d_psgd, exact_diffusion, gradient_tracking])
def test_it_is_the_mean_over_all_draws(equation):
    """The second moment of (s, 1) is a linear map's fixed point: solved without any covariance."""
    nodes, samples, d = 3, 2, 2
    data, network = Squares(nodes, samples, d, ridge=0.5), Network(3, np.array([(0, 1), (1, 2)]))
    W, a = np.kron(matrix(network), np.eye(d)), 0.2 / data.problem.L
    maps = []
    for draw in itertools.product(range(samples), repeat=nodes):
        H = block_diagonal([data.hessian(i, j) for i, j in enumerate(draw)])
        A, b = equation(W, a, H, np.concatenate([data.centre(i, j) for i, j in enumerate(draw)]))
        maps.append(np.block([[A, b[:, None]], [np.zeros((1, len(A))), np.ones((1, 1))]]))
    size = len(maps[0])
    start = np.zeros(size)
    start[-1] = 1.0
    if equation is gradient_tracking:  # from the gradients at 0, of any one draw
        start[2 * nodes * d : -1] = -np.concatenate([data.centre(i, 0) for i in range(nodes)])
    M = np.outer(start, start)
    squared = np.mean([np.kron(one, one) for one in maps], axis=0)
    for _ in range(16):  # 2^16 rounds; more would only add up the rounding of what is conserved
        squared = squared @ squared
    M = (squared @ M.ravel()).reshape(size, size)
    mean, second = M[: nodes * d, -1], M[: nodes * d, : nodes * d]
    x_star = np.tile(data.problem.x_star, nodes)
    bias = ((mean - x_star) ** 2).sum() / nodes
    variance = (np.trace(second) - mean @ mean) / nodes
    found = plateau(get_method(equation.__name__), data.problem, network, 1, {"step": a})
    assert_allclose(found.variance, variance, rtol=1e-7)
    assert_allclose(found.bias, bias, rtol=1e-7, atol=1e-10)
    assert_allclose(found.error, bias + variance, rtol=1e-7)
    assert found.additive < 0.99 * found.variance  # what the draws add to is not left out


# ---- The formulas --------------------------------------------------------------------------------


def stationary(A, B, S):
    M = B @ S @ B.T
    for _ in range(16):
        M, A = M + A @ M @ A.T, A @ A
    return M


def formula(name, data, a):
    """M = A M A^T + B S B^T with S = Cov g_ij(x*), as on paper: the variance of X."""
    n, d = NODES, DIMENSION
    W = np.kron(matrix(lollipop()), np.eye(d))
    H = block_diagonal([data.hessian(i, None) for i in range(n)])
    one, zero = np.eye(n * d), np.zeros((n * d, n * d))
    x = data.problem.x_star
    covariances = []
    for i in range(n):
        g = np.stack([data.hessian(i, j) @ x - data.centre(i, j) for j in range(SAMPLES)])
        covariances.append(np.cov(g.T, bias=True))
    S = block_diagonal(covariances)
    if name == "d_psgd":
        return np.trace(stationary(W - a * H, -a * one, S)) / n
    if name == "exact_diffusion":  # on (X, P)
        Wt = (one + W) / 2
        A = np.block([[Wt @ (2 * one - a * H), -Wt], [one - a * H, zero]])
        B = -a * np.vstack([Wt, one])
    else:  # on (X, Y, xi): the error of the last gradient
        A = np.block(
            [
                [W, -a * W, zero],
                [W @ H @ (W - one), W @ (one - a * H @ W), -W],
                [zero, zero, zero],
            ]
        )
        B = np.vstack([zero, W, one])
    return np.trace(stationary(A, B, S)[: n * d, : n * d]) / n


@pytest.mark.parametrize("name", ["d_psgd", "exact_diffusion", "gradient_tracking"])
def test_without_what_the_distance_adds_it_is_the_formula(name):
    data = Squares(NODES, SAMPLES, DIMENSION, ridge=0.3)
    a = 0.05 / data.problem.L
    found = plateau(get_method(name), data.problem, lollipop(), 1, {"step": a})
    # That of D-PSGD has its errors where it ends, not at x*.
    rtol = 0.05 if name == "d_psgd" else 1e-6
    assert_allclose(found.additive, formula(name, data, a), rtol=rtol)
    assert (found.bias > 1e-5) == (name == "d_psgd")


def test_the_bias_of_d_psgd_is_the_point_that_dgd_reaches():
    data = Squares(NODES, SAMPLES, DIMENSION)
    a = 0.05 / data.problem.L
    W = np.kron(matrix(lollipop()), np.eye(DIMENSION))
    H = block_diagonal([data.hessian(i, None) for i in range(NODES)])
    c = np.concatenate([data.centre(i, None) for i in range(NODES)])
    X = np.linalg.solve(np.eye(len(W)) - W + a * H, a * c).reshape(NODES, -1)
    found = plateau(get_method("d_psgd"), data.problem, lollipop(), 1, {"step": a})
    assert_allclose(found.bias, ((X - data.problem.x_star) ** 2).sum() / NODES, rtol=1e-9)


# ---- Runs ----------------------------------------------------------------------------------------

MEASURED = (
    *("d_psgd", "atc_diffusion", "exact_diffusion", "d2"),
    *("gradient_tracking", "semi_atc", "diging"),
    *("k_gt", "led", "local_sgd", "fedavg", "scaffold"),
)


def measured(name, problem, network, batch, overrides, options=None, rounds=10_240, seed=1):
    """The mean of the error over so many rounds, from x* and after 1024 more."""
    method = get_method(name)
    tuning = method.tune(problem, network, overrides, options or Options(batch_size=batch))
    x0 = np.tile(problem.x_star, (problem.nodes, 1))
    player = make_player(method, problem, tuning, x0, {}, batch)
    clock, errors = RoundClock(np.random.SeedSequence(seed)), []
    player.play(clock.window(), 0, 1024)
    for _ in range(rounds // 1024):
        window = clock.window()
        for k in range(0, 1024, 4):
            player.play(window, k, k + 4)
            errors.append(((player.s.x - problem.x_star) ** 2).sum() / problem.nodes)
    return np.mean(errors)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
@pytest.mark.parametrize("name", MEASURED)
def test_a_run_ends_where_it_is_predicted(name, ridge):
    data = Squares(NODES, SAMPLES, DIMENSION, ridge=ridge, seed=2)
    (step,) = get_method(name).steps
    overrides = {step: 0.05 / data.problem.L}
    found = plateau(get_method(name), data.problem, lollipop(), 1, overrides)
    ratio = measured(name, data.problem, lollipop(), 1, overrides) / found.error
    assert 0.9 < ratio < 1.1


def test_larger_minibatches_and_gossip_are_predicted_too():
    """Negative controls: the plateau of one sample, or of plain gossip, is not theirs."""
    data = Squares(NODES, SAMPLES, DIMENSION, seed=2)
    problem, method = data.problem, get_method("d_psgd")
    overrides = {"step": 0.1 / problem.L}
    one = plateau(method, problem, lollipop(), 1, overrides).error
    four = plateau(method, problem, lollipop(), 4, overrides).error
    assert four < 0.5 * one
    ratio = measured("d_psgd", problem, lollipop(), 4, overrides) / four
    assert 0.9 < ratio < 1.1
    options = Options(chebyshev=3, batch_size=1)
    mixed = plateau(method, problem, lollipop(), 1, overrides, options).error
    assert mixed < 0.9 * one
    ratio = measured("d_psgd", problem, lollipop(), 1, overrides, options) / mixed
    assert 0.9 < ratio < 1.1


def test_uneven_nodes_are_predicted_too():
    rng = np.random.default_rng(4)
    A = [rng.standard_normal((m, 2)) for m in (4, 9, 5)]
    b = [rng.standard_normal(len(rows)) for rows in A]
    problem = Problem.from_arrays(A, b, "ridge", mu=0.4)
    network, overrides = Network(3, np.array([(0, 1), (1, 2)])), {"step": 0.05 / problem.L}
    found = plateau(get_method("d2"), problem, network, 2, overrides)
    ratio = measured("d2", problem, network, 2, overrides) / found.error
    assert 0.9 < ratio < 1.1


# ---- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problem", "network", "options", "message"),
    [
        ("d_psgd", small_problem(NODES, "logistic_l2"), lollipop(), {}, "not on 'logistic_l2'"),
        (
            "d_psgd",
            small_problem(NODES).with_local_step(make("l1", DIMENSION, strength=0.1)),
            lollipop(),
            {},
            "without local_step",
        ),
        ("gt_saga", small_problem(NODES), lollipop(), {}, "takes no minibatches in rounds"),
        ("adom", small_problem(NODES), lollipop(), {}, "takes no minibatches in rounds"),
        ("ad_psgd", small_problem(NODES), lollipop(), {}, "takes no minibatches in rounds"),
        ("d_psgd", small_problem(NODES), sequence(), {}, "on a sequence of graphs"),
        ("lead", small_problem(NODES), lollipop(), {}, "of compressed messages"),
        ("scaffnew", small_problem(NODES), lollipop(), {}, "of rounds that a coin decides on"),
        (
            "d_psgd",
            small_problem(NODES),
            lollipop(),
            {"schedule": WarmUp(kind="warm_up", rounds=3)},
            "leave out schedule",
        ),
        ("d2", small_problem(NODES), lollipop(), {"mixing": "metropolis"}, "lazy_metropolis"),
    ],
)
def test_what_cannot_be_predicted_is_refused(name, problem, network, options, message):
    with pytest.raises(InputError, match=message) as refusal:
        plateau(get_method(name), problem, network, 1, options=Options(**options))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("factor", [1.2, 3.0])
def test_steps_that_diverge_are_refused(factor):
    """At 1.2/L the mean still converges: it is the variance that does not."""
    problem = small_problem(NODES)
    overrides = {"step": factor / problem.L}
    with pytest.raises(InputError, match="d2 has no plateau: with these constants it diverges"):
        plateau(get_method("d2"), problem, lollipop(), 1, overrides)
