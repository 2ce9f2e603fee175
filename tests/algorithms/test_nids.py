"""NIDS against its equations; what a node's own step is worth."""

import numpy as np
import pytest
from composite_cases import (
    RING,
    data,
    distance,
    elastic_net,
    errors,
    mixing,
    play,
    prox_of,
    random_rows,
    soft,
)
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Problem
from dadao_sim.algorithms.nids import METHOD
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.local_steps.terms import make
from dadao_sim.networks.graphs import build


@pytest.mark.parametrize("own_steps", [1, 0])
@pytest.mark.parametrize("composite", [True, False])
def test_it_is_the_recursion_of_the_paper(composite, own_steps):
    problem = elastic_net() if composite else elastic_net().smooth
    prox = prox_of(problem)
    a = np.full((problem.nodes, 1), 0.9 / problem.L)
    if own_steps:
        hessians = [2 / A.shape[0] * A.T @ A for A in data()[0]]
        a[:, 0] = 0.9 / (np.linalg.eigvalsh(hessians)[:, -1] + 0.3)
    What = np.eye(problem.nodes) - a / a.max() * (np.eye(problem.nodes) - mixing(RING))
    before = random_rows(problem)
    Z = before - a * problem.gradients(before)
    X = prox(Z, a)
    for _ in range(39):
        change = problem.gradients(X) - problem.gradients(before)
        Z = Z - X + What @ (2 * X - before - a * change)
        before, X = X, prox(Z, a)
    overrides = {"step": 0.9 / problem.L, "own_steps": own_steps}
    found = play(METHOD, problem, RING, 40, overrides, x0=random_rows(problem))
    assert_allclose(found["x"], X, rtol=1e-9, atol=1e-11)


def uneven_problem():
    """All nodes have condition number 20, but L_0 = 30 and the others' is 1."""
    scales = np.r_[30.0, np.ones(9)]
    H = scales[:, None, None] * np.diag(np.geomspace(0.05, 1, 4))
    c = scales[:, None] * random_rows(elastic_net())[:, :4]
    return Problem.quadratic(H, c).with_local_step(make("l1", 4, strength=0.1))


def test_own_steps_beat_the_common_one_where_the_nodes_differ():
    """They go as fast as a common step of one over the mean of the L_i, 3.9 here."""
    problem, network = uneven_problem(), build("complete", 10, np.random.default_rng(0))
    own, common = (
        errors(METHOD, problem, network, 400, {"own_steps": flag}, x0=1.0)[-1] for flag in (1, 0)
    )
    assert own < 1e-6
    assert common > 1e-2


def test_own_steps_converge_where_the_largest_of_them_for_all_diverges():
    problem, network = uneven_problem(), build("complete", 10, np.random.default_rng(0))
    largest = METHOD.tune(problem, network, {}).params.a.max()
    assert largest > 14 * 2 / problem.L
    assert distance(play(METHOD, problem, network, 1500)["x"], problem) < 1e-10
    common = {"own_steps": 0, "step": largest}
    assert distance(play(METHOD, problem, network, 30, common)["x"], problem) > 1e6


def test_the_largest_coupling_takes_fewer_rounds_than_that_of_the_paper():
    problem = elastic_net()
    c = METHOD.tune(problem, RING, {}).params.c
    ends = [
        distance(play(METHOD, problem, RING, 150, {"c": factor * c})["x"], problem)
        for factor in (0.5, 1, 2)
    ]
    assert ends[1] < ends[0] / 10
    assert ends[2] > 1e3


def test_an_inexact_local_step_makes_all_nodes_take_the_common_step():
    smooth = elastic_net().smooth
    denoiser = from_callable(lambda v, step: soft(v, 0.05), smooth.dimension, exact=False)
    problem = smooth.with_local_step(denoiser)
    tuning = METHOD.tune(problem, RING, {})
    assert_array_equal(tuning.params.a, np.full((10, 1), tuning.prox_step))
    with pytest.raises(InputError, match="own_steps"):
        METHOD.tune(problem, RING, {"own_steps": 1})
