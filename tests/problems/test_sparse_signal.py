"""Sparse signals: what is drawn, and the (group) lasso it is for."""

import copy
from typing import Any

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.problems import build_problem
from dadao_sim.problems.build import true_signal
from dadao_sim.problems.data.source import Wanted
from dadao_sim.problems.data.sparse_signal import SparseSignalData


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


DATA = {"kind": "sparse_signal", "dim": 60, "samples_per_node": 10, "nonzeros": 6}


def spec(kind: str = "least_squares", mu: float | None = None, **options: Any) -> Any:
    l2 = {} if mu is None else {"mu": mu}
    return cases.spec(kind, {**DATA, "noise": 0.05, **options}, **l2)


def drawn(nodes: int, rng: Any, labels: bool = False, **options: Any) -> tuple[Any, Any, Any]:
    """Rows, targets, and the signal."""
    data = SparseSignalData.model_validate({**DATA, **options})
    A, b = data.rows(Wanted("ridge", labels=labels), nodes, copy.deepcopy(rng))
    return A, b, data.signal(rng)


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(1, 12),
    chosen=st.integers(1, 12),
    group_size=st.integers(1, 5),
    nodes=st.integers(1, 4),
    samples=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_nonzeros_in_whole_groups(groups, chosen, group_size, nodes, samples, seed):
    chosen = min(chosen, groups)
    options = {"dim": groups * group_size, "nonzeros": chosen * group_size, "noise": 0.0}
    options |= {"samples_per_node": samples, "group_size": group_size}
    A, b, signal = drawn(nodes, rng(seed), **options)
    full = (signal.reshape(groups, group_size) != 0).all(axis=1)
    assert full.sum() == chosen
    assert np.count_nonzero(signal) == chosen * group_size
    assert A.shape == (nodes, samples, groups * group_size)
    np.testing.assert_allclose(b, np.einsum("imd,d->im", A, signal), atol=1e-12)


def test_distributions():
    A, b, signal = drawn(40, rng(1), dim=5000, samples_per_node=3, nonzeros=5000, noise=0.3)
    assert stats.kstest(signal, "laplace").pvalue > 0.05
    assert stats.kstest(signal, "norm", (0, signal.std())).pvalue < 1e-6
    assert stats.kstest(A.ravel()[:20_000], "norm").pvalue > 0.05
    noise = (b - np.einsum("imd,d->im", A, signal)).ravel()
    assert stats.kstest(noise, "norm", (0, 0.3)).pvalue > 0.05


@pytest.mark.slow
def test_supports_are_uniform():
    data = SparseSignalData.model_validate({**DATA, "dim": 12, "nonzeros": 4, "group_size": 2})
    counts = sum(data.signal(rng(seed)) != 0 for seed in range(600))
    assert stats.chisquare(counts[::2]).pvalue > 0.01
    np.testing.assert_array_equal(counts[::2], counts[1::2])


def test_labels_are_the_signs():
    options = {"dim": 20, "samples_per_node": 9, "nonzeros": 5, "noise": 1.0}
    _, real, _ = drawn(3, rng(), **options)
    _, labels, _ = drawn(3, rng(), labels=True, **options)
    np.testing.assert_array_equal(labels, np.sign(real))


def test_the_signal_depends_on_the_seed_and_nothing_drawn_after_it():
    one = true_signal(spec(), rng(5))
    for other in (
        true_signal(spec(samples_per_node=3, noise=2.0), rng(5)),
        true_signal(spec("logistic_l2", mu=1.0), rng(5)),
    ):
        assert other.tobytes() == one.tobytes()
    assert true_signal(spec(), rng(6)).tobytes() != one.tobytes()


def test_the_true_signal_is_that_of_the_problem():
    for kind, mu in (("least_squares", None), ("ridge", 0.1), ("huber_l2", 0.1)):
        noiseless = spec(kind, mu, noise=0.0)
        problem = build_problem(noiseless, 4, rng(3))
        signal = true_signal(noiseless, rng(3))
        again = build_problem(noiseless, 4, rng(3))
        assert again.model.b.tobytes() == problem.model.b.tobytes()
        loss = sum(problem.value(i, signal) for i in range(4)) / 4 - (mu or 0) / 2 * signal @ signal
        assert loss == pytest.approx(0, abs=1e-12)


