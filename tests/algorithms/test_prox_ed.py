"""Prox-ED against its equations; its start and its step matter."""

import numpy as np
import pytest
from composite_cases import RING, distance, elastic_net, mixing, play, prox_of, random_rows
from numpy.testing import assert_allclose

from dadao_sim import Problem
from dadao_sim.algorithms.exact_diffusion import PROX_ED as METHOD


@pytest.mark.parametrize("composite", [True, False])
def test_it_is_the_recursion_of_the_paper(composite):
    problem = elastic_net() if composite else elastic_net().smooth
    prox, a = prox_of(problem), 0.8 / problem.L
    Wt = (np.eye(RING.nodes) + mixing(RING)) / 2
    X = random_rows(problem)
    forward = Z = X - a * problem.gradients(X)
    for _ in range(39):
        X = prox(Wt @ Z, a)
        before, forward = forward, X - a * problem.gradients(X)
        Z = Wt @ Z + forward - before
    X = prox(Wt @ Z, a)
    found = play(METHOD, problem, RING, 40, {"step": a}, x0=random_rows(problem))
    assert_allclose(found["x"], X, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("start", ["Z = 0", "Z = X"])
def test_started_elsewhere_it_ends_elsewhere(start):
    problem = elastic_net()
    x0 = random_rows(problem)
    step = METHOD.tune(problem, RING, {}).params.step
    y = -step * problem.gradients(x0) + (x0 if start == "Z = 0" else 0)
    assert distance(play(METHOD, problem, RING, 2000, x0=x0)["x"], problem) < 1e-8
    ends = [
        play(METHOD, problem, RING, rounds, x0=x0, y=start_y)["x"]
        for rounds, start_y in ((2000, y), (3000, y))
    ]
    assert distance(ends[1], problem) > 0.1
    assert_allclose(*ends, atol=1e-8)  # it did converge, but to another point


def test_a_dual_start_of_mean_zero_is_as_good():
    problem = elastic_net()
    y = random_rows(problem)
    assert distance(play(METHOD, problem, RING, 2000, y=y - y.mean(axis=0))["x"], problem) < 1e-8


def test_the_bound_on_the_step_is_sharp():
    """a < 2/L, here with L = 1 of averaging, where the mean of the nodes follows gradient steps."""
    problem = Problem.averaging(random_rows(elastic_net()))
    assert distance(play(METHOD, problem, RING, 4000, {"step": 1.98})["x"], problem) < 1e-8
    assert distance(play(METHOD, problem, RING, 4000, {"step": 2.02})["x"], problem) > 1e6
