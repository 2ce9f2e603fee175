"""The proxes of what is not convex, at every step, against enumeration and fine grids."""

from itertools import combinations

import numpy as np
import pytest

from dadao_sim.local_steps.terms import make

# Steps on both sides of where scad's and mcp's objectives stop being convex, and exactly there.
STEPS = (0.1, 1.0, 1.3, 1.5, 1.6, 2.4, 2.7, 2.9, 3.0, 3.1, 4.6, 4.7, 4.8, 8.0, 30.0)
GRID = np.linspace(0, 12, 120_001)
SHAPES = {
    "scad": ({"a": 3.7}, {"a": 2.5}, {"a": 2.6}),
    "mcp": ({"gamma": 3.0}, {"gamma": 1.5}, {"gamma": 1.3}),
    "l0": ({},),
}


def penalty(kind, strength, shape):
    """p on the GRID, from its derivative in the paper, by the trapezoidal rule."""
    if kind == "l0":
        return strength * (GRID > 0)
    if kind == "mcp":
        slope = np.maximum(strength - GRID / shape["gamma"], 0)
    else:
        a = shape["a"]
        tail = np.maximum(a * strength - GRID, 0) / (a - 1)
        slope = np.where(GRID <= strength, strength, tail)
    steps = np.diff(GRID) * (slope[1:] + slope[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])


@pytest.mark.parametrize("kind", SHAPES)
def test_scalar_terms_against_a_grid(kind):
    rng = np.random.default_rng(0)
    for shape in SHAPES[kind]:
        for strength in (0.3, 1.0):
            p = penalty(kind, strength, shape)
            local_step = make(kind, 1, strength=strength, **shape)
            for k in rng.integers(0, len(GRID), 20):
                expected = local_step.value([-GRID[k]])
                assert expected == pytest.approx(p[k], abs=1e-7)
            for step in STEPS:
                for v in rng.uniform(0, 8, 6):
                    objective = step * p + (GRID - v) ** 2 / 2
                    best = objective.argmin()
                    (x,) = local_step.prox([-v], step)
                    assert x <= 0
                    reached = step * local_step.value([x]) + (x + v) ** 2 / 2
                    assert reached <= objective[best] + 1e-7
                    # Elsewhere than the grid's best only where both are as good.
                    far = abs(-x - GRID[best]) > 0.02
                    assert not far or objective[best] >= reached - 1e-7


def test_the_textbook_threshold_is_wrong_at_long_steps():
    """ "0 up to step strength", right for step < gamma, misses the minimum by far above it."""
    local_step, step, v = make("mcp", 1, strength=1.0, gamma=3.0), 6.0, 4.5

    def objective(x):
        return step * local_step.value([x]) + (x - v) ** 2 / 2

    (x,) = local_step.prox([v], step)
    textbook = 0.0  # since v <= step strength
    assert objective(x) < objective(textbook) - 1


@pytest.mark.parametrize("kind", SHAPES)
def test_they_jump_where_both_sides_are_as_good(kind):
    v = np.linspace(0, 12, 60_001)
    jumps = 0
    for shape in SHAPES[kind]:
        local_step = make(kind, len(v), strength=1.0, **shape)
        alone = make(kind, 1, strength=1.0, **shape)
        for step in STEPS:
            x = local_step.prox(v, step)
            k = np.diff(x).argmax()
            if x[k + 1] - x[k] > 0.1:
                jumps += 1
                one, other = (step * alone.value([y]) + (y - v[k]) ** 2 / 2 for y in x[k : k + 2])
                assert one == pytest.approx(other, abs=5e-3)
    assert jumps >= len(STEPS) - 2


@pytest.mark.parametrize("kind", ["scad", "mcp"])
def test_at_short_steps_they_are_continuous_and_at_long_ones_they_jump(kind):
    local_step = make(kind, 4001, strength=1.0)
    v = np.linspace(0, 10, 4001)
    limit = 2.7 if kind == "scad" else 3.0
    spacing = v[1]
    assert np.diff(local_step.prox(v, 0.9 * limit)).max() < 15 * spacing
    assert np.diff(local_step.prox(v, 1.5 * limit)).max() > 1.0
    assert np.diff(local_step.prox(v, 5 * limit)).max() > 3.0


