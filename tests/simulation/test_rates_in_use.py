"""Optimal rates where they are used: scenarios, the command line, the clock, and what they save."""

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from dadao_sim import simulate
from dadao_sim.events.log import GOSSIP, concatenate
from dadao_sim.networks import GraphSequence, read_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates import optimal_rates, with_rates
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.plan import make_clock
from dadao_sim.simulation.study import Study


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch):
    monkeypatch.setenv("DADAO_SIM_RATES_CACHE", "off")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["barbell", "geant2012"])
def test_the_communications_fall_by_the_predicted_ratio(name):
    """Medians to 1e-6 over ten repeats, within 5 % of the ratio of the least total rates."""
    from dadao_sim.scenario import shipped

    scenario = load_scenario(shipped.scenarios()[f"rates/{name}-rates"], ["stop.accuracy=1.0e-6"])
    result = simulate(scenario)
    summary = result.summary.query("accuracy == 1e-6").set_index("algorithm")
    uniform, optimal = summary.communications_median
    rates = [run["constants"]["total_rate"] for run in result.manifest["runs"][:2]]
    assert uniform / optimal == pytest.approx(rates[0] / rates[1], rel=0.05)
    times = summary.time_median
    assert times.iloc[0] == pytest.approx(times.iloc[1], rel=0.06), "in the same time"


def small(rates, algorithms=("dadao", "continuized")):
    return scenario_from_mapping(
        {
            "name": "r",
            "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
            "network": {"graph": "barbell", "nodes": 10, "rates": rates},
            "algorithms": list(algorithms),
            "stop": {"time": 10},
        }
    )


def test_both_clocks_take_the_rates_of_the_scenario():
    expected = optimal_rates(build("barbell", 10, None))
    dadao, continuized = Study(small("optimal")).check()
    np.testing.assert_allclose(dadao.tuning.clock.edges, expected.rates, rtol=1e-9)
    assert dadao.tuning.constants["chi1"] * dadao.tuning.constants["chi2"] == pytest.approx(0.5)
    share = expected.rates / expected.total_rate
    np.testing.assert_allclose(continuized.tuning.clock.edges, 5 * share, rtol=1e-9)


def test_an_algorithm_may_have_rates_of_its_own():
    own = {"name": "dadao", "label": "own", "rates": {"method": "metropolis"}}
    plain, metropolis = Study(small("uniform", ["dadao", own])).check()
    assert np.ptp(plain.tuning.clock.edges) == pytest.approx(0, abs=1e-12)
    assert np.ptp(metropolis.tuning.clock.edges) > 0
    back = {"name": "dadao", "label": "back", "rates": "uniform"}
    _, uniform = Study(small("optimal", ["dadao", back])).check()
    assert np.ptp(uniform.tuning.clock.edges) == pytest.approx(0, abs=1e-12)


def test_dadao_on_a_sequence_is_tuned_to_what_was_certified():
    """The rates keep their proportions across the graphs, in the tuning and in the clock."""
    for graphs in (("star", "path"), ("barbell", "path")):
        sequence = GraphSequence([build(name, 8, None) for name in graphs])
        best = optimal_rates(sequence)
        (plan,) = Study(
            small("uniform", ["dadao"]), network=best.network, problem=problem_for(sequence)
        ).check()
        assert plan.tuning.constants["total_rate"] == pytest.approx(best.total_rate, rel=1e-9)
        assert best.lower_bound <= plan.tuning.constants["total_rate"] * (1 + 1e-12)
        clock = make_clock(replace(plan, seed=np.random.SeedSequence(0)))
        log = concatenate([clock.window() for _ in range(8)])
        gossip = log.time[log.kind == GOSSIP]
        switching = plan.tuning.clock.switching
        totals = [rates.sum() for rates in best.by_graph]
        for q, total in enumerate(totals):
            count = (np.floor(gossip * switching) % 2 == q).sum()
            expected = total * log.time[-1] / 2
            assert abs(count - expected) < 5 * np.sqrt(expected)
        assert len(np.unique(log.mark)) == len(log)