def composite(problem: Any, prox: Any, strength: float, size: int) -> Any:
    def norms(x: Any) -> Any:
        return np.linalg.norm(np.reshape(x, (-1, size)), axis=1)

    def shrunk(v: Any, step: float) -> Any:
        factor = np.maximum(1 - step * strength / np.maximum(norms(v), 1e-300), 0)
        return (v.reshape(-1, size) * factor[:, None]).ravel()

    return problem.with_local_step(
        from_callable(
            prox or shrunk, 60, convex=True, value=lambda x: strength * float(norms(x).sum())
        )
    )


def test_lasso_finds_the_signal_from_fewer_samples_than_dimensions():
    from sklearn.linear_model import Lasso

    few = spec(samples_per_node=8, noise=0.01)
    problem, signal = build_problem(few, 5, rng(2)), true_signal(few, rng(2))
    assert problem.samples.sum() == 40 < problem.dimension
    with pytest.raises(InputError, match="mu = 0"):
        _ = problem.mu
    strength = 0.02
    found = composite(problem, None, strength, 1).x_star
    lasso = Lasso(alpha=strength / 2, fit_intercept=False, tol=1e-14, max_iter=100_000)
    np.testing.assert_allclose(found, lasso.fit(problem.model.A, problem.model.b).coef_, atol=1e-9)
    smallest_norm = np.linalg.pinv(problem.model.A) @ problem.model.b
    error, without = np.linalg.norm(found - signal), np.linalg.norm(smallest_norm - signal)
    assert error < 0.1 * np.linalg.norm(signal) < without
    assert set(np.flatnonzero(np.abs(signal) > 0.05)) <= set(np.flatnonzero(found))


def test_group_lasso_against_a_conic_solver():
    import cvxpy

    grouped = spec(group_size=3, samples_per_node=9)
    problem = build_problem(grouped, 4, rng(4))
    x, strength = cvxpy.Variable(60), 0.05
    A, b = problem.model.A, problem.model.b
    groups = sum(cvxpy.norm(x[3 * g : 3 * g + 3]) for g in range(20))
    loss = cvxpy.sum_squares(A @ x - b) / b.size
    cvxpy.Problem(cvxpy.Minimize(loss + strength * groups)).solve(solver="CLARABEL")
    found = composite(problem, None, strength, 3).x_star
    np.testing.assert_allclose(found, x.value, atol=1e-5)
    full = (found.reshape(20, 3) != 0).any(axis=1)
    assert 2 <= full.sum() < 20


# --- Scenarios -----------------------------------------------------------------------------------


def test_from_a_scenario():
    made = cases.spec("least_squares", {**DATA, "group_size": 2})
    problem = build_problem(made, 4, rng(1))
    assert (problem.nodes, problem.dimension, problem.samples.tolist()) == (4, 60, [10] * 4)
    _, b, signal = drawn(4, rng(1).spawn(2)[0], group_size=2)
    assert problem.model.b.tobytes() == b.tobytes()
    assert true_signal(made, rng(1)).tobytes() == signal.tobytes()


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"data": {**DATA, "nonzeros": 61}}, "data.nonzeros: must be at most dim (60)"),
        ({"data": {**DATA, "nonzeros": 0}}, "data.nonzeros: must be at least 1, got 0"),
        ({"data": {**DATA, "group_size": 7}}, "data.dim: must be a multiple of group_size"),
        (
            {"data": {**DATA, "group_size": 4}},
            "data.nonzeros: must be a multiple of group_size (4)",
        ),
        ({"kind": "averaging"}, "data.kind: averaging needs points, not regressions"),
        ({"kind": "logistic_l2"}, "mu: is missing"),
        ({"partition": {"kind": "iid"}}, "partition: sparse_signal data are drawn at each"),
    ],
)
def test_refused_scenarios(problem, message):
    assert message in cases.refusal({"kind": "least_squares", "data": DATA, **problem})