def subsets(d, most):
    return [set(chosen) for size in range(most + 1) for chosen in combinations(range(d), size)]


def test_l0_and_k_sparse_against_all_supports():
    rng = np.random.default_rng(1)
    for _ in range(50):
        d, strength, step = int(rng.integers(1, 9)), rng.uniform(0.1, 2), rng.uniform(0.1, 4)
        k, v = int(rng.integers(1, d + 1)), 2 * rng.standard_normal(d)

        def best(cost, most, v=v, d=d):
            def objective(kept):
                return cost * len(kept) + sum(v[j] ** 2 / 2 for j in range(d) if j not in kept)

            kept = min(subsets(d, most), key=objective)
            return [v[j] if j in kept else 0.0 for j in range(d)]

        l0 = make("l0", d, strength=strength)
        assert l0.prox(v, step).tolist() == best(step * strength, d)
        k_sparse = make("k_sparse", d, k=k)
        assert k_sparse.prox(v, step).tolist() == best(0.0, k)
        assert k_sparse.value(k_sparse.prox(v, step)) == 0.0
        assert k_sparse.value(v) == (0.0 if k == d else np.inf)


def test_k_sparse_against_sorting_on_long_vectors_with_ties():
    rng = np.random.default_rng(2)
    for _ in range(300):
        d = int(rng.integers(1, 200))
        k = int(rng.integers(1, d + 1))
        v = rng.integers(-6, 7, d) * 0.5 if rng.random() < 0.5 else rng.standard_normal(d)
        kept = np.argsort(-np.abs(v), stable=True)[:k]
        expected = np.zeros(d)
        expected[kept] = v[kept]
        np.testing.assert_array_equal(make("k_sparse", d, k=k).prox(v, 0.3), expected)


def test_k_sparse_takes_linear_time_on_sorted_and_constant_vectors():
    """Where a careless quickselect is quadratic: it would take minutes."""
    d = 300_000
    local_step = make("k_sparse", d, k=d // 3)
    for v in (np.arange(d, 0.0, -1), np.arange(1.0, d + 1), np.ones(d), np.arange(d) % 2 + 1.0):
        assert np.count_nonzero(local_step.prox(v, 1.0)) == d // 3


def test_ties_give_the_smallest_and_the_first():
    assert make("l0", 1, strength=0.5).prox([1.0], 1.0) == [0.0]  # 1^2/2 = step strength
    assert make("mcp", 1, strength=1.0, gamma=2.0).prox([4.0], 8.0) == [0.0]  # sqrt(16)
    assert make("scad", 1, strength=1.0, a=3.0).prox([4.0], 4.0) == [0.0]  # sqrt(4 (3 + 1))
    tied = make("k_sparse", 4, k=2).prox([1.0, -1.0, 1.0, 1.0], 1.0)
    np.testing.assert_array_equal(tied, [1.0, -1.0, 0.0, 0.0])


def test_rank_one_against_all_directions():
    """The best rank 1 of a matrix of 2 columns is X w w^T, w on the half circle."""
    angles = np.linspace(0, np.pi, 20_001)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rng = np.random.default_rng(3)
    for _ in range(20):
        rows = int(rng.integers(2, 6))
        X = rng.standard_normal((rows, 2))
        errors = (X**2).sum() - ((X @ directions.T) ** 2).sum(axis=0)
        local_step = make("rank", 2 * rows, k=1, shape=[rows, 2])
        projected = local_step.prox(X.ravel(), 0.7)
        assert np.linalg.matrix_rank(projected.reshape(rows, 2)) == 1
        error = ((projected - X.ravel()) ** 2).sum()
        assert error <= errors.min() + 1e-12
        assert error >= errors.min() - 1e-6
        assert local_step.value(projected) == 0.0
        assert local_step.value(X.ravel()) == np.inf
    full = make("rank", 6, k=2, shape=[3, 2])
    np.testing.assert_allclose(full.prox(np.arange(6.0), 1.0), np.arange(6.0), atol=1e-14)
