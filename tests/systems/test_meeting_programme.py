"""Meeting: the programme of an agent, its value and what is exact of it."""

import pickle

import cvxpy as cp
import numpy as np
import pytest
from meeting_cases import (
    FORM,
    PROGRAMME,
    central,
    gradient,
    instance,
    sampled_slopes,
    thetas,
    value,
)
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim.problems.kinds.convex_surrogate import load_surrogate
from dadao_sim.problems.kinds.meeting import PLANE


def test_the_states_are_those_of_the_recursion():
    rng = np.random.default_rng(0)
    start, inputs = rng.standard_normal(4), rng.standard_normal((FORM.horizon, PLANE))
    p, v = start[:PLANE], start[PLANE:]
    expected = [start]
    for u in inputs:
        p, v = p + FORM.interval * v + FORM.interval**2 / 2 * u, v + FORM.interval * u
        expected.append(np.concatenate([p, v]))
    of_start, of_inputs = FORM.states()
    assert_allclose(of_start @ start + of_inputs @ inputs.ravel(), expected, atol=1e-13)


def test_the_objective_is_the_cost_of_the_plan():
    problem, x = instance(0), np.array([0.3, -0.4])
    for i in range(3):
        found, theta = problem.exact.solve(i, x)
        of_start, of_inputs = FORM.states()
        states = of_start @ problem.exact.agents[i] + of_inputs @ found.u
        cost = 4 * ((states[-1, :PLANE] - x) ** 2).sum() / 2 + (states[-1, PLANE:] ** 2).sum()
        assert problem.value(i, x) == pytest.approx(cost + 0.1 * found.u @ found.u, rel=1e-12)
        speeds = np.abs(states[:, PLANE:]).sum(axis=1)
        pushes = np.abs(found.u.reshape(-1, PLANE)).sum(axis=1)
        assert speeds.max() <= 1.2 + 1e-9
        assert pushes.max() <= 1 + 1e-9
        assert_allclose(problem.plan(i, x), states[:, :PLANE], atol=1e-13)
        assert theta.tolist() == [*(x - problem.exact.agents[i, :PLANE]), *states[0, PLANE:]]


def test_solutions_satisfy_the_conditions_of_karush_kuhn_and_tucker_to_rounding():
    active = []
    for theta in thetas(200):
        u, y = PROGRAMME.solve(theta)
        room = PROGRAMME.c - PROGRAMME.G @ u - PROGRAMME.E @ theta
        gradient = PROGRAMME.Q @ u + PROGRAMME.C @ theta
        assert np.abs(gradient + PROGRAMME.G.T @ y).max() < 1e-12
        assert y.min() >= 0
        assert room.min() > -1e-12
        assert np.abs(y * room).max() < 1e-12
        assert PROGRAMME.residual(u, theta, near=1e-9) < 1e-11
        active.append((y > 1e-6).sum())
    assert 0.8 < np.mean(np.array(active) > 0) < 0.95  # most of them have one
    assert 4.5 < np.mean(active) < 6.5


def test_the_value_is_convex_and_the_solution_is_not_coordinate_by_coordinate():
    """Which is why the value is learned by a convex network, and the solutions by any."""
    gaps, of_values = [], []
    for a, b in zip(thetas(60, 7), thetas(60, 8), strict=True):
        ends = [PROGRAMME.solve(theta).u for theta in (a, b)]
        gaps.append(np.mean(ends, axis=0) - PROGRAMME.solve((a + b) / 2).u)
        of_values.append((value(a) + value(b)) / 2 - value((a + b) / 2))
    assert min(of_values) >= -1e-12
    assert np.min(gaps, axis=0).max() < -0.01  # no input is convex in theta,
    assert np.max(gaps, axis=0).min() > 0.01  # and none concave


def test_a_solution_does_not_depend_on_what_was_solved_before():
    first, second = thetas(2)
    fresh = FORM.programme()
    PROGRAMME.solve(first)
    for mine, other in zip(PROGRAMME.solve(second), fresh.solve(second), strict=True):
        assert_array_equal(mine, other)
    again = pickle.loads(pickle.dumps(PROGRAMME))
    assert_array_equal(again.solve(second).u, fresh.solve(second).u)


