"""Every convex prox against a conic solver, its conjugate and the inequality that proxes obey."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_cases import (
    CONVEX,
    MATRIX_BALLS,
    NOT_CONVEX,
    case,
    conjugate,
    definition,
    options,
    solve,
)

from dadao_sim.local_steps.terms import TERMS, make

INPUTS = 50


def test_every_term_has_a_case_and_says_whether_it_is_convex():
    rng = np.random.default_rng(0)
    for kind in TERMS:
        local_step, *_ = case(kind, rng)
        assert local_step.convex == (kind in CONVEX)
        assert (local_step.kind, local_step.exact, local_step.has_value) == (kind, True, True)
        python = ("nuclear", "rank", "schatten", *MATRIX_BALLS)
        assert local_step.compiled == (kind not in python)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONVEX)
def test_the_prox_is_that_of_a_conic_solver(kind):
    rng = np.random.default_rng(1)
    objective, constraints, cases, unknowns = 0, [], [], []
    for _ in range(INPUTS):
        local_step, chosen, v, step = case(kind, rng)
        x = cp.Variable(local_step.dimension)
        term, domain = definition(kind, x, chosen)
        objective += step * term + cp.sum_squares(x - v) / 2
        constraints += domain
        cases.append((local_step, v, step))
        unknowns.append(x)
    solve(objective, constraints)
    for (local_step, v, step), x in zip(cases, unknowns, strict=True):
        np.testing.assert_allclose(local_step.prox(v, step), x.value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", CONVEX)
def test_the_value_is_that_of_the_definition(kind):
    rng = np.random.default_rng(2)
    for _ in range(10):
        local_step, chosen, v, step = case(kind, rng)
        point = local_step.prox(v, step)  # in the domain
        term, domain = definition(kind, cp.Constant(point), chosen)
        if kind == "wgsef":
            expected = solve(term, domain)
        elif domain:
            assert local_step.value(v) == (0.0 if np.allclose(v, point, atol=1e-9) else np.inf)
            expected = 0.0
        else:
            expected = term.value
        assert local_step.value(point) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("kind", CONVEX)
def test_what_the_prox_moves_is_a_subgradient(kind):
    """Moreau, without the conjugate: r(w) >= r(p) + <q, w - p> with q = (v - p)/step, for all w."""
    rng = np.random.default_rng(7)
    slack = 1e-9 if kind == "tv_2d" else 1e-11
    for _ in range(INPUTS):
        local_step, _, v, step = case(kind, rng)
        p = local_step.prox(v, step)
        q = (v - p) / step
        for w in rng.standard_normal((5, v.size)) * 2:
            for point in (w, local_step.prox(w, step)):  # the latter is in the domain
                bound = local_step.value(p) + q @ (point - p)
                scale = 1 + abs(local_step.value(p)) + np.linalg.norm(q) * np.linalg.norm(point - p)
                assert local_step.value(point) >= bound - slack * scale


@pytest.mark.parametrize("kind", TERMS)
def test_no_other_point_is_better_than_the_prox(kind):
    rng = np.random.default_rng(8)
    for _ in range(INPUTS):
        local_step, _, v, step = case(kind, rng)

        def objective(x, local_step=local_step, v=v, step=step):
            return step * local_step.value(x) + (x - v) @ (x - v) / 2

        p = local_step.prox(v, step)
        others = [
            *(p + size * rng.standard_normal(v.size) for size in (1e-3, 0.1, 1.0)),
            *(local_step.prox(v + w, step) for w in rng.standard_normal((3, v.size))),
            *(v, np.zeros(v.size)),
        ]
        assert objective(p) <= min(map(objective, others)) * (1 + 1e-12) + 1e-12


@pytest.mark.parametrize("kind", [kind for kind in CONVEX if not kind.startswith("tv")])
def test_moreau(kind):
    """v = p + step q, p the prox of r at ``step`` and q that of r* at 1/step: exactly when p and q
    attain Fenchel-Young.
    """
    rng = np.random.default_rng(3)
    for _ in range(INPUTS):
        local_step, chosen, v, step = case(kind, rng)
        p = local_step.prox(v, step)
        q = (v - p) / step
        gap = local_step.value(p) + conjugate(kind, q, chosen) - p @ q
        assert abs(gap) <= 1e-11 * (1 + np.linalg.norm(p) * np.linalg.norm(q))


def test_moreau_between_two_kinds():
    rng = np.random.default_rng(4)
    for _ in range(INPUTS):
        d, step = int(rng.integers(1, 10)), float(rng.uniform(0.1, 3))
        v, strength = 2 * rng.standard_normal(d), float(rng.uniform(0.1, 2))
        for one, dual in (
            (make("l1", d, strength=strength), make("box", d, lower=-strength, upper=strength)),
            (
                make("group_l2", d, strength=strength, groups=d, weights=[1.0]),
                make("l2_ball", d, radius=strength),
            ),
        ):
            both = one.prox(v, step) + step * dual.prox(v / step, 1 / step)
            np.testing.assert_allclose(both, v, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("scale", [2.0**600, 2.0**-600])
def test_norms_whose_squares_leave_the_range_of_floats(scale):
    """Of vectors: sizes of terms are bounded."""
    rng = np.random.default_rng(6)
    huge = scale > 1
    for _ in range(INPUTS):
        v, size = 2 * rng.standard_normal(6), float(rng.uniform(0.1, 2))
        ball = make("l2_ball", 6, radius=size)
        on_ball = size * v / np.linalg.norm(v)
        np.testing.assert_allclose(
            ball.prox(scale * v, 0.7), on_ball if huge else scale * v, rtol=1e-13
        )
        assert ball.value(scale * v) == (np.inf if huge else 0.0)
        groups = make("group_l2", 6, strength=size, groups=2)
        np.testing.assert_allclose(
            groups.prox(scale * v, 0.7) / scale, v if huge else np.zeros(6), rtol=1e-13
        )
        assert groups.value(scale * v) / scale == pytest.approx(groups.value(v), rel=1e-14)
        one = make("wgsef", 6, strength=size, groups=2, k=2)
        found = one.prox(scale * v, 0.7) / scale
        np.testing.assert_allclose(found, one.prox(v, 0.7), rtol=1e-13, atol=1e-15)


finite = st.floats(-100, 100, allow_subnormal=False)
points = st.lists(finite, min_size=6, max_size=6).map(np.array)


def firmness(local_step, v, w, step):
    """<p - q, v - w> - ||p - q||^2, with p and q the proxes of v and w: never negative if r is
    convex.
    """
    difference = local_step.prox(v, step) - local_step.prox(w, step)
    return difference @ (v - w) - difference @ difference


@pytest.mark.parametrize("kind", CONVEX)
@settings(max_examples=60, deadline=None)
@given(v=points, w=points, step=st.floats(1e-3, 100), seed=st.integers(0, 3))
def test_firmly_nonexpansive(kind, v, w, step, seed):
    chosen = options(kind, np.random.default_rng(seed), 6, (2, 3))
    slack = 1e-9 if kind == "tv_2d" else 1e-11  # the former iterates to 1e-12 of the largest |v|
    local_step = make(kind, 6, **chosen)
    assert firmness(local_step, v, w, step) >= -slack * (1 + v @ v + w @ w)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOT_CONVEX)
def test_what_is_not_convex_is_not_firmly_nonexpansive(kind):
    rng = np.random.default_rng(5)
    chosen = options(kind, rng, 6, (2, 3)) | ({"k": 1} if kind in ("k_sparse", "rank") else {})
    local_step = make(kind, 6, **chosen)
    pairs = rng.standard_normal((300, 2, 6)) * 3
    assert min(firmness(local_step, v, v + 0.1 * w, 1.0) for v, w in pairs) < -1e-3


def test_the_simplex_ends_where_a_coordinate_lies_on_the_threshold():
    """By rounding, this one is above it, below it, and above it again."""
    v = [-0.3208380567362955, -0.09703414072017486, -0.10663404583973529]
    v += [-0.11966244291575351, -0.21457943717256203, -0.3717496246769042]
    x = make("simplex", 6).prox(v, 1.0)
    np.testing.assert_allclose(x, np.array(v) - v[-1], rtol=0, atol=1e-15)
