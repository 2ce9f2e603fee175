"""Constants found by search: what they gain, what is refused, and that both sides are exact."""

import math
from dataclasses import replace

import numpy as np
import pytest
from second_moments import alike, network, problem_for

from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.dadao import FAST
from dadao_sim.errors import InputError
from dadao_sim.theory import critical_rate, exact_rate
from dadao_sim.theory.equal_curvature import EqualEnergies, Spectrum
from dadao_sim.theory.perron import Energies
from dadao_sim.theory.setting import Setting
from dadao_sim.theory.tuned_constants import (
    FINE,
    MARGIN,
    PRICES,
    Price,
    _Bench,
    _quadratic,
    tuned_constants,
)

KAPPAS = (10.0, 1000.0)


def decay(net, kappa, factors, **overrides):
    """The least exact decay over the curvatures that a set is judged on, by the package's rate."""
    problem = _quadratic(net.nodes, kappa, FINE, net.nodes <= 20)
    options = Options(constants=dict(factors))
    return -exact_rate("dadao", problem, net, overrides, options).sigma


@pytest.fixture(scope="module")
def cycle():
    return network("cycle", 8)


@pytest.fixture(scope="module")
def tuned(cycle):
    return tuned_constants("dadao", cycle, PRICES["time"], KAPPAS, seed=0, budget=66)


# ---- what is found


@pytest.mark.slow
def test_a_short_search_beats_the_shipped_sets(tuned):
    paper, fast = tuned.shipped["paper"], tuned.shipped["fast"]
    assert tuned.best_shipped == "fast"
    assert tuned.gain(fast, paper) == pytest.approx(3.516, abs=0.01)
    assert tuned.gained >= 1
    assert tuned.gain(tuned.found, paper) >= 3.9


@pytest.mark.slow
def test_what_it_says_is_the_exact_rate(cycle, tuned):
    for kappa, ours, paper in zip(
        tuned.kappas, tuned.found.decays, tuned.shipped["paper"].decays, strict=True
    ):
        assert decay(cycle, kappa, tuned.factors) == pytest.approx(ours, rel=1e-4)
        assert decay(cycle, kappa, {}) == pytest.approx(paper, rel=1e-4)
    rate = get_method("dadao").tune(
        alike(8, [1.0, 10.0]), cycle, {}, Options(constants=tuned.factors)
    )
    assert tuned.found.communications == rate.communications


@pytest.mark.slow
def test_the_margin_is_kept_and_the_critical_factor_has_two_sides(cycle, tuned):
    critical = tuned.found.critical
    assert critical <= MARGIN
    for kappa in KAPPAS:
        assert decay(cycle, kappa, tuned.factors, rate_factor=MARGIN) > 0
        assert decay(cycle, kappa, tuned.factors, rate_factor=critical * 1.001) > 0
    below = critical * 0.998
    assert min(decay(cycle, kappa, tuned.factors, rate_factor=below) for kappa in KAPPAS) < 0


@pytest.mark.slow
def test_a_margin_binds():
    """With little of it fewer exchanges do, and what is found then lacks more."""
    net = network("star", 4)
    found = [
        tuned_constants("dadao", net, PRICES["communications"], (30, 30), 1, 44, margin)
        for margin in (0.95, 0.5)
    ]
    assert found[1].found.critical <= 0.5 < found[0].found.critical <= 0.95


@pytest.mark.slow
def test_the_same_seed_finds_the_same():
    net, price = network("complete", 4), PRICES["communications"]
    found = [tuned_constants("dadao", net, price, (30, 30), seed, budget=33) for seed in (0, 0, 1)]
    assert found[0] == found[1]
    assert len({tuple(each.factors.values()) for each in found}) == 2
    assert found[0].gained > 1


@pytest.mark.slow
def test_a_search_for_communications_on_a_graph_whose_edges_differ():
    net = network("barbell", 6)
    found = tuned_constants("dadao", net, PRICES["communications"], KAPPAS, seed=0, budget=33)
    assert found.best_shipped == "frugal"
    assert found.gained >= 1
    (low, _, high) = found.found.decays
    assert decay(net, 10.0, found.factors) == pytest.approx(low, rel=1e-4)
    assert decay(net, 1000.0, found.factors) == pytest.approx(high, rel=1e-4)


