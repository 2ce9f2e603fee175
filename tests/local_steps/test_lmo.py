"""Linear minimisation oracles: values, feasibility, ties, scales, and Newton-Schulz iterations."""

import itertools
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from operator_cases import SETS, case, definition, norms_of, options, solve
from scipy.sparse.linalg import svds

from dadao_sim import make
from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps import LocalStep, from_callable
from dadao_sim.local_steps.terms import TERMS
from dadao_sim.local_steps.terms.newton_schulz import MUON, QUINTIC, newton_schulz

BALLS = tuple(kind for kind in SETS if kind not in ("box", "simplex"))
INPUTS = 30


def test_every_set_has_one_and_nothing_else_has():
    rng = np.random.default_rng(0)
    for kind in TERMS:
        local_step, *_ = case(kind, rng)
        assert local_step.has_lmo == (kind in SETS), kind
        if kind not in SETS:
            message = f"local_step: {kind} has no linear minimisation oracle"
            with pytest.raises(InputError, match=message):
                local_step.lmo(np.zeros(local_step.dimension))
            with pytest.raises(InputError, match=f"local_step: {kind} is no set"):
                local_step.distance(np.zeros(local_step.dimension))


@pytest.mark.parametrize("kind", SETS)
def test_the_value_is_that_of_a_conic_solver(kind):
    rng = np.random.default_rng(1)
    objective, constraints, cases = 0, [], []
    for _ in range(8):
        local_step, chosen, s, _ = case(kind, rng)
        x = cp.Variable(local_step.dimension)
        objective += s @ x
        constraints += definition(kind, x, chosen)[1]
        cases.append((local_step, s, x))
    solve(objective, constraints)
    for local_step, s, x in cases:
        assert s @ local_step.lmo(s) == pytest.approx(s @ x.value, abs=1e-6)


@pytest.mark.parametrize("kind", BALLS)
def test_the_value_is_minus_the_dual_norm_at_every_scale(kind):
    rng = np.random.default_rng(2)
    for _ in range(INPUTS):
        local_step, chosen, s, _ = case(kind, rng)
        for scale in (1e-200, 1e-8, 1.0, 1e8, 1e200):
            x = local_step.lmo(scale * s)
            radius, (norm, _) = chosen["radius"], norms_of(kind, x, chosen)
            assert s @ x == pytest.approx(-radius * norms_of(kind, s, chosen)[1], rel=1e-12)
            assert norm <= radius * (1 + 1e-12)
            assert local_step.value(x) == 0.0
            assert local_step.distance(x) <= 1e-12 * radius
        assert norms_of(kind, local_step.prox(100 * s, 1.0), chosen)[0] == pytest.approx(
            chosen["radius"], rel=1e-12
        )


@pytest.mark.parametrize("kind", SETS)
def test_it_is_zero_where_nothing_is_asked(kind):
    local_step, chosen, *_ = case(kind, np.random.default_rng(3))
    zero = np.zeros(local_step.dimension)
    found = local_step.lmo(zero)
    assert local_step.value(found) == 0.0
    if kind in BALLS:
        np.testing.assert_array_equal(found, zero)
    elif kind == "box":
        np.testing.assert_array_equal(found, np.clip(0.0, chosen["lower"], chosen["upper"]))
    else:
        np.testing.assert_array_equal(found, chosen["total"] * np.eye(zero.size)[0])


@pytest.mark.parametrize("kind", SETS)
def test_what_diverged_stays_seen(kind):
    local_step, *_ = case(kind, np.random.default_rng(4))
    for bad in (np.nan, np.inf):
        for others in (0.0, 1.0):
            s = np.full(local_step.dimension, others)
            s[-1] = bad
            assert np.isnan(local_step.lmo(s)).any(), (bad, others)


def test_of_several_it_is_the_first():
    s = np.array([-2.0, 2.0, -2.0, 1.0])
    np.testing.assert_array_equal(make("l1_ball", 4, radius=3.0).lmo(s), [3, 0, 0, 0])
    np.testing.assert_array_equal(make("simplex", 4).lmo(s), [1, 0, 0, 0])
    pairs = make("group_ball", 4, radius=2.0, groups=[1, 1, 1, 1])
    np.testing.assert_array_equal(pairs.lmo(s), [2, 0, 0, 0])
    value = make("nuclear_ball", 4, radius=1.0, shape=[2, 2]).lmo(np.array([1.0, 0, 0, 1])) @ [
        *(1, 0, 0, 1)
    ]
    assert value == pytest.approx(-1.0, rel=1e-12)  # one of equal singular values


def test_compiled_equals_plain_python():
    rng = np.random.default_rng(5)
    for kind in SETS:
        local_step, _, s, _ = case(kind, rng)
        S = np.stack([s, -s, 2 * s, 0 * s])
        found = np.empty((2, 2, s.size))
        operators.all_lmo(local_step.operator, S.reshape(2, 2, -1), found)
        for row, expected in zip(found.reshape(4, -1), map(local_step.lmo, S), strict=True):
            np.testing.assert_array_equal(row, expected)


