"""Where methods that do not reach x* end: against the equations of their fixed points, solved."""

import numpy as np
import pytest
from composite_cases import mixing
from numpy.testing import assert_allclose
from scipy.optimize import root
from test_convergence_of_rounds import DIMENSION, GRAPHS, NODES, problem

from dadao_sim import Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compression.quantisers import QSGD
from dadao_sim.compression.sparsifiers import TopK
from dadao_sim.events.rounds import RoundClock
from dadao_sim.simulation.replay import make_player

GRAPH = GRAPHS["random geometric"]
W = mixing(GRAPH)
STEPS = {"dgd": "step", "atc_diffusion": "step", "choco_sgd": "eta"}


def residual(name, f, X, c):
    """What is 0 where the method rests, of X (n, d)."""
    G = f.gradients(X)
    match name:
        case "dgd":
            return X - W @ X + c["step"] * G
        case "atc_diffusion":
            return X - W @ (X - c["step"] * G)
        case "choco_sgd":  # of ATC diffusion with I - gamma (I - W), whatever the compression
            return X - (X - c["eta"] * G - c["gamma"] * (X - c["eta"] * G - W @ (X - c["eta"] * G)))
    raise AssertionError(name)


def resting(name, f, c):
    """The root of the residual by Newton's method, which for quadratics is one linear solve."""
    shape = (NODES, DIMENSION)

    def flat(x):
        return residual(name, f, x.reshape(shape), c).ravel()

    if f.kind == "least_squares":
        zero = flat(np.zeros(NODES * DIMENSION))
        J = np.stack([flat(e) - zero for e in np.eye(NODES * DIMENSION)], axis=1)
        return np.linalg.solve(J, -zero).reshape(shape)
    found = root(flat, np.tile(f.x_star, NODES), tol=1e-14)
    assert found.success or np.abs(found.fun).max() < 1e-13
    return found.x.reshape(shape)


def after(name, f, rounds, **options):
    method = METHODS[name]
    tuning = method.tune(f, GRAPH, {}, Options(**options))
    player = make_player(method, f, tuning, np.zeros((NODES, DIMENSION)), {}, None)
    clock, X = RoundClock(np.random.SeedSequence(0)), np.empty((NODES, DIMENSION))
    while player.number < rounds:
        events = clock.window()
        player.play(events, 0, len(events))
    player.observe(0.0, X)
    return X, tuning.constants


@pytest.mark.parametrize("kind", ["aligned", "logistic"])
@pytest.mark.parametrize("name", ["dgd", "atc_diffusion"])
def test_gradient_descent_rests_where_its_equation_says(name, kind):
    f = problem(kind)
    X, c = after(name, f, 40_000)
    rest = resting(name, f, c)
    near = 1e-12 if kind == "aligned" else 1e-9
    assert np.abs(X - rest).max() <= near * np.abs(rest).max()
    assert np.linalg.norm(rest - f.x_star) > 1e-3 * np.linalg.norm(f.x_star)


@pytest.mark.parametrize("compression", [TopK(kind="top_k", k=2), QSGD(kind="qsgd", levels=8)])
@pytest.mark.parametrize("kind", ["aligned", "logistic"])
def test_choco_sgd_rests_there_whatever_the_compression(kind, compression):
    f = problem(kind)
    X, c = after("choco_sgd", f, 60_000, compression=compression)
    rest = resting("choco_sgd", f, c)
    assert np.abs(X - rest).max() <= 1e-8 * np.abs(rest).max()


def test_where_the_nodes_share_their_minimiser_dgd_reaches_it():
    f = problem("aligned")
    x = np.arange(1.0, DIMENSION + 1)
    A = np.random.default_rng(0).standard_normal((NODES, 12, DIMENSION))
    f = Problem.from_arrays(A, A @ x, "least_squares")
    X, _ = after("dgd", f, 20_000)
    assert_allclose(X, np.tile(x, (NODES, 1)), rtol=1e-10)
