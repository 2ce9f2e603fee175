"""Local steps on consecutive slices of x."""

from typing import NamedTuple

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Problem, simulate
from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps import LocalStep, from_callable
from dadao_sim.local_steps.blocks import of_blocks
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make

THREE = [
    {"prox": {"kind": "l1", "strength": 0.1}},
    {"prox": {"kind": "box", "lower": -0.2, "upper": 0.3}},
    {"prox": {"kind": "tv_2d", "strength": 0.2, "shape": [2, 3]}},
]


def three(dimension=14):
    return build_local_step({"blocks": THREE}, dimension)


def test_each_block_has_its_slice_and_its_term():
    v, step = np.random.default_rng(0).standard_normal(14), 0.7
    parts = [
        make("l1", 4, strength=0.1),
        make("box", 4, lower=-0.2, upper=0.3),
        make("tv_2d", 6, strength=0.2, shape=[2, 3]),
    ]
    found = three()
    slices = [v[:4], v[4:8], v[8:]]
    wanted = [one.prox(of, step) for one, of in zip(parts, slices, strict=True)]
    assert_array_equal(found.prox(v, step), np.concatenate(wanted))
    inside = found.prox(v, step)
    values = [one.value(x) for one, x in zip(parts, np.split(inside, [4, 8]), strict=True)]
    assert found.value(inside) == pytest.approx(sum(values), rel=1e-15)
    assert found.value(v) == np.inf  # outside of the box
    assert (found.compiled, found.convex, found.exact, found.has_value) == (True,) * 4


def test_a_property_is_that_of_all_blocks():
    convex, odd = make("l1", 3, strength=0.1), make("l0", 3, strength=0.1)
    assert not of_blocks([convex, odd]).convex
    assert of_blocks([convex, odd]).has_value
    unknown = from_callable(lambda v, step: v / 2, 3, convex=True, exact=False)
    mixed = of_blocks([convex, unknown])
    assert (mixed.convex, mixed.exact, mixed.has_value, mixed.compiled) == (True, *(False,) * 3)
    assert np.isnan(mixed.value(np.ones(6)))


@pytest.mark.parametrize("python", [0, 1, 2])
def test_a_block_in_python_gives_the_same_bits(python):
    parts = [make("l1", 4, strength=0.3), make("huber", 3, strength=0.2, delta=0.5)]
    parts.append(make("l2_ball", 3, radius=0.5))
    one = parts[python]
    called = from_callable(one.prox, one.dimension, convex=True, value=one.value)
    v = np.random.default_rng(1).standard_normal(10)
    compiled = of_blocks(parts)
    mixed = of_blocks([*parts[:python], called, *parts[python + 1 :]])
    assert_array_equal(mixed.prox(v, 0.4), compiled.prox(v, 0.4))
    assert mixed.value(v) == compiled.value(v)
    assert compiled.compiled
    assert not mixed.compiled


class MeanOfAll(NamedTuple):
    """Its slice becomes the mean of all that it is shown."""

    factor: float


@kernel
def mean_of_all(r, step, x, out):
    """The mean."""
    out[:] = r.factor * x.mean()


@pytest.fixture
def mean_of_what_is_seen():
    """An operator that sees all where it may, under both verbs."""
    operators.prox_of_all.register(MeanOfAll, mean_of_all)
    operators.prox.register(MeanOfAll, mean_of_all)
    yield LocalStep("mean", MeanOfAll(1.0), 2, convex=False)
    del operators.prox_of_all.implementations[MeanOfAll]
    del operators.prox.implementations[MeanOfAll]


def test_what_stands_first_may_see_all_and_others_do_not(mean_of_what_is_seen):
    mean, plain = mean_of_what_is_seen, make("box", 2, lower=-9.0, upper=9.0)
    x = np.arange(4.0)
    assert_array_equal(of_blocks([mean, plain]).prox(x, 1.0), [1.5, 1.5, 2, 3])
    assert_array_equal(of_blocks([plain, mean]).prox(x, 1.0), [0, 1, 2.5, 2.5])
    called = from_callable(lambda v, step: v, 2)
    assert_array_equal(of_blocks([mean, called]).prox(x, 1.0), [1.5, 1.5, 2, 3])


def test_all_nodes_come_to_the_minimiser_of_both_terms():
    """x* by the plain proximal gradient, written out."""
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((6, 15, 8)), rng.standard_normal((6, 15))
    spec = {
        "blocks": [
            {"prox": {"kind": "l1", "strength": 0.3}, "size": 5},
            {"prox": {"kind": "box", "lower": 0.1, "upper": 0.2}},
        ]
    }
    problem = Problem.from_arrays(A, b, "least_squares")
    local_step = build_local_step(spec, 8)
    result = simulate(
        problem, nx.cycle_graph(6), ["prox_ed", "nids"], time=1200, local_step=local_step
    )
    assert result.curves.groupby("algorithm").accuracy.last().max() < 1e-18

    H = np.einsum("imk,iml->kl", A, A) / (6 * 15)
    c = np.einsum("imk,im->k", A, b) / (6 * 15)
    scale = problem.gradients(np.zeros((6, 8))).mean(axis=0) / -c  # 1/m or 2/m
    H, c = scale[0] * H, scale * c
    a = 1 / np.linalg.eigvalsh(H)[-1]
    x = np.zeros(8)
    for _ in range(20_000):
        v = x - a * (H @ x - c)
        soft = np.sign(v[:5]) * np.maximum(np.abs(v[:5]) - 0.3 * a, 0)
        x = np.concatenate([soft, np.clip(v[5:], 0.1, 0.2)])
    states = result.states[("prox_ed", 0)]
    estimate = states[result.manifest["methods"]["prox_ed"]["estimate"]]
    assert_allclose(estimate, np.tile(x, (6, 1)), atol=1e-9)
    assert np.count_nonzero(x[:5]) < 5  # the terms decide


@pytest.mark.parametrize(
    ("blocks", "dimension", "reason"),
    [
        (THREE, 15, r"blocks: 3 blocks of \?, \?, 6; the dimension is 15, which"),
        (THREE, 6, r"3 blocks of \?, \?, 6; the dimension is 6, which they must fill"),
        (
            [{**THREE[0], "size": 3}, {**THREE[1], "size": 3}],
            7,
            "2 blocks of 3, 3 make 6; the dimension is 7",
        ),
        (THREE[:1], 6, "blocks"),
        ([THREE[0], {"prox": THREE[0]["prox"], "learned": "laplacian"}], 6, "exactly one of the"),
        ([THREE[0], {"size": 3}], 6, r"blocks\.1: must have exactly one of the keys prox, learned"),
        ([THREE[0], {**THREE[2], "size": 4}], 6, r"blocks\.1\.prox\.shape"),
        ([THREE[0], {"prox": {"kind": "k_sparse", "k": 9}}], 6, r"blocks\.1\.prox\.k"),
        ([THREE[0], {"learned": "illumination"}], 6, r"blocks\.1\.learned\.network: .*the first"),
        ([{"learned": "illumination"}, THREE[0]], 4608, "network: size 48 given; .* needs size 64"),
        (
            [{"learned": "illumination"}, THREE[0]],
            6,
            "network: dimension 6 given; .* needs size 64",
        ),
    ],
)
def test_blocks_that_do_not_fit(blocks, dimension, reason):
    with pytest.raises(InputError, match=reason):
        build_local_step({"blocks": blocks}, dimension)


def test_light_alone_has_no_reflectance_to_see():
    with pytest.raises(InputError, match=r"learned\.network: .* can only be the first of blocks"):
        build_local_step({"learned": "illumination"}, 4096)
