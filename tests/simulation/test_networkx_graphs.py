"""A graph of networkx is taken wherever a Network is; what is neither is refused in one line."""

import networkx as nx
import numpy as np
import pytest

from dadao_sim import Events, GraphSequence, Network, Study, optimal_rates, replay, simulate
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.networks import write_graphml
from dadao_sim.networks.rates import compare_rates, with_rates
from dadao_sim.problems import Problem
from dadao_sim.reports.layout import network_layout
from dadao_sim.reports.network import network_report
from dadao_sim.reports.rates import compare_methods, rates_report
from dadao_sim.simulation.parts import build_parts

SCENARIO = {
    "name": "s",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "network": {"graph": "star", "nodes": 5},
    "algorithms": ["dadao"],
    "stop": {"time": 5},
    "record": {"points": 5},
}
PROBLEM = Problem.averaging(np.arange(5.0)[:, None])


def events(network):
    return Events.from_arrays([1.0, 2.0], [0, 1], [0, 0], [-1, 1], network)


def written(network, folder):
    write_graphml(network, folder / "n.graphml", overwrite=True)
    return (folder / "n.graphml").read_bytes()


TAKEN = {
    "optimal_rates": lambda g, _: optimal_rates(g, "metropolis", cache=False).rates,
    "compare_rates": lambda g, _: compare_rates(g, ["uniform"], cache=False)[0].rates,
    "with_rates": lambda g, _: with_rates(g, "uniform").edges,
    "sequence": lambda g, _: GraphSequence([g, g]).edges,
    "Study": lambda g, _: Study(SCENARIO, network=g).parts(0).network.edges,
    "build_parts": lambda g, _: build_parts(Study(SCENARIO).scenario, 0, None, g).network.edges,
    "simulate": lambda g, _: simulate(SCENARIO, network=g).curves.to_csv(),
    "replay": lambda g, _: replay("dadao", PROBLEM, g, events(g))["x"],
    "events": lambda g, _: events(g).edge,
    "on": lambda g, _: events(g).on(g).edge,
    "network_report": lambda g, _: network_report(g)["chi1"],
    "compare_methods": lambda g, _: compare_methods(g, "uniform")[-1].rates,
    "rates_report": lambda g, _: rates_report(g, [])["edges"],
    "layout": lambda g, _: network_layout(g).positions,
    "write_graphml": written,
    "tune": lambda g, _: get_method("dadao").tune(PROBLEM, g).constants["chi1"],
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_graph_of_networkx_gives_what_its_network_gives(name, tmp_path):
    graph = nx.Graph([(3, 4), (0, 1), (1, 2), (2, 3), (0, 4)], name="ring")
    network = Network.from_networkx(graph)
    given, wanted = TAKEN[name](graph, tmp_path), TAKEN[name](network, tmp_path)
    np.testing.assert_array_equal(given, wanted)


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize(
    "wrong", [3, "star", None, np.eye(5), [[0, 1]], nx.DiGraph([(0, 1)]), nx.Graph(), nx.Graph]
)
def test_what_is_no_network_is_refused_in_one_line(name, wrong, tmp_path):
    if wrong is None and name in ("Study", "simulate", "build_parts", "events", "on"):
        pytest.skip("None: as the scenario says, or without")
    with pytest.raises(InputError) as caught:
        TAKEN[name](wrong, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("wrong", [[3], 3, None, [None], "ab", nx.path_graph(3), [nx.Graph()], []])
def test_sequences_of_something_else_are_refused(wrong):
    with pytest.raises(InputError, match=r"^graphs"):
        GraphSequence(wrong)


def test_a_result_says_what_its_nodes_are_called(tmp_path):
    graph = nx.path_graph(["Basel", "Bern", "Zürich"])
    result = simulate(SCENARIO, network=graph, out=tmp_path / "r")
    assert result.node_ids == ("Basel", "Bern", "Zürich")
    assert simulate(SCENARIO).node_ids is None


def test_a_result_says_how_many_edges_were_added(tmp_path):
    network = {"graph": "random_geometric", "nodes": 9, "radius": 0.3}
    scenario = {**SCENARIO, "network": network, "repeats": 3}
    study = Study(scenario)
    added = {str(r): study.parts(r).network.added_edges for r in range(3)}
    found = simulate(scenario, out=tmp_path / "r").manifest["network"]
    assert found == {"ids": None, "added_edges": {r: k for r, k in added.items() if k}}
    assert sum(added.values()) > 0
