"""Conjugate gradients invert gradients, whatever the size of what they are given."""

from fractions import Fraction

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from dadao_sim.engine import oracles
from dadao_sim.problems import Problem, build_problem


@pytest.mark.parametrize("size", [0.0, 1e-8, 1.0, 1e3, 1e8])
@pytest.mark.parametrize("loss", cases.LOSSES)
def test_inverse_of_the_gradient(loss, size):
    problem = cases.problem(loss, sizes=(4, 11, 3, 7))
    Y = size * np.random.default_rng(3).standard_normal((4, 3))
    X = problem.conjugate_gradients(Y)
    np.testing.assert_allclose(problem.gradients(X), Y, rtol=1e-10, atol=1e-10 * max(size, 1))
    one_by_one = [problem.conjugate_gradient(i, Y[i]) for i in range(4)]
    np.testing.assert_array_equal(X, one_by_one)


@pytest.mark.parametrize("kind", ["logistic_l2", "huber_l2", "ridge"])
@pytest.mark.parametrize("kappa", [10.0, 1e4])
def test_inverse_of_the_gradient_for_ill_conditioned_nodes(kind, kappa):
    data = {"kind": "synthetic", "dim": 6, "condition_number": kappa}
    problem = build_problem(cases.spec(kind, data), 5, np.random.default_rng(0))
    for size in (1e-3, 1.0, 1e5):
        Y = size * np.random.default_rng(1).standard_normal((5, 6))
        back = problem.gradients(problem.conjugate_gradients(Y))
        # Rounding of x alone moves the gradient by L |x| times 1e-16.
        rounding = 1e-14 * problem.L * np.abs(problem.conjugate_gradients(Y)).max()
        np.testing.assert_allclose(back, Y, rtol=1e-10, atol=1e-10 * size + rounding)


@settings(max_examples=40, deadline=None)
@given(y=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), loss=st.sampled_from(cases.LOSSES))
def test_inverse_of_the_gradient_at_any_point(y, loss):
    problem = cases.problem(loss)
    back = problem.gradient(1, problem.conjugate_gradient(1, y))
    np.testing.assert_allclose(back, y, rtol=1e-10, atol=1e-10 * max(1, np.abs(y).max()))


@pytest.mark.parametrize("loss", ["logistic_l2", "huber_l2"])
def test_maximiser_of_the_definition(loss):
    A, b = cases.arrays(loss)
    y = np.array([0.4, -0.2, 0.1])
    found = minimize(
        lambda x: cases.value(loss, A, b, 2, x) - x @ y, np.zeros(3), method="BFGS", tol=1e-9
    )
    np.testing.assert_allclose(cases.problem(loss).conjugate_gradient(2, y), found.x, atol=1e-6)


def test_least_squares_of_integers_in_exact_arithmetic():
    """(A^T A)^{-1}((m/2) y + A^T b), in fractions."""
    A, b, y = [[1, 2], [3, 5], [0, 1]], [4, -1, 2], [3, -2]
    p, q, r = (sum(row[j] * row[k] for row in A) for j, k in ((0, 0), (0, 1), (1, 1)))
    right = [Fraction(3, 2) * y[j] + sum(A[k][j] * b[k] for k in range(3)) for j in range(2)]
    det = p * r - q * q
    exact = [(r * right[0] - q * right[1]) / det, (p * right[1] - q * right[0]) / det]
    problem = Problem.from_arrays(np.array([A]), np.array([b]), "least_squares")
    np.testing.assert_allclose(
        problem.conjugate_gradient(0, y), [float(e) for e in exact], rtol=1e-13
    )


def test_the_answer_depends_on_nothing_before():
    objective = cases.problem("logistic_l2").with_conjugate()
    first, again = np.empty(3), np.empty(3)
    oracles.conjugate_gradient(objective, 0, np.array([1.0, 2.0, 3.0]), first)
    oracles.conjugate_gradient(objective, 3, np.array([1e9, 0.0, 0.0]), again)
    oracles.conjugate_gradient(objective, 0, np.array([1.0, 2.0, 3.0]), again)
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize("loss", ["logistic_l2", "least_squares"])
def test_objectives_that_were_not_prepared_say_so(loss):
    with pytest.raises(ValueError, match="with_conjugate"):
        oracles.conjugate_gradient(cases.problem(loss).objective, 0, np.zeros(3), np.empty(3))


def test_no_answer_is_nan_and_not_a_wrong_one():
    y = np.array([np.nan, 0.0, 0.0])
    assert np.isnan(cases.problem("huber_l2").conjugate_gradient(0, y)).all()
