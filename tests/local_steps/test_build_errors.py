"""Local steps by name: one line on what is wrong, in a call and in a scenario."""

import numpy as np
import pytest
from operator_cases import options
from pydantic import ValidationError

from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import from_callable
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.section.spec import LearnedSpec, LocalStepSpec
from dadao_sim.local_steps.terms import TERMS, make
from dadao_sim.strict import sentence

NOT_PAIR = "shape: must be [rows, columns], got "
SIZE = "must be 0 or of a size from 1e-100 to 1e+100"
BELOW_2_TO_63 = f"must be at most {2**63 - 1}"
MISTAKES = [
    ("l3", {}, "kind: unknown value 'l3'; did you mean 'l0'? (known: box, elastic_net,"),
    ([], {}, "kind: must be text, got an empty list"),
    ("l1", {}, "strength: is missing"),
    ("l1", {"strength": None}, "strength: is missing"),
    ("l1", {"strength": 0.0}, "strength: must be above 0, got 0.0"),
    ("l1", {"strength": np.nan}, "strength: must be a finite number, got nan"),
    ("l1", {"strength": np.inf}, "strength: must be a finite number, got inf"),
    ("l1", {"strength": True}, "strength: must be a number, got true"),
    ("l1", {"strength": "1"}, "strength: must be a number, got '1'"),
    ("l1", {"strength": 1j}, "strength: must be a number, got a complex"),
    ("l1", {"strength": 10**400}, f"strength: {SIZE}, got 1000"),
    ("l1", {"strength": np.ones((40, 1))}, "strength: must be a number, got a list"),
    ("l1", {"strength": 1, "radius": 1}, "radius: unknown key (known: kind, strength)"),
    ("elastic_net", {"strength": 1, "l2": -1}, "l2: must be above 0, got -1"),
    ("huber", {"strength": 1, "delta": 0}, "delta: must be above 0, got 0"),
    ("scad", {"strength": 1, "a": 2}, "a: must be above 2, got 2"),
    ("mcp", {"strength": 1, "gamma": 1.0}, "gamma: must be above 1, got 1.0"),
    ("simplex", {"total": -1}, "total: must be above 0, got -1"),
    ("l2_ball", {"radius": 0}, "radius: must be above 0, got 0"),
    ("k_sparse", {"k": 13}, "k: 13 given; a whole number from 1 to 12, the dimension, is needed"),
    ("k_sparse", {"k": 0}, "k: must be at least 1, got 0"),
    ("k_sparse", {"k": 2.0}, "k: must be an integer, got 2.0"),
    ("group_l2", {"strength": 1, "groups": 5}, "groups: size 5 does not divide the dimension 12"),
    ("group_l2", {"strength": 1, "groups": [5, 6]}, "groups: the sizes sum to 11; the dimension"),
    (  # their sum is 12 modulo 2^64
        "group_l2",
        {"strength": 1, "groups": [2**63 - 1, 2**63 - 1, 14]},
        "groups: the sizes sum to 18446744073709551628; the dimension is 12",
    ),
    (
        "wgsef",
        {"strength": 1, "groups": np.array([2**63, 2**63, 12], dtype=np.uint64), "k": 1},
        f"groups.0: {BELOW_2_TO_63}, got 922337",
    ),
    ("group_l2", {"strength": 1, "groups": 2**63}, f"groups: {BELOW_2_TO_63}, got 922337"),
    ("group_l2", {"strength": 1, "groups": [2**64, 12]}, f"groups.0: {BELOW_2_TO_63}, got 184467"),
    ("group_l2", {"strength": 1, "groups": [12, 0]}, "groups.1: must be at least 1, got 0"),
    ("group_l2", {"strength": 1, "groups": [6.0, 6.0]}, "groups.0: must be an integer, got 6.0"),
    ("group_l2", {"strength": 1, "groups": []}, "groups: must not be empty"),
    ("group_l2", {"strength": 1, "groups": "12"}, "groups: must be an integer, got '12'"),
    ("group_l2", {"strength": 1, "groups": True}, "groups: must be an integer, got true"),
    ("group_l2", {"strength": 1, "groups": [[6], [3, 3]]}, "groups.0: must be an integer, got a"),
    (
        "group_l2",
        {"strength": 1, "groups": 6, "weights": [1.0]},
        "weights: 1 numbers given; 2, one per group, are needed",
    ),
    ("group_l2", {"strength": 1, "groups": 6, "weights": [1.0, 0.0]}, "weights.1: must be above 0"),
    (
        "group_l2",
        {"strength": 1, "groups": 6, "weights": "ab"},
        "weights: must be a list, got",
    ),
    ("wgsef", {"strength": 1, "groups": 3, "k": 5}, "k: 5 given; a whole number from 1 to 4, the"),
    ("tv_2d", {"strength": 1, "shape": [3, 5]}, "shape: 3 x 5 is 15; the dimension is 12"),
    ("tv_2d", {"strength": 1, "shape": [12]}, f"{NOT_PAIR}a list of 1"),
    ("tv_2d", {"strength": 1, "shape": 12}, f"{NOT_PAIR}12"),
    ("nuclear", {"strength": 1, "shape": [-3, -4]}, "shape.0: must be at least 1, got -3"),
    ("rank", {"k": 4, "shape": [3, 4]}, "k: 4 given; a whole number from 1 to 3, the smaller side"),
    ("box", {"lower": 1.0, "upper": 0.0}, "upper: 0 at coordinate 0; at least the lower bound 1"),
    ("box", {"lower": np.nan}, "upper: inf at coordinate 0; at least the lower bound nan"),
    ("box", {"lower": [1.0, 2.0]}, "lower: 2 numbers given; 12, one per coordinate, are needed"),
    ("box", {"lower": "low"}, "lower: must be a number, got 'low'"),
    ("box", {"lower": 1e-300}, f"lower: {SIZE}, got 1e-300"),
    ("box", {"lower": [1e300] * 12}, f"lower.0: {SIZE}, got 1e+300"),
    ("box", {"lower": np.full(12, 1j)}, "lower.0: must be a number, got a complex"),
]


