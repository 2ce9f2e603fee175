"""Composite problems: x* against other libraries, errors against plain differences of values."""

import numpy as np
import pytest
from cases import small_problem
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet, Lasso

from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.local_steps.terms import make
from dadao_sim.problems import Problem

NODES, SAMPLES, DIMENSION = 6, 9, 12


def prox_of_rows(objective, X, steps):
    nodes = Nodes(objective, np.ones(len(X)), Tally(), stochastic=False)
    return nodes.prox(X, np.reshape(steps, (-1, 1)) if np.ndim(steps) else steps)


def soft(v, step, strength=0.3):
    return np.sign(v) * np.maximum(np.abs(v) - strength * step, 0.0)


def rows(samples=SAMPLES, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((NODES, samples, DIMENSION))
    b = A @ np.r_[2.0, -1.5, 1.0, np.zeros(DIMENSION - 3)]
    return A, b + 0.1 * rng.standard_normal(b.shape)


def composite(loss="ridge", strength=0.3, samples=SAMPLES):
    A, b = rows(samples)
    smooth = Problem.from_arrays(A, b, loss, mu=None if loss == "least_squares" else 0.2)
    return smooth.with_local_step(make("l1", DIMENSION, strength=strength))


def flat(samples=SAMPLES):
    A, b = rows(samples)
    return A.reshape(-1, DIMENSION), b.ravel()


def test_x_star_of_the_elastic_net_is_that_of_scikit_learn():
    """||.||^2/N + 0.1 ||x||^2 + 0.3 |x| is twice its objective with alpha = 0.25, l1_ratio 0.6."""
    other = ElasticNet(alpha=0.25, l1_ratio=0.6, fit_intercept=False, tol=1e-15, max_iter=100_000)
    other.fit(*flat())
    assert_allclose(composite().x_star, other.coef_, atol=1e-10)


@pytest.mark.parametrize("samples", [SAMPLES, 1])
def test_x_star_of_a_lasso_that_no_node_could_solve(samples):
    """Fewer samples than dimensions at every node; with one each, also altogether."""
    problem = composite("least_squares", samples=samples)
    other = Lasso(alpha=0.15, fit_intercept=False, tol=1e-15, max_iter=100_000).fit(*flat(samples))
    assert_allclose(problem.x_star, other.coef_, atol=1e-9)
    with pytest.raises(InputError, match="make mu = 0"):
        _ = problem.mu


def test_suboptimality_is_the_difference_of_values():
    problem = composite()
    x = problem.x_star + 0.1 * np.arange(DIMENSION)

    def whole(x):
        values = [problem.value(i, x) for i in range(NODES)]
        return np.mean(values) + 0.3 * np.abs(x).sum()

    assert problem.suboptimality(x) == pytest.approx(whole(x) - whole(problem.x_star), rel=1e-12)
    assert problem.suboptimality(problem.x_star) == 0


def test_suboptimality_keeps_its_digits_where_values_cancel():
    problem = composite()
    active = np.where(problem.x_star != 0, 1.0, 0.0)
    scaled = [problem.suboptimality(problem.x_star + h * active) / h**2 for h in (1e-3, 1e-6)]
    assert scaled[1] == pytest.approx(scaled[0], rel=1e-3)


def test_the_prox_of_every_node_is_that_of_the_operator():
    problem = composite()
    X = np.random.default_rng(1).standard_normal((NODES, DIMENSION))
    steps = np.linspace(0.1, 2.0, NODES)
    expected = np.array([soft(x, a) for x, a in zip(X, steps, strict=True)])
    assert_array_equal(prox_of_rows(problem.objective, X, steps), expected)
    assert_array_equal(prox_of_rows(problem.smooth.objective, X, steps), X)


@pytest.mark.parametrize("smooth", ["compiled", "python"])
def test_a_callable_gives_the_same_bits_as_the_built_in(smooth):
    problem = composite()
    inner = problem.smooth
    if smooth == "python":
        nodes = [_Node(inner, i) for i in range(NODES)]
        inner = Problem.from_objectives(nodes, inner.mu, inner.L, DIMENSION)
    other = inner.with_local_step(from_callable(soft, DIMENSION, convex=True))
    assert_allclose(other.x_star, problem.x_star, atol=1e-13)
    X = np.random.default_rng(1).standard_normal((NODES, DIMENSION))
    assert_array_equal(other.gradients(X), problem.gradients(X))
    assert_array_equal(other.conjugate_gradients(X), problem.conjugate_gradients(X))
    assert_array_equal(
        prox_of_rows(other.objective, X, 0.7), prox_of_rows(problem.objective, X, 0.7)
    )


class _Node:
    def __init__(self, problem, i):
        self.problem, self.i = problem, i

    def value(self, x):
        return self.problem.value(self.i, x)

    def gradient(self, x):
        return self.problem.gradient(self.i, x)

    def conjugate_gradient(self, y):
        return self.problem.conjugate_gradient(self.i, y)


def test_an_operator_that_is_not_exact_moves_the_fixed_point_with_the_step():
    def denoiser(v, step):
        return soft(v, 0.5)  # whatever the step

    smooth = composite().smooth
    problem = smooth.with_local_step(from_callable(denoiser, DIMENSION, exact=False))
    for step in (0.05, 0.1):
        x = problem.with_step(step).x_star
        moved = denoiser(x - step * smooth.gradients(np.tile(x, (NODES, 1))).mean(axis=0), step)
        assert_allclose(moved, x, atol=1e-11)
        # As a prox at this step, the denoiser belongs to a lasso of strength 0.15/step.
        exact = smooth.with_local_step(make("l1", DIMENSION, strength=0.15 / step))
        assert_allclose(x, exact.x_star, atol=1e-9)
    assert np.abs(problem.with_step(0.05).x_star - problem.with_step(0.1).x_star).max() > 0.01
    assert problem.with_step(None) is problem
    moved = problem.relabelled(np.arange(NODES)[::-1])
    assert_allclose(moved.with_step(0.1).x_star, problem.with_step(0.1).x_star, atol=1e-11)
    exact = composite()
    assert exact.with_step(0.1) is exact


def test_a_denoiser_in_single_precision_has_a_fixed_point_too():
    smooth = composite().smooth
    single = from_callable(lambda v, step: soft(v, 0.5).astype(np.float32), DIMENSION, exact=False)
    double = from_callable(lambda v, step: soft(v, 0.5), DIMENSION, exact=False)
    found = smooth.with_local_step(single).x_star
    assert_allclose(found, smooth.with_local_step(double).x_star, atol=1e-6)


def test_the_search_for_a_fixed_point_that_there_is_not_ends():
    """-sign(x - grad/L) is opposite to x in some entry, whatever x."""
    asked = []

    def opposite(v, step):
        asked.append(step)
        return np.where(v > 0, -10.0, 10.0)

    restless = from_callable(opposite, DIMENSION, exact=False)
    with pytest.raises(InputError, match=r"not found to 1e-05, only to .*settles: false"):
        _ = composite().smooth.with_local_step(restless).x_star
    assert len(asked) < 400  # each may be a pass through a network


def test_a_smooth_problem_has_no_frank_wolfe_gap():
    with pytest.raises(InputError, match="the problem has no set"):
        composite().smooth.frank_wolfe_gap(np.zeros(DIMENSION))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("l0", {"strength": 1.0}), ("k_sparse", {"k": 3}), ("mcp", {"strength": 0.3})],
)
def test_x_star_of_a_term_that_is_not_convex_is_a_good_fixed_point(kind, options):
    smooth = composite().smooth
    term = make(kind, DIMENSION, **options)
    x = smooth.with_local_step(term).x_star
    mean = smooth.gradients(np.tile(x, (NODES, 1))).mean(axis=0)
    assert_allclose(term.prox(x - mean / smooth.L, 1 / smooth.L), x, atol=1e-10)
    assert np.flatnonzero(x).tolist() == [0, 1, 2]  # those of the signal
    # For l0 also 0 is one, where the iteration from 0 stays: a first step gains less than it costs.
    slope = smooth.gradients(np.zeros((NODES, DIMENSION))).mean(axis=0)
    assert term.prox(-slope / smooth.L, 1 / smooth.L).any() == (kind != "l0")


