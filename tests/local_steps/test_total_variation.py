"""Total variation by certificates of optimality: exact on lines, to 1e-10 on images."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import block_array, csr_array, diags_array, eye_array, hstack, kron, vstack
from scipy.sparse.csgraph import connected_components

from dadao_sim.local_steps.terms import make


def noisy(rng, rows, columns):
    """A picture of rectangles, with noise."""
    image = np.zeros((rows, columns))
    image[rows // 6 : 2 * rows // 3, columns // 3 : 4 * columns // 5] += 1
    image[rows // 2 :, : columns // 2] += 0.5
    return image + 0.2 * rng.standard_normal((rows, columns))


def differences(rows, columns):
    """All differences between neighbours in a row, then in a column, as one sparse matrix."""

    def along(length):
        return diags_array([-1.0, 1.0], offsets=[0, 1], shape=(length - 1, length))

    return vstack(
        [kron(eye_array(rows), along(columns)), kron(along(rows), eye_array(columns))]
    ).tocsr()


@pytest.mark.parametrize("strength", [1e-3, 0.1, 1.0, 20.0, 1e4])
def test_lines_meet_the_optimality_conditions(strength):
    """(v - x)/weight = D^T u with |u| <= 1, and u = sign(D x) where D x is not 0."""
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 7, 50, 1000):
        local_step = make("tv_1d", length, strength=strength)
        for v in (
            rng.standard_normal(length),
            5 * np.sin(np.arange(length) / 9) + 0.3 * rng.standard_normal(length),
            rng.integers(-2, 3, length).astype(float),
            np.arange(length, dtype=float),
            np.zeros(length),
        ):
            x = local_step.prox(v, 0.5)
            u = -np.cumsum(v - x) / (0.5 * strength)
            slack = 1e-11 * (1 + np.abs(v).sum()) / strength + 1e-11
            assert abs(u[-1]) <= slack
            assert np.abs(u).max() <= 1 + slack
            jumps = np.diff(x)
            np.testing.assert_allclose(u[:-1][jumps != 0], np.sign(jumps[jumps != 0]), atol=slack)


def test_a_line_of_a_million_needs_no_more_than_linear_time():
    """Long ramps and plateaus: minutes, if any step looked back over all before it."""
    length = 1_000_000
    local_step = make("tv_1d", length, strength=1e6)
    ramp = np.linspace(0, 1, length)
    for v in (ramp, -(ramp**2), np.where(np.arange(length) % 2, 1.0, -1.0)):
        x = local_step.prox(v, 1.0)
        np.testing.assert_allclose(x.mean(), v.mean(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strength", [1e3, 1e6, 1e12, 1e16, 1e100])
@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (1, 100), (10, 10), (25, 40)])
def test_a_huge_weight_leaves_the_mean(rows, columns, strength):
    d = rows * columns
    v = 1 + np.random.default_rng(1).standard_normal(d)
    mean = math.fsum(v) / d
    for kind, shape in (("tv_1d", {}), ("tv_2d", {"shape": [rows, columns]})):
        x = make(kind, d, strength=strength, **shape).prox(v, 2.0)
        np.testing.assert_allclose(x, mean, rtol=1e-14)


def test_the_mean_of_a_long_line_keeps_its_digits():
    """A plain sum of these is 1e-11 off."""
    local_step = make("tv_1d", 1_000_000, strength=1e12)
    np.testing.assert_allclose(local_step.prox(np.full(1_000_000, 0.1), 1.0), 0.1, rtol=1e-15)


def test_a_line_is_flat_from_its_least_weight_on_and_not_before():
    rng = np.random.default_rng(6)
    for _ in range(50):
        d = int(rng.integers(2, 40))
        v = rng.standard_normal(d)
        least = np.abs(np.cumsum(v - v.mean())[:-1]).max()
        for share in (0.5, 0.9, 1 - 1e-6, 1 + 1e-6, 1.1, 2.0):
            x = make("tv_1d", d, strength=share * least).prox(v, 1.0)
            assert (np.ptp(x) <= 1e-13) == (share > 1)
            np.testing.assert_allclose(x.mean(), v.mean(), rtol=0, atol=1e-13)


def test_an_image_of_one_row_or_column_is_a_line():
    v = np.random.default_rng(2).standard_normal(9)
    line = make("tv_1d", 9, strength=0.4)
    for shape in ([1, 9], [9, 1]):
        image = make("tv_2d", 9, strength=0.4, shape=shape)
        np.testing.assert_allclose(image.prox(v, 1.0), line.prox(v, 1.0), rtol=0, atol=1e-12)
        assert image.value(v) == line.value(v)


def test_rows_and_columns_are_treated_alike():
    v = noisy(np.random.default_rng(3), 8, 5)
    x = make("tv_2d", 40, strength=0.2, shape=[8, 5]).prox(v.ravel(), 1.0)
    turned = make("tv_2d", 40, strength=0.2, shape=[5, 8]).prox(v.T.ravel(), 1.0)
    np.testing.assert_allclose(turned.reshape(5, 8).T.ravel(), x, rtol=0, atol=1e-11)


@pytest.mark.parametrize("strength", [0.03, 0.2, 0.6])
def test_an_image_has_a_dual_certificate(strength):
    """(v - x)/weight = D^T u with max |u| <= 1 (a linear programme), and <v - x, x> = weight TV(x):
    sufficient for optimality.
    """
    rows, columns = 12, 15
    v = noisy(np.random.default_rng(4), rows, columns).ravel()
    local_step = make("tv_2d", rows * columns, strength=strength, shape=[rows, columns])
    x = local_step.prox(v, 1.0)
    D = differences(rows, columns)
    edges = D.shape[0]
    assert (v - x) @ x == pytest.approx(local_step.value(x), rel=1e-10)
    bound = np.zeros(edges + 1)
    bound[-1] = 1
    ones = csr_array(np.ones((edges, 1)))
    least = linprog(
        bound,
        A_ub=block_array([[eye_array(edges), -ones], [-eye_array(edges), -ones]]),
        b_ub=np.zeros(2 * edges),
        A_eq=hstack([D.T, csr_array((rows * columns, 1))]),
        b_eq=(v - x) / strength,
        bounds=(None, None),
    )
    assert least.status == 0
    assert least.fun <= 1 + 1e-8


@pytest.mark.parametrize("strength", [0.03, 0.1, 0.3, 1.0])
def test_images_of_64_by_64_are_found_to_1e_10(strength):
    """On a region where x is flat the optimum is the mean of v plus weight/size times the signs of
    the jumps to its neighbours: exact, once the regions are right.
    """
    side, weight = 64, 0.8 * strength
    v = noisy(np.random.default_rng(5), side, side).ravel()
    local_step = make("tv_2d", side * side, strength=strength, shape=[side, side])
    x = local_step.prox(v, 0.8)
    D = differences(side, side)
    jumps = D @ x
    flat = np.abs(jumps) < 1e-8
    joined = D[flat]
    regions, label = connected_components(abs(joined.T) @ abs(joined), directed=False)
    pull = D.T @ np.where(flat, 0.0, np.sign(jumps))
    total = np.bincount(label, weights=v - weight * pull, minlength=regions)
    exact = (total / np.bincount(label, minlength=regions))[label]
    assert regions > 3
    np.testing.assert_allclose(x, exact, rtol=0, atol=1e-10)
