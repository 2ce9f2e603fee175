"""PG-EXTRA against its equations, and its step against what a quadratic allows."""

import numpy as np
import pytest
from composite_cases import RING, distance, elastic_net, mixing, play, prox_of, random_rows
from numpy.testing import assert_allclose

from dadao_sim import Problem
from dadao_sim.algorithms.extra import PG_EXTRA as METHOD


@pytest.mark.parametrize("composite", [True, False])
def test_it_is_the_recursion_of_the_paper(composite):
    problem = elastic_net() if composite else elastic_net().smooth
    prox, W, a = prox_of(problem), mixing(RING), 0.7 / problem.L
    Wt = (np.eye(len(W)) + W) / 2
    before = random_rows(problem)
    H = W @ before - a * problem.gradients(before)
    X = prox(H, a)
    for _ in range(39):
        change = problem.gradients(X) - problem.gradients(before)
        H = W @ X + H - Wt @ before - a * change
        before, X = X, prox(H, a)
    found = play(METHOD, problem, RING, 40, {"step": a}, x0=random_rows(problem))
    assert_allclose(found["x"], X, rtol=1e-10, atol=1e-12)


def spectral_radius(step):
    """Of the map of (x, y) for f_i = ||x - c_i||^2/2, over the eigenvectors of W; y has no part
    along that of the eigenvalue 1."""
    radii = [abs(1 - step)]
    for w in np.linalg.eigvalsh(mixing(RING))[:-1]:
        one_step = np.array([[w - step, -1.0], [(1 - w) / 2, 1.0]])
        radii.append(np.abs(np.linalg.eigvals(one_step)).max())
    return max(radii)


@pytest.mark.parametrize("step", [0.5, 0.9])
def test_it_converges_at_the_rate_of_its_linear_map(step):
    problem = Problem.averaging(random_rows(elastic_net()))
    early, late = (
        distance(play(METHOD, problem, RING, rounds, {"step": step})["x"], problem)
        for rounds in (60, 160)
    )
    assert (late / early) ** (1 / 100) == pytest.approx(spectral_radius(step), abs=2e-3)


def test_a_step_beyond_what_the_graph_allows_diverges():
    """At the eigenvalue 0 of W the limit is 5/4, at L = 1; the theorem asks for a < 1."""
    problem = Problem.averaging(random_rows(elastic_net()))
    assert spectral_radius(1.24) < 1 < spectral_radius(1.26)
    assert distance(play(METHOD, problem, RING, 3000, {"step": 1.24})["x"], problem) < 1e-6
    assert distance(play(METHOD, problem, RING, 3000, {"step": 1.26})["x"], problem) > 1e6
