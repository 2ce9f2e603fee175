"""Six methods, one answer: the elastic net of all nodes' data, as scikit-learn finds it."""

import warnings

import numpy as np
import pytest
from composite_cases import (
    DIMENSION,
    L1,
    L2,
    RING,
    data,
    distance,
    elastic_net,
    errors,
    play,
    random_rows,
    soft,
)
from numpy.testing import assert_allclose

from dadao_sim import Problem
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.local_steps import from_callable
from dadao_sim.local_steps.terms import make

NAMES = ("pg_extra", "nids", "prox_ed", "sonata", "prox_lead", "d_admm")
METHODS = {name: get_method(name) for name in NAMES}
ROUNDS = {"nids": 800, "sonata": 800}
EXACT_ZEROS = ("prox_ed", "prox_lead")
each_method = pytest.mark.parametrize("name", METHODS)


def rounds_of(name):
    return ROUNDS.get(name, 500)


@pytest.fixture(scope="module")
def reference():
    """scikit-learn halves the squares, so that every strength is halved as well."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import ElasticNet

    A, b = data()
    alpha = (L1 + L2) / 2
    model = ElasticNet(
        alpha=alpha, l1_ratio=L1 / 2 / alpha, fit_intercept=False, tol=1e-16, max_iter=10**5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a gap below rounding
        return model.fit(A.reshape(-1, DIMENSION), b.ravel()).coef_


@pytest.mark.parametrize("form", ["ridge", "least_squares"])
@each_method
def test_all_methods_reach_the_elastic_net(name, form, reference):
    problem = elastic_net(form)
    x0 = np.ones(DIMENSION)
    X = play(METHODS[name], problem, RING, rounds_of(name), x0=x0)["x"]
    size = np.linalg.norm(reference)
    assert np.linalg.norm(X - reference, axis=1).max() <= 1e-8 * size
    assert distance(X, problem) <= 1e-8
    zeros = reference == 0
    assert 0 < zeros.sum() < DIMENSION
    # The nodes of the others may be at the ends of r's slopes, from where x_i = 0 is but a limit.
    assert_allclose(X[:, zeros], 0.0, atol=0.0 if name in EXACT_ZEROS else 1e-9)


@each_method
def test_the_error_falls_linearly(name):
    """Every hundredth part takes about as many rounds as the one before."""
    error = errors(METHODS[name], elastic_net(), RING, rounds_of(name))
    first = [int(np.argmax(error < level)) for level in (1e-4, 1e-6, 1e-8)]
    assert 0 < first[0] < first[1] < first[2]
    assert 0.4 < (first[2] - first[1]) / (first[1] - first[0]) < 2.5


@each_method
def test_the_optimum_is_a_fixed_point(name):
    problem, method = elastic_net(), METHODS[name]
    values = method.optimum(problem, RING, method.tune(problem, RING, {}))
    after = play(method, problem, RING, 300, **values)
    for block, value in values.items():
        assert_allclose(after[block], value, atol=1e-9, err_msg=block)


@each_method
def test_an_inexact_operator_leads_to_the_fixed_point_of_the_declared_step(name):
    """A threshold that ignores the step: x = soft(x - a grad F(x), t) depends on a."""
    smooth = elastic_net().smooth
    denoiser = from_callable(
        lambda v, step: soft(v, 0.02), DIMENSION, convex=True, exact=False, kind="denoiser"
    )
    problem, method = smooth.with_local_step(denoiser), METHODS[name]
    step = method.tune(problem, RING, {}).prox_step
    X = play(method, problem, RING, rounds_of(name))["x"]
    assert distance(X, problem.with_step(step)) <= 1e-7
    assert distance(X, problem.with_step(1.5 * step)) >= 1e-4


@each_method
def test_they_work_without_a_term(name):
    problem = elastic_net().smooth
    X = play(METHODS[name], problem, RING, rounds_of(name), x0=random_rows(problem))["x"]
    A, b = data()
    rows, targets = A.reshape(-1, DIMENSION), b.ravel()
    gram = rows.T @ rows / len(rows) + L2 / 2 * np.eye(DIMENSION)
    x_star = np.linalg.solve(gram, rows.T @ targets / len(rows))
    assert_allclose(X, np.tile(x_star, (10, 1)), atol=1e-8)


STEPS = {"pg_extra": "step", "prox_ed": "step", "nids": "step", "prox_lead": "eta", "sonata": "tau"}


@pytest.mark.parametrize("name", STEPS)
def test_stochastic_gradients_end_in_a_ball_that_shrinks_with_the_step(name):
    problem, method = elastic_net(), METHODS[name]
    default = method.tune(problem, RING, {}).constants[STEPS[name]]
    plateaus = []
    for share in (1, 8):
        value = default * share if name == "sonata" else default / share
        error = errors(method, problem, RING, 500 * share, {STEPS[name]: value}, batch=10)
        plateaus.append(error[250 * share :].mean())
    assert 1e-3 < plateaus[1] < 0.6 * plateaus[0] < 0.6


@pytest.mark.parametrize("name", [name for name in METHODS if name != "d_admm"])
def test_no_method_of_steps_needs_mu(name):
    """Flat f_i, whose mu is 0; the curvature is all in r. (PG-EXTRA and NIDS ask for none.)"""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((10, 3, DIMENSION)), rng.standard_normal((10, 3))
    flat = Problem.from_arrays(A, b, "least_squares")
    problem = flat.with_local_step(make("elastic_net", DIMENSION, strength=0.05, l2=0.5))
    assert distance(play(METHODS[name], problem, RING, 4000)["x"], problem) <= 1e-8
