"""Sparse signals: what is drawn, and the (group) lasso it is for."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from dadao_sim import problems
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.problems.build import true_signal
from dadao_sim.problems.sparse_signal import sparse_signal
from dadao_sim.problems.spec import ProblemSpec
from dadao_sim.strict import sentence


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def build(spec: Any, nodes: int, rng: np.random.Generator) -> Any:
    return problems.build_problem(spec, nodes, rng)


def spec(kind: str = "least_squares", mu: float | None = None, **options: Any) -> Any:
    data = {"dim": 60, "samples_per_node": 10, "nonzeros": 6, "group_size": 1, "noise": 0.05}
    return SimpleNamespace(
        kind=kind,
        mu=mu,
        weighting="samples",
        delta=1.0,
        data=SimpleNamespace(kind="sparse_signal", **{**data, **options}),
        partition=None,
    )


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
    sizes = (groups * group_size, samples, chosen * group_size)
    made = sparse_signal("ridge", nodes, *sizes, rng(seed), group_size=group_size, noise=0.0)
    full = (made.signal.reshape(groups, group_size) != 0).all(axis=1)
    assert full.sum() == chosen
    assert np.count_nonzero(made.signal) == chosen * group_size
    assert made.A.shape == (nodes, samples, sizes[0])
    np.testing.assert_allclose(made.b, np.einsum("imd,d->im", made.A, made.signal), atol=1e-12)


def test_distributions():
    made = sparse_signal("ridge", 40, 5000, 3, 5000, rng(1), noise=0.3)
    assert stats.kstest(made.signal, "laplace").pvalue > 0.05
    assert stats.kstest(made.signal, "norm", (0, made.signal.std())).pvalue < 1e-6
    assert stats.kstest(made.A.ravel()[:20_000], "norm").pvalue > 0.05
    noise = (made.b - np.einsum("imd,d->im", made.A, made.signal)).ravel()
    assert stats.kstest(noise, "norm", (0, 0.3)).pvalue > 0.05


@pytest.mark.slow
def test_supports_are_uniform():
    counts = sum(
        sparse_signal("ridge", 1, 12, 1, 4, rng(seed), group_size=2).signal != 0
        for seed in range(600)
    )
    assert stats.chisquare(counts[::2]).pvalue > 0.01
    np.testing.assert_array_equal(counts[::2], counts[1::2])


def test_labels_are_the_signs():
    real = sparse_signal("ridge", 3, 20, 9, 5, rng(), noise=1.0)
    labels = sparse_signal("logistic_l2", 3, 20, 9, 5, rng(), noise=1.0)
    np.testing.assert_array_equal(labels.b, np.sign(real.b))


def test_the_signal_depends_on_the_seed_and_nothing_drawn_after_it():
    one = true_signal(spec(), 4, rng(5))
    for other in (
        true_signal(spec(), 9, rng(5)),
        true_signal(spec(samples_per_node=3, noise=2.0), 4, rng(5)),
        true_signal(spec("logistic_l2", mu=1.0), 4, rng(5)),
    ):
        assert other.tobytes() == one.tobytes()
    assert true_signal(spec(), 4, rng(6)).tobytes() != one.tobytes()


def test_the_true_signal_is_that_of_the_problem():
    for kind, mu in (("least_squares", None), ("ridge", 0.1), ("huber_l2", 0.1)):
        noiseless = spec(kind, mu, noise=0.0)
        problem = build(noiseless, 4, rng(3))
        signal = true_signal(noiseless, 4, rng(3))
        again = build(noiseless, 4, rng(3))
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
    problem, signal = build(few, 5, rng(2)), true_signal(few, 5, rng(2))
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
    problem = build(grouped, 4, rng(4))
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

DATA = {"kind": "sparse_signal", "dim": 60, "samples_per_node": 10, "nonzeros": 6}


def section(**problem: Any) -> ProblemSpec:
    return ProblemSpec.model_validate({"kind": "least_squares", "data": DATA, **problem})


def test_from_a_scenario():
    made = section(data={**DATA, "group_size": 2})
    problem = build(made, 4, rng(1))
    assert (problem.nodes, problem.dimension, problem.samples.tolist()) == (4, 60, [10] * 4)
    drawn = sparse_signal("least_squares", 4, 60, 10, 6, rng(1).spawn(2)[0], group_size=2)
    assert problem.model.b.tobytes() == drawn.b.tobytes()
    assert true_signal(made, 4, rng(1)).tobytes() == drawn.signal.tobytes()


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"data": {**DATA, "nonzeros": 61}}, "data.nonzeros: must be at most dim (60)"),
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
    with pytest.raises(ValidationError) as error:
        section(**problem)
    (found,) = error.value.errors()
    assert message in f"{'.'.join(map(str, found['loc']))}: {sentence(found)}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonzeros": 61}, "problem.data.nonzeros: 61 given; 1 to dim = 60"),
        ({"nonzeros": 0}, "problem.data.nonzeros: 0 given; 1 to dim = 60"),
        ({"group_size": 7}, "problem.data.dim: 60 given; a multiple of group_size = 7"),
        ({"group_size": 4}, "problem.data.nonzeros: 6 given; a multiple of group_size = 4"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(InputError) as error:
        build(spec(**options), 3, rng())
    assert message in str(error.value)
