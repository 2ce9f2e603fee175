"""Overrides: they win, they propagate, and nonsense is refused in one line."""

import math

import pytest
from cases import lollipop, problem_of, small_problem

from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.options import Options
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
        ("dadao", {"alpha": -1.0}, "dadao: parameter 'alpha' must be above 0, not -1"),
        ("dadao", {"alpha": 1e3}, "dadao: the method has no constants with {alpha: 1000}"),
        ("dadao", {"mu": 0.0}, "parameter 'mu' must be above 0, not 0"),
        ("continuized", {"mu": -1.0}, "parameter 'mu' must be above 0, not -1"),
        ("a2cid2", {"eta": -1.0}, "parameter 'eta' must be at least 0, not -1"),
        ("dadao", {"nu": "a"}, "parameter 'nu' must be a number, not 'a'"),
        ("msda", {"K": 2.5}, "'K' must be a whole number of at least 1, not 2.5"),
        ("msda", {"rate_factor": 2.0}, "'rate_factor' is unknown"),
        ("adom_plus", {"T": 2.0}, "'T' is unknown"),
        ("adom_plus_multi_consensus", {"T": 0.0}, "'T' must be a whole number of at least 1"),
        ("adom_plus", {"theta": math.nan}, "'theta' must be a finite number"),
    ],
)
def test_nonsense_is_refused(name, overrides, message):
    with pytest.raises(InputError) as caught:
        METHODS[name].tune(small_problem(7), lollipop(), overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_param_of_the_kernels_can_be_overridden(name):
    problem, network = problem_of(METHODS[name]), lollipop()
    method = METHODS[name].ready_for(problem)
    tuning = method.tune(problem, network)
    floats = [n for n in tuning.constants if isinstance(getattr(tuning.params, n, None), float)]
    # Those that are trained, and what has matrices alone or a number of each edge.
    none = ("synchronous_gossip", "push_sum", "delayed_gossip", "surf", "deep_mix")
    assert floats or name in none
    for name in floats:
        value = 0.5 * tuning.constants[name]
        changed = method.tune(problem, network, {name: value}).params
        assert getattr(changed, name) == value, name


def test_a_set_multiplies_the_constants_of_the_paper():
    method, problem, network = METHODS["dadao"], small_problem(7), lollipop()
    paper = method.tune(problem, network)
    frugal = method.tune(problem, network, {}, Options(constants="frugal"))
    factors = dict(method.constant_sets["frugal"])
    rate = factors["total_rate"]
    assert frugal.communications == pytest.approx(rate * paper.communications)
    assert frugal.constants["nu"] == pytest.approx(factors["nu"] * paper.constants["nu"])
    assert frugal.constants["r"] == paper.constants["r"]
    # 2 chi1/r, chi1 of the actual rates.
    assert frugal.constants["beta_tilde"] == pytest.approx(
        factors["beta_tilde"] / rate * paper.constants["beta_tilde"]
    )
    # The closed form of the flow follows.
    assert frugal.params.k_x == frugal.params.eta + frugal.params.eta_tilde
    again = method.tune(problem, network, {}, Options(constants=factors))
    assert again.constants == frugal.constants
    assert method.tune(problem, network, {}, Options(constants={})).constants == paper.constants


def test_an_override_wins_over_a_set():
    tuning = METHODS["dadao"].tune(
        *(small_problem(7), lollipop(), {"nu": 0.1, "rate_factor": 2.0}),
        Options(constants="frugal"),
    )
    unscaled = METHODS["dadao"].tune(small_problem(7), lollipop(), {"nu": 0.1})
    factors = METHODS["dadao"].constant_sets["frugal"]
    assert tuning.params.nu == 0.1
    assert tuning.params.gamma_tilde == pytest.approx(
        factors["gamma_tilde"] * unscaled.params.gamma_tilde
    )
    assert tuning.communications == pytest.approx(
        2 * factors["total_rate"] * unscaled.communications
    )


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("dadao", "fats", "dadao: constants: there is no set 'fats'; did you mean 'fast'"),
        ("extra", "fast", "extra: constants: there is no set 'fast' (known: paper)"),
        ("dadao", {"nu": 0.0}, "dadao: constants.nu: 0 is no factor"),
        ("dadao", {"nu": math.inf}, "dadao: constants.nu: inf is no factor"),
        ("dadao", {"chi": 2.0}, "dadao: constants.chi: no factor can be given (known: L, alpha,"),
        ("extra", {"a": 2.0}, "extra: constants.a: no factor can be given (known: step)"),
    ],
)
def test_no_set_and_no_factor_is_made_up(name, constants, message):
    with pytest.raises(InputError) as caught:
        METHODS[name].tune(small_problem(7), lollipop(), {}, Options(constants=constants))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="'adom_pluss' is unknown; did you mean 'adom_plus'"):
        get_method("adom_pluss")


def test_a_tunable_constant_is_multiplied_where_it_is_assigned_and_what_follows_follows():
    c = Constants("m", {"d": 5.0}, factors={"a": 2.0, "d": 3.0}, tunable=("a", "b", "d"))
    c.a = 1.0
    c.b = 2 * c.a
    c.d = 1.0
    c.scale("a")  # once only
    c.a = c.a + 1
    assert c.values == {"a": 3.0, "b": 4.0, "d": 5.0}
    c.check()


@pytest.mark.parametrize("name", [name for name in METHODS.ours if METHODS[name].tunable])
def test_what_a_method_tunes_is_among_its_constants(name):
    method, network = METHODS[name], lollipop()
    problem = problem_of(method)
    paper = method.tune(problem, network)
    assert 1 <= len(method.tunable) <= 2
    for constant in method.tunable:
        same = method.tune(problem, network, {}, Options(constants={constant: 1.0}))
        assert same.constants == paper.constants
        tuned = method.tune(problem, network, {}, Options(constants={constant: 0.9}))
        assert tuned.constants[constant] == pytest.approx(0.9 * paper.constants[constant])
        assert method.is_experimental(problem, Options(constants={constant: 0.9}))


def test_only_a_method_without_constants_has_nothing_to_tune():
    fixed = {name for name in METHODS.ours if not METHODS[name].tunable}
    assert fixed == {"deep_mix", "push_sum", "surf", "synchronous_gossip"}
