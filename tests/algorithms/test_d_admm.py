"""D-ADMM against its equations; its local solves against optimality conditions."""

import numpy as np
import pytest
from cases import lollipop
from composite_cases import L1, RING, distance, elastic_net, play, random_rows, soft
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Problem
from dadao_sim.algorithms.d_admm import METHOD
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.local_steps.terms import make


def adjacency(network):
    A = np.zeros((network.nodes, network.nodes))
    for i, j in network.edges:
        A[i, j] = A[j, i] = 1
    return A


def test_it_is_the_recursion_of_the_paper():
    """With linear systems for the local solves, and alpha updated after x."""
    network, problem, c = lollipop(), elastic_net(nodes=7).smooth, 0.3
    A = adjacency(network)
    degrees = A.sum(axis=1)
    zero = problem.gradients(np.zeros((7, problem.dimension)))
    hessians = np.stack(
        [[problem.gradient(i, e) - zero[i] for e in np.eye(problem.dimension)] for i in range(7)]
    )
    X = np.tile(random_rows(problem)[0], (7, 1))
    alpha = np.zeros_like(X)
    for _ in range(30):
        right = c * (degrees[:, None] * X + A @ X) - alpha - zero
        left = hessians + 2 * c * degrees[:, None, None] * np.eye(problem.dimension)
        X = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        alpha = alpha + c * (degrees[:, None] * X - A @ X)
    found = play(METHOD, problem, network, 30, {"c": c}, x0=random_rows(problem)[0])
    assert_allclose(found["x"], X, rtol=1e-10, atol=1e-12)


def composite(kind, dimension=6, samples=20, strength=L1):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((7, samples, dimension)) * np.geomspace(1, 0.05, dimension)
    b = A[:, :, 0] + rng.standard_normal((7, samples))
    if kind == "logistic_l2":
        b = np.where(b > 0, 1.0, -1.0)
    mu = None if kind == "least_squares" else 0.01
    problem = Problem.from_arrays(A, b, kind, mu=mu)
    return problem.with_local_step(make("l1", dimension, strength=strength))


@pytest.mark.parametrize(
    ("kind", "dimension", "c"),
    [
        *(("ridge", 6, c) for c in (1e-3, 0.1, 10)),
        *(("logistic_l2", 6, 0.1), ("huber_l2", 6, 0.1), ("ridge", 100, 0.01)),
    ],
)
def test_a_local_solve_is_exact(kind, dimension, c):
    """-gradient is a subgradient of r, whatever the local condition number."""
    network, problem = lollipop(), composite(kind, dimension)
    x0 = random_rows(problem)
    tuning = METHOD.tune(problem, network, {"c": c})
    after = play(METHOD, problem, network, 1, {"c": c}, x0=x0)
    X, alpha = after["x"], after["alpha"]
    A = adjacency(network)
    degrees = A.sum(axis=1)[:, None]
    assert_allclose(alpha, c * (degrees * x0 - A @ x0), atol=1e-12)
    slope = problem.gradients(X) + 2 * c * degrees * X - c * (degrees * x0 + A @ x0) + alpha
    scale = np.abs(problem.gradients(x0)).max() + 2 * c * 4 * np.abs(x0).max()
    assert (X == 0).any()
    assert (X != 0).any()
    assert_allclose(slope[X != 0], -L1 * np.sign(X[X != 0]), atol=2e-13 * scale)
    assert np.abs(slope[X == 0]).max() <= L1 + 2e-13 * scale
    assert tuning.prox_step <= 1 / problem.L


def test_python_and_compiled_operators_give_the_same_bits():
    compiled = composite("ridge")
    called = compiled.smooth.with_local_step(
        from_callable(lambda v, step: soft(v, step * L1), 6, convex=True)
    )
    one, other = (play(METHOD, problem, lollipop(), 20) for problem in (compiled, called))
    for block in METHOD.blocks:
        assert_array_equal(one[block], other[block])


def test_python_objectives_are_solved_too():
    problem = elastic_net()

    class Node:
        def __init__(self, i):
            self.i = i

        def value(self, x):
            return problem.value(self.i, x)

        def gradient(self, x):
            return problem.gradient(self.i, x)

    nodes = [Node(i) for i in range(10)]
    python = Problem.from_objectives(nodes, problem.mu, problem.L, problem.dimension)
    c = {"c": 0.5}
    assert_allclose(
        play(METHOD, python.with_local_step(problem.local_step), RING, 30, c)["x"],
        play(METHOD, problem, RING, 30, c)["x"],
        atol=1e-12,
    )


@pytest.mark.parametrize("factor", [0.1, 10])
def test_any_penalty_converges_and_the_default_is_the_best_of_three(factor):
    problem = elastic_net()
    c = METHOD.tune(problem, RING, {}).params.c
    default, other = (
        distance(play(METHOD, problem, RING, 150, {"c": value})["x"], problem)
        for value in (c, factor * c)
    )
    assert default < other / 100
    assert distance(play(METHOD, problem, RING, 3000, {"c": factor * c})["x"], problem) < 1e-8


def test_mu_is_needed_for_the_default_penalty_only():
    rng = np.random.default_rng(0)
    flat = Problem.from_arrays(
        rng.standard_normal((10, 3, 8)), rng.standard_normal((10, 3)), "least_squares"
    )
    problem = flat.with_local_step(make("elastic_net", 8, strength=0.1, l2=0.3))
    with pytest.raises(InputError, match="mu"):
        METHOD.tune(problem, RING, {})
    assert distance(play(METHOD, problem, RING, 1000, {"c": 0.5})["x"], problem) < 1e-8