def test_where_no_constraint_binds_no_solver_is_asked():
    """A long way to go in a long time: the equations of the free programme answer."""
    programme = FORM._replace(horizon=30).programme()
    theta = np.array([2.0, -1.0, 0.1, 0.3])
    found = programme.solve(theta)
    assert_array_equal(found.multipliers, 0.0)
    assert_allclose(found.u, -np.linalg.inv(programme.Q) @ programme.C @ theta, atol=1e-12)
    assert programme.violation(found.u, theta) == 0.0
    assert "_solver" not in vars(programme)


def test_the_gradient_of_the_value_is_that_of_the_envelope_theorem():
    for theta in thetas(20):
        slope = PROGRAMME.slope(PROGRAMME.solve(theta), theta)
        assert_allclose(slope, central(value, theta, 1e-5), atol=1e-7)


def test_mu_and_L_are_exact():
    problem = instance(1)
    assert problem.mu == pytest.approx(0.1476355, rel=1e-6)
    assert problem.L == 4
    # Both are attained: with no constraint active, and with u held.
    slack = np.zeros(4)
    hessian = np.array([central(lambda t, k=k: gradient(t)[k], slack, 1e-4) for k in range(PLANE)])
    assert_allclose(np.linalg.eigvalsh(hessian[:, :PLANE]), problem.mu, rtol=1e-6)
    least, most = sampled_slopes(gradient, 300)
    assert problem.mu * (1 - 1e-6) < least
    assert most < 4 * (1 + 1e-6)
    assert most > 3.5


def test_hessians_are_those_between_the_kinks():
    problem, V = instance(1), load_surrogate("meeting")[0]
    agents = problem.exact.agents
    points = np.hstack([-agents[:, :PLANE], agents[:, PLANE:]])
    for other in (problem, V.problem(points)):
        for x in np.random.default_rng(0).uniform(-2, 2, (5, PLANE)):
            by_differences = [
                (other.mean_operator(x + e) - other.mean_operator(x - e)) / 2e-6
                for e in 1e-6 * np.eye(PLANE)
            ]
            assert_allclose(other.hessian(x), by_differences, atol=1e-7)
    H = problem.hessian(problem.x_star)
    assert problem.mu * (1 - 1e-9) <= np.linalg.eigvalsh(H)[0] <= np.linalg.eigvalsh(H)[1] <= 4


def test_a_divergence_is_that_of_the_values_and_keeps_its_digits():
    problem = instance(2)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = rng.uniform(-2, 2, (2, PLANE))
        difference = problem.mean_value(x) - problem.mean_value(y)
        expected = difference - problem.mean_operator(y) @ (x - y)
        assert problem.divergence(x, y) == pytest.approx(expected, rel=1e-10, abs=1e-13)
    step = np.array([1e-6, 0.0])  # of which a difference of values would know two digits
    curvature = 2 * problem.suboptimality(problem.x_star + step) / 1e-12
    assert problem.mu * (1 - 1e-4) < curvature < problem.L
    assert curvature == pytest.approx(problem.hessian(problem.x_star)[0, 0], 1e-6)


def joint(problem):
    """The optimum of all agents' inputs and x at once, by a conic solver."""
    p, x = PROGRAMME, cp.Variable(PLANE)
    root = np.linalg.cholesky(np.block([[p.Q, p.C], [p.C.T, p.R]]) + 1e-12 * np.eye(16)).T
    costs, constraints = [], []
    for position, velocity in zip(*np.split(problem.exact.agents, 2, axis=1), strict=True):
        u = cp.Variable(len(p.Q))
        theta = cp.hstack([x - position, velocity])
        costs.append(cp.sum_squares(root @ cp.hstack([u, theta])) / 2)
        constraints.append(p.G @ u + p.E @ theta <= p.c)
    solved = cp.Problem(cp.Minimize(sum(costs) / problem.nodes), constraints)
    solved.solve(solver="CLARABEL")
    return x.value, solved.value


@pytest.mark.slow
def test_the_optimum_is_that_of_all_agents_at_once():
    problem = instance(3)
    x, least = joint(problem)
    assert_allclose(problem.x_star, x, atol=1e-5)
    assert problem.mean_value(problem.x_star) == pytest.approx(least, rel=1e-7)
    assert np.linalg.norm(problem.mean_operator(problem.x_star)) < 1e-11