@pytest.mark.parametrize(("kind", "given", "message"), MISTAKES)
def test_a_mistake_is_one_line_under_the_name_of_the_option(kind, given, message):
    with pytest.raises(InputError) as error:
        make(kind, 12, **given)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dimension", [0, -1, 2.0, True, "3", None])
def test_a_dimension_is_whole_and_positive(dimension):
    for make_one in (
        lambda: make("l1", dimension, strength=1.0),
        lambda: from_callable(lambda v, step: v, dimension),
    ):
        with pytest.raises(InputError) as error:
            make_one()
        expected = f"dimension: {dimension!r} given; a whole number >= 1 is needed"
        assert str(error.value) == expected


def test_a_box_needs_a_bound():
    with pytest.raises(InputError, match="must have at least one of the keys lower, upper"):
        make("box", 3)


def test_defaults():
    rng = np.random.default_rng(0)
    v = 3 * rng.standard_normal(6)
    for kind, short, long in (
        ("group_l2", {"groups": [1, 5]}, {"groups": [1, 5], "weights": [1, 5**0.5]}),
        ("group_l2", {"groups": 3}, {"groups": [3, 3]}),
        ("wgsef", {"groups": 3, "k": 1}, {"groups": [3, 3], "k": 1, "weights": [1, 1]}),
        ("scad", {}, {"a": 3.7}),
        ("mcp", {}, {"gamma": 3.0}),
        ("huber", {}, {"delta": 1.0}),
    ):
        one, other = make(kind, 6, strength=0.5, **short), make(kind, 6, strength=0.5, **long)
        np.testing.assert_array_equal(one.prox(v, 0.7), other.prox(v, 0.7))
    np.testing.assert_array_equal(
        make("simplex", 6).prox(v, 0.7), make("simplex", 6, total=1).prox(v, 1.0)
    )


def test_the_arrays_of_the_caller_are_copied():
    lower, weights = np.zeros(2), np.ones(2)
    box, groups = make("box", 2, lower=lower), make("group_l2", 2, strength=1, groups=1)
    named = make("group_l2", 2, strength=1, groups=1, weights=weights)
    lower[:], weights[:] = 5.0, 5.0
    v = np.array([-1.0, 3.0])
    np.testing.assert_array_equal(box.prox(v, 1.0), [0.0, 3.0])
    np.testing.assert_array_equal(named.prox(v, 1.0), groups.prox(v, 1.0))


def plain(value):
    """As YAML has it: lists instead of arrays."""
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in value.items()}


@pytest.mark.parametrize("kind", TERMS)
def test_a_scenario_makes_the_same_step_as_a_call(kind):
    rng = np.random.default_rng(1)
    given = options(kind, rng, 12, (3, 4))
    spec = LocalStepSpec.model_validate({"prox": {"kind": kind, **plain(given)}})
    built, v = build_local_step(spec, 12), rng.standard_normal(12)
    assert built.kind == kind
    np.testing.assert_array_equal(built.prox(v, 0.7), make(kind, 12, **given).prox(v, 0.7))
    again = LocalStepSpec.model_validate(spec.model_dump(mode="json", exclude_none=True))
    assert again == spec


