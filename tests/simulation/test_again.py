"""Runs of a result made again: logs, trajectories, counts; simulations on objects and on logs."""

import math

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import (
    Events,
    GraphSequence,
    InputError,
    Metric,
    Network,
    PlayedAgain,
    Problem,
    build,
    load_result,
    replay,
    simulate,
)
from dadao_sim.events.files import event_table, events_of_table
from dadao_sim.events.log import GOSSIP, GRADIENT, ROUND
from dadao_sim.metrics import METRICS

RNG = np.random.default_rng(7)
A = RNG.standard_normal((6, 12, 3))
b = A @ np.ones(3) + RNG.standard_normal((6, 12))
PROBLEM = Problem.from_arrays(A, b, "least_squares")
REGULARISED = Problem.from_arrays(A, np.sign(b), "logistic_l2", mu=0.1)
RING = build("cycle", 6, np.random.default_rng(0))
SCENARIO = {
    "name": "small",
    "seed": 5,
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 6},
    "algorithms": ["dadao", "dgd"],
    "stop": {"time": 30, "communications": 150},
    "record": {"points": 12},
}
WORLD = {"links": {"latency": 0.3, "loss": {"probability": 0.1}}}


def same(one, other):
    pd.testing.assert_frame_equal(one.curves, other.curves, check_exact=True)
    pd.testing.assert_frame_equal(one.runs, other.runs, check_exact=True)


# ---- on objects, without a scenario -------------------------------------------------------------


def test_two_objects_are_simulated_as_in_a_scenario():
    asked = {"seed": 3, "repeats": 2, "record": {"points": 9}}
    bare = simulate(PROBLEM, RING, ["dadao", {"name": "dgd", "label": "mine"}], time=20, **asked)
    whole = {**SCENARIO, **asked, "algorithms": ["dadao", {"name": "dgd", "label": "mine"}]}
    same(bare, simulate({**whole, "stop": {"time": 20}}, problem=PROBLEM, network=RING))
    assert bare.manifest["scenario"]["problem"] == {"kind": "given"}
    assert bare.manifest["given_in_python"] == ["network", "problem"]
    assert bare.manifest["scenario"]["name"] == "least-squares-cycle"


def test_a_graph_of_networkx_and_one_name_will_do(tmp_path):
    result = simulate(problem=PROBLEM, network=nx.cycle_graph(6), algorithms="dgd", time=5)
    same(result, simulate(PROBLEM, RING, ["dgd"], stop={"time": 5}, out=tmp_path / "out"))
    same(result, load_result(tmp_path / "out"))


def test_other_processes_get_the_objects_too():
    both = ["dadao", "dgd"]
    same(simulate(PROBLEM, RING, both, time=9), simulate(PROBLEM, RING, both, time=9, jobs=2))


def test_a_metric_is_given_as_it_is(monkeypatch):
    assert "first" not in METRICS
    monkeypatch.setattr(METRICS, "_things", METRICS._things.copy())

    def first(problem, X):
        return X[0, 0]

    metrics = [Metric("first", "First", first), "accuracy"]
    result = simulate(PROBLEM, RING, "dgd", time=6, metrics=metrics)
    seen = result.trajectory("dgd", nodes=[0])
    assert_array_equal(result.curves["first"], seen["x0"])


REFUSED = {
    "nothing": ((), {}, "scenario: is missing; give one, or problem, network, algorithms"),
    "no network": ((PROBLEM,), {"time": 3}, "network: is missing"),
    "no algorithms": ((PROBLEM, RING), {"time": 3}, "algorithms: is missing"),
    "no end": ((PROBLEM, RING, "dgd"), {}, "stop: is missing"),
    "misspelt": ((PROBLEM, RING, "dgd"), {"tiem": 3}, "did you mean 'time'"),
    "two ends": ((PROBLEM, RING, "dgd"), {"time": 3, "stop": {"time": 3}}, "stop: time is given"),
    "a method": ((PROBLEM, RING, "dgdd"), {"time": 3}, "did you mean 'dgd'"),
    "sizes": ((PROBLEM, nx.path_graph(5), "dgd"), {"time": 3}, "has 5 nodes, but the problem has"),
    "twice": ((PROBLEM, RING, "dgd"), {"time": 3, "problem": PROBLEM}, "problem: is given twice"),
    "both": ((SCENARIO,), {"time": 3}, "time: is given beside a scenario"),
    "both lists": ((SCENARIO, None, "dgd"), {}, "algorithms: is given beside a scenario"),
    "our metric": (
        (PROBLEM, RING, "dgd"),
        {"time": 3, "metrics": [METRICS["accuracy"]]},
        "metrics: 'accuracy' is measured in every run",
    ),
}


