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


def played(time):
    """With one, three and ten rounds of gossip."""
    mapping = SCENARIO.to_mapping()
    mapping |= {"algorithms": mapping["algorithms"][:3], "figures": None}
    mapping["stop"] = {"time": time, "accuracy": 1e-12}
    return simulate(scenario_from_mapping(mapping))


@pytest.fixture(scope="module")
def result():
    return played(4000)


def test_all_arrive_and_have_sent_nearly_the_same(result):
    assert (result.runs["status"] == "converged").all()
    last = result.curves.groupby("algorithm").last()
    assert last["communications"].max() < 1.3 * last["communications"].min()
    assert last.loc["1 round of gossip", "rounds"] > 5 * last.loc["10 rounds", "rounds"]


def test_with_little_gossip_and_as_many_steps_the_support_is_wrong():
    """The control: stopped where ten rounds have arrived."""
    result = played(160)
    truth = true_signal(SCENARIO.problem, np.random.default_rng(stream(SCENARIO.seed, 0, "data")))
    errors = {
        label: np.linalg.norm(blocks["x"].mean(axis=0) - truth) / np.linalg.norm(truth)
        for (label, _), blocks in result.states.items()
    }
    assert errors["10 rounds"] < 0.03
    assert min(errors["1 round of gossip"], errors["3 rounds"]) > 3 * errors["10 rounds"]
    last = result.curves.groupby("algorithm").last()
    assert last.loc["1 round of gossip", "consensus_error"] < 1e-3  # they agree on what is wrong


def test_it_says_so(result):
    assert {label for label, _ in result.remarks} == {"1 round of gossip", "3 rounds"}
    for said in result.remarks.values():
        assert said.endswith("too few for it to fall on this network, about 10 are needed")


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
