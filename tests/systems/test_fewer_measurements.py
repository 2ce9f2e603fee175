"""Fewer measurements than the l1 norm needs, and what too little gossip does."""

import numpy as np
import pytest

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.plotting.curves import figure_of
from dadao_sim.problems.build import true_signal
from dadao_sim.randomness import stream
from dadao_sim.reports import recovery
from dadao_sim.results.look import FigureSpec
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

SCENARIO = load_scenario(shipped.scenarios()["systems/fewer-measurements"])


@pytest.fixture(scope="module")
def result():
    """With one, three and ten rounds of gossip."""
    mapping = SCENARIO.to_mapping()
    mapping |= {"algorithms": mapping["algorithms"][:3], "figures": None}
    return simulate(scenario_from_mapping(mapping))


def test_ten_rounds_of_gossip_arrive_and_one_settles_elsewhere(result):
    ends = result.runs.set_index("algorithm")["status"]
    assert ends["10 rounds"] == ends["3 rounds"] == "converged"
    assert ends["1 round of gossip"] == "stopped"
    last = result.curves.groupby("algorithm").last()
    assert last.loc["1 round of gossip", "accuracy"] > 0.01
    assert last.loc["1 round of gossip", "consensus_error"] < 1e-3  # they agree on what is wrong
    assert last.loc["3 rounds", "rounds"] > 2 * last.loc["10 rounds", "rounds"]


def test_the_support_is_right_with_enough_gossip_only(result):
    truth = true_signal(SCENARIO.problem, np.random.default_rng(stream(SCENARIO.seed, 0, "data")))
    errors = {
        label: np.linalg.norm(blocks["x"].mean(axis=0) - truth) / np.linalg.norm(truth)
        for (label, _), blocks in result.states.items()
    }
    assert errors["10 rounds"] < 0.03
    assert errors["1 round of gossip"] > 3 * errors["10 rounds"]


def test_it_says_so(result):
    assert {label for label, _ in result.remarks} == {"1 round of gossip", "3 rounds"}
    for said in result.remarks.values():
        assert said.endswith("too few for this network, about 10 are needed")


def test_24_measurements_recover_with_p_of_a_half_what_l1_does_not(result, monkeypatch):
    monkeypatch.setattr(recovery, "MEASUREMENTS", (24, 40))
    report = recovery.recovery(result)
    assert report.of_power[0] >= report.of_l1[0] + 0.3
    assert min(report.of_power[1], report.of_l1[1]) >= 0.9
    monkeypatch.setattr(
        "dadao_sim.reports.recovery.recovery", lambda _: report
    )  # it was computed a line ago
    figure = figure_of(result, FigureSpec.of({"kind": "recovery"}))
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    np.testing.assert_array_equal(lines["p = 0.5"], report.of_power)
    np.testing.assert_array_equal(lines["l1 norm"], report.of_l1)


def test_the_figure_is_of_a_sparse_signal_and_lp_only():
    mapping = {**SCENARIO.to_mapping(), "stop": {"time": 3}, "figures": None}
    mapping["local_step"] = {"prox": {"kind": "l1", "strength": 0.1}}
    mapping["algorithms"] = ["prox_ed"]
    with pytest.raises(InputError, match="figures: the term is l1, not lp"):
        recovery.recovery(simulate(scenario_from_mapping(mapping)))