def test_bounds_may_be_infinite_from_python_and_absent_in_a_file():
    upper = np.array([1.0, np.inf])
    box = make("box", 2, lower=-np.inf, upper=upper)
    np.testing.assert_array_equal(box.prox([-9.0, 9.0], 1.0), [-9.0, 9.0])
    np.testing.assert_array_equal(box.prox([2.0, 9.0], 1.0), [1.0, 9.0])
    for wrong in (np.inf, upper.tolist()):
        with pytest.raises(ValidationError) as error:
            LocalStepSpec.model_validate({"prox": {"kind": "box", "upper": wrong}})
        (first,) = error.value.errors()
        assert (first["loc"], sentence(first)) == (("prox", "upper"), "must be finite")


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        ({}, "", "must have exactly one of the keys prox, learned"),
        ({"prox": {"kind": "simplex"}, "learned": "a"}, "", "must have exactly one of the keys"),
        (
            {"prx": {}},
            "prx",
            "unknown key; did you mean 'prox'? (known: prox, learned, blocks, quantise)",
        ),
        ({"prox": "l1"}, "prox", "must be a mapping, got 'l1'"),
        ({"prox": {"kind": "l3"}}, "prox.kind", "unknown value 'l3'; did you mean 'l0'?"),
        ({"prox": {"kind": "l1"}}, "prox.strength", "is missing"),
        ({"prox": {"kind": "l1", "strength": 0}}, "prox.strength", "must be above 0, got 0"),
        ({"prox": {"kind": "l1", "strength": 1, "k": 3}}, "prox.k", "unknown key"),
        ({"prox": {"kind": "k_sparse", "k": 0}}, "prox.k", "must be at least 1, got 0"),
        ({"prox": {"kind": "scad", "strength": 1, "a": 2}}, "prox.a", "must be above 2, got 2"),
        ({"prox": {"kind": "box"}}, "prox", "must have at least one of the keys lower, upper"),
        ({"prox": {"kind": "box", "lower": "0"}}, "prox.lower", "must be a number, got '0'"),
        ({"prox": {"kind": "box", "lower": [0, "1"]}}, "prox.lower.1", "must be a number, got '1'"),
        (
            {"prox": {"kind": "group_l2", "strength": 1, "groups": [2, "3"]}},
            "prox.groups.1",
            "must be an integer, got '3'",
        ),
        (
            {"prox": {"kind": "group_l2", "strength": 1, "groups": 2.0}},
            "prox.groups",
            "must be an integer, got 2.0",
        ),
        (
            {"prox": {"kind": "tv_2d", "strength": 1, "shape": [3]}},
            "prox.shape",
            "must be [rows, columns], got a list of 1",
        ),
        (
            {"prox": {"kind": "tv_2d", "strength": 1, "shape": 9}},
            "prox.shape",
            "must be [rows, columns], got 9",
        ),
        ({"learned": 3}, "learned", "must be the name of a network or a mapping, got 3"),
        ({"learned": {"strength": 1}}, "learned.network", "is missing"),
        ({"learned": ""}, "learned.network", "must not be empty"),
    ],
)
def test_a_mistake_in_a_scenario_is_one_line(data, where, message):
    with pytest.raises(ValidationError) as error:
        LocalStepSpec.model_validate(data)
    first = error.value.errors()[0]
    assert ".".join(map(str, first["loc"])) == where
    assert sentence(first).startswith(message)


def test_a_learned_step_is_shipped_or_a_file_of_the_scenario(tmp_path):
    def learned(given):
        folder = {"folder": tmp_path}
        return LocalStepSpec.model_validate({"learned": given}, context=folder).learned

    assert learned("laplacian") == LearnedSpec(network="laplacian", strength=1.0)
    assert learned({"network": "laplacian", "strength": 2}).strength == 2.0
    for name in ("mine.npz", "nets/mine.npz", "./laplacian"):
        assert learned(name).network == str(tmp_path / name.removeprefix("./"))


def test_a_learned_step_is_built_by_the_learned_package(monkeypatch):
    seen = []
    builder = "dadao_sim.local_steps.section.build.build_learned"
    monkeypatch.setattr(builder, lambda *given, is_first: seen.append((*given, is_first)))
    build_local_step({"learned": "laplacian"}, 5)
    assert seen == [(LearnedSpec(network="laplacian"), 5, False)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prox": {"kind": "k_sparse", "k": 9}}, "^prox.k: 9 given"),
        ({"prox": {"kind": "k_spars", "k": 9}}, "^prox.kind: unknown value 'k_spars'"),
        ({"learned": {"network": "nowhere.npz"}}, "^learned"),
    ],
)
def test_a_section_says_where_in_it_the_mistake_is(asked, message):
    with pytest.raises(InputError, match=message):
        build_local_step(asked, 5)