def test_an_x_star_that_is_not_unique_is_refused():
    A, b = rows(2)
    A[:, :, 5] = A[:, :, 0]  # two columns share one coefficient in any way
    smooth = Problem.from_arrays(A, b, "least_squares")
    with pytest.raises(InputError, match="x\\* of the composite problem is not unique"):
        _ = smooth.with_local_step(make("l1", DIMENSION, strength=0.3)).x_star
    decided = smooth.with_local_step(make("elastic_net", DIMENSION, strength=0.3, l2=0.1))
    assert decided.x_star[0] == pytest.approx(decided.x_star[5])


@pytest.mark.parametrize("scale", [1.0, 1e-6])
@pytest.mark.parametrize("kind", ["box", "l2_ball"])
def test_of_a_set_that_does_not_bind_too_whatever_the_seed_of_the_data(kind, scale):
    """More unknowns than rows, drawn by seed 0 like so many data."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 2, DIMENSION))
    b = scale * A[..., :3].sum(axis=-1)
    smooth = Problem.from_arrays(A, b, "least_squares")
    options = {"lower": -10.0, "upper": 10.0} if kind == "box" else {"radius": 10.0}
    with pytest.raises(InputError, match="is not unique, for F is flat"):
        _ = smooth.with_local_step(make(kind, DIMENSION, **options)).x_star


@pytest.mark.slow
def test_an_ill_conditioned_x_star_is_not_called_one_of_many():
    """60 rows of full rank, but fewer at each node than dimensions."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((10, 6, 8)) * np.logspace(0, -4, 8)
    b = A @ np.ones(8) + 0.1 * rng.standard_normal((10, 6))
    problem = Problem.from_arrays(A, b, "least_squares").with_local_step(
        make("l2_ball", 8, radius=1e9)
    )
    with pytest.raises(InputError, match=r"is known only to \S+, F is too ill-conditioned"):
        _ = problem.x_star


