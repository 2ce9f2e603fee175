"""What was recorded: failures of nodes, and how long their gradients took."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from world_cases import COMPUTES, physics, rates, world_log

from dadao_sim.errors import InputError
from dadao_sim.events.log import GRADIENT_END, GRADIENT_START, RESET, ROUND, SEND
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks import Network
from dadao_sim.strict import checked

SITES = Network(3, np.array([[0, 1], [1, 2]]), ids=("Bern", "Basel", "Chur"))
FAILURES = pd.DataFrame(
    {
        "from": [20.0, 5.0, 60.0, 0.0],
        "to": [31.0, 9.5, 90.0, 3.0],
        "node": ["Bern", "Basel", "Bern", "Chur"],
        "why": ["power", "disk", "power", "unknown"],
    }
)
CONSTANT = {"gradient": {"kind": "constant"}, "pause": {"kind": "constant", "mean": 0.0}}


@pytest.fixture
def file(tmp_path):
    FAILURES.to_csv(tmp_path / "failures.csv", index=False)
    return str(tmp_path / "failures.csv")


def test_a_node_does_nothing_while_it_is_gone(file):
    nodes = {**COMPUTES, "failures": {"file": file}}
    log = world_log(SITES, nodes=nodes, links={"latency": 0.05}, per_edge=3.0)
    before = world_log(SITES, nodes=COMPUTES, links={"latency": 0.05}, per_edge=3.0)
    begins = np.isin(log.kind, (GRADIENT_START, GRADIENT_END, SEND))
    for row in FAILURES.itertuples():
        node = SITES.ids.index(row.node)
        its = begins & ((log.i == node) | (log.j == node))
        times = log.time[its]
        assert not ((times > row[1]) & (times < row.to)).any()
        assert ((times > row.to) & (times < row.to + 10)).any()
        its = (before.i == node) | (before.j == node)  # without the trace it is there
        assert ((before.time[its] > row[1]) & (before.time[its] < row.to)).any()
    assert not (log.kind == RESET).any()


def test_it_comes_back_with_its_state_or_from_zero(file):
    nodes = {**COMPUTES, "failures": {"file": file, "state": "lost", "times": 2.0}}
    log = world_log(SITES, nodes=nodes, links={"latency": 0.05}, per_edge=3.0)
    reset = log.kind == RESET
    order = FAILURES.sort_values("to")
    assert_allclose(log.time[reset], 2 * order["to"])
    assert [SITES.ids[i] for i in log.i[reset]] == order["node"].tolist()


def test_the_timeline_has_the_recorded_times(file):
    world = physics(SITES, nodes={**COMPUTES, "failures": {"file": file}})
    gone = world.gone(np.random.SeedSequence(0), 50.0)
    found = {(SITES.ids[int(node)], begin, end) for node, begin, end in gone}
    wanted = FAILURES[FAILURES["from"] < 50][["node", "from", "to"]]
    assert found == set(wanted.itertuples(index=False, name=None))


def test_rounds_wait_for_who_is_gone(tmp_path):
    """Gradients of 1, by hand: one that begins at 2 is met at 2.5 and begins anew at 4; one ends
    at 7, and its messages wait until 8.25.
    """
    (tmp_path / "f.csv").write_text("node,from,to\n2,2.5,4\n0,7,8.25\n")
    nodes = {**CONSTANT, "failures": {"file": str(tmp_path / "f.csv")}}
    world = physics(Network(3, SITES.edges), nodes=nodes)
    rounds = RoundWorld(world, 1, 8.0, np.random.SeedSequence(0)).window()
    ends = rounds.time[rounds.kind == ROUND]
    assert_allclose(ends[:7], [1, 2, 5, 6, 8.25, 9.25, 10.25])


def test_the_same_failures_for_every_method_and_seed(file):
    nodes = {**COMPUTES, "failures": {"file": file, "state": "lost"}}
    for seed in (1, 2):
        log = world_log(SITES, seed=seed, nodes=nodes, links={"latency": 0.05}, per_edge=3.0)
        assert_allclose(np.sort(log.time[log.kind == RESET]), np.sort(FAILURES["to"]))
    world = RoundWorld(physics(SITES, nodes=nodes), 1, 8.0, np.random.SeedSequence(1))
    log = world.window()
    assert sorted(SITES.ids[i] for i in log.i[log.kind == RESET]) == sorted(FAILURES["node"])


BAD_FAILURES = {
    "node,from,to\nZug,1,2\n": "line 2 of f.csv: the graph has no node with the id 'Zug'",
    "node,from,to\nBern,2,1\n": "line 2 of f.csv: it is from 2 to 1; 0 <= from < to is needed",
    "node,from,to\nBern,-1,1\n": "line 2 of f.csv: it is from -1 to 1",
    "node,from,to\nBern,1,\n": "line 2 of f.csv: it is from 1 to nan",
    "node,from,to\nBern,1,inf\n": "line 2 of f.csv: it is from 1 to inf",
    "node,from,to\nBern,1,soon\n": "column 'to', line 2 of f.csv is 'soon', no number",
    "node,from,to\nBern,3,5\nBern,1,4\n": "node 'Bern' fails at 3, and is gone already; join the",
    "node,from\nBern,3\n": "f.csv has no column 'to'; it has node, from",
    "node,from,to\n": "f.csv has no rows",
}


@pytest.mark.parametrize("text", BAD_FAILURES)
def test_failures_that_cannot_be(tmp_path, text):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        physics(SITES, nodes={**COMPUTES, "failures": {"file": str(tmp_path / "f.csv")}})
    said = str(caught.value)
    assert said.startswith("nodes.failures.file")
    assert BAD_FAILURES[text] in said


def test_failures_take_the_place_of_crashes(file):
    trace = {"file": file}
    with pytest.raises(InputError, match=r"nodes\.crashes: cannot act beside failures; say crash"):
        checked(WorldSpec, {"preset": "edge_devices", "nodes": {"failures": trace}})
    world = checked(
        WorldSpec, {"preset": "edge_devices", "nodes": {"failures": trace, "crashes": None}}
    )
    acting = {type(fault).__name__ for fault in world.faults()}
    assert "Failures" in acting
    assert "Crashes" not in acting
    with pytest.raises(InputError, match=r"there is no file .*nowhere\.csv"):
        physics(SITES, nodes={**COMPUTES, "failures": {"file": "nowhere.csv"}})


# ---- how long gradients took --------------------------------------------------------------------

TIMES = pd.DataFrame(
    {
        "node": ["Chur", "Bern", "Bern", "Chur", "Basel", "Bern"],
        "time": [0.8, 0.1, 0.3, 0.9, 0.2, 0.1],
    }
)


@pytest.fixture
def times(tmp_path):
    TIMES.to_csv(tmp_path / "times.csv", index=False)
    return {"kind": "trace", "file": str(tmp_path / "times.csv")}


def of_node(name):
    """In the unit of the mean of all rows."""
    return (TIMES.loc[TIMES["node"] == name, "time"] / TIMES["time"].mean()).to_numpy()


def test_each_node_goes_through_its_recorded_times(times):
    log = world_log(SITES, nodes={"gradient": times, "pause": {"kind": "constant", "mean": 0.0}})
    for i, name in enumerate(SITES.ids):
        ends = np.flatnonzero((log.kind == GRADIENT_END) & (log.i == i))
        took = log.time[ends] - log.time[log.start[ends]]
        assert len(took) > 500
        assert_allclose(took, np.resize(of_node(name), len(took)), atol=1e-8)


def test_rounds_last_as_long_as_the_slowest_recorded_time(times):
    nodes = {"gradient": {**times, "mean": 2.0}, "pause": {"kind": "constant", "mean": 0.0}}
    rounds = RoundWorld(physics(SITES, nodes=nodes), 1, 8.0, np.random.SeedSequence(0)).window()
    ends = rounds.time[rounds.kind == ROUND]
    slowest = np.max([np.resize(of_node(name), len(ends)) for name in SITES.ids], axis=0)
    assert_allclose(np.diff(ends, prepend=0.0), 2 * slowest, atol=1e-9)


def test_the_unit_of_time_is_stretched_to_the_slowest_node(times):
    nodes = {"gradient": times, "pause": {"kind": "constant", "mean": 0.0}}
    world = physics(SITES, nodes=nodes, time_unit="auto")
    means = [of_node(name).mean() for name in SITES.ids]
    assert_allclose(world.gradient_means(), means)
    assert_allclose(world.stretch(rates(SITES), 8.0), max(means))
    clock = WorldClock(world, rates(SITES), 8.0, np.random.SeedSequence(0))
    log = clock.window()
    for i in range(3):  # one gradient per unit at every node
        done = int(((log.kind == GRADIENT_END) & (log.i == i)).sum())
        assert abs(done / log.time[-1] - 1) < 0.1


def test_other_laws_draw_as_before(times):
    """One stream for all nodes, in the order in which they ask: a list of equal times is the law
    without a node of its own.
    """
    world = physics(SITES, nodes=COMPUTES)
    draws = world.spec.nodes.gradient.draws_of_nodes(SITES, np.random.default_rng(3))
    one = world.spec.nodes.gradient.unit_draws(np.random.default_rng(3))
    assert [draws[k % 3]() for k in range(9)] == [one() for _ in range(9)]
    assert_array_equal(world.relative_means, np.ones(3))


BAD_TIMES = {
    "node,time\nBern,1\nBasel,1\n": "times.csv has no row of 'Chur'",
    "node,time\nZug,1\n": "line 2 of times.csv: the graph has no node with the id 'Zug'",
    "node,time\nBern,0\n": "line 2 of times.csv: the time is 0; numbers > 0 are needed",
    "node,time\nBern,\n": "line 2 of times.csv: the time is nan",
    "node,seconds\nBern,1\n": "times.csv has no column 'time'; it has node, seconds",
}


@pytest.mark.parametrize("text", BAD_TIMES)
def test_recorded_times_that_cannot_be(tmp_path, text):
    (tmp_path / "times.csv").write_text(text)
    law = {"kind": "trace", "file": str(tmp_path / "times.csv")}
    with pytest.raises(InputError) as caught:
        physics(SITES, nodes={**CONSTANT, "gradient": law})
    assert str(caught.value).startswith("nodes.gradient.file")
    assert BAD_TIMES[text] in str(caught.value)
    with pytest.raises(InputError, match=r"nodes\.pause\.kind: trace is for gradients only"):
        checked(WorldSpec, {"nodes": {"pause": law}})