def test_a_box_with_an_infinite_bound_has_none():
    half = make("box", 3, lower=0.0)
    assert not half.has_lmo
    message = "local_step: box with an infinite bound has no linear minimisation oracle"
    with pytest.raises(InputError, match=message):
        half.lmo(np.ones(3))
    assert half.distance([3.0, -3.0, -4.0]) == 5.0  # which needs no bound
    assert make("box", 3, lower=[0.0, 1.0, 2.0], upper=3.0).has_lmo


@pytest.mark.parametrize("shape", [(100, 120), (130, 100)])
def test_one_pair_of_a_large_matrix_is_that_of_all_and_of_scipy(shape):
    S = np.random.default_rng(6).standard_normal(shape)
    ball = make("nuclear_ball", S.size, radius=2.0, shape=list(shape))
    x = ball.lmo(S.ravel())
    assert S.ravel() @ x == pytest.approx(-2 * np.linalg.norm(S, 2), rel=1e-12)
    np.testing.assert_array_equal(ball.lmo(S.ravel()), x)
    u, (value,), v = svds(S, k=1, random_state=1)
    assert S.ravel() @ x == pytest.approx(-2 * value, rel=1e-10)
    np.testing.assert_allclose(x.reshape(shape), -2 * u @ v, atol=1e-6)
    tiny = ball.lmo(1e-160 * S.ravel())
    np.testing.assert_allclose(tiny, x, atol=1e-9)


def with_condition(rng, condition, shape=(20, 12)):
    """A matrix with its U V^T."""
    u = np.linalg.qr(rng.standard_normal(shape))[0]
    v = np.linalg.qr(rng.standard_normal((shape[1],) * 2))[0]
    return u @ np.diag(np.geomspace(1, 1 / condition, shape[1])) @ v.T, u @ v.T


def spectral(**keys):
    return make("spectral_ball", 240, radius=1.0, shape=[20, 12], **keys)


@pytest.mark.parametrize("condition", [1, 10, 100])
def test_newton_schulz_converges(condition):
    for seed in range(5):
        G, polar = with_condition(np.random.default_rng(seed), condition)
        for S, wanted, shape in ((G, polar, [20, 12]), (G.T, polar.T, [12, 20])):
            ball = make("spectral_ball", 240, radius=1.0, shape=shape, lmo="newton_schulz")
            found = ball.lmo(1e-9 * S.ravel()).reshape(shape)
            assert np.linalg.norm(found + wanted, 2) <= 1e-12
            exact = make("spectral_ball", 240, radius=1.0, shape=shape).lmo(S.ravel())
            np.testing.assert_allclose(ball.lmo(S.ravel(), exact=True), exact, rtol=0, atol=0)


def test_twelve_steps_may_begin_with_five_of_muon_and_cubic_ones_are_too_few():
    G, polar = with_condition(np.random.default_rng(0), 100)
    size = np.linalg.norm(G)
    mixed = newton_schulz(G, [MUON] * 5 + [QUINTIC] * 7, size)
    assert np.linalg.norm(mixed - polar, 2) <= 1e-12
    assert np.linalg.norm(newton_schulz(G, [(1.5, -0.5, 0.0)] * 12, size) - polar, 2) > 0.01
    assert np.linalg.norm(newton_schulz(G, [MUON] * 30, size) - polar, 2) > 0.1


@pytest.mark.parametrize(("least", "low", "high"), [(0.01, 0.682, 1.134), (0.001, 0.471, 1.202)])
def test_where_the_singular_values_of_muon_end(least, low, high):
    given = np.diag(np.geomspace(least, 1, 500))
    found = np.diag(newton_schulz(given, [MUON] * 5, 1.0))
    assert (found.min(), found.max()) == pytest.approx((low, high), abs=2e-3)


def test_it_stays_in_the_ball_however_few_its_steps_and_muon_does_not():
    rng = np.random.default_rng(7)
    for _ in range(20):
        G, polar = with_condition(rng, 10 ** rng.uniform(0, 4))
        for steps in (1, 2, 3, 5, 12, 30):
            x = spectral(lmo="newton_schulz", steps=steps).lmo(G.ravel())
            assert np.linalg.norm(x.reshape(20, 12), 2) <= 1 + 1e-12
        assert np.linalg.norm(x.reshape(20, 12) + polar, 2) <= 1e-10  # after 30
    G, _ = with_condition(rng, 30)
    values = np.linalg.svd(spectral(lmo="muon").lmo(G.ravel()).reshape(20, 12), compute_uv=False)
    assert values.min() >= 0.6
    assert values.max() <= 1.2
    assert np.abs(values - 1).max() > 0.1  # the control: it does not converge
    losses = []
    for S in rng.standard_normal((200, 240)):
        nuclear = np.linalg.norm(S.reshape(20, 12), "nuc")
        losses.append(1 + S @ spectral(lmo="muon").lmo(S) / nuclear)
    assert max(losses) <= 0.14
    assert spectral(lmo="muon").leaves_the_set
    assert not spectral(lmo="newton_schulz").leaves_the_set
    zero = np.zeros(240)
    for lmo in ("muon", "newton_schulz"):
        np.testing.assert_array_equal(spectral(lmo=lmo).lmo(zero), zero)