def test_x_star_where_no_gradient_sets_the_scale():
    nowhere = Problem.averaging(np.zeros((3, 4)))
    assert_allclose(nowhere.with_local_step(make("simplex", 4)).x_star, 0.25, atol=1e-12)


def test_x_star_is_as_near_where_f_is_ill_conditioned():
    """Relative to the solution of the optimality system on the support: mu = 1e-5."""
    A, b = rows(1)
    strength, mu = 0.02, 1e-5
    problem = Problem.from_arrays(A, b, "ridge", mu=mu).with_local_step(
        make("l1", DIMENSION, strength=strength)
    )
    x = problem.x_star
    on = np.flatnonzero(x)
    A, b = A.reshape(-1, DIMENSION), b.ravel()
    H = 2 / len(b) * A.T @ A + mu * np.eye(DIMENSION)
    right = 2 / len(b) * A.T @ b - strength * np.sign(x)
    exact = np.linalg.solve(H[np.ix_(on, on)], right[on])
    assert np.linalg.norm(x[on] - exact) <= 1e-10 * np.linalg.norm(exact)


def test_relabelling_keeps_x_star():
    problem = composite()
    moved = problem.relabelled(np.arange(NODES)[::-1])
    assert_array_equal(moved.x_star, problem.x_star)
    assert_array_equal(
        moved.gradient(0, np.ones(DIMENSION)), problem.gradient(5, np.ones(DIMENSION))
    )


def test_what_cannot_be_said():
    smooth = small_problem(4)
    with pytest.raises(InputError, match="made for dimension 5, but that of the problem is 3"):
        smooth.with_local_step(make("l1", 5, strength=1.0))
    expansive = from_callable(lambda v, step: 30 * v + 1, 3)
    with pytest.raises(InputError, match="x\\* of the composite problem was not found to 1e-10"):
        _ = smooth.with_local_step(expansive).x_star
    with pytest.raises(InputError, match="a LocalStep is needed, not a function"):
        smooth.with_local_step(lambda v, step: v)
    with pytest.raises(InputError, match="answers zeros with shape"):
        from_callable(lambda v, step: v[:2], 3)
    unsteady = from_callable(lambda v, step: v if step == 1 else v[:2], 3)
    with pytest.raises(InputError, match=r"answers with shape \(2,\); \(3,\) is needed"):
        unsteady.prox(np.ones(3), 0.5)


def test_smooth_problems_without_a_unique_optimum_say_so():
    A, b = rows(1)
    problem = Problem.from_arrays(A, b, "least_squares")
    assert problem.L > 0
    with pytest.raises(InputError, match="columns are linearly dependent, so that x"):
        _ = problem.x_star
    H = np.zeros((2, 2, 2))
    H[:, 0, 0] = 1.0
    with pytest.raises(InputError, match="x\\* is not unique"):
        _ = Problem.quadratic(H, np.ones((2, 2))).x_star
    with pytest.raises(InputError, match="H of node 1: has a negative eigenvalue"):
        _ = Problem.quadratic(np.array([[[1.0]], [[-1.0]]]), np.ones((2, 1))).L
