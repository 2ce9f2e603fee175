"""The weighted group sparse envelope function: conic forms, duality, special cases, hard scales."""

import cvxpy as cp
import numpy as np
import pytest
from operator_cases import blocks, case, conjugate, definition, solve

from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import make, wgsef


def by_bisection(v, groups, d, k, weight):
    """The prox by bisection on log eta, with dense sums: no breakpoints."""
    norms = np.array([np.linalg.norm(part) for part in blocks(v, groups)])

    def shares(eta):
        return np.clip(np.sqrt(weight * d) * norms * eta - weight * d, 0, 1)

    u = np.ones(len(d))
    if np.count_nonzero(norms) > k:
        low, high = -700.0, 700.0
        for _ in range(2000):
            middle = (low + high) / 2
            low, high = (middle, high) if shares(np.exp(middle)).sum() < k else (low, middle)
        u = shares(np.exp(high))
    return np.repeat(u / (u + weight * d), groups) * v


def test_the_prox_and_the_value_are_those_of_the_conic_form():
    rng = np.random.default_rng(0)
    for _ in range(15):
        local_step, chosen, v, step = case("wgsef", rng)
        x = cp.Variable(len(v))
        term, domain = definition("wgsef", x, chosen)
        solve(step * term + cp.sum_squares(x - v) / 2, domain)
        np.testing.assert_allclose(local_step.prox(v, step), x.value, rtol=0, atol=5e-5)
        term, domain = definition("wgsef", cp.Constant(v), chosen)
        assert local_step.value(v) == pytest.approx(solve(term, domain), rel=1e-6)


@pytest.mark.parametrize("spread", [0.0, 3.0, 8.0])
def test_the_prox_against_bisection_over_many_scales(spread):
    rng = np.random.default_rng(1)
    for _ in range(40):
        m = int(rng.integers(1, 60))
        groups = rng.integers(1, 4, m)
        v = np.repeat(10.0 ** rng.uniform(-spread, spread, m), groups)
        v *= rng.standard_normal(v.size) * (rng.random(v.size) < 0.9)
        d = 10.0 ** rng.uniform(-spread / 2, spread / 2, m)
        k, step = int(rng.integers(1, m + 1)), float(10 ** rng.uniform(-2, 2))
        local_step = make(
            "wgsef", v.size, strength=0.7, k=k, groups=groups.tolist(), weights=d.tolist()
        )
        expected = by_bisection(v, groups, d, k, step * 0.7)
        np.testing.assert_allclose(local_step.prox(v, step), expected, rtol=1e-9, atol=1e-13)


def test_fenchel_young_holds_with_equality_where_it_should():
    rng = np.random.default_rng(2)
    for _ in range(100):
        local_step, chosen, y, step = case("wgsef", rng)
        x = wgsef.conjugate_argmax(local_step, y)
        r_star = wgsef.conjugate(local_step, y)
        assert r_star == pytest.approx(conjugate("wgsef", y, chosen), rel=1e-12)
        assert local_step.value(x) + r_star == pytest.approx(x @ y, rel=1e-12)
        # r is its own biconjugate: the subgradient of the prox attains it at p.
        p = local_step.prox(y, step)
        q = (y - p) / step
        assert local_step.value(p) + wgsef.conjugate(local_step, q) == pytest.approx(
            p @ q, rel=1e-11
        )
        other = rng.standard_normal(len(y))
        assert local_step.value(other) + r_star >= other @ y - 1e-12
    # A negative control: a random x does not attain it.
    assert local_step.value(other) + r_star > other @ y + 1e-3


def test_it_lies_below_the_sparse_function_and_touches_it_on_sparse_points():
    rng = np.random.default_rng(3)
    d = rng.uniform(0.5, 2, 6)
    local_step = make("wgsef", 12, strength=1.3, k=2, groups=2, weights=d)
    for active in range(7):
        x = rng.standard_normal((6, 2)) * (np.arange(6) < active)[:, None]
        sparse = 1.3 / 2 * (d * (x**2).sum(axis=1)).sum()
        if active <= 2:
            assert local_step.value(x.ravel()) == pytest.approx(sparse, rel=1e-14)
        else:
            assert local_step.value(x.ravel()) > sparse  # infinity there, for the function itself


def test_all_groups_allowed_is_ridge():
    rng = np.random.default_rng(4)
    v, d = rng.standard_normal(10), rng.uniform(0.2, 3, 5)
    ridge = make("wgsef", 10, strength=0.6, k=5, groups=2, weights=d)
    np.testing.assert_allclose(ridge.prox(v, 2.0), v / np.repeat(1 + 1.2 * d, 2), rtol=1e-15)
    assert ridge.value(v) == pytest.approx(0.3 * (np.repeat(d, 2) * v**2).sum(), rel=1e-14)
    one_group = make("wgsef", 10, strength=0.6, k=1, groups=10)
    np.testing.assert_allclose(one_group.prox(v, 2.0), v / 2.2, rtol=1e-15)


def test_one_coordinate_allowed_is_half_the_squared_l1_norm():
    rng = np.random.default_rng(5)
    for _ in range(30):
        m = int(rng.integers(2, 12))
        v, step = rng.standard_normal(m), float(rng.uniform(0.1, 3))
        local_step = make("wgsef", m, strength=1.0, k=1, groups=1)
        assert local_step.value(v) == pytest.approx(np.abs(v).sum() ** 2 / 2, rel=1e-13)
        # Its prox is a soft threshold at step ||p||_1.
        p = local_step.prox(v, step)
        threshold = step * np.abs(p).sum()
        np.testing.assert_allclose(p, np.sign(v) * np.maximum(np.abs(v) - threshold, 0), atol=1e-13)


def test_single_coordinates_are_half_the_squared_k_support_norm():
    """Argyriou, Foygel, Srebro 2012, Proposition 2.1."""
    rng = np.random.default_rng(6)
    for _ in range(50):
        m = int(rng.integers(2, 15))
        k = int(rng.integers(1, m + 1))
        x = rng.standard_normal(m)
        z = np.concatenate([[np.inf], np.sort(np.abs(x))[::-1]])
        (r,) = (r for r in range(k) if z[k - r - 1] > z[k - r :].sum() / (r + 1) >= z[k - r])
        squared = (z[1 : k - r] ** 2).sum() + z[k - r :].sum() ** 2 / (r + 1)
        local_step = make("wgsef", m, strength=2.0, k=k, groups=1)
        assert local_step.value(x) == pytest.approx(squared, rel=1e-13)


def test_equal_groups_share_alike_and_zeros_stay():
    local_step = make("wgsef", 6, strength=1.0, k=2, groups=1)
    p = local_step.prox([1.0, -1.0, 1.0, -1.0, 0.0, 0.0], 1.0)
    np.testing.assert_allclose(p, [1 / 3, -1 / 3, 1 / 3, -1 / 3, 0, 0], rtol=1e-15)
    np.testing.assert_array_equal(local_step.prox(np.zeros(6), 1.0), 0)
    assert local_step.value(np.zeros(6)) == 0.0


def test_the_conjugate_refuses_other_terms_and_shapes():
    with pytest.raises(InputError, match="local_step: is l1; one of kind wgsef is needed"):
        wgsef.conjugate(make("l1", 3, strength=1.0), np.zeros(3))
    with pytest.raises(InputError, match="is needed"):
        wgsef.conjugate_argmax(make("wgsef", 3, strength=1.0, k=1, groups=1), np.zeros(4))
