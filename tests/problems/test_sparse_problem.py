"""Sparse rows against the same rows kept dense, and against other libraries."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, eye_array, random_array

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.problems import Problem
from dadao_sim.problems.data import image as images
from dadao_sim.problems.kinds import sparse_problem
from dadao_sim.problems.kinds.sparse_problem import SparseProblem, largest_eigenvalue

UNEVEN = (4, 11, 1, 7)


def data(sizes: tuple[int, ...] = UNEVEN, d: int = 6, seed: int = 0, density: float = 0.4) -> Any:
    rng = np.random.default_rng(seed)
    A = [
        random_array((m, d), density=density, rng=rng, format="csr") - 0.3 * eye_array(m, d)
        for m in sizes
    ]
    return A, [rng.standard_normal(m) for m in sizes]


def both(loss: str = "ridge", weighting: str = "samples", **options: Any) -> tuple[Any, Problem]:
    """The problem, and its dense twin."""
    A, b = data(**options)
    mu = 0.3 if loss == "ridge" else None
    return (
        Problem.from_arrays(A, b, loss, mu=mu, weighting=weighting),
        Problem.from_arrays([part.toarray() for part in A], b, loss, mu=mu, weighting=weighting),
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    loss=st.sampled_from(["least_squares", "ridge"]),
    weighting=st.sampled_from(["samples", "uniform"]),
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=5).map(tuple),
    d=st.integers(1, 9),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_the_same_as_dense_rows(loss, weighting, sizes, d, density, seed):
    sparse, dense = both(loss, weighting, sizes=sizes, d=d, seed=seed, density=density)
    rng = np.random.default_rng(seed)
    X, x, y = rng.standard_normal((len(sizes), d)), *rng.standard_normal((2, d))
    np.testing.assert_allclose(sparse.gradients(X), dense.gradients(X), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sparse.node_L, dense.node_L, rtol=1e-12, atol=1e-14)
    assert sparse.L == sparse.node_L.max()
    assert sparse.divergence(x, y) == pytest.approx(dense.divergence(x, y), rel=1e-12)
    for i in range(len(sizes)):
        assert sparse.value(i, x) == pytest.approx(dense.value(i, x), rel=1e-12)
    np.testing.assert_array_equal(sparse.samples, dense.samples)
    if loss == "ridge":
        np.testing.assert_allclose(sparse.x_star, dense.x_star, rtol=1e-10, atol=1e-12)
        assert sparse.mu == 0.3 <= dense.mu


def test_gradient_by_differences_of_the_value():
    problem, _ = both()
    x, step = np.random.default_rng(1).standard_normal(6), 1e-6
    for i in range(4):
        slopes = [
            (problem.value(i, x + e) - problem.value(i, x - e)) / (2 * step)
            for e in step * np.eye(6)
        ]
        np.testing.assert_allclose(problem.gradient(i, x), slopes, rtol=1e-7, atol=1e-8)


def test_divergence_does_not_cancel():
    problem, _ = both()
    direction = np.array([0.6, -0.8, 0.3, 0.1, 0.0, 2.0])
    scaled = [problem.divergence(h * direction, np.zeros(6)) / h**2 for h in (1.0, 1e-100)]
    assert scaled[1] == pytest.approx(scaled[0], rel=1e-12)
    assert problem.suboptimality(problem.x_star) == 0.0
    x = problem.x_star + direction
    difference = np.mean([problem.value(i, x) - problem.value(i, problem.x_star) for i in range(4)])
    assert problem.suboptimality(x) == pytest.approx(difference, rel=1e-12)


def test_optimum_of_an_ill_conditioned_problem_is_scikit_learns():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(3)
    A = [random_array((40, 30), density=0.2, rng=rng, format="csr") for _ in range(3)]
    b = [rng.standard_normal(40) for _ in A]
    mu = 1e-6
    problem = Problem.from_arrays(A, b, "ridge", mu=mu)
    rows, targets = np.concatenate([part.toarray() for part in A]), np.concatenate(b)
    fitted = Ridge(alpha=mu * 120 / 2, fit_intercept=False, solver="svd").fit(rows, targets).coef_
    np.testing.assert_allclose(problem.x_star, fitted, rtol=1e-8)


def test_optimum_that_cannot_be_computed_is_said(monkeypatch):
    monkeypatch.setattr(sparse_problem, "STEPS", 1)
    monkeypatch.setattr(sparse_problem, "REFINEMENTS", 2)
    with pytest.raises(InputError, match="ill-conditioned; use a larger l2 term"):
        _ = both()[0].x_star


def test_composite_optimum_is_scikit_learns_lasso():
    from sklearn.linear_model import Lasso

    problem, _ = both("least_squares", sizes=(9, 5, 12), d=10)
    strength = 0.02
    lasso = problem.with_local_step(
        from_callable(
            lambda v, step: np.sign(v) * np.maximum(np.abs(v) - step * strength, 0.0),
            10,
            convex=True,
            value=lambda x: strength * float(np.abs(x).sum()),
        )
    )
    rows, targets = problem.rows(0, 3).toarray(), problem.model.targets
    fitted = Lasso(alpha=strength / 2, fit_intercept=False, tol=1e-14, max_iter=100_000)
    found = fitted.fit(rows, targets).coef_
    np.testing.assert_allclose(lasso.x_star, found, atol=1e-9)
    assert 0 < np.count_nonzero(lasso.x_star) < 10


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    density=st.floats(0.05, 1),
    seed=st.integers(0, 99),
)
def test_lanczos_errs_on_the_large_side(shape, density, seed):
    A = random_array(shape, density=density, rng=np.random.default_rng(seed), format="csr")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_problem, "DENSE", 0)
        found = largest_eigenvalue(A)
    exact = np.linalg.svd(A.toarray(), compute_uv=False)[0] ** 2
    assert exact * (1 - 1e-13) <= found <= exact * (1 + 1e-7)


@pytest.mark.slow
def test_lanczos_of_a_strip_of_an_image():
    rows = images.blur_matrix(40, 1.5)[320:800]
    exact = np.linalg.svd(rows.toarray(), compute_uv=False)[0] ** 2
    assert exact * (1 - 1e-13) <= largest_eigenvalue(rows) <= exact * (1 + 1e-7)


@pytest.mark.parametrize(
    ("A", "exact"),
    [
        (eye_array(300, 400, format="csr"), 1.0),
        (csr_array((300, 300)), 0.0),
        (csr_array(np.ones((300, 2))), 600.0),
        (csr_array(np.ones((270, 300))), 81000.0),
    ],
    ids=["identity", "zero", "tall", "rank one"],
)
def test_eigenvalues_of_special_matrices(A, exact):
    assert largest_eigenvalue(A) == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_any_sparse_format_with_repeated_and_explicit_zero_entries():
    A = coo_array(([1.0, 2.0, 0.0, 4.0], ([0, 0, 1, 1], [1, 1, 0, 2])), shape=(2, 3))
    repeated = csr_array((A.data, A.col, [0, 2, 4]), shape=A.shape)
    targets = [[1, 2], [3, 4], [5, 6]]
    problem = Problem.from_arrays([A, A.tocsc(), repeated], targets, "ridge", mu=1)
    for i in range(3):
        np.testing.assert_array_equal(problem.rows(i, i + 1).toarray(), [[0, 3, 0], [0, 0, 4]])
    assert problem.model.data.size == 6
    assert isinstance(problem, SparseProblem)


def test_relabelling_moves_the_nodes_and_nothing_else():
    order = [2, 0, 3, 1]
    X = np.random.default_rng(0).standard_normal((4, 6))
    for loss, weighting in (("ridge", "samples"), ("least_squares", "uniform")):
        problem, _ = both(loss, weighting)
        moved = problem.relabelled(order)
        np.testing.assert_array_equal(moved.gradients(X[order]), problem.gradients(X)[order])
        np.testing.assert_array_equal(moved.samples, problem.samples[order])
        np.testing.assert_allclose(moved.node_L, problem.node_L[order], rtol=1e-14)
    problem, _ = both()
    assert problem.relabelled(order).x_star.tobytes() == problem.x_star.tobytes()


def test_given_constants_replace_the_computed_ones():
    A, b = data()
    problem = Problem.from_arrays(A, b, "least_squares", mu=0.01, L=99)
    assert (problem.mu, problem.L) == (0.01, 99.0)


def test_what_sparse_rows_do_not_offer():
    problem, _ = both("least_squares")
    for ask, reason in (
        (lambda: problem.mu, "mu = 0; use ridge"),
        (lambda: problem.x_star, "not unique without l2 term; use ridge"),
        (lambda: problem.conjugate_gradients(np.zeros((4, 6))), "no conjugate gradient"),
        (lambda: problem.stochastic_objective(1), "all at once; leave it out"),
    ):
        with pytest.raises(InputError, match=reason):
            ask()
    assert not problem.has_conjugate


def refused(A: Any = None, b: Any = None, loss: str = "ridge", **options: Any) -> Any:
    good_A, good_b = data((2, 3))
    options = {"mu": 1.0, **options}
    return lambda: Problem.from_arrays(
        good_A if A is None else A, good_b if b is None else b, loss, **options
    )


REFUSED = {
    "loss: sparse rows are for least_squares and ridge, not 'huber_l2'": refused(loss="huber_l2"),
    "weighting: 'even' is not one of samples": refused(weighting="even"),
    "mu: ridge needs the strength": refused(mu=None),
    "mu: 3 given, above L = 2": refused(mu=3, L=2),
    "no nodes": refused(A=[], b=[]),
    "A has 2 nodes and b has 1": refused(b=[[1.0, 2.0]]),
    "data of node 1: A has shape (3, 6) and b (2,)": refused(b=[np.ones(2), np.ones(2)]),
    "data of node 1: A has shape (3, 5)": refused(A=[np.ones((2, 6)), np.ones((3, 5))]),
    "data of node 0: A has shape (0, 6)": refused(
        A=[np.ones((0, 6)), np.ones((3, 6))], b=[np.ones(0), np.ones(3)]
    ),
    "data of node 1, row 2: nan": refused(b=[np.ones(2), np.array([0, 0, np.nan])]),
    "data of node 1, row 0: nan or infinite": refused(
        A=[np.ones((2, 6)), np.array([[0, np.inf, 0, 0, 0, 0], [0] * 6, [1] * 6])]
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(InputError) as error:
        REFUSED[message]()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


SCRIPT = """
import numpy as np
import test_sparse_problem as here

problem, _ = here.both()
X = 3 * np.random.default_rng(0).standard_normal((4, 6))
out = np.empty_like(X)
here.oracles.all_gradients(problem.objective, X, np.zeros(4, np.uint64), out)
parts = [out, problem.x_star, problem.node_L, np.array([problem.value(1, X[1])])]
parts.append(np.array([problem.divergence(X[0], X[1])]))
print(*[part.tobytes().hex() for part in parts])
"""


@pytest.mark.slow
def test_compiled_and_plain_python_give_the_same_bits():
    assert oracles.gradient  # the script takes it from here
    here = Path(__file__).parent
    outputs = []
    for disabled in ("0", "1"):
        paths = [str(here), str(here.parent.parent)]
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout)
    assert len(outputs[0].split()) == 5
    assert outputs[0] == outputs[1]
