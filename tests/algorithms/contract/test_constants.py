"""Overrides: they win, they propagate, and nonsense is refused in one line."""

import math

import pytest
from cases import lollipop, small_problem

from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.registry import METHODS, get_method
from dadao_sim.errors import InputError


def test_an_override_wins_and_what_is_computed_later_follows():
    c = Constants("m", {"a": 3.0})
    c.a = 1.0
    c.b = 2 * c.a
    assert c.values == {"a": 3.0, "b": 6.0}


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("dadao", {"alpha": -1.0}, "the method has no constants with {alpha: -1}"),
        ("dadao", {"mu": 0.0}, "the method has no constants with {mu: 0}"),
        ("continuized", {"mu": -1.0}, "the method has no constants with {mu: -1}"),
        ("msda", {"K": 2.5}, "'K' must be a whole number of at least 1, not 2.5"),
        ("msda", {"rate_factor": 2.0}, "'rate_factor' is unknown"),
        ("adom_plus", {"T": 2.0}, "'T' is unknown"),
        ("adom_plus_multi_consensus", {"T": 0.0}, "'T' must be a whole number of at least 1"),
        ("adom_plus", {"theta": math.nan}, "'theta' must be a finite number"),
    ],
)
def test_nonsense_is_refused(name, overrides, message):
    with pytest.raises(InputError) as caught:
        METHODS[name].tuned(small_problem(7), lollipop(), overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_param_of_the_kernels_can_be_overridden(name):
    method = METHODS[name]
    problem, network = small_problem(7), lollipop()
    params = method.tune(problem, network, {}).params
    for field in params._fields:
        value = getattr(params, field)
        if isinstance(value, float):
            changed = method.tune(problem, network, {field: 0.5 * value}).params
            assert getattr(changed, field) == 0.5 * value, field


def test_an_unknown_method_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="'adom_pluss' is unknown; did you mean 'adom_plus'"):
        get_method("adom_pluss")