@pytest.mark.parametrize("shared", [True, False])
def test_a_sequence_with_optimal_rates_needs_less(shared):
    rng = np.random.default_rng(1)
    sequence = GraphSequence([build("random_geometric", 12, rng) for _ in range(3)])
    better = with_rates(sequence, {"method": "auto", "shared": shared})
    uniform, optimal = (
        Study(small("uniform", ["dadao"]), network=network, problem=problem_for(network)).check()
        for network in (sequence, better)
    )
    ratio = optimal[0].tuning.communications / uniform[0].tuning.communications
    assert ratio < 0.9


def problem_for(network):
    from dadao_sim import Problem

    return Problem.averaging(np.arange(network.nodes, dtype=float)[:, None])


def test_pruning_changes_the_network_of_that_algorithm_only():
    own = {"name": "dadao", "label": "pruned", "rates": {"method": "auto", "prune": True}}
    scenario = small("uniform", ["dadao", own])
    network = build("complete", 10, None)
    plain, pruned = Study(scenario, network=network, problem=problem_for(network)).check()
    assert len(plain.network.edges) == 45
    assert nx.is_connected(pruned.network.to_networkx())


def test_the_command_prints_bounds_that_hold_and_writes_the_rates(dadao_sim, tmp_path):
    code, out, _ = dadao_sim(
        *("rates", "--graph", "lollipop", "--nodes", 14, "--set", "clique=8", "--set", "tail=6"),
        *("--json", "--out", "rated.graphml", "--figure", "rated.png"),
    )
    report = json.loads(out)["methods"]
    assert code == 0
    assert next(iter(report)) == "uniform"
    assert report["uniform"]["total_rate"] == pytest.approx(113.53, abs=0.01)
    assert report["auto"]["total_rate"] == pytest.approx(44.46, abs=0.01)
    for row in report.values():
        assert row["lower_bound"] <= row["total_rate"] * (1 + 1e-12)
        assert row["total_rate"] == pytest.approx((1 + row["gap"]) * row["lower_bound"])
        assert row["chi1"] * row["chi2"] == pytest.approx(0.5, rel=1e-9)
    written = read_graphml(tmp_path / "rated.graphml", rates="gossip_rate")
    assert written.rates.sum() == pytest.approx(report["auto"]["total_rate"], rel=1e-9)
    assert written.chi1(written.rates) * written.chi2(written.rates) == pytest.approx(0.5, rel=1e-9)
    assert (tmp_path / "rated.png").exists()
    network = json.loads(
        dadao_sim("network", "rated.graphml", "--rates", "gossip_rate", "--json")[1]
    )
    assert network["methods"]["dadao"]["design_rate"] == pytest.approx(44.46, abs=0.01)


def test_the_table_for_people(dadao_sim):
    code, out, _ = dadao_sim("rates", "--graph", "barbell", "--nodes", 16, "--method", "auto")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[2:4]] == [
        ["uniform", "126.15"],
        ["auto", "32.92"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "best"], "--method: 'best' is unknown (known: uniform"),
        (["--method", "exact", "--solver", "MAGIC"], "'MAGIC' is not installed"),
        (["--out", "."], "--out: .: name a file that ends in .graphml"),
        (["--time-limit", "-1"], "--time-limit: -1.0 seconds"),
    ],
)
def test_bad_requests_are_one_line(dadao_sim, arguments, message):
    code, _, err = dadao_sim("rates", "--graph", "path", "--nodes", 4, *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err


def test_disconnected_graphs_and_multigraphs(dadao_sim, tmp_path):
    nx.write_graphml(nx.Graph([(0, 1), (2, 3)]), tmp_path / "two.graphml")
    nx.write_graphml(nx.MultiGraph([(0, 1), (0, 1)]), tmp_path / "multi.graphml")
    assert "2 components" in dadao_sim("rates", "two.graphml")[2]
    assert "multigraph" in dadao_sim("rates", "multi.graphml")[2]
    code, _, err = dadao_sim("rates", "--graph", "path", "--nodes", 1)
    assert (code, err.count("\n")) == (2, 1)


def test_the_parts_of_a_repeat_hold_the_rates():
    parts = build_parts(small("optimal"), 0)
    assert np.ptp(parts.network.rates) > 0
