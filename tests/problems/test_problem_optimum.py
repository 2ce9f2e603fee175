"""x*, mu and L against closed forms and other libraries; suboptimality against exact arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.problems import Problem, build_problem
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.huber import Huber
from dadao_sim.problems.kinds.logistic import Logistic

REFERENCE = sorted((Path(__file__).parent.parent / "data").glob("*.npz"))
UNEVEN = (4, 11, 3, 7)


# --- The optimum
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.stem)
def test_optimum_of_the_authors_problems(path):
    with np.load(path) as data:
        problem = Problem.from_arrays(data["A"], data["b"], str(data["loss"]), mu=float(data["mu"]))
        np.testing.assert_allclose(problem.x_star, data["x_star"], rtol=1e-12)
        assert problem.L <= data["L"] * (1 + 1e-12)
        if str(data["loss"]) == "least_squares":
            exact = Problem.from_arrays(data["A"], data["b"], "least_squares")
            assert exact.mu == pytest.approx(float(data["mu"]), rel=1e-12)
            assert exact.L == pytest.approx(float(data["L"]), rel=1e-12)


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("loss", cases.LOSSES)
def test_gradient_of_the_mean_vanishes(loss, weighting):
    problem = cases.problem(loss, weighting, sizes=UNEVEN)
    at_optimum = problem.gradients(np.tile(problem.x_star, (4, 1)))
    at_zero = problem.gradients(np.zeros((4, 3))).mean(axis=0)
    scale = max(np.linalg.norm(at_zero), np.linalg.norm(at_optimum, axis=1).mean())
    assert np.linalg.norm(at_optimum.mean(axis=0)) <= 1e-12 * scale


def test_optimum_is_scikit_learns():
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

    # With weighting `samples`, F is a mean over all samples, wherever they are.
    for loss, model in (
        ("least_squares", LinearRegression(fit_intercept=False)),
        ("ridge", Ridge(alpha=cases.MU * 25 / 2, fit_intercept=False)),
        (
            "logistic_l2",
            LogisticRegression(
                C=1 / (cases.MU * 25), fit_intercept=False, tol=1e-14, solver="newton-cholesky"
            ),
        ),
    ):
        A, b = cases.arrays(loss, UNEVEN)
        fitted = model.fit(np.concatenate(A), np.concatenate(b)).coef_.ravel()
        np.testing.assert_allclose(
            cases.problem(loss, sizes=UNEVEN).x_star, fitted, rtol=1e-9, atol=1e-10
        )


def test_huber_optimum_is_that_of_a_general_minimiser():
    from scipy.optimize import minimize

    A, b = cases.arrays("huber_l2")
    found = minimize(
        lambda x: np.mean([cases.value("huber_l2", A, b, i, x) for i in range(4)]),
        np.zeros(3),
        tol=1e-10,
    )
    np.testing.assert_allclose(cases.problem("huber_l2").x_star, found.x, atol=1e-6)


@pytest.mark.parametrize("kind", cases.LOSSES)
def test_optimum_of_ill_conditioned_problems(kind):
    data = {"kind": "synthetic", "dim": 8, "samples_per_node": 20, "condition_number": 1e8}
    problem = build_problem(cases.spec(kind, data), 6, np.random.default_rng(2))
    assert np.isfinite(problem.x_star).all()  # it is checked to 1e-12 when computed


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_optimum_does_not_depend_on_the_partition(loss):
    A, b = cases.arrays(loss, (5, 9, 4, 7))
    rows, targets = np.concatenate(A), np.concatenate(b)
    order = np.random.default_rng(0).permutation(25)
    cuts = [3, 14, 20]
    other = Problem.from_arrays(
        np.split(rows[order], cuts),
        np.split(targets[order], cuts),
        loss,
        mu=None if loss == "least_squares" else cases.MU,
        **cases.constants(loss),
    )
    one = cases.problem(loss, sizes=(5, 9, 4, 7))
    np.testing.assert_allclose(one.x_star, other.x_star, rtol=1e-11)
    uniform = cases.problem(loss, "uniform", sizes=(5, 9, 4, 7))
    assert np.linalg.norm(uniform.x_star - one.x_star) > 1e-3  # negative control


# --- The constants
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("sizes", [(9, 9, 9, 9), UNEVEN, (2, 2, 1, 5)])
@pytest.mark.parametrize("loss", cases.LOSSES)
def test_constants_from_singular_values(loss, sizes, weighting):
    A, _ = cases.arrays(loss, sizes)
    scale = [4 / sum(sizes) if weighting == "samples" else 1 / m for m in sizes]
    squares = [s * np.linalg.svd(part)[1] ** 2 for s, part in zip(scale, A, strict=True)]
    least = min(s[-1] if part.shape[0] >= 3 else 0 for s, part in zip(squares, A, strict=True))
    largest = max(s[0] for s in squares)
    l2 = 0.0 if loss == "least_squares" else cases.MU
    curvature = {"logistic_l2": 0.25, "huber_l2": 1.0}.get(loss, 2.0)
    mu = 2 * least + l2 if loss in ("least_squares", "ridge") else l2
    problem = cases.problem(loss, weighting, sizes=sizes)
    if mu == 0:
        with pytest.raises(InputError, match="make mu = 0"):
            _ = problem.mu
    else:
        assert problem.mu == pytest.approx(mu, rel=1e-12)
    assert problem.L == pytest.approx(curvature * largest + l2, rel=1e-12)


def test_given_constants_replace_the_exact_ones():
    A, b = cases.arrays("least_squares")
    problem = Problem.from_arrays(A, b, "least_squares", mu=0.01, L=99)
    assert (problem.mu, problem.L) == (0.01, 99.0)
    assert (
        Problem.from_arrays(A, b, "ridge", mu=0.01, L=99).mu > 0.01
    )  # there it is the l2 strength


def test_singular_nodes_are_found():
    A, b = cases.arrays("least_squares")
    A[2, :, 1] = A[2, :, 0]
    with pytest.raises(InputError, match="data of node 2: the columns are linearly dependent"):
        _ = Problem.from_arrays(A, b, "least_squares").mu


def test_relabelling_moves_the_nodes_and_nothing_else():
    for loss in cases.LOSSES:
        problem = cases.problem(loss, sizes=UNEVEN)
        order = [2, 0, 3, 1]
        moved = problem.relabelled(order)
        X = np.random.default_rng(0).standard_normal((4, 3))
        np.testing.assert_array_equal(moved.gradients(X[order]), problem.gradients(X)[order])
        np.testing.assert_array_equal(moved.samples, problem.samples[order])
        assert moved.x_star.tobytes() == problem.x_star.tobytes()
        assert (moved.mu, moved.L) == (problem.mu, problem.L)
        fresh = type(problem)(kind=loss, model=moved.model)
        np.testing.assert_allclose(fresh.x_star, problem.x_star, rtol=1e-12)
    with pytest.raises(InputError, match="permutation"):
        problem.relabelled([0, 0, 1, 2])


# --- Suboptimality
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_suboptimality_is_the_difference_of_values(loss):
    problem = cases.problem(loss, sizes=UNEVEN)
    x = problem.x_star + np.array([5.0, -3.0, 2.0])
    difference = np.mean([problem.value(i, x) - problem.value(i, problem.x_star) for i in range(4)])
    assert problem.suboptimality(x) == pytest.approx(difference, rel=1e-12)
    assert problem.suboptimality(problem.x_star) == 0.0


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_suboptimality_stays_quadratic_where_values_cancel(loss):
    problem = cases.problem(loss)
    direction = np.array([0.6, -0.8, 0.3])
    scaled = [problem.suboptimality(problem.x_star + h * direction) / h**2 for h in (1e-4, 1e-10)]
    assert scaled[1] == pytest.approx(scaled[0], rel=2e-4)  # x* + h direction is rounded


def test_suboptimality_of_integers_in_exact_arithmetic():
    A, b, x = [[1, 2], [3, 5], [0, 1]], [4, -1, 2], [Fraction(3), Fraction(-2)]

    def exact(x):
        residuals = [row[0] * x[0] + row[1] * x[1] - t for row, t in zip(A, b, strict=True)]
        return sum(r * r for r in residuals) / Fraction(3)

    p, q, r = (sum(row[j] * row[k] for row in A) for j, k in ((0, 0), (0, 1), (1, 1)))
    u, v = (sum(A[k][j] * b[k] for k in range(3)) for j in range(2))
    x_star = [Fraction(r * u - q * v, p * r - q * q), Fraction(p * v - q * u, p * r - q * q)]
    problem = Problem.from_arrays(np.array([A]), np.array([b]), "least_squares")
    np.testing.assert_allclose(problem.x_star, [float(c) for c in x_star], rtol=1e-14)
    assert problem.suboptimality([3, -2]) == pytest.approx(
        float(exact(x) - exact(x_star)), rel=1e-14
    )


margins = st.floats(-250, 250) | st.floats(-3, 3)


@settings(max_examples=300, deadline=None)
@given(t=margins, h=margins | st.floats(-0.02, 0.02))
def test_logistic_divergence_in_many_digits(t, h):
    with localcontext() as context:
        context.prec = 300
        margin, change = Decimal(t), Decimal(h)
        phi = [(1 + (-m).exp()).ln() for m in (margin, margin + change)]
        exact = float(phi[1] - phi[0] + change / (1 + margin.exp()))
    found = losses.divergence(Logistic(), t, 1.0, h)
    assert found >= 0
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-230)


numbers = st.integers(-400, 400).map(lambda k: k / 64)


@settings(max_examples=200, deadline=None)
@given(
    z=numbers, h=numbers | st.floats(-1e-6, 1e-6), delta=st.integers(1, 200).map(lambda k: k / 64)
)
def test_huber_divergence_in_fractions(z, h, delta):
    def loss(r):
        return r * r / 2 if abs(r) <= delta else Fraction(delta) * (abs(r) - Fraction(delta) / 2)

    slope = min(max(Fraction(z), -Fraction(delta)), Fraction(delta))
    exact = float(loss(Fraction(z) + Fraction(h)) - loss(Fraction(z)) - slope * Fraction(h))
    found = losses.divergence(Huber(delta), z, 0.0, h)
    assert found >= 0
    # Where z + h only just leaves a flat side, its excess is rounded at the size of z.
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-20)


@settings(max_examples=60, deadline=None)
@given(
    loss=st.sampled_from(cases.LOSSES),
    exponent=st.integers(-18, 8),
    direction=st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_suboptimality_is_never_negative(loss, exponent, direction):
    problem = cases.problem(loss)
    assert problem.suboptimality(problem.x_star + 10.0**exponent * np.array(direction)) >= 0