def test_a_function_of_ones_own():
    radius = 2.0

    def project(v, step):
        return v * min(1.0, radius / max(np.linalg.norm(v), 1e-300))

    def lmo(s):
        return -radius * s / np.linalg.norm(s)

    mine = from_callable(project, 3, convex=True, lmo=lmo)
    s = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(mine.lmo(s), make("l2_ball", 3, radius=radius).lmo(s), rtol=1e-15)
    assert not from_callable(project, 3).has_lmo
    with pytest.raises(InputError, match=r"lmo: 3 given; a function s -> x is needed"):
        from_callable(project, 3, lmo=3)
    wrong = from_callable(project, 3, lmo=lambda s: s[:2])
    with pytest.raises(InputError, match=r"lmo.*answers with"):
        wrong.lmo(s)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        *((kind, {}, "radius: is missing") for kind in ("l1_ball", "linf_ball")),
        ("spectral_ball", {"radius": 1.0, "shape": [5, 5]}, "shape: 5 x 5 is 25; the dimension is"),
        ("nuclear_ball", {"radius": -1.0, "shape": [3, 4]}, "radius: must be above 0, got -1"),
        ("group_ball", {"radius": 1.0, "groups": 5}, "groups: size 5 does not divide"),
        (
            "spectral_ball",
            {"radius": 1.0, "shape": [3, 4], "steps": 3},
            "steps: only lmo newton_schulz has it, and lmo is svd",
        ),
        (
            "spectral_ball",
            {"radius": 1.0, "shape": [3, 4], "lmo": "newton_schulz", "steps": 101},
            "steps: must be at most 100, got 101",
        ),
    ],
)
def test_mistakes_are_told(kind, given, message):
    with pytest.raises(InputError, match=message):
        make(kind, 12, **given)


def test_projections_of_several_norms_meet():
    """Groups of one are coordinates, one group is the Euclidean ball, diagonals are spectra."""
    rng = np.random.default_rng(8)
    for _ in range(INPUTS):
        v, radius = rng.standard_normal(4), float(rng.uniform(0.2, 3))
        pairs = [
            (make("group_ball", 4, radius=radius, groups=1), make("l1_ball", 4, radius=radius)),
            (
                make("group_max_ball", 4, radius=radius, groups=1),
                make("linf_ball", 4, radius=radius),
            ),
            *(
                (make(kind, 4, radius=radius, groups=4), make("l2_ball", 4, radius=radius))
                for kind in ("group_ball", "group_max_ball")
            ),
        ]
        for one, other in pairs:
            for verb in (lambda term, v=v: term.prox(v, 1.0), lambda term, v=v: term.lmo(v)):
                np.testing.assert_allclose(verb(one), verb(other), rtol=1e-13, atol=1e-15)
        for matrices, vectors in (("nuclear_ball", "l1_ball"), ("spectral_ball", "linf_ball")):
            ball = make(matrices, 16, radius=radius, shape=[4, 4])
            plain = make(vectors, 4, radius=radius)
            found = ball.prox(np.diag(v).ravel(), 1.0).reshape(4, 4)
            np.testing.assert_allclose(found, np.diag(plain.prox(v, 1.0)), atol=1e-13)
            found = ball.lmo(np.diag(v).ravel()).reshape(4, 4)
            np.testing.assert_allclose(found, np.diag(plain.lmo(v)), atol=1e-13)


def test_all_cases_have_options():
    rng = np.random.default_rng(0)
    for kind, shape in itertools.product(SETS, [(2, 3)]):
        assert options(kind, rng, 6, shape)


class AboveOperator(NamedTuple):
    """0 where floor <= x_k <= floor + 1."""

    floor: float


def above_prox(r, step, v, out):
    for k in range(v.shape[0]):
        out[k] = min(max(v[k], r.floor), r.floor + 1.0)


def above_lmo(r, s, out):
    for k in range(s.shape[0]):
        out[k] = r.floor if s[k] >= 0.0 else r.floor + 1.0


def test_a_set_of_a_users_own_is_compiled_too():
    operators.prox.register(AboveOperator, above_prox)
    operators.value.register(AboveOperator, lambda r, x: 0.0)
    mine = LocalStep("above", AboveOperator(2.0), 3, convex=True)
    assert not mine.has_lmo
    operators.lmo.register(AboveOperator, above_lmo)
    try:
        assert mine.has_lmo
        s = np.array([[1.0, -1.0, 0.5], [-2.0, 0.0, 3.0]])
        out = np.empty_like(s)
        operators.all_lmo(mine.operator, s, out)
        np.testing.assert_array_equal(out, [[2, 3, 2], [3, 2, 2]])
        assert mine.distance(np.array([0.0, 2.5, 3.0])) == 2.0
    finally:
        del operators.lmo.implementations[AboveOperator]
