"""lp and schatten: proxes against grids and neighbours, squares above them, and messages."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dadao_sim.errors import InputError
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make
from dadao_sim.local_steps.terms.reweighted import SchattenOperator

GRID = np.linspace(0, 1, 200_001)


def test_the_scalar_prox_is_the_global_minimiser_of_a_grid_and_stationary():
    rng = np.random.default_rng(0)
    for _ in range(400):
        p, e = float(rng.choice([1, 0.8, 0.5, 0.3, 0.1])), float(10 ** rng.uniform(-4, 0))
        t, v = float(10 ** rng.uniform(-3, 1)), rng.normal() * 10 ** rng.uniform(-2, 1)
        (u,) = make("lp", 1, strength=1.0, p=p, epsilon=e).prox([v], t)

        def objective(z, t=t, p=p, e=e, v=v):
            return t * ((z**2 + e**2) ** (p / 2) - e**p) + (z - v) ** 2 / 2

        best = objective(GRID * v).min()
        assert objective(u) <= best * (1 + 1e-8)
        assert abs(u * (1 + t * p * (u**2 + e**2) ** (p / 2 - 1)) - v) <= 1e-14 * abs(v)


def test_for_p_of_1_and_no_epsilon_it_is_the_soft_threshold():
    v = np.linspace(-4, 4, 801)
    found = make("lp", 801, strength=1.0, p=1.0, epsilon=1e-8).prox(v, 1.0)
    soft = np.sign(v) * np.maximum(np.abs(v) - 1, 0)
    assert np.abs(found - soft).max() <= 1.01 * (1e-16 / 2) ** (1 / 3)


def test_it_jumps_where_two_minima_are_as_good():
    v = np.linspace(0, 3, 30_001)
    term = make("lp", len(v), strength=1.0, p=0.5, epsilon=1e-3)
    u = term.prox(v, 1.0)
    k = np.diff(u).argmax()
    assert u[k + 1] - u[k] > 0.5
    alone = make("lp", 1, strength=1.0, p=0.5, epsilon=1e-3)
    values = [alone.value([z]) + (z - v[k]) ** 2 / 2 for z in u[k : k + 2]]
    assert values[0] == pytest.approx(values[1], abs=1e-3)


def test_what_is_not_finite_stays_so():
    found = make("lp", 3, strength=1.0).prox([np.nan, np.inf, -np.inf], 1.0)
    assert np.isnan(found[0])
    assert found[1:].tolist() == [np.inf, -np.inf]
    assert np.isnan(make("schatten", 4, strength=1.0, shape=[2, 2]).prox([np.nan] * 4, 1.0)).all()


def terms():
    weights = {"strength": 0.7, "p": 0.5, "epsilon": 0.05}
    return [
        make("lp", 20, **weights, weights=np.linspace(0.5, 2, 20)),
        make("schatten", 20, **weights, shape=[5, 4], weights=[0.5, 1.0, 1.0, 2.0]),
        make("schatten", 20, **weights, shape=[4, 5], weights=[0.5, 1.0, 1.0, 2.0]),
        make("schatten", 20, **weights | {"p": 1.0}, shape=[4, 5]),
    ]


@pytest.mark.parametrize("term", terms())
def test_the_square_touches_the_term_and_lies_above_it(term):
    rng = np.random.default_rng(1)
    for _ in range(8):
        x = rng.standard_normal(20) * 10 ** rng.uniform(-2, 1)
        S = term.operator.majoriser(x)
        differences = [(term.value(x + d) - term.value(x - d)) / 2e-6 for d in 1e-6 * np.eye(20)]
        assert_allclose(S(x), differences, atol=1e-6)
        for size in (1e-2, 1.0, 10.0):
            y = x + size * rng.standard_normal(20)
            above = term.value(x) + (y @ S(y) - x @ S(x)) / 2
            assert term.value(y) <= above + 1e-12 * abs(above)


@pytest.mark.parametrize("term", terms())
def test_rows_are_reweighted_each_by_itself(term):
    rng = np.random.default_rng(2)
    X, V = rng.standard_normal((2, 3, 6, 20))
    rows = term.operator.majoriser(X)(V)
    for place in np.ndindex(3, 6):
        assert_allclose(rows[place], term.operator.majoriser(X[place])(V[place]), rtol=1e-12)


def neighbours(operator, rng):
    """By how much the best of random neighbours of the prox is better."""
    best = 0.0
    for _ in range(6):
        V, out = rng.standard_normal(20), np.empty(20)
        operator.prox(1.0, V, out)

        def objective(x, V=V):
            return operator.value(x) + ((x - V) ** 2).sum() / 2

        reached = objective(out)
        for size in 10 ** rng.uniform(-3.5, 0, 100):
            best = max(best, reached - objective(out + size * rng.standard_normal(20)))
    return best


@pytest.mark.parametrize("p", [1.0, 0.5])
def test_no_neighbour_of_the_schatten_prox_is_better_unless_weights_fall(p):
    rising = np.array([0.2, 1.0, 1.5, 2.0])
    rng = np.random.default_rng(0)
    assert neighbours(SchattenOperator((5, 4), p, 0.05, 0.7 * rising), rng) <= 1e-12
    assert neighbours(SchattenOperator((5, 4), p, 0.05, 0.7 * rising[::-1]), rng) > 1e-3


def test_it_is_convex_for_p_of_1_only():
    assert make("lp", 3, strength=1.0, p=1.0).convex
    assert not make("lp", 3, strength=1.0, p=0.9).convex
    matrix = {"strength": 1.0, "shape": [2, 2]}
    assert make("schatten", 4, **matrix, p=1.0).convex
    assert not make("schatten", 4, **matrix, p=0.9).convex
    assert not make("schatten", 4, **matrix, p=1.0, weights=[1.0, 2.0]).convex


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (
            {"kind": "lp", "epsilon": 0.0},
            "prox.epsilon: 0 given; above 0 is needed: with 0 a coordinate that is 0 stays 0 for "
            "ever",
        ),
        ({"kind": "lp", "p": 1.5}, "prox.p: must be at most 1, got 1.5"),
        (
            {"kind": "lp", "weights": [1.0]},
            "prox.weights: 1 numbers given; 4, one per coordinate, are needed",
        ),
        (
            {"kind": "schatten", "shape": [2, 2], "weights": [2.0, 0.2]},
            "prox.weights: fall from 2 to 0.2; for singular values, largest first, they must not "
            "fall",
        ),
    ],
)
def test_messages(term, said):
    with pytest.raises(InputError) as caught:
        build_local_step({"prox": {"strength": 1.0, **term}}, 4)
    assert str(caught.value) == said