def test_prices_weigh_gradients_and_exchanges(cycle):
    kappas, values = (100.0,), {}
    for name, price in {**PRICES, "both": Price(2.0, 3.0)}.items():
        bench = _Bench("dadao", cycle, kappas, price, 0.9)
        values[name] = bench.value(FAST), bench.value({"total_rate": 2.0})
    # fast has the paper's exchanges, so that its cost is the inverse of its decay in each price.
    assert values["time"][0] == values["communications"][0] == values["both"][0]
    ratio = decay(cycle, 100.0, {}) / decay(cycle, 100.0, {"total_rate": 2.0})
    exchanges = 8**0.5 * 7**0.5 / (2 * np.sin(np.pi / 8))
    both = (2 * 8 + 3 * 2 * exchanges) / (2 * 8 + 3 * exchanges)
    assert np.exp(values["time"][1]) == pytest.approx(ratio, rel=1e-3)
    assert np.exp(values["communications"][1]) == pytest.approx(2 * ratio, rel=1e-3)
    assert np.exp(values["both"][1]) == pytest.approx(both * ratio, rel=1e-3)


def test_what_has_no_decay_is_worse_than_all_that_has(cycle):
    bench = _Bench("dadao", cycle, (10.0, 100.0), PRICES["time"], 0.93)
    good = bench.value({"total_rate": 1.2})
    unsafe = bench.value({"total_rate": 0.96})
    grows = bench.value({"total_rate": 0.8})
    drifts = bench.value({"nu": 50.0})
    impossible = bench.value({"theta": 1e-9})
    assert good < 5 < unsafe < grows < drifts < impossible


# ---- what is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "ad_psgd"}, "none of its constants can be scaled"),
        ({"method": "gradient_tracking"}, "plays rounds"),
        ({"kappas": (100.0, 10.0)}, "kappa: 100:10 is no range"),
        ({"kappas": (10.0, 1e9)}, r"kappa: 10:1e\+09 is no range"),
        ({"kappas": (0.5, 10.0)}, "kappa: 0.5:10 is no range"),
        ({"margin": 0.0}, "margin: 0 is no share"),
        ({"price": Price(0.0, 0.0)}, "price: .* of a gradient, .* give finite prices"),
        ({"price": Price(-1.0, 2.0)}, "price: .* of a gradient, .* give finite prices"),
        ({"price": Price(math.inf, 1.0)}, "price: .* of a gradient, .* give finite prices"),
        ({"network": network("path", 49)}, "network: 49 nodes, of which each"),
        ({"network": network("cycle", 300)}, "network: 300 nodes, of which each"),
    ],
)
def test_what_cannot_be_tuned(cycle, changes, said):
    arguments = {"method": "dadao", "network": cycle, "budget": 1, **changes}
    with pytest.raises(InputError, match=said) as error:
        tuned_constants(**arguments)
    assert "\n" not in str(error.value)


def test_without_cmaes_the_extra_is_named(cycle, monkeypatch):
    monkeypatch.setattr("dadao_sim.theory.tuned_constants.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs cmaes; .*dadao-sim\[tune\]"):
        tuned_constants("dadao", cycle)


# ---- the cheap exact rate behind it


@pytest.mark.parametrize("graph", [("path", 7), ("star", 6), ("barbell", 8), ("cycle", 5)])
@pytest.mark.parametrize("name", ["dadao", "a2cid2", "randomised_gossip"])
@pytest.mark.parametrize("rates", ["uniform", "unlike"])
def test_modes_of_any_graph_make_the_map_of_all_states(graph, name, rates):
    """The radius of G at several growths, against the dense one over all edges and nodes."""
    net = network(*graph)
    if rates == "unlike":
        net = replace(net, rates=np.random.default_rng(1).uniform(0.5, 2, len(net.edges)))
    averages = get_method(name).needs_averaging
    problem = problem_for(name, net.nodes) if averages else alike(net.nodes, [3.0])
    setting = Setting.of(name, problem, net)
    cheap = EqualEnergies(setting.played, Spectrum.of(setting.played), 1.0 if averages else 3.0)
    dense = Energies(setting.along(0))
    assert cheap.abscissa == pytest.approx(dense.abscissa, rel=1e-7)
    for share in (1.9, 1.5, 1.0, 0.3):
        sigma = share * dense.abscissa
        assert cheap.radius(sigma) == pytest.approx(dense.radius(sigma), rel=2e-6)
        assert cheap.is_below_one(sigma) == (dense.radius(sigma) < 1)


def test_the_critical_rate_of_a_set_of_constants(cycle):
    options = Options(constants="fast")
    factor = critical_rate("dadao", [1.0, 1000.0], cycle, options=options)
    assert factor == pytest.approx(0.803, abs=1e-3)
    problem = alike(8, [1.0, 1000.0])
    for shift, grows in ((-1e-3, True), (1e-3, False)):
        overrides = {"rate_factor": factor + shift}
        assert (exact_rate("dadao", problem, cycle, overrides, options).sigma > 0) is grows