@pytest.mark.parametrize(("given", "asked", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_of_objects(given, asked, message):
    with pytest.raises(InputError) as error:
        simulate(*given, **asked)
    assert message in str(error.value)


# ---- logs made again ----------------------------------------------------------------------------


def replayed(result, label, problem, network):
    events = PlayedAgain(result, label, 0).events
    return replay(result.methods[label], problem, network, events), events


@pytest.mark.parametrize("name", ["dadao", "ad_psgd", "continuized", "dgd", "randomised_gossip"])
def test_the_log_of_a_run_replays_to_its_end(name):
    problem = Problem.averaging(A[:, 0]) if name == "randomised_gossip" else PROBLEM
    result = simulate(problem, RING, [name], communications=123, seed=2)
    states, events = replayed(result, name, problem, RING)
    for block, values in result.states[name, 0].items():
        assert_array_equal(states[block], values)
    run = result.runs.iloc[0]
    assert len(events) == run["events"]
    exchanges = np.isin(events.kind, (GOSSIP, ROUND))
    assert exchanges.sum() * (6 if name == "dgd" else 1) == run["communications"]


def test_a_result_from_disk_has_the_same_logs(tmp_path):
    made = simulate(SCENARIO, out=tmp_path / "out")
    loaded = load_result(tmp_path / "out")
    for label, repeat in (("dadao", 0), ("dadao", 1), ("DGD", 1)):
        one, other = made.events(label, repeat), loaded.events(label, repeat)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        assert len(one) == made.runs.query(f"algorithm == '{label.lower()}'")["events"].iloc[repeat]
    assert not made.events("dadao", 0).equals(made.events("dadao", 1))


def test_the_log_of_a_world_is_in_mean_gradient_intervals():
    scenario = {**SCENARIO, "world": {**WORLD, "time_unit": "auto"}, "algorithms": ["dadao"]}
    result = simulate({**scenario, "record": {"points": 40}})
    events = PlayedAgain(result, "dadao").events
    assert events.unit > 1
    assert {"send", "arrive_i", "arrive_j", "lost"} <= set(result.events("dadao")["kind"])
    end = result.runs["time"].iloc[0]
    assert end - 3 < events.time[-1] <= end * (1 + 1e-12)
    again = simulate({**SCENARIO, "algorithms": ["dadao"]}, events=events)
    for block, values in result.states["dadao", 0].items():
        assert_array_equal(again.states["dadao", 0][block], values)
    assert_allclose(again.runs["time"], events.time[-1], rtol=1e-15)


def test_what_cannot_be_made_again(tmp_path):
    result = simulate(PROBLEM, RING, ["dgd"], time=5, out=tmp_path / "out")
    loaded = load_result(tmp_path / "out")
    with pytest.raises(InputError, match="network: was given in Python; give it again: network="):
        loaded.events("dgd")
    log = loaded.events("dgd", problem=PROBLEM, network=RING)
    pd.testing.assert_frame_equal(log, result.events("dgd"), check_exact=True)
    other = Problem.from_arrays(A, b + 1, "least_squares")
    with pytest.raises(InputError, match="result: is of other objects"):
        loaded.trajectory("dgd", problem=other, network=RING)
    with pytest.raises(InputError, match="repeat: 4 given; dgd has repeats 0"):
        result.events("dgd", 4)
    with pytest.raises(InputError, match="algorithm: there is no 'dga'; did you mean 'dgd'"):
        result.events("dga")
    scenario = simulate(SCENARIO)
    with pytest.raises(InputError, match="problem: was not given in Python"):
        scenario.events("dgd", problem=PROBLEM)
    scenario.manifest["ground"] = "another"
    with pytest.raises(InputError, match="result: is of another version, or of other files"):
        scenario.events("dgd")


OTHERS = {
    "network": nx.path_graph(6),
    "other names of nodes": nx.relabel_nodes(nx.cycle_graph(6), {0: 1, 1: 0}),  # of equal rates
    "problem": Problem.from_arrays(A, b + 1, "least_squares"),  # of equal mu and L
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", ["dadao", "dgd"])
def test_objects_of_another_run_are_refused_by_all(tmp_path, name, other):
    result = simulate(PROBLEM, RING, [name], time=9, out=tmp_path / "out")
    loaded = load_result(tmp_path / "out")
    mine = {"problem": PROBLEM, "network": RING}
    wrong = {**mine, "problem" if isinstance(other, Problem) else "network": other}
    for asked in ("events", "edge_counts", "node_counts", "trajectory"):
        again = getattr(loaded, asked)(name, **mine)
        pd.testing.assert_frame_equal(again, getattr(result, asked)(name), check_exact=True)
        with pytest.raises(InputError, match="result: is of other objects or another version"):
            getattr(loaded, asked)(name, **wrong)


# ---- trajectories -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dadao", "dgd", "ad_psgd"])
def test_a_trajectory_has_the_errors_of_the_curves(name):
    asked = {"accuracy": 1e-3, "time": 400, "record": {"points": 25}}
    result = simulate(PROBLEM, RING, [name], **asked)
    seen = result.trajectory(name)
    X = seen[["x0", "x1", "x2"]].to_numpy().reshape(-1, 6, 3)
    distance = ((X - PROBLEM.x_star) ** 2).sum(axis=2).mean(axis=1)
    assert_allclose(distance, result.curves["mean_squared_distance"], rtol=1e-12)
    assert_array_equal(seen["time"].to_numpy().reshape(-1, 6)[:, 3], result.curves["time"])
    some = result.trajectory(name, nodes=[4, 1])
    assert_array_equal(some["node"], [4, 1] * len(result.curves))
    assert_array_equal(some[["x0", "x1", "x2"]].to_numpy().reshape(-1, 2, 3), X[:, [4, 1]])


def test_nodes_are_called_by_their_names():
    ring = Network.from_networkx(nx.cycle_graph(["A", "B", "C", "D", "E", "F"]))
    result = simulate(PROBLEM, ring, ["dadao"], time=12)
    assert set(result.trajectory("dadao", nodes=["C"])["node"]) == {"C"}
    counts = result.edge_counts("dadao").set_index(["i", "j"])["communications"]
    log = result.events("dadao").query("kind == 'gossip'")
    assert counts["A", "F"] == ((log["i"] == 0) & (log["j"] == 5)).sum()
    with pytest.raises(InputError, match="nodes: the graph has no node with the id 'Z'"):
        result.trajectory("dadao", nodes=["Z"])


def test_one_node_is_as_a_list_of_it():
    numbers = simulate(PROBLEM, RING, ["dgd"], time=4)
    names = nx.relabel_nodes(nx.cycle_graph(6), dict(enumerate(["n0", "10", "0", "1", "x", "y"])))
    named = simulate(PROBLEM, names, ["dgd"], time=4)
    for result, one in ((numbers, 2), (numbers, "2"), (named, "10"), (named, 10), (named, "n0")):
        alone, listed = (result.trajectory("dgd", nodes=nodes) for nodes in (one, [one]))
        pd.testing.assert_frame_equal(alone, listed)
        assert set(map(str, alone["node"])) == {str(one)}
    for wrong in (1.5, True, 6, "n0"):
        with pytest.raises(InputError, match=r"nodes: node .* is not one of the 6 nodes"):
            numbers.trajectory("dgd", nodes=wrong)


# ---- counts -------------------------------------------------------------------------------------

MANY = (
    *("dadao", "continuized", "ad_psgd", "walkman", "adfs", "edge_admm"),
    *("dgd", "msda", "adom_plus_multi_consensus", "fedavg", "scaffnew", "destress"),
)


@pytest.mark.parametrize("name", MANY)
def test_counts_add_up_to_those_of_the_run(name):
    grid = build("grid_2d", 6, np.random.default_rng(0), rows=2, columns=3)
    result = simulate(PROBLEM if name != "adfs" else REGULARISED, grid, [name], time=40)
    run = result.runs.iloc[0]
    edges, nodes = result.edge_counts(name), result.node_counts(name)
    assert run["communications"] > 0
    assert_allclose(edges["communications"].sum(), run["communications"], rtol=1e-12)
    assert_allclose(nodes["communications"].sum(), 2 * run["communications"], rtol=1e-12)
    assert_allclose(nodes["gradients"].sum(), run["gradients"], rtol=1e-12)


def test_each_event_is_counted_where_it_happens():
    result = simulate(PROBLEM, RING, ["dadao"], time=80)
    log = result.events("dadao")
    gossip = log.query("kind == 'gossip'").groupby(["i", "j"]).size()
    counts = result.edge_counts("dadao").set_index(["i", "j"])["communications"]
    assert counts.to_dict() == gossip.to_dict()
    gradients = log.query("kind == 'gradient'").groupby("i").size()
    assert_array_equal(result.node_counts("dadao")["gradients"], gradients)


def test_rounds_over_a_sequence_use_the_edges_of_their_graph():
    path, ring = Network(4, [(0, 1), (1, 2), (2, 3)]), Network(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    problem = Problem.averaging(np.arange(4.0)[:, None])
    sequence = GraphSequence([path, path, ring])
    result = simulate(problem, sequence, ["synchronous_gossip"], time=11)
    counts = result.edge_counts("synchronous_gossip").set_index(["i", "j"])["communications"]
    assert counts.to_dict() == {(0, 1): 11, (0, 3): 3, (1, 2): 11, (2, 3): 11}  # rounds 2, 5, 8


def test_means_of_a_server_use_its_tree():
    problem = Problem.quadratic(np.ones((4, 1, 1)), np.arange(4.0)[:, None])
    ring = Network(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    result = simulate(problem, ring, ["fedavg"], time=6)
    counts = sorted(result.edge_counts("fedavg")["communications"])
    assert counts[0] == 0
    assert counts[1] == counts[2] == counts[3] > 0


def test_what_was_sent_again_is_counted_at_its_edge():
    scenario = {**SCENARIO, "world": WORLD, "algorithms": ["dgd"], "stop": {"time": 40}}
    result = simulate(scenario)
    again = result.events("dgd").query("kind == 'resent'").groupby("edge").size()
    counts = result.edge_counts("dgd")["communications"]
    assert again.sum() > 0
    rounds = result.curves.query("repeat == 0")["rounds"].iloc[-1]
    expected = rounds + again.reindex(range(6), fill_value=0)
    assert_allclose(counts, expected)


def test_gradients_of_uneven_minibatches_are_not_made_up():
    uneven = Problem.from_arrays([A[0], *A[1:, :6]], [b[0], *b[1:, :6]], "least_squares")
    result = simulate(uneven, RING, [{"name": "dgd", "batch_size": 3}, "dadao"], time=10)
    assert result.node_counts("dgd")["gradients"].isna().all()
    assert not result.node_counts("dadao").isna().any(axis=None)


# ---- a log of one's own -------------------------------------------------------------------------


def test_a_log_written_by_hand_has_its_curves():
    """Three values, two exchanges: means of pairs."""
    problem = Problem.averaging(np.array([[0.0], [4.0], [8.0]]))
    path = Network(3, [(0, 1), (1, 2)])
    log = pd.DataFrame({"time": [1.0, 3.0], "kind": ["gossip", "gossip"], "i": [0, 1], "j": [1, 2]})
    result = simulate(problem, path, ["randomised_gossip"], events=log, record={"points": 30})
    assert_array_equal(result.states["randomised_gossip", 0]["x"][:, 0], [2, 5, 5])
    seen = result.trajectory("randomised_gossip").pivot(index="time", columns="node", values="x0")
    for time, values in seen.iterrows():
        assert values.tolist() == ([0, 4, 8] if time < 1 else [2, 2, 8] if time < 3 else [2, 5, 5])
    end = result.curves.iloc[-1]
    assert (end["time"], end["communications"]) == (3, 2)
    assert end["accuracy"] == (4 + 1 + 1) / (16 + 0 + 16)
    assert result.runs["reason"].iloc[0] == "end of the log"
    assert result.manifest["given_in_python"] == ["events", "network", "problem"]


def test_rounds_by_hand_are_those_of_the_method():
    log = Events.from_arrays([1, 2, 5], [ROUND] * 3, [-1] * 3)
    result = simulate(PROBLEM, RING, ["dgd"], events=log)
    same_rounds = simulate(PROBLEM, RING, ["dgd"], time=3)
    assert_array_equal(result.states["dgd", 0]["x"], same_rounds.states["dgd", 0]["x"])
    assert result.curves["rounds"].iloc[-1] == 3
    assert result.curves["time"].iloc[-1] == 5


def test_the_log_of_a_run_played_by_others():
    """Every method sees the same events, and stops where it is told to."""
    log = PlayedAgain(simulate(PROBLEM, RING, ["dadao"], time=50), "dadao").events
    result = simulate(PROBLEM, RING, ["dadao", "ad_psgd"], events=log, repeats=2, time=20)
    assert set(result.runs["reason"]) == {"limit of time"}
    table = event_table(log)
    for label in ("dadao", "ad_psgd"):
        for repeat in (0, 1):
            played = result.events(label, repeat)
            pd.testing.assert_frame_equal(played, table[table["time"] <= 20], check_exact=True)
    few = simulate(PROBLEM, RING, ["dadao"], events=log, communications=17)
    assert few.runs["communications"].iloc[0] == 17
    assert few.runs["reason"].iloc[0] == "limit of communications"


def test_a_table_of_a_log_is_the_log():
    log = PlayedAgain(simulate(SCENARIO), "dadao").events
    back = events_of_table(event_table(log))
    for name in ("time", "kind", "i", "j", "edge", "mark", "start"):
        assert getattr(back, name).tobytes() == getattr(log, name).tobytes()
    assert events_of_table(event_table(log.in_intervals(3.0))).unit == 3.0


WAKE = Events.from_arrays([1], [GRADIENT], [0])
WRONG_LOGS = {
    "no log": ([1, 2], {}, "events: Events or a table of them are needed, not a list"),
    "a column": (pd.DataFrame({"time": [1.0], "i": [0]}), {}, "events: has no column 'kind'"),
    "a kind": (
        pd.DataFrame({"time": [1.0], "kind": ["gosip"], "i": [0], "j": [1]}),
        {},
        "events.kind: row 0: 'gosip'; did you mean 'gossip'",
    ),
    "no edge": (
        pd.DataFrame({"time": [1.0], "kind": ["gossip"], "i": [0], "j": [3]}),
        {},
        "no edge between nodes 0 and 3",
    ),
    "rounds": (Events.from_arrays([1], [ROUND], [-1]), {}, "dadao plays a log of no rounds"),
    "nothing": (Events.from_arrays([], [], []), {}, "events: the log has none after time 0"),
    "at 0": (Events.from_arrays([0], [GRADIENT], [0]), {}, "events: the log has none after time 0"),
    "a world": (WAKE, {"world": WORLD, "time": 50}, "leave world out"),
    "clocks": (WAKE, {"clock": {"node_rates": [1, 1, 1, 1, 1, 2]}}, "leave clock out"),
}


@pytest.mark.parametrize(("log", "more", "message"), WRONG_LOGS.values(), ids=WRONG_LOGS)
def test_logs_that_are_refused(log, more, message):
    with pytest.raises(InputError) as error:
        simulate(PROBLEM, RING, ["dadao"], events=log, **more)
    assert message in str(error.value)


def test_a_log_given_again_after_loading(tmp_path):
    log = Events.from_arrays([1, 2, 4], [GRADIENT, GOSSIP, GRADIENT], [0, 0, 1], [-1, 1, -1])
    simulate({**SCENARIO, "algorithms": ["dadao"]}, events=log, out=tmp_path / "out")
    loaded = load_result(tmp_path / "out")
    with pytest.raises(InputError, match="events: was given in Python"):
        loaded.events("dadao")
    assert loaded.events("dadao", events=log)["time"].tolist() == [1, 2, 4]
    assert math.isclose(loaded.trajectory("dadao", events=log)["time"].max(), 4)


def test_a_plugin_that_has_changed_is_not_even_read(tmp_path):
    """It is refused by its digest, before a line of it runs."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        'from dadao_sim.metrics import Metric\nONE = Metric("one", "One", lambda problem, X: 1.0)\n'
    )
    data = {"kind": "synthetic", "dim": 2, "samples_per_node": 3, "condition_number": 4}
    scenario = {
        "name": "mine",
        "plugins": [str(plugin)],
        "problem": {"kind": "least_squares", "data": data},
        "network": {"graph": "path", "nodes": 3},
        "algorithms": ["dadao"],
        "stop": {"time": 2.0},
        "record": {"points": 3, "metrics": ["one"]},
    }
    simulate(scenario, out=tmp_path / "r")
    result = load_result(tmp_path / "r")
    assert len(result.events("dadao")) > 0
    trap = tmp_path / "sprung"
    plugin.write_text(f"open({str(trap)!r}, 'w')\n")
    with pytest.raises(InputError, match=r"its plug-in .* has changed since it was run"):
        load_result(tmp_path / "r").events("dadao")
    assert not trap.exists()
