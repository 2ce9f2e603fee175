"""What results, scenarios, networks, problems and rates say of themselves, as text and as HTML."""

import xml.etree.ElementTree as xml
from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from dadao_sim import GraphSequence, Network, Problem, Result, build, optimal_rates, simulate
from dadao_sim.local_steps.terms import make
from dadao_sim.problems.kinds.problem import Problem as AnyProblem
from dadao_sim.results.sweep import load_sweep
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.sweep import sweep
from dadao_sim.text.cards import LONGEST, Card

DATA = {"kind": "synthetic", "dim": 3, "samples_per_node": 8}
SCENARIO = {
    "name": "small",
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 5},
    "start": {"kind": "normal"},
    "algorithms": [
        {"name": "dgd", "label": "a <b>bold</b> & its"},
        {"name": "dgd", "label": "twice", "parameters": {"step": 0.05}},
    ],
    "stop": {"time": 40},
    "report": {"accuracies": [0.5, 0.1]},
}


@pytest.fixture(scope="module")
def result():
    scenario = dict(SCENARIO, algorithms=[SCENARIO["algorithms"][0], "extra"])
    return simulate(scenario)


def cells(html):
    """The cells of each row, as an HTML reader has them."""
    rows = xml.fromstring(html).iter("tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def test_a_result_is_a_short_table_of_medians(result):
    table = cells(result._repr_html_())
    assert table[0][:3] == ["algorithm", "accuracy", "reached"]
    assert [row[0] for row in table[1:]] == ["a <b>bold</b> & its", "extra"]
    summary = result.summary.query("accuracy == 0.1").set_index("algorithm")
    for row in table[1:]:
        expected = summary.loc[row[0]]
        assert row[2] == f"{expected['reached']}/2"
        if np.isfinite(expected["communications_median"]):
            assert row[3] == f"{expected['communications_median']:,.0f}"
        else:
            assert row[3] == "not reached"
        assert all(cell in repr(result) for cell in row)
    assert len(repr(result).splitlines()) == 4


def test_a_result_is_short_whatever_is_in_it(result):
    runs, curves = [], []
    for k in range(60):
        label = f"{k:02d} {'long ' * 19}"
        runs.append(result.runs.query("algorithm == 'extra'").assign(algorithm=label))
        curves.append(result.curves.query("algorithm == 'extra'").assign(algorithm=label))
    many = replace(result, runs=pd.concat(runs), curves=pd.concat(curves))
    text = repr(many)
    assert len(text) <= LONGEST < 2000
    shown = sum(line.startswith("  ") for line in text.splitlines()) - 2  # head, and how many more
    assert f"... and {60 - shown} more" in text
    assert len(many._repr_html_()) < 10_000


def test_a_result_of_no_manifest_prints_too(result):
    assert repr(Result({}, result.curves, result.runs)).startswith("Result : 2 algorithms x 2")


def test_a_sweep_has_its_keys_in_the_table(tmp_path):
    asked = dict(SCENARIO, algorithms=["extra"], sweep={"network.nodes": [4, 6]})
    sweep(asked, out=tmp_path / "swept")
    swept = load_sweep(tmp_path / "swept")
    table = cells(swept._repr_html_())
    assert table[0][:2] == ["network.nodes", "algorithm"]
    assert [row[:3] for row in table[1:]] == [["4", "extra", "0.1"], ["6", "extra", "0.1"]]
    assert len(repr(swept)) <= LONGEST
    assert repr(swept).startswith("Sweep small: 2 cells; swept: network.nodes\n")


def test_a_scenario_says_what_was_asked():
    scenario = scenario_from_mapping(SCENARIO)
    said = dict(cells(scenario._repr_html_()))
    assert said["network"] == "graph: cycle, nodes: 5, rates: uniform"
    assert said["algorithms"] == "a <b>bold</b> & its, twice"
    assert said["stop"] == "time: 40"
    assert "seed" not in said
    assert str(scenario) == repr(scenario)
    assert len(repr(scenario)) < LONGEST


def test_a_network_against_networkx():
    graph = nx.star_graph(["hub", "a", "b", "c"])
    said = dict(cells(Network.from_networkx(graph)._repr_html_()))
    chi1 = 1 / nx.laplacian_spectrum(graph)[1]
    assert said["chi1, chi2"] == f"{chi1:.4g}, 0.5"
    assert said["degree"] == "1 to 3, mean 1.5"
    assert said["ids"] == "hub, a, b, c"
    large = build("cycle", 2000, np.random.default_rng(0))
    assert "chi1" not in repr(large)
    assert repr(large).startswith("Network cycle: 2,000 nodes, 2,000 edges")


def test_rates_and_sequences():
    network = build("barbell", 16, np.random.default_rng(0))
    said = dict(cells(optimal_rates(network)._repr_html_()))
    assert said["total rate"].startswith("32.9")  # the figure of the README
    sequence = GraphSequence([network, build("cycle", 16, np.random.default_rng(0))])
    edges = len({tuple(edge) for graph in sequence.graphs for edge in graph.edges.tolist()})
    assert f"16 to {len(network.edges)} in each, {edges} in all" in repr(sequence)


def test_every_kind_of_problem_has_its_card():
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((3, 20, 4)), rng.standard_normal((3, 20))
    linear = Problem.from_arrays(A, b, "least_squares")
    said = dict(cells(linear._repr_html_()))
    largest = max(np.linalg.eigvalsh(2 / 20 * a.T @ a)[-1] for a in A)
    assert said == {"samples": "60, 20 at a node", "L": f"{largest:.4g}", "mu": said["mu"]}
    lasso = linear.with_local_step(make("l1", 4, strength=0.1))
    assert dict(cells(lasso._repr_html_()))["local step"] == "l1"
    for kind in AnyProblem.__subclasses__():
        assert kind.__repr__ is AnyProblem.__repr__, kind


def test_what_does_not_print_is_written_out():
    card = Card("a\x1b[31m\nred", {"fact": "x" * 500}, ["c"], [["\u202e"]])
    assert str(card).splitlines()[0] == "a\\x1b[31m red"
    assert max(map(len, str(card).splitlines())) < 130
    assert "\u202e" not in str(card)
    assert "\u202e" not in card.html()
