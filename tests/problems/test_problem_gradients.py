"""Gradients and values against their definitions; stochastic gradients; the kernels of the
objectives."""

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import huber as scipy_huber

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.linear_model import LinearModel
from dadao_sim.problems.kinds.quadratic import Quadratic

UNEVEN = (4, 11, 3, 7)


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("sizes", [(9, 9, 9, 9), UNEVEN])
@pytest.mark.parametrize("loss", cases.LOSSES)
def test_value_and_gradient_are_those_of_the_definition(loss, sizes, weighting):
    A, b = cases.arrays(loss, sizes)
    problem = cases.problem(loss, weighting, sizes=sizes)
    for i in range(4):
        x = np.random.default_rng(i).standard_normal(3)
        assert problem.value(i, x) == pytest.approx(cases.value(loss, A, b, i, x, weighting))
        by_differences = cases.slope(lambda x, i=i: cases.value(loss, A, b, i, x, weighting), x)
        np.testing.assert_allclose(problem.gradient(i, x), by_differences, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_rows_and_hessians_give_the_same_gradient(loss):
    problem = cases.problem(loss, sizes=UNEVEN)
    assert isinstance(problem.objective, Quadratic) == (loss in ("least_squares", "ridge"))
    X = np.random.default_rng(1).standard_normal((4, 3))
    by_rows = np.empty_like(X)
    oracles.all_gradients(problem.model, X, np.zeros(4, np.uint64), by_rows)
    np.testing.assert_allclose(problem.gradients(X), by_rows, rtol=1e-12, atol=1e-12)
    one_by_one = [problem.gradient(i, X[i]) for i in range(4)]
    np.testing.assert_array_equal(problem.gradients(X), one_by_one)


def test_ridge_of_few_samples_keeps_its_rows():
    assert isinstance(cases.problem("ridge", sizes=(2, 2, 3, 2)).objective, LinearModel)


def test_huber_is_scipys():
    A, b = np.ones((1, 5, 1)), np.array([[-3.0, -0.5, 0.0, 0.2, 9.0]])
    problem = Problem.from_arrays(A, b, "huber_l2", mu=1e-3, delta=0.4)
    assert problem.value(0, [0.1]) == pytest.approx(
        scipy_huber(0.4, 0.1 - b).mean() + 1e-3 / 2 * 0.01
    )


def test_logistic_keeps_its_range_at_extreme_margins():
    problem = Problem.from_arrays(np.array([[[1e4], [-1e4]]]), np.ones((1, 2)), "logistic_l2", mu=1)
    assert problem.value(0, [1.0]) == pytest.approx(1e4 / 2 + 0.5)
    assert problem.gradient(0, [1.0]) == pytest.approx([1e4 / 2 + 1])


def test_averaging():
    centres = np.random.default_rng(0).standard_normal((5, 2))
    problem = Problem.averaging(centres)
    X = np.random.default_rng(1).standard_normal((5, 2))
    np.testing.assert_array_equal(problem.gradients(X), X - centres)
    np.testing.assert_array_equal(problem.conjugate_gradients(X), X + centres)
    np.testing.assert_allclose(problem.x_star, centres.mean(axis=0))
    assert (problem.mu, problem.L, problem.samples) == (1.0, 1.0, None)
    mean_value = np.mean(
        [problem.value(i, X[0]) - problem.value(i, problem.x_star) for i in range(5)]
    )
    assert problem.suboptimality(X[0]) == pytest.approx(mean_value)


# --- Stochastic gradients ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", cases.LOSSES)
def test_one_sample_at_a_time_averages_to_the_gradient(loss):
    """Over the marks that hit every row equally often, the estimate is the gradient itself."""
    problem = cases.problem(loss, sizes=UNEVEN)
    stochastic = problem.stochastic_objective(1)
    x, out = np.array([0.3, -1.0, 0.5]), np.empty(3)
    for i, rows in enumerate(UNEVEN):
        estimates: dict[bytes, np.ndarray] = {}
        for mark in range(400):
            oracles.gradient(stochastic, i, x, np.uint64(mark), out)
            estimates[out.tobytes()] = out.copy()
        assert len(estimates) == rows
        mean = np.mean(list(estimates.values()), axis=0)
        np.testing.assert_allclose(mean, problem.gradient(i, x), rtol=1e-12, atol=1e-12)


def splitmix64(state: int) -> int:
    """In Python's integers, from the paper."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@settings(max_examples=30, deadline=None)
@given(mark=st.integers(0, 2**64 - 1), batch=st.integers(1, 9), loss=st.sampled_from(cases.LOSSES))
def test_a_draw_is_the_documented_function_of_its_mark(mark, batch, loss):
    A, b = cases.arrays(loss, UNEVEN)
    stochastic = cases.problem(loss, sizes=UNEVEN).stochastic_objective(batch)
    x, out = np.array([0.3, -1.0, 0.5]), np.empty(3)
    i = 1
    rows = [splitmix64((mark + k) % 2**64) % UNEVEN[i] for k in range(batch)]
    # A node of weight n/N per sample, made of the drawn ones alone: its f_i has the same gradient.
    scale = 4 * UNEVEN[i] / sum(UNEVEN)
    l2 = 0.0 if loss == "least_squares" else cases.MU * x
    drawn = Problem.from_arrays(
        [A[i][rows]],
        [b[i][rows]],
        "ridge" if loss == "least_squares" else loss,
        mu=cases.MU,
        **cases.constants(loss),
    )
    expected = scale * (drawn.gradient(0, x) - cases.MU * x) + l2
    oracles.gradient(stochastic, i, x, np.uint64(mark), out)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def test_batches_have_at_least_one_sample_and_a_source():
    problem = cases.problem("ridge")
    for size in (0, -1, 1.5):
        with pytest.raises(InputError, match="batch_size"):
            problem.stochastic_objective(size)
    assert problem.stochastic_objective(50).batch == 50  # with replacement: more than there are
    with pytest.raises(InputError, match="no samples to draw"):
        Problem.averaging(np.zeros((2, 2))).stochastic_objective(1)
