"""D2 against the recursion of its paper, and what it needs of W."""

from composite_cases import RING, distance, elastic_net, errors, mixing, play, random_rows
from numpy.testing import assert_allclose

from dadao_sim.algorithms.exact_diffusion import D2, EXACT_DIFFUSION


def test_it_is_the_recursion_of_the_paper():
    """X_1 = W (X_0 - a G_0), then X+ = W (2 X - X- - a (G - G-))."""
    problem, W = elastic_net().smooth, mixing(RING)
    a = 0.7 / problem.L
    before = random_rows(problem)
    g_before = problem.gradients(before)
    X = W @ (before - a * g_before)
    for _ in range(39):
        g = problem.gradients(X)
        before, X = X, W @ (2 * X - before - a * (g - g_before))
        g_before = g
    found = play(D2, problem, RING, 40, {"step": a}, x0=random_rows(problem))
    assert_allclose(found["x"], X, rtol=1e-9, atol=1e-11)


def test_it_is_not_exact_diffusion_and_gossips_twice_as_well():
    """Where the network limits, a factor 1 - lambda_2(W) instead of half of it per round."""
    problem = elastic_net().smooth
    one, other = (errors(m, problem, RING, 150)[-1] for m in (D2, EXACT_DIFFUSION))
    assert one < other / 100
    assert distance(play(D2, problem, RING, 800)["x"], problem) < 1e-10
